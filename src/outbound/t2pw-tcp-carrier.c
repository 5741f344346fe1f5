/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * The socket is in the epoll set with every event, edge-triggered, so that nothing is modified
 * per flow. A short read means that the socket is drained and that an edge will announce more,
 * so the next read is spared; but not once the peer has hung up, for that edge has been
 * delivered and the end of the stream would wait for ever behind it. */
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
#define STALLED_RETRANSMITS 2
/* Connections that are shorter need no keep-alive, and the system calls are saved. */
#define GUARD_AFTER_MS 5000

typedef struct
{
  T2pwCarrier base;
  T2pReactor *reactor;
  T2pWatch watch;        /* of the socket */
  T2pTimer timer;        /* when keep-alive is switched on */
  guint has_hung_up : 1; /* RDHUP or HUP was seen: its edge will not come again */
  guint is_drained : 1;  /* the last read was short and no edge came since */
  guint is_shared : 1;   /* closing it here may not be the end of it */
  guint32 n_unread;      /* bytes that were given back */
  guint8 *unread;
} T2pwTcpCarrier;

/* The carrier whose handlers are being called; a handler that closes it clears this. */
static __thread T2pwTcpCarrier *dispatching;

static void
tcp_ready_cb (T2pWatch *watch, guint32 events)
{
  T2pwTcpCarrier *carrier = T2P_OWNER_OF (watch, T2pwTcpCarrier, watch);

  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
    carrier->has_hung_up = TRUE;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
    carrier->is_drained = FALSE;
  dispatching = carrier;
  if ((events & EPOLLOUT) != 0)
    carrier->base.handler->writable (&carrier->base, carrier->base.user_data);
  if (dispatching == carrier && (events & ~(guint32) EPOLLOUT) != 0)
    carrier->base.handler->readable (&carrier->base, carrier->base.user_data);
  dispatching = NULL;
}

static void
guard_cb (T2pTimer *timer)
{
  t2pw_upstream_socket_guard (T2P_OWNER_OF (timer, T2pwTcpCarrier, timer)->watch.fd);
}

/* Neither the epoll set nor the peer learns of a close() while somebody else has a copy. */
static void
close_shared (T2pwTcpCarrier *carrier)
{
  int fd = carrier->watch.fd;

  t2p_reactor_remove (carrier->reactor, &carrier->watch);
  (void) shutdown (fd, SHUT_RDWR);
  close (fd);
}

