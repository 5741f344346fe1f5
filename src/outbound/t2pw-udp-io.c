/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Sending: datagrams are copied into one buffer, which belongs to one socket at a time, and
 * leave at the end of the turn, or sooner when another socket sends or the buffer is full. A
 * message holds datagrams to one peer, all of one length but the last, which the kernel takes
 * apart again; where it does not (a device, a route, an old kernel), they are sent one by one.
 * UDP queues nothing here beyond the turn: what the socket does not take is dropped.
 *
 * Receiving: the socket is watched edge-triggered, and read in a bounded number of calls per
 * turn. A message that the kernel has put together is taken apart before it is handed on.
 *
 * An error that waited on the socket (an ICMP message about something sent before) is returned
 * by whatever call comes next, so a call that fails is tried once more. */
#include "config.h"

#include "t2pw-udp-io.h"

#include "t2p-cursor.h"
#include "t2p-error.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103 /* Linux 4.18 */
#endif
#ifndef UDP_GRO
#define UDP_GRO 104 /* Linux 5.0 */
#endif

#define OUT_BYTES (256 * 1024)
#define OUT_MESSAGES 64
#define MAX_SEGMENTS 64 /* UDP_MAX_SEGMENTS of every kernel */
#define IN_MESSAGES 32
#define IN_BYTES 65536 /* each: as much as the kernel puts together */
#define SCRATCH_BYTES (4 * IN_BYTES)
#define READS_PER_TURN 4
#define SOCKET_BUFFER_BYTES (1024 * 1024)

/** Message: one of sendmmsg(). */
typedef struct
{
  T2pIpEndpoint to;
  gsize at, length; /* in the buffer */
  gsize datagram_bytes;
  guint n_datagrams;
  gboolean is_complete; /* the last datagram was shorter */
} Message;

typedef union
{
  char bytes[CMSG_SPACE (sizeof (int))];
  struct cmsghdr align;
} Control;

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
  Message messages[OUT_MESSAGES];
  guint8 *out;
  /* receiving */
  T2pwUdpSocket *receiver; /* whose handler is being called */
  guint8 *in;
};

/* --- sending */

static gsize
most_datagram_bytes (const T2pwUdpSocket *socket)
{
  return socket->family == AF_INET ? 65535 - 20 - 8 : 65535 - 8;
}

