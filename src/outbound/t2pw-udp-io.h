/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"
#include "t2p-reactor.h"
#include "t2pw-upstream-socket.h"

G_BEGIN_DECLS

/* UDP sockets whose system calls are shared: what one socket sends in a turn leaves in one
 * call, datagrams of one length to one peer as one (UDP_SEGMENT), and many datagrams are
 * received at once (recvmmsg, UDP_GRO). The buffers are the worker's, not the socket's. */
typedef struct _T2pwUdpIo T2pwUdpIo;
typedef struct _T2pwUdpSocket T2pwUdpSocket;

/** T2pwUdpSocketHandler: the socket may be closed inside each of them. */
typedef struct
{
  void (*received) (T2pwUdpSocket *socket,
                    const T2pIpEndpoint *from,
                    const guint8 *data,
                    gsize length);
  /* @data (of @length) was to be sent to @to, and at most @most_bytes can be. Also from within
   * t2pw_udp_socket_send(). */
  void (*too_big) (T2pwUdpSocket *socket,
                   const T2pIpEndpoint *to,
                   const guint8 *data,
                   gsize length,
                   gsize most_bytes);
  /* Nobody listens at the peer that the socket is connected to. Never from within send. */
  void (*refused) (T2pwUdpSocket *socket);
} T2pwUdpSocketHandler;

/** T2pwUdpSocket: embedded in its owner, all zero at first; fields are private. */
struct _T2pwUdpSocket
{
  T2pwUdpIo *io;
  const T2pwUdpSocketHandler *handler;
  T2pWatch watch;
  T2pTask task;
  T2pwOwnSocket own;
  T2pIpEndpoint peer;     /* connected to; of no family: to none */
  T2pIpAddress towards;   /* steered by the policy; of no family: to nobody yet */
  guint16 most_gso_bytes; /* longer datagrams are sent one by one */
  guint8 family;
  gboolean was_refused; /* and it was not told yet */
};

T2pwUdpIo *t2pw_udp_io_new (T2pReactor *reactor, T2pwSocketPolicy *policy);
void t2pw_udp_io_free (T2pwUdpIo *io);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwUdpIo, t2pw_udp_io_free)
/* Datagrams that a full socket, or the system, did not take. */
guint64 t2pw_udp_io_get_n_dropped (const T2pwUdpIo *io);
/* A buffer for whoever reads something, until the next one does; more than 128 KiB. */
guint8 *t2pw_udp_io_get_scratch (T2pwUdpIo *io, gsize *out_capacity);

gboolean t2pw_udp_socket_open (T2pwUdpSocket *socket,
                               T2pwUdpIo *io,
                               int family,
                               const T2pIpEndpoint *peer,
                               const T2pwUdpSocketHandler *handler,
                               GError **error);
gboolean t2pw_udp_socket_is_open (const T2pwUdpSocket *socket);
void t2pw_udp_socket_close (T2pwUdpSocket *socket);
gboolean t2pw_udp_socket_send (T2pwUdpSocket *socket,
                               const T2pIpEndpoint *to,
                               const guint8 *header,
                               gsize header_bytes,
                               const guint8 *data,
                               gsize length,
                               gsize datagram_bytes);

G_END_DECLS