static void
tcp_carrier_close (T2pwCarrier *base, gboolean reset)
{
  T2pwTcpCarrier *carrier = (T2pwTcpCarrier *) base;
  struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

  t2p_reactor_disarm (carrier->reactor, &carrier->timer);
  if (dispatching == carrier)
    dispatching = NULL;
  if (reset)
    (void) setsockopt (carrier->watch.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  if (carrier->is_shared)
    close_shared (carrier);
  else
    t2p_reactor_close (carrier->reactor, &carrier->watch);
  g_free (carrier->unread);
  g_free (carrier);
}

static gssize
tcp_carrier_send (T2pwCarrier *base, const struct iovec *iov, guint n)
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
receive_unread (T2pwTcpCarrier *carrier, const struct iovec *iov)
{
  gsize length = MIN (iov->iov_len, carrier->n_unread);

  memcpy (iov->iov_base, carrier->unread, length);
  carrier->n_unread -= (guint32) length;
  memmove (carrier->unread, carrier->unread + length, carrier->n_unread);
  if (carrier->n_unread == 0)
    g_clear_pointer (&carrier->unread, g_free);
  return (gssize) length;
}

static void
tcp_carrier_unread (T2pwCarrier *base, const guint8 *bytes, gsize length)
{
  T2pwTcpCarrier *carrier = (T2pwTcpCarrier *) base;
  guint8 *all = g_malloc (length + carrier->n_unread);

  memcpy (all, bytes, length);
  if (carrier->n_unread > 0)
    memcpy (all + length, carrier->unread, carrier->n_unread);
  g_free (carrier->unread);
  carrier->unread = all;
  carrier->n_unread += (guint32) length;
}

static gsize
iov_bytes (const struct iovec *iov, guint n)
{
  gsize sum = 0;

  for (guint i = 0; i < n; i++)
    sum += iov[i].iov_len;
  return sum;
}

static gssize
tcp_carrier_receive (T2pwCarrier *base, const struct iovec *iov, guint n)
{
  T2pwTcpCarrier *carrier = (T2pwTcpCarrier *) base;
  gssize got;

  if (carrier->n_unread > 0 && n > 0)
    return receive_unread (carrier, iov);
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

static void
tcp_carrier_shutdown (T2pwCarrier *base)
{
  T2pwTcpCarrier *carrier = (T2pwTcpCarrier *) base;

  (void) shutdown (carrier->watch.fd, SHUT_WR);
}

static gboolean
tcp_carrier_is_stalled (T2pwCarrier *base)
{
  T2pwTcpCarrier *carrier = (T2pwTcpCarrier *) base;
  struct tcp_info info = { 0 };
  socklen_t length = sizeof info;

  if (t2pw_upstream_socket_is_stranded (carrier->watch.fd))
    return TRUE;
  if (getsockopt (carrier->watch.fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
    return FALSE;
  return info.tcpi_unacked > 0 && info.tcpi_retransmits >= STALLED_RETRANSMITS;
}

/* Without a way to the peer there is nothing to find out yet: the uplink may come back. */
static void
tcp_carrier_doubt (T2pwCarrier *base, gboolean is_doubtful)
{
  T2pwTcpCarrier *carrier = (T2pwTcpCarrier *) base;

  if (is_doubtful && !t2pw_upstream_socket_has_route (carrier->watch.fd))
    return;
  /* Of a young one: it would end the hurry. */
  t2p_reactor_disarm (carrier->reactor, &carrier->timer);
  if (is_doubtful)
    t2pw_upstream_socket_hurry (carrier->watch.fd);
  else
    t2pw_upstream_socket_guard (carrier->watch.fd);
}

static const T2pwCarrierClass tcp_carrier_class = {
  .send = tcp_carrier_send,
  .receive = tcp_carrier_receive,
  .unread = tcp_carrier_unread,
  .shutdown = tcp_carrier_shutdown,
  .close = tcp_carrier_close,
  .is_stalled = tcp_carrier_is_stalled,
  .doubt = tcp_carrier_doubt,
};

/**
 * t2pw_tcp_carrier_new:
 * @from: watches a connected socket, which is the carrier's own from now on, also on failure
 *
 * Returns: (nullable): open: `opened` is not called. What has arrived already is told of by an
 * edge. %NULL: the socket cannot be watched (LIMIT_EXCEEDED).
 */
T2pwCarrier *
t2pw_tcp_carrier_new (T2pReactor *reactor,
                      T2pWatch *from,
                      const T2pwCarrierHandler *handler,
                      gpointer user_data)
{
  T2pwTcpCarrier *carrier = g_new0 (T2pwTcpCarrier, 1);
  int fd = from->fd;

  carrier->base = (T2pwCarrier){ &tcp_carrier_class, handler, user_data, "" };
  carrier->reactor = reactor;
  carrier->watch.fd = -1;
  carrier->is_drained = TRUE;
  if (!t2p_reactor_hand_over (reactor, from, &carrier->watch, EVERY_EVENT, tcp_ready_cb, NULL))
    {
      close (fd);
      g_free (carrier);
      return NULL;
    }
  t2p_reactor_arm (reactor, &carrier->timer, GUARD_AFTER_MS, guard_cb);
  return &carrier->base;
}

void
t2pw_tcp_carrier_set_shared (T2pwCarrier *base)
{
  ((T2pwTcpCarrier *) base)->is_shared = TRUE;
}

gboolean
t2pw_tcp_carrier_get_peer (const T2pwCarrier *base, T2pIpEndpoint *out_peer)
{
  struct sockaddr_storage storage;
  socklen_t length = sizeof storage;

  if (base->klass != &tcp_carrier_class ||
      getpeername (((const T2pwTcpCarrier *) base)->watch.fd, (struct sockaddr *) &storage,
                   &length) < 0)
    return FALSE;
  return t2p_ip_endpoint_from_sockaddr ((struct sockaddr *) &storage, length, out_peer);
}
