/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Datagrams are copied into one buffer, which belongs to one socket at a time, and leave at the
 * end of the turn, or sooner when another socket sends or the buffer is full. A message holds
 * datagrams to one peer, all of one length but the last, which the kernel takes apart again;
 * where it does not (a device, a route, an old kernel), they are sent one by one. UDP queues
 * nothing here beyond the turn: what the socket does not take is dropped.
 *
 * An error that waited on the socket (an ICMP message about something sent before) is returned
 * by whatever call comes next, so a call that fails is tried once more. */
#include "config.h"

#include "t2pw-udp-io-private.h"

#include "t2p-cursor.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

#define MAX_SEGMENTS 64 /* UDP_MAX_SEGMENTS of every kernel */

static gsize
most_datagram_bytes (const T2pwUdpSocket *socket)
{
  return socket->family == AF_INET ? 65535 - 20 - 8 : 65535 - 8;
}

static socklen_t
fill_segment_control (T2pwUdpControl *control, guint16 segment_bytes)
{
  struct cmsghdr *header = &control->align;

  memset (control, 0, sizeof *control);
  header->cmsg_level = IPPROTO_UDP;
  header->cmsg_type = UDP_SEGMENT;
  header->cmsg_len = CMSG_LEN (sizeof segment_bytes);
  memcpy (CMSG_DATA (header), &segment_bytes, sizeof segment_bytes);
  return CMSG_SPACE (sizeof segment_bytes);
}

