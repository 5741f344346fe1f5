/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-upstream-socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

/* An upstream that vanished (no RST, no FIN) is noticed after idle + probes × interval. With
 * data in flight the kernel's own limit of retransmissions holds. There is no TCP_USER_TIMEOUT:
 * it would also end a connection whose peer is there and keeps its window closed. */
#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_PROBES 4

static void
set_option (int fd, int level, int option, int value)
{
  /* These improve a connection, none of them is needed for it. */
  (void) setsockopt (fd, level, option, &value, sizeof value);
}

/**
 * t2pw_upstream_socket_new:
 * @destination: whom it is going to be connected to
 *
 * Returns: a non-blocking TCP socket with mark, link and no delay set, or -1 with errno.
 */
int
t2pw_upstream_socket_new (T2pwSocketPolicy *policy, const T2pIpAddress *destination)
{
  int fd =
      socket (destination->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  int saved_errno;

  if (fd < 0)
    return -1;
  if (!t2pw_socket_policy_apply (policy, fd, destination))
    {
      saved_errno = errno;
      close (fd);
      errno = saved_errno;
      return -1;
    }
  set_option (fd, IPPROTO_TCP, TCP_NODELAY, 1);
  /* The ACK of the SYN-ACK waits for the greeting, which we send at once: one packet less. */
  set_option (fd, IPPROTO_TCP, TCP_QUICKACK, 0);
  return fd;
}

/**
 * t2pw_upstream_socket_open_fast:
 * @fd: a TCP socket that is not connected yet
 *
 * Its first data may go with the SYN (RFC 7413). Without a cookie of the peer, or where the
 * kernel does not have it, nothing changes.
 */
void
t2pw_upstream_socket_open_fast (int fd)
{
  set_option (fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
}

/* EADDRNOTAVAIL is said for "every local port is taken" and for "no local address suits this
 * peer": a UDP socket, which has ports of its own, is told the second only. */
static gboolean
has_local_address (const struct sockaddr *peer, socklen_t length)
{
  int fd = socket (peer->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  gboolean has_one;

  if (fd < 0)
    return TRUE;
  has_one = connect (fd, peer, length) == 0;
  close (fd);
  return has_one;
}

/**
 * t2pw_upstream_socket_is_shortage:
 * @saved_errno: of socket(), connect() or epoll_ctl()
 * @peer: whom it was for
 *
 * Whether we have run out of something ourselves, so that nothing has been learnt of @peer.
 */
gboolean
t2pw_upstream_socket_is_shortage (int saved_errno,
                                  const struct sockaddr *peer,
                                  socklen_t length)
{
  switch (saved_errno)
    {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case ENOSPC: /* fs.epoll.max_user_watches */
      return TRUE;
    case EADDRNOTAVAIL:
      return has_local_address (peer, length);
    default:
      return FALSE;
    }
}

/**
 * t2pw_upstream_socket_guard:
 * @fd: a connected socket
 *
 * From now on a peer that vanishes is noticed.
 */
void
t2pw_upstream_socket_guard (int fd)
{
  set_option (fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
  set_option (fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
  set_option (fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
  set_option (fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}