static socklen_t
fill_segment_control (Control *control, guint16 segment_bytes)
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
  struct mmsghdr headers[OUT_MESSAGES];
  struct iovec parts[OUT_MESSAGES];
  Control controls[OUT_MESSAGES];
  struct sockaddr_storage names[OUT_MESSAGES];
  guint n = io->n_messages - first;

  for (guint i = 0; i < n; i++)
    {
      const Message *message = &io->messages[first + i];
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
send_one (T2pwUdpIo *io, const Message *message, gsize at, gsize length)
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
send_alone (T2pwUdpIo *io, const Message *message, gsize at, gsize length)
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
send_apart (T2pwUdpIo *io, Message *message)
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
send_refused (T2pwUdpIo *io, guint at, gboolean *out_was_refused)
{
  Message *message = &io->messages[at];

  if (errno == ECONNREFUSED)
    *out_was_refused = TRUE;
  if (message->n_datagrams > 1 && (errno == EMSGSIZE || errno == EINVAL || errno == EIO))
    io->sender->most_gso_bytes =
        (guint16) MIN (io->sender->most_gso_bytes, message->datagram_bytes - 1);
  if (errno != EAGAIN && errno != ENOBUFS && send_apart (io, message))
    return at + 1;
  if (io->sender != NULL)
    drop_messages (io, at);
  return io->n_messages;
}

static void
io_flush (T2pwUdpIo *io)
{
  gboolean was_refused = FALSE;
  T2pwUdpSocket *socket;

  if (io->sender == NULL || io->is_flushing)
    return;
  io->is_flushing = TRUE;
  for (guint at = 0; at < io->n_messages && io->sender != NULL;)
    {
      int sent = send_messages (io, at);

      if (sent > 0)
        at += (guint) sent;
      else if (errno != EINTR)
        at = send_refused (io, at, &was_refused);
    }
  io->is_flushing = FALSE;
  socket = g_steal_pointer (&io->sender);
  io->n_messages = 0;
  io->out_bytes = 0;
  if (was_refused && socket != NULL)
    socket->handler->refused (socket);
}

static gboolean
fits_behind (const Message *message,
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
    io_flush (io);
  io->sender = socket;
  t2p_reactor_defer (io->reactor, &io->task, nothing_cb);
}

static Message *
message_for (T2pwUdpIo *io, T2pwUdpSocket *socket, const T2pIpEndpoint *to, gsize length)
{
  Message *last = io->n_messages > 0 ? &io->messages[io->n_messages - 1] : NULL;

  if (last != NULL && io->out_bytes + length <= OUT_BYTES &&
      fits_behind (last, socket, to, length))
    return last;
  if (io->n_messages == OUT_MESSAGES || io->out_bytes + length > OUT_BYTES)
    {
      io_flush (io);
      io_take (io, socket);
    }
  last = &io->messages[io->n_messages++];
  *last = (Message){ .at = io->out_bytes, .datagram_bytes = length };
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
  Message *message = message_for (io, socket, to, total);
  T2pWriter writer;

  if (!t2pw_udp_socket_is_open (socket)) /* by a handler, when others had to leave first */
    return FALSE;
  t2p_writer_init (&writer, io->out + io->out_bytes, OUT_BYTES - io->out_bytes);
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

static void
turn_end_cb (gpointer user_data)
{
  io_flush (user_data);
}

/* --- receiving */

/** Batch: what recvmmsg() fills. */
typedef struct
{
  struct mmsghdr headers[IN_MESSAGES];
  struct iovec parts[IN_MESSAGES];
  Control controls[IN_MESSAGES];
  struct sockaddr_storage names[IN_MESSAGES];
} Batch;

static void
batch_init (Batch *batch, guint8 *buffer)
{
  for (guint i = 0; i < IN_MESSAGES; i++)
    {
      batch->parts[i] = (struct iovec){ buffer + (gsize) i * IN_BYTES, IN_BYTES };
      batch->headers[i].msg_hdr = (struct msghdr){ .msg_name = &batch->names[i],
                                                   .msg_namelen = sizeof batch->names[i],
                                                   .msg_iov = &batch->parts[i],
                                                   .msg_iovlen = 1,
                                                   .msg_control = &batch->controls[i],
                                                   .msg_controllen = sizeof (Control) };
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

/* FALSE when nothing is left to be read, or the socket is gone. */
static gboolean
receive_batch (T2pwUdpSocket *socket)
{
  T2pwUdpIo *io = socket->io;
  Batch batch;
  int got;

  batch_init (&batch, io->in);
  got = recvmmsg (socket->watch.fd, batch.headers, IN_MESSAGES, MSG_DONTWAIT, NULL);
  if (got < 0 && errno == ECONNREFUSED)
    {
      socket->handler->refused (socket);
      return FALSE;
    }
  if (got < 0)
    return errno != EAGAIN; /* the error that waited is gone now */
  io->receiver = socket;
  for (int i = 0; i < got; i++)
    if (!deliver (socket, &batch.headers[i]))
      return FALSE;
  io->receiver = NULL;
  return got == IN_MESSAGES;
}

static void
receive_cb (T2pTask *task)
{
  T2pwUdpSocket *socket = T2P_OWNER_OF (task, T2pwUdpSocket, task);
  T2pReactor *reactor = socket->io->reactor;

  for (guint i = 0; i < READS_PER_TURN; i++)
    if (!receive_batch (socket))
      return;
  t2p_reactor_defer (reactor, task, receive_cb);
}

static void
ready_cb (T2pWatch *watch, guint32 events)
{
  T2pwUdpSocket *socket = T2P_OWNER_OF (watch, T2pwUdpSocket, watch);

  t2p_reactor_defer (socket->io->reactor, &socket->task, receive_cb);
}

/* --- sockets */

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
  struct sockaddr_storage name;
  socklen_t name_bytes;

  t2pw_socket_policy_apply (socket->io->policy, fd);
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
  name_bytes =
      t2p_ip_endpoint_to_sockaddr (&(T2pIpEndpoint){ .address.family = socket->family }, &name);
  return bind (fd, (struct sockaddr *) &name, name_bytes) == 0;
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
        return TRUE;
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
  if (io->sender == socket)
    {
      io->sender = NULL;
      io->n_messages = 0;
      io->out_bytes = 0;
    }
  t2p_reactor_cancel (io->reactor, &socket->task);
  t2p_reactor_close (io->reactor, &socket->watch);
}

/* --- the whole */

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
  io->out = g_malloc (OUT_BYTES);
  io->in = g_malloc ((gsize) IN_MESSAGES * IN_BYTES); /* untouched until it is used */
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