/* Returns: how many of the messages from @first on were taken, or -1 with errno. */
static int
send_messages (T2pwUdpIo *io, guint first)
{
  struct mmsghdr headers[T2PW_UDP_OUT_MESSAGES];
  struct iovec parts[T2PW_UDP_OUT_MESSAGES];
  T2pwUdpControl controls[T2PW_UDP_OUT_MESSAGES];
  struct sockaddr_storage names[T2PW_UDP_OUT_MESSAGES];
  guint n = io->n_messages - first;

  for (guint i = 0; i < n; i++)
    {
      const T2pwUdpMessage *message = &io->messages[first + i];
      struct msghdr *header = &headers[i].msg_hdr;

      parts[i] = (struct iovec){ io->out + message->at, message->length };
      *header = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
      if (message->to.address.family != AF_UNSPEC)
        {
          header->msg_name = &names[i];
          header->msg_namelen = t2p_ip_endpoint_to_sockaddr (&message->to, &names[i]);
        }
      if (message->n_datagrams > 1)
        {
          header->msg_control = &controls[i];
          header->msg_controllen =
              fill_segment_control (&controls[i], (guint16) message->datagram_bytes);
        }
    }
  return sendmmsg (io->sender->watch.fd, headers, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static gssize
send_one (T2pwUdpIo *io, const T2pwUdpMessage *message, gsize at, gsize length)
{
  struct sockaddr_storage name;
  socklen_t name_bytes = 0;

  if (message->to.address.family != AF_UNSPEC)
    name_bytes = t2p_ip_endpoint_to_sockaddr (&message->to, &name);
  return sendto (io->sender->watch.fd, io->out + at, length, MSG_NOSIGNAL | MSG_DONTWAIT,
                 name_bytes > 0 ? (struct sockaddr *) &name : NULL, name_bytes);
}

static gsize
path_bytes (const T2pwUdpSocket *socket)
{
  gboolean is_v4 = socket->family == AF_INET;
  gsize headers = is_v4 ? 20 + 8 : 40 + 8;
  int mtu = 0;
  socklen_t length = sizeof mtu;

  if (getsockopt (socket->watch.fd, is_v4 ? IPPROTO_IP : IPPROTO_IPV6,
                  is_v4 ? IP_MTU : IPV6_MTU, &mtu, &length) < 0 ||
      mtu < 0 || (gsize) mtu <= headers)
    return most_datagram_bytes (socket);
  return (gsize) mtu - headers;
}

/* One datagram that did not leave with others: FALSE when the socket takes no more. */
static gboolean
send_alone (T2pwUdpIo *io, const T2pwUdpMessage *message, gsize at, gsize length)
{
  T2pwUdpSocket *socket = io->sender;

  for (guint attempt = 0; attempt < 2; attempt++)
    if (send_one (io, message, at, length) >= 0)
      return TRUE;
  if (errno == EAGAIN || errno == ENOBUFS)
    return FALSE;
  if (errno == EMSGSIZE)
    socket->handler->too_big (socket, &message->to, io->out + at, length, path_bytes (socket));
  else
    io->n_dropped++;
  return TRUE;
}

/* FALSE when the socket takes no more, or is gone. */
static gboolean
send_apart (T2pwUdpIo *io, T2pwUdpMessage *message)
{
  const T2pwUdpSocket *socket = io->sender;

  while (message->length > 0 || message->n_datagrams > 0)
    {
      gsize length = MIN (message->length, message->datagram_bytes);

      if (!send_alone (io, message, message->at, length) || io->sender != socket)
        return FALSE;
      message->at += length;
      message->length -= length;
      message->n_datagrams--;
    }
  return TRUE;
}

static void
drop_messages (T2pwUdpIo *io, guint first)
{
  for (guint i = first; i < io->n_messages; i++)
    io->n_dropped += io->messages[i].n_datagrams;
}

/* What sendmmsg() did not take at once. Returns: the first message that is left, or
 * io->n_messages. */
static guint
send_refused (T2pwUdpIo *io, guint at)
{
  T2pwUdpMessage *message = &io->messages[at];

  if (errno == ECONNREFUSED)
    {
      io->sender->was_refused = TRUE;
      t2pw_udp_socket_receive (io->sender);
    }
  if (message->n_datagrams > 1 && (errno == EMSGSIZE || errno == EINVAL || errno == EIO))
    io->sender->most_gso_bytes =
        (guint16) MIN (io->sender->most_gso_bytes, message->datagram_bytes - 1);
  if (errno != EAGAIN && errno != ENOBUFS && send_apart (io, message))
    return at + 1;
  if (io->sender != NULL)
    drop_messages (io, at);
  return io->n_messages;
}

void
t2pw_udp_io_forget_sender (T2pwUdpIo *io, const T2pwUdpSocket *socket)
{
  if (io->sender != socket)
    return;
  io->sender = NULL;
  io->n_messages = 0;
  io->out_bytes = 0;
}

gboolean
t2pw_udp_io_flush (T2pwUdpIo *io)
{
  gboolean is_there;

  if (io->sender == NULL || io->is_flushing)
    return TRUE;
  io->is_flushing = TRUE;
  for (guint at = 0; at < io->n_messages && io->sender != NULL;)
    {
      int sent = send_messages (io, at);

      if (sent > 0)
        at += (guint) sent;
      else if (errno != EINTR)
        at = send_refused (io, at);
    }
  io->is_flushing = FALSE;
  is_there = io->sender != NULL;
  t2pw_udp_io_forget_sender (io, io->sender);
  return is_there;
}

static gboolean
fits_behind (const T2pwUdpMessage *message,
             const T2pwUdpSocket *socket,
             const T2pIpEndpoint *to,
             gsize length)
{
  return !message->is_complete && length > 0 && length <= message->datagram_bytes &&
         message->datagram_bytes <= socket->most_gso_bytes &&
         message->n_datagrams < MAX_SEGMENTS &&
         message->length + length <= most_datagram_bytes (socket) &&
         (to == NULL || t2p_ip_endpoint_equal (&message->to, to));
}

static void
nothing_cb (T2pTask *task)
{
}

static void
io_take (T2pwUdpIo *io, T2pwUdpSocket *socket)
{
  if (io->sender != socket)
    t2pw_udp_io_flush (io);
  io->sender = socket;
  t2p_reactor_defer (io->reactor, &io->task, nothing_cb);
}

/* FALSE when nothing leads there, or the socket is gone. */
static gboolean
steer (T2pwUdpSocket *socket, const T2pIpAddress *towards)
{
  T2pwUdpIo *io = socket->io;

  if (io->policy->bind_links == NULL || t2p_ip_address_equal (&socket->towards, towards))
    return TRUE;
  if (io->sender == socket && !t2pw_udp_io_flush (io)) /* what waits is steered elsewhere */
    return FALSE;
  socket->towards = (T2pIpAddress){ 0 };
  if (!t2pw_socket_policy_steer (io->policy, socket->watch.fd, towards))
    return FALSE;
  socket->towards = *towards;
  return TRUE;
}

/* NULL when the socket is gone. */
static T2pwUdpMessage *
message_for (T2pwUdpIo *io, T2pwUdpSocket *socket, const T2pIpEndpoint *to, gsize length)
{
  T2pwUdpMessage *last = io->n_messages > 0 ? &io->messages[io->n_messages - 1] : NULL;

  if (last != NULL && io->out_bytes + length <= T2PW_UDP_OUT_BYTES &&
      fits_behind (last, socket, to, length))
    return last;
  if (io->n_messages == T2PW_UDP_OUT_MESSAGES || io->out_bytes + length > T2PW_UDP_OUT_BYTES)
    {
      if (!t2pw_udp_io_flush (io))
        return NULL;
      io_take (io, socket);
    }
  last = &io->messages[io->n_messages++];
  *last = (T2pwUdpMessage){ .at = io->out_bytes, .datagram_bytes = length };
  if (to != NULL)
    last->to = *to;
  return last;
}

static gboolean
send_datagram (T2pwUdpSocket *socket,
               const T2pIpEndpoint *to,
               const guint8 *header,
               gsize header_bytes,
               const guint8 *data,
               gsize length)
{
  T2pwUdpIo *io = socket->io;
  gsize total = header_bytes + length;
  T2pwUdpMessage *message = message_for (io, socket, to, total);
  T2pWriter writer;

  if (message == NULL)
    return FALSE;
  t2p_writer_init (&writer, io->out + io->out_bytes, T2PW_UDP_OUT_BYTES - io->out_bytes);
  t2p_writer_bytes (&writer, header, header_bytes);
  t2p_writer_bytes (&writer, data, length);
  io->out_bytes += total;
  message->length += total;
  message->n_datagrams++;
  message->is_complete = total < message->datagram_bytes;
  return TRUE;
}

/**
 * t2pw_udp_socket_send:
 * @socket: one that is open
 * @to: (nullable): whom to; %NULL when the socket is connected
 * @header: (array length=header_bytes): stands before each datagram
 * @data: (array length=length): copied
 * @datagram_bytes: 0 for one datagram; else @data holds many of that length, the last of which
 *   may be shorter
 *
 * Returns: %FALSE when something was dropped at once
 */
gboolean
t2pw_udp_socket_send (T2pwUdpSocket *socket,
                      const T2pIpEndpoint *to,
                      const guint8 *header,
                      gsize header_bytes,
                      const guint8 *data,
                      gsize length,
                      gsize datagram_bytes)
{
  gsize most = datagram_bytes > 0 ? datagram_bytes : length;

  if (socket->io->is_flushing)
    return FALSE;
  if (header_bytes + most > most_datagram_bytes (socket))
    {
      g_autofree guint8 *whole = g_malloc (header_bytes + most);
      T2pWriter writer;

      t2p_writer_init (&writer, whole, header_bytes + most);
      t2p_writer_bytes (&writer, header, header_bytes);
      t2p_writer_bytes (&writer, data, MIN (most, length));
      socket->handler->too_big (socket, to, whole, t2p_writer_length (&writer),
                                most_datagram_bytes (socket));
      return FALSE;
    }
  if (to != NULL && !steer (socket, &to->address))
    return FALSE;
  io_take (socket->io, socket);
  do
    {
      gsize piece = MIN (length, most);

      if (!send_datagram (socket, to, header, header_bytes, data, piece))
        return FALSE;
      length -= piece;
      if (length > 0) /* C has no sum of NULL and 0 */
        data += piece;
    }
  while (length > 0);
  return TRUE;
}
