/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-udp-io.h"

#include <sys/socket.h>

G_BEGIN_DECLS

/* What the files of the shared UDP sockets share. Nothing else includes this. */

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103 /* Linux 4.18 */
#endif
#ifndef UDP_GRO
#define UDP_GRO 104 /* Linux 5.0 */
#endif

#define T2PW_UDP_OUT_BYTES (256 * 1024)
#define T2PW_UDP_OUT_MESSAGES 64
#define T2PW_UDP_IN_MESSAGES 32
#define T2PW_UDP_IN_BYTES 65536 /* each: as much as the kernel puts together */

/** T2pwUdpMessage: one of sendmmsg(). */
typedef struct
{
  T2pIpEndpoint to;
  gsize at, length; /* in the buffer */
  gsize datagram_bytes;
  guint n_datagrams;
  gboolean is_complete; /* the last datagram was shorter */
} T2pwUdpMessage;

/** T2pwUdpControl: says, or is told, how long the datagrams of a message are. */
typedef union
{
  char bytes[CMSG_SPACE (sizeof (int))];
  struct cmsghdr align;
} T2pwUdpControl;

struct _T2pwUdpIo
{
  T2pReactor *reactor;
  T2pwSocketPolicy *policy;
  guint64 n_dropped;
  gboolean is_ordinary; /* no user who may have larger buffers than others */
  T2pTask task;         /* keeps a turn from being empty, so that it has an end */
  /* sending */
  T2pwUdpSocket *sender;
  gboolean is_flushing;
  guint n_messages;
  gsize out_bytes;
  T2pwUdpMessage messages[T2PW_UDP_OUT_MESSAGES];
  guint8 *out;
  /* receiving */
  T2pwUdpSocket *receiver; /* whose handler is being called */
  guint8 *in;
};

/* t2pw-udp-send.c */
/* Sends what waits. FALSE when the socket that it was from was closed by its handler. */
gboolean t2pw_udp_io_flush (T2pwUdpIo *io);
/* What @socket has sent in this turn is dropped. */
void t2pw_udp_io_forget_sender (T2pwUdpIo *io, const T2pwUdpSocket *socket);

/* t2pw-udp-receive.c */
/* Reads in a bounded number of calls, now or in the next turn. */
void t2pw_udp_socket_receive (T2pwUdpSocket *socket);

G_END_DECLS
