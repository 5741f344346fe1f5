/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * The socket stays in the epoll set with every event, edge-triggered, from the handshake on, so
 * that nothing is modified per flow. A short read means that the socket is drained and that an
 * edge will announce more, so the next read is spared; but not once the peer has hung up, for
 * that edge has been delivered and the end of the stream would wait for ever behind it. */
#include "config.h"

#include "t2pw-tcp-carrier.h"

#include "t2pw-upstream-socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVERY_EVENT (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)
/* Unacknowledged data that was sent again this often is a stalled connection. */
#define STALLED_RETRANSMITS 1
/* Connections that are shorter need no keep-alive, and the system calls are saved. */
#define GUARD_AFTER_MS 5000

/* The carrier whose handlers are being called; a handler that closes it clears this. */
static __thread T2pwTcpCarrier *dispatching;

/**
 * t2pw_tcp_carrier_init:
 *
 * For the memory of a new carrier, all zero.
 */
void
t2pw_tcp_carrier_init (T2pwTcpCarrier *carrier,
                       const T2pwCarrierClass *klass,
                       T2pReactor *reactor,
                       const T2pwCarrierHandler *handler,
                       gpointer user_data)
{
  carrier->base = (T2pwCarrier){ .klass = klass, .handler = handler, .user_data = user_data };
  carrier->reactor = reactor;
  carrier->watch.fd = -1;
}

/**
 * t2pw_tcp_carrier_watch:
 * @from: watches a connected socket, which is the carrier's own from now on, also on failure
 * @ready: gets the events of the handshake
 */
gboolean
t2pw_tcp_carrier_watch (T2pwTcpCarrier *carrier, T2pWatch *from, T2pWatchFunc ready)
{
  int fd = from->fd;

  if (t2p_reactor_hand_over (carrier->reactor, from, &carrier->watch, EVERY_EVENT, ready, NULL))
    return TRUE;
  close (fd);
  return FALSE;
}

static void
tcp_ready_cb (T2pWatch *watch, guint32 events)
{
  T2pwTcpCarrier *carrier = T2P_OWNER_OF (watch, T2pwTcpCarrier, watch);
  const T2pwCarrierHandler *handler = carrier->base.handler;
  gpointer user_data = carrier->base.user_data;

  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
    carrier->has_hung_up = TRUE;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
    carrier->is_drained = FALSE;
  dispatching = carrier;
  if ((events & EPOLLOUT) != 0)
    handler->writable (&carrier->base, user_data);
  if (dispatching == carrier && (events & ~(guint32) EPOLLOUT) != 0)
    handler->readable (&carrier->base, user_data);
  dispatching = NULL;
}

static void
guard_cb (T2pTimer *timer)
{
  t2pw_upstream_socket_guard (T2P_OWNER_OF (timer, T2pwTcpCarrier, timer)->watch.fd);
}

/**
 * t2pw_tcp_carrier_open:
 * @leftover: bytes that were read with the handshake and belong to the application; copied
 *
 * The handshake is over: from now on the handler gets the events. The last act before `opened`.
 */
void
t2pw_tcp_carrier_open (T2pwTcpCarrier *carrier, const guint8 *leftover, gsize n_leftover)
{
  carrier->watch.ready = tcp_ready_cb;
  carrier->is_open = TRUE;
  t2p_reactor_arm (carrier->reactor, &carrier->timer, GUARD_AFTER_MS, guard_cb);
  if (n_leftover > 0)
    {
      carrier->leftover = g_memdup2 (leftover, n_leftover);
      carrier->n_leftover = (guint32) n_leftover;
    }
}

/**
 * t2pw_tcp_carrier_clear:
 * @reset: the upstream is to see a RST
 *
 * Closes the socket and frees what this file allocated, not the carrier.
 */
void
t2pw_tcp_carrier_clear (T2pwTcpCarrier *carrier, gboolean reset)
{
  struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

  g_clear_pointer (&carrier->leftover, g_free);
  carrier->n_leftover = 0;
  t2p_reactor_disarm (carrier->reactor, &carrier->timer);
  if (dispatching == carrier)
    dispatching = NULL;
  if (reset && carrier->watch.fd >= 0)
    (void) setsockopt (carrier->watch.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  t2p_reactor_close (carrier->reactor, &carrier->watch);
}

gssize
t2pw_tcp_carrier_send (T2pwCarrier *base, const struct iovec *iov, guint n)
{
  T2pwTcpCarrier *carrier = (T2pwTcpCarrier *) base;
  struct msghdr message = { .msg_iov = (struct iovec *) iov, .msg_iovlen = n };
  gssize sent;

  do
    sent = sendmsg (carrier->watch.fd, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent;
}

static gssize
receive_leftover (T2pwTcpCarrier *carrier, const struct iovec *iov)
{
  gsize length = MIN (iov->iov_len, carrier->n_leftover);

  memcpy (iov->iov_base, carrier->leftover, length);
  carrier->n_leftover -= (guint32) length;
  memmove (carrier->leftover, carrier->leftover + length, carrier->n_leftover);
  if (carrier->n_leftover == 0)
    g_clear_pointer (&carrier->leftover, g_free);
  return (gssize) length;
}

static gsize
iov_bytes (const struct iovec *iov, guint n)
{
  gsize sum = 0;

  for (guint i = 0; i < n; i++)
    sum += iov[i].iov_len;
  return sum;
}

gssize
t2pw_tcp_carrier_receive (T2pwCarrier *base, const struct iovec *iov, guint n)
{
  T2pwTcpCarrier *carrier = (T2pwTcpCarrier *) base;
  gssize got;

  if (carrier->n_leftover > 0 && n > 0)
    return receive_leftover (carrier, iov);
  if (carrier->is_drained && !carrier->has_hung_up)
    {
      errno = EAGAIN;
      return -1;
    }
  do
    got = readv (carrier->watch.fd, iov, (int) n);
  while (got < 0 && errno == EINTR);
  if (got > 0 && (gsize) got < iov_bytes (iov, n))
    carrier->is_drained = TRUE;
  return got;
}

void
t2pw_tcp_carrier_shutdown (T2pwCarrier *base)
{
  T2pwTcpCarrier *carrier = (T2pwTcpCarrier *) base;

  (void) shutdown (carrier->watch.fd, SHUT_WR);
}

/**
 * t2pw_tcp_carrier_is_stalled:
 *
 * Whether data waits for an acknowledgement that does not come, as after the uplink went away.
 */
gboolean
t2pw_tcp_carrier_is_stalled (T2pwCarrier *base)
{
  T2pwTcpCarrier *carrier = (T2pwTcpCarrier *) base;
  struct tcp_info info = { 0 };
  socklen_t length = sizeof info;

  if (carrier->watch.fd < 0 ||
      getsockopt (carrier->watch.fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
    return FALSE;
  return info.tcpi_unacked > 0 && info.tcpi_retransmits >= STALLED_RETRANSMITS;
}
