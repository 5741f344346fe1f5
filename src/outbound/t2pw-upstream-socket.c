/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-upstream-socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* An upstream that vanished (no RST, no FIN) is noticed after this long with data in flight… */
#define USER_TIMEOUT_MS 30000
/* …and this long without. */
#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_PROBES 4

/**
 * t2pw_socket_policy_apply:
 * @fd: a socket that is not connected yet
 *
 * Marks @fd. A refusal (no CAP_NET_RAW, Linux before 5.17) is noted in the policy and is no
 * failure: without a capture that needs the mark, the socket works all the same.
 */
void
t2pw_socket_policy_apply (T2pwSocketPolicy *policy, int fd)
{
  if (policy->mark == 0)
    return;
  if (setsockopt (fd, SOL_SOCKET, SO_MARK, &policy->mark, sizeof policy->mark) < 0)
    policy->mark_was_refused = TRUE;
}

static void
set_option (int fd, int level, int option, int value)
{
  /* These improve a connection, none of them is needed for it. */
  (void) setsockopt (fd, level, option, &value, sizeof value);
}

/**
 * t2pw_upstream_socket_new:
 * @family: AF_INET or AF_INET6
 *
 * Returns: a non-blocking TCP socket with mark and no delay set, or -1.
 * Errors: G_IO_ERROR.
 */
int
t2pw_upstream_socket_new (T2pwSocketPolicy *policy, int family, GError **error)
{
  int fd = socket (family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

  if (fd < 0)
    {
      int saved_errno = errno;

      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno),
                   "no socket for an upstream: %s", g_strerror (saved_errno));
      return -1;
    }
  t2pw_socket_policy_apply (policy, fd);
  set_option (fd, IPPROTO_TCP, TCP_NODELAY, 1);
  /* The ACK of the SYN-ACK waits for the greeting, which we send at once: one packet less. */
  set_option (fd, IPPROTO_TCP, TCP_QUICKACK, 0);
  return fd;
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
  set_option (fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
  set_option (fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
  set_option (fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
  set_option (fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
  set_option (fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}
