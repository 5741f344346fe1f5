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
/* The same when the uplink has changed: four seconds. */
#define HURRY_INTERVAL_S 1
#define HURRY_PROBES 3

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

static void
set_keepalive (int fd, int idle_s, int interval_s, int probes)
{
  set_option (fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_s);
  set_option (fd, IPPROTO_TCP, TCP_KEEPINTVL, interval_s);
  set_option (fd, IPPROTO_TCP, TCP_KEEPCNT, probes);
  set_option (fd, SOL_SOCKET, SO_KEEPALIVE, 1);
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
  set_keepalive (fd, KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES);
}

/**
 * t2pw_upstream_socket_hurry:
 * @fd: a connected socket
 *
 * A peer that has vanished is noticed within seconds, until t2pw_upstream_socket_guard().
 */
void
t2pw_upstream_socket_hurry (int fd)
{
  set_keepalive (fd, HURRY_INTERVAL_S, HURRY_INTERVAL_S, HURRY_PROBES);
}

/* --- what the machine's network says of a connection that was made before */

static gboolean
is_inet (const struct sockaddr_storage *address)
{
  return address->ss_family == AF_INET || address->ss_family == AF_INET6;
}

static void
set_port (struct sockaddr_storage *address, in_port_t port)
{
  if (address->ss_family == AF_INET)
    ((struct sockaddr_in *) address)->sin_port = port;
  else
    ((struct sockaddr_in6 *) address)->sin6_port = port;
}

/**
 * t2pw_upstream_socket_is_stranded:
 * @fd: a connected socket
 *
 * Whether the address that it speaks from is this machine's no more. Nothing that is sent to it
 * will ever arrive.
 */
gboolean
t2pw_upstream_socket_is_stranded (int fd)
{
  struct sockaddr_storage own = { 0 };
  socklen_t length = sizeof own;
  gboolean is_stranded;
  int probe;

  if (getsockname (fd, (struct sockaddr *) &own, &length) < 0 || !is_inet (&own))
    return FALSE;
  probe = socket (own.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0)
    return FALSE;
  set_port (&own, 0);
  is_stranded = bind (probe, (struct sockaddr *) &own, length) < 0 && errno == EADDRNOTAVAIL;
  close (probe);
  return is_stranded;
}

/* FALSE when the link that @fd is bound to is gone. */
static gboolean
copy_link (int fd, int probe)
{
  char name[IFNAMSIZ] = "";
  socklen_t length = sizeof name;

  return getsockopt (fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length) < 0
             ? errno != ENODEV
             : length == 0 ||
                   setsockopt (probe, SOL_SOCKET, SO_BINDTODEVICE, name, length) == 0;
}

/* By the mark and the link of @fd, which decide on the route. */
static gboolean
route_like (int fd, int probe)
{
  guint32 mark = 0;
  socklen_t length = sizeof mark;

  if (getsockopt (fd, SOL_SOCKET, SO_MARK, &mark, &length) == 0 && mark != 0)
    (void) setsockopt (probe, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
  return copy_link (fd, probe);
}

/**
 * t2pw_upstream_socket_has_route:
 * @fd: a connected socket
 *
 * Whether there is any way to its peer now.
 */
gboolean
t2pw_upstream_socket_has_route (int fd)
{
  struct sockaddr_storage peer = { 0 };
  socklen_t length = sizeof peer;
  gboolean has_route;
  int probe;

  if (getpeername (fd, (struct sockaddr *) &peer, &length) < 0 || !is_inet (&peer))
    return FALSE;
  probe = socket (peer.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0)
    return FALSE;
  has_route = route_like (fd, probe) && connect (probe, (struct sockaddr *) &peer, length) == 0;
  close (probe);
  return has_route;
}
