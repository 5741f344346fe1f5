/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sockets themselves, and what they share. Sending is in t2pw-udp-send.c, receiving in
 * t2pw-udp-receive.c. */
#include "config.h"

#include "t2pw-udp-io-private.h"

#include "t2p-error.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SCRATCH_BYTES (4 * T2PW_UDP_IN_BYTES)
#define SOCKET_BUFFER_BYTES (1024 * 1024)

static void
set_option (int fd, int level, int option, int value)
{
  /* These improve a socket, none of them is needed for it. */
  (void) setsockopt (fd, level, option, &value, sizeof value);
}

/* Super-packets fill what an ordinary user may have in no time; with CAP_NET_ADMIN the limits
 * of the system do not hold. */
static void
set_buffers (T2pwUdpIo *io, int fd)
{
  int bytes = SOCKET_BUFFER_BYTES;

  if (!io->is_ordinary &&
      setsockopt (fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) == 0)
    {
      set_option (fd, SOL_SOCKET, SO_SNDBUFFORCE, bytes);
      return;
    }
  io->is_ordinary = TRUE;
  set_option (fd, SOL_SOCKET, SO_RCVBUF, bytes);
  set_option (fd, SOL_SOCKET, SO_SNDBUF, bytes);
}

static gboolean
prepare (T2pwUdpSocket *socket, int fd, const T2pIpEndpoint *peer)
{
  const T2pIpEndpoint any = { .address.family = socket->family };
  struct sockaddr_storage name;
  socklen_t name_bytes;

  if (!t2pw_socket_policy_apply (socket->io->policy, fd, peer != NULL ? &peer->address : NULL))
    return FALSE;
  set_buffers (socket->io, fd);
  set_option (fd, IPPROTO_UDP, UDP_GRO, 1);
  if (socket->family == AF_INET6)
    set_option (fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (peer != NULL)
    {
      socket->peer = *peer;
      name_bytes = t2p_ip_endpoint_to_sockaddr (peer, &name);
      return connect (fd, (struct sockaddr *) &name, name_bytes) == 0;
    }
  name_bytes = t2p_ip_endpoint_to_sockaddr (&any, &name);
  return bind (fd, (struct sockaddr *) &name, name_bytes) == 0;
}

static void
ready_cb (T2pWatch *watch, guint32 events)
{
  t2pw_udp_socket_receive (T2P_OWNER_OF (watch, T2pwUdpSocket, watch));
}

static void
set_open_error (T2pwUdpSocket *socket, int saved_errno, GError **error)
{
  struct sockaddr_storage name;
  socklen_t name_bytes = t2p_ip_endpoint_to_sockaddr (&socket->peer, &name);
  gboolean is_ours = t2pw_upstream_socket_is_shortage (
      saved_errno, (const struct sockaddr *) &name, name_bytes);

  if (is_ours)
    t2pw_socket_policy_note_shortage (socket->io->policy, g_strerror (saved_errno));
  g_set_error (error, T2P_ERROR, is_ours ? T2P_ERROR_LIMIT_EXCEEDED : T2P_ERROR_FAILED,
               "no socket for datagrams: %s", g_strerror (saved_errno));
}

/**
 * t2pw_udp_socket_open:
 * @socket: closed
 * @family: AF_INET or AF_INET6
 * @peer: (nullable): the only one that is sent to and received from; %NULL: all
 *
 * Errors: T2P_ERROR_LIMIT_EXCEEDED, T2P_ERROR_FAILED (@peer has no route).
 */
gboolean
t2pw_udp_socket_open (T2pwUdpSocket *udp,
                      T2pwUdpIo *io,
                      int family,
                      const T2pIpEndpoint *peer,
                      const T2pwUdpSocketHandler *handler,
                      GError **error)
{
  int fd = socket (family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int saved_errno = errno;

  *udp = (T2pwUdpSocket){ .io = io,
                          .handler = handler,
                          .watch.fd = -1,
                          .most_gso_bytes = G_MAXUINT16,
                          .family = (guint8) family };
  if (fd >= 0)
    {
      if (prepare (udp, fd, peer) &&
          t2p_reactor_add (io->reactor, &udp->watch, fd, EPOLLIN | EPOLLET, ready_cb, NULL))
        {
          t2pw_loop_guard_watch (io->policy->guard, &udp->own, IPPROTO_UDP, fd);
          return TRUE;
        }
      saved_errno = errno;
      close (fd);
    }
  set_open_error (udp, saved_errno, error);
  return FALSE;
}

gboolean
t2pw_udp_socket_is_open (const T2pwUdpSocket *socket)
{
  return socket->io != NULL && socket->watch.fd >= 0;
}

/* What it has sent in this turn may be lost. */
void
t2pw_udp_socket_close (T2pwUdpSocket *socket)
{
  T2pwUdpIo *io = socket->io;

  if (!t2pw_udp_socket_is_open (socket))
    return;
  if (io->receiver == socket)
    io->receiver = NULL;
  t2pw_udp_io_forget_sender (io, socket);
  t2p_reactor_cancel (io->reactor, &socket->task);
  t2pw_loop_guard_forget (io->policy->guard, &socket->own);
  t2p_reactor_close (io->reactor, &socket->watch);
}

/* --- the whole */

static void
turn_end_cb (gpointer user_data)
{
  t2pw_udp_io_flush (user_data);
}

/**
 * t2pw_udp_io_new:
 * @policy: outlives it
 */
T2pwUdpIo *
t2pw_udp_io_new (T2pReactor *reactor, T2pwSocketPolicy *policy)
{
  T2pwUdpIo *io = g_new0 (T2pwUdpIo, 1);

  io->reactor = reactor;
  io->policy = policy;
  io->out = g_malloc (T2PW_UDP_OUT_BYTES);
  io->in = g_malloc ((gsize) T2PW_UDP_IN_MESSAGES *
                     T2PW_UDP_IN_BYTES); /* untouched until it is used */
  t2p_reactor_add_turn_end (reactor, turn_end_cb, io);
  return io;
}

/**
 * t2pw_udp_io_free:
 *
 * Every socket is closed by then.
 */
void
t2pw_udp_io_free (T2pwUdpIo *io)
{
  t2p_reactor_remove_turn_end (io->reactor, turn_end_cb, io);
  t2p_reactor_cancel (io->reactor, &io->task);
  g_free (io->out);
  g_free (io->in);
  g_free (io);
}

guint64
t2pw_udp_io_get_n_dropped (const T2pwUdpIo *io)
{
  return io->n_dropped;
}

guint8 *
t2pw_udp_io_get_scratch (T2pwUdpIo *io, gsize *out_capacity)
{
  *out_capacity = SCRATCH_BYTES;
  return io->in;
}
