/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A socket is watched edge-triggered, and read in a bounded number of calls per turn. A message
 * that the kernel has put together is taken apart before it is handed on. */
#include "config.h"

#include "t2pw-udp-io-private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

#define READS_PER_TURN 4

/** Batch: what recvmmsg() fills. */
typedef struct
{
  struct mmsghdr headers[T2PW_UDP_IN_MESSAGES];
  struct iovec parts[T2PW_UDP_IN_MESSAGES];
  T2pwUdpControl controls[T2PW_UDP_IN_MESSAGES];
  struct sockaddr_storage names[T2PW_UDP_IN_MESSAGES];
} Batch;

static void
batch_init (Batch *batch, guint8 *buffer)
{
  for (guint i = 0; i < T2PW_UDP_IN_MESSAGES; i++)
    {
      batch->parts[i] =
          (struct iovec){ buffer + (gsize) i * T2PW_UDP_IN_BYTES, T2PW_UDP_IN_BYTES };
      batch->headers[i].msg_hdr = (struct msghdr){ .msg_name = &batch->names[i],
                                                   .msg_namelen = sizeof batch->names[i],
                                                   .msg_iov = &batch->parts[i],
                                                   .msg_iovlen = 1,
                                                   .msg_control = &batch->controls[i],
                                                   .msg_controllen = sizeof (T2pwUdpControl) };
    }
}

/* Of the datagrams that the kernel has put together; 0: it is one. */
static gsize
segment_bytes (struct msghdr *header)
{
  for (struct cmsghdr *c = CMSG_FIRSTHDR (header); c != NULL; c = CMSG_NXTHDR (header, c))
    if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO &&
        c->cmsg_len >= CMSG_LEN (sizeof (int)))
      {
        int bytes;

        memcpy (&bytes, CMSG_DATA (c), sizeof bytes);
        return bytes > 0 ? (gsize) bytes : 0;
      }
  return 0;
}

/* FALSE when the socket is gone. */
static gboolean
deliver (T2pwUdpSocket *socket, struct mmsghdr *message)
{
  T2pwUdpIo *io = socket->io;
  const guint8 *data = message->msg_hdr.msg_iov->iov_base;
  gsize left = message->msg_len;
  gsize most = segment_bytes (&message->msg_hdr);
  T2pIpEndpoint from;

  if ((message->msg_hdr.msg_flags & MSG_TRUNC) != 0 ||
      !t2p_ip_endpoint_from_sockaddr (message->msg_hdr.msg_name, message->msg_hdr.msg_namelen,
                                      &from))
    return TRUE;
  do
    {
      gsize length = most > 0 ? MIN (left, most) : left;

      socket->handler->received (socket, &from, data, length);
      if (io->receiver != socket)
        return FALSE;
      data += length;
      left -= length;
    }
  while (left > 0);
  return TRUE;
}

/* FALSE when the socket is gone. */
static gboolean
tell_refused (T2pwUdpSocket *socket)
{
  T2pwUdpIo *io = socket->io;

  io->receiver = socket;
  socket->was_refused = FALSE;
  socket->handler->refused (socket);
  if (io->receiver != socket)
    return FALSE;
  io->receiver = NULL;
  return TRUE;
}

/* FALSE when nothing is left to be read, or the socket is gone. */
static gboolean
receive_batch (T2pwUdpSocket *socket)
{
  T2pwUdpIo *io = socket->io;
  Batch batch;
  int got;

  batch_init (&batch, io->in);
  got = recvmmsg (socket->watch.fd, batch.headers, T2PW_UDP_IN_MESSAGES, MSG_DONTWAIT, NULL);
  if (got < 0 && errno == ECONNREFUSED)
    return tell_refused (socket);
  if (got < 0)
    return errno != EAGAIN; /* the error that waited is gone now */
  io->receiver = socket;
  for (int i = 0; i < got; i++)
    if (!deliver (socket, &batch.headers[i]))
      return FALSE;
  io->receiver = NULL;
  return got == T2PW_UDP_IN_MESSAGES;
}

static void
receive_cb (T2pTask *task)
{
  T2pwUdpSocket *socket = T2P_OWNER_OF (task, T2pwUdpSocket, task);
  T2pReactor *reactor = socket->io->reactor;

  if (socket->was_refused && !tell_refused (socket))
    return;
  for (guint i = 0; i < READS_PER_TURN; i++)
    if (!receive_batch (socket))
      return;
  t2p_reactor_defer (reactor, task, receive_cb);
}

void
t2pw_udp_socket_receive (T2pwUdpSocket *socket)
{
  t2p_reactor_defer (socket->io->reactor, &socket->task, receive_cb);
}
