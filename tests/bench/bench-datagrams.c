/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Theory of operation
 *
 * Datagrams through a SOCKS5 proxy, for the benchmarks; IPv4 only. Each side trusts the others.
 *
 *   relay PORT          a SOCKS5 server with UDP ASSOCIATE and no more. It is not the limit of
 *                       the measurement: what comes together is received and sent together
 *                       (UDP_GRO, UDP_SEGMENT)
 *   peer PORT           the far end: counts what it gets; "?" is answered with the count, "go
 *                       SECONDS SIZE" with datagrams for so long
 *   up|down SECONDS SIZE HOST PORT [PROXY-HOST PROXY-PORT]
 *                       the near end: what arrived at the other end, as a line of JSON. With a
 *                       proxy it is the native client; without one a tunnel does the rest. One
 *                       system call for each datagram sent, and none that comes together with
 *                       others, as in simple programs. */

#define HEADER_BYTES 10
#define BATCH 32
#define BUFFER_BYTES 65536
#define MAX_SEGMENTS 64
#define QUIET_MS 500

#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static guint8 buffers[BATCH][BUFFER_BYTES];

static void G_GNUC_NORETURN
die (const char *what)
{
  fprintf (stderr, "bench-datagrams: %s: %s\n", what, g_strerror (errno));
  exit (1);
}

static struct sockaddr_in
address_of (const char *host, const char *port)
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_port =
                                     htons ((guint16) g_ascii_strtoull (port, NULL, 10)) };

  if (inet_pton (AF_INET, host, &address.sin_addr) != 1)
    die (host);
  return address;
}

static int
udp_socket (const struct sockaddr_in *address, gboolean is_near)
{
  int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int size = 4 * 1024 * 1024;
  int on = 1;

  /* The near end has what a program without privileges gets. */
  (void) setsockopt (fd, SOL_SOCKET, is_near ? SO_RCVBUF : SO_RCVBUFFORCE, &size, sizeof size);
  (void) setsockopt (fd, SOL_SOCKET, is_near ? SO_SNDBUF : SO_SNDBUFFORCE, &size, sizeof size);
  if (!is_near)
    (void) setsockopt (fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
  if (bind (fd, (const struct sockaddr *) address, sizeof *address) < 0)
    die ("bind");
  return fd;
}

/* --- what comes together */

typedef struct
{
  struct mmsghdr headers[BATCH];
  struct iovec parts[BATCH];
  struct sockaddr_in names[BATCH];
  char controls[BATCH][CMSG_SPACE (sizeof (int))];
} Batch;

static int
receive (int fd, Batch *batch, int flags)
{
  for (guint i = 0; i < BATCH; i++)
    {
      batch->parts[i] = (struct iovec){ buffers[i], BUFFER_BYTES };
      batch->headers[i].msg_hdr =
          (struct msghdr){ .msg_name = &batch->names[i],
                           .msg_namelen = sizeof batch->names[i],
                           .msg_iov = &batch->parts[i],
                           .msg_iovlen = 1,
                           .msg_control = batch->controls[i],
                           .msg_controllen = sizeof batch->controls[i] };
    }
  return recvmmsg (fd, batch->headers, BATCH, flags, NULL);
}

static gsize
segment_bytes (struct mmsghdr *message)
{
  struct cmsghdr *control = CMSG_FIRSTHDR (&message->msg_hdr);
  int bytes = (int) message->msg_len;

  if (control != NULL && control->cmsg_type == UDP_GRO)
    memcpy (&bytes, CMSG_DATA (control), sizeof bytes);
  return bytes > 0 ? (gsize) bytes : 1;
}

static guint
n_segments (struct mmsghdr *message)
{
  gsize bytes = segment_bytes (message);

  return (guint) ((message->msg_len + bytes - 1) / bytes);
}

/* @parts of @bytes each, the last may be shorter. */
static void
send_together (int fd, struct iovec *parts, gsize n, gsize bytes, const struct sockaddr_in *to)
{
  char control[CMSG_SPACE (sizeof (guint16))] = { 0 };
  struct msghdr header = {
    .msg_name = (gpointer) to, .msg_namelen = sizeof *to, .msg_iov = parts, .msg_iovlen = n
  };
  guint16 segment = (guint16) bytes;

  if (n > 1)
    {
      header.msg_control = control;
      header.msg_controllen = sizeof control;
      CMSG_FIRSTHDR (&header)->cmsg_level = IPPROTO_UDP;
      CMSG_FIRSTHDR (&header)->cmsg_type = UDP_SEGMENT;
      CMSG_FIRSTHDR (&header)->cmsg_len = CMSG_LEN (sizeof segment);
      memcpy (CMSG_DATA (CMSG_FIRSTHDR (&header)), &segment, sizeof segment);
    }
  (void) sendmsg (fd, &header, MSG_DONTWAIT);
}

/* --- the relay */

typedef struct
{
  int control, near, far;
  struct sockaddr_in client;
} Association;

static void
put_header (guint8 *header, const struct sockaddr_in *peer)
{
  memset (header, 0, HEADER_BYTES);
  header[3] = 1;
  memcpy (header + 4, &peer->sin_addr, 4);
  memcpy (header + 8, &peer->sin_port, 2);
}

static struct sockaddr_in
get_header (const guint8 *header)
{
  struct sockaddr_in peer = { .sin_family = AF_INET };

  memcpy (&peer.sin_addr, header + 4, 4);
  memcpy (&peer.sin_port, header + 8, 2);
  return peer;
}

static void
relay_up (Association *association, struct mmsghdr *message)
{
  const guint8 *data = message->msg_hdr.msg_iov->iov_base;
  gsize bytes = segment_bytes (message);
  struct sockaddr_in to;
  struct iovec parts[MAX_SEGMENTS];
  guint n = 0;

  association->client = *(struct sockaddr_in *) message->msg_hdr.msg_name;
  if (message->msg_len < HEADER_BYTES || n_segments (message) > MAX_SEGMENTS)
    return;
  to = get_header (data);
  for (gsize at = 0; at + HEADER_BYTES <= message->msg_len; at += bytes)
    parts[n++] = (struct iovec){ (gpointer) (data + at + HEADER_BYTES),
                                 MIN (bytes, message->msg_len - at) - HEADER_BYTES };
  send_together (association->far, parts, n, bytes - HEADER_BYTES, &to);
}

static void
relay_down (Association *association, struct mmsghdr *message)
{
  guint8 header[HEADER_BYTES];
  gsize bytes = segment_bytes (message);
  struct iovec parts[2 * MAX_SEGMENTS];
  gsize most = 65507 / (bytes + HEADER_BYTES);
  gsize at = 0;

  put_header (header, message->msg_hdr.msg_name);
  while (at < message->msg_len)
    {
      guint n = 0;

      for (gsize i = 0; i < MIN (most, MAX_SEGMENTS) && at < message->msg_len; i++, at += bytes)
        {
          parts[n++] = (struct iovec){ header, HEADER_BYTES };
          parts[n++] = (struct iovec){ (guint8 *) message->msg_hdr.msg_iov->iov_base + at,
                                       MIN (bytes, message->msg_len - at) };
        }
      send_together (association->near, parts, n, bytes + HEADER_BYTES, &association->client);
    }
}

static void
associate (int epoll_fd, int listener)
{
  static const guint8 method[] = { 5, 0 };
  struct sockaddr_in any = { .sin_family = AF_INET };
  Association *association = g_new0 (Association, 1);
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = association };
  socklen_t length = sizeof any;
  guint8 reply[10] = { 5, 0, 0, 1 };
  guint8 ignored[300];

  association->control = accept (listener, NULL, NULL);
  association->near = udp_socket (&any, FALSE);
  association->far = udp_socket (&any, FALSE);
  getsockname (association->near, (struct sockaddr *) &any, &length);
  memcpy (reply + 8, &any.sin_port, 2);
  if (recv (association->control, ignored, sizeof ignored, 0) <= 0 ||
      send (association->control, method, sizeof method, 0) < 0 ||
      recv (association->control, ignored, sizeof ignored, 0) <= 0 ||
      send (association->control, reply, sizeof reply, 0) < 0)
    fprintf (stderr, "bench-datagrams: a client has gone\n");
  for (int *fd = &association->control; fd <= &association->far; fd++)
    epoll_ctl (epoll_fd, EPOLL_CTL_ADD, *fd, &event);
}

static void
serve_association (Association *association)
{
  Batch batch;
  guint8 byte;
  int n;

  if (recv (association->control, &byte, 1, MSG_DONTWAIT) == 0)
    {
      close (association->control);
      close (association->near);
      close (association->far);
      g_free (association);
      return;
    }
  n = receive (association->near, &batch, MSG_DONTWAIT);
  for (int i = 0; i < n; i++)
    relay_up (association, &batch.headers[i]);
  n = receive (association->far, &batch, MSG_DONTWAIT);
  for (int i = 0; i < n; i++)
    relay_down (association, &batch.headers[i]);
}

static void G_GNUC_NORETURN
run_relay (const char *port)
{
  struct sockaddr_in address = address_of ("0.0.0.0", port);
  int listener = socket (AF_INET, SOCK_STREAM, 0);
  int epoll_fd = epoll_create1 (0);
  struct epoll_event event = { .events = EPOLLIN };

  if (bind (listener, (struct sockaddr *) &address, sizeof address) < 0 ||
      listen (listener, 100) < 0)
    die ("listen");
  epoll_ctl (epoll_fd, EPOLL_CTL_ADD, listener, &event);
  for (;;)
    {
      if (epoll_wait (epoll_fd, &event, 1, -1) != 1)
        continue;
      if (event.data.ptr == NULL)
        associate (epoll_fd, listener);
      else
        serve_association (event.data.ptr);
    }
}

/* --- the far end */

static void
send_for (int fd, double seconds, gsize size, const struct sockaddr_in *to)
{
  gint64 end = g_get_monotonic_time () + (gint64) (seconds * 1e6);
  gsize n = MIN (MAX_SEGMENTS, 65507 / size);
  struct iovec parts[MAX_SEGMENTS];

  for (gsize i = 0; i < n; i++)
    parts[i] = (struct iovec){ buffers[0], size };
  while (g_get_monotonic_time () < end)
    {
      struct pollfd room = { .fd = fd, .events = POLLOUT };

      send_together (fd, parts, n, size, to);
      poll (&room, 1, 10);
    }
}

static void G_GNUC_NORETURN
run_peer (const char *port)
{
  struct sockaddr_in address = address_of ("0.0.0.0", port);
  int fd = udp_socket (&address, FALSE);
  guint64 count = 0;

  for (;;)
    {
      Batch batch;
      int got = receive (fd, &batch, MSG_WAITFORONE);

      for (int i = 0; i < got; i++)
        {
          struct mmsghdr *message = &batch.headers[i];
          struct sockaddr_in from = batch.names[i];
          double seconds;
          unsigned size;

          buffers[i][MIN (message->msg_len, BUFFER_BYTES - 1)] = '\0';
          if (buffers[i][0] == '?')
            {
              g_autofree char *text = g_strdup_printf ("%" G_GUINT64_FORMAT, count);

              count = 0;
              (void) sendto (fd, text, strlen (text), 0, (struct sockaddr *) &from,
                             sizeof from);
            }
          else if (sscanf ((char *) buffers[i], "go %lf %u", &seconds, &size) == 2)
            send_for (fd, seconds, size, &from);
          else
            count += n_segments (message);
        }
    }
}

/* --- the near end */

typedef struct
{
  int fd, control;
  gsize header_bytes;
  guint8 datagram[BUFFER_BYTES];
} Near;

static void
near_open (Near *near, const struct sockaddr_in *peer, const struct sockaddr_in *proxy)
{
  static const guint8 greeting[] = { 5, 1, 0 };
  static const guint8 request[10] = { 5, 3, 0, 1 };
  struct sockaddr_in any = { .sin_family = AF_INET };
  struct sockaddr_in to = *peer;
  guint8 reply[10];

  near->fd = udp_socket (&any, TRUE);
  if (proxy != NULL)
    {
      to = *proxy;
      near->control = socket (AF_INET, SOCK_STREAM, 0);
      if (connect (near->control, (struct sockaddr *) &to, sizeof to) < 0 ||
          send (near->control, greeting, sizeof greeting, 0) < 0 ||
          recv (near->control, reply, 2, MSG_WAITALL) != 2 ||
          send (near->control, request, sizeof request, 0) < 0 ||
          recv (near->control, reply, sizeof reply, MSG_WAITALL) != sizeof reply)
        die ("the proxy");
      memcpy (&to.sin_port, reply + 8, 2);
      near->header_bytes = HEADER_BYTES;
      put_header (near->datagram, peer);
    }
  if (connect (near->fd, (struct sockaddr *) &to, sizeof to) < 0)
    die ("connect");
}

static void
near_say (Near *near, const char *text)
{
  gsize length = strlen (text);

  memcpy (near->datagram + near->header_bytes, text, length);
  if (send (near->fd, near->datagram, near->header_bytes + length, 0) < 0)
    die ("send");
}

static guint64
near_count (Near *near, double seconds)
{
  gint64 end = g_get_monotonic_time () + (gint64) (seconds * 1e6);
  struct pollfd ready = { .fd = near->fd, .events = POLLIN };
  guint64 count = 0;

  while (g_get_monotonic_time () < end && poll (&ready, 1, QUIET_MS) > 0)
    {
      Batch batch;
      int got = receive (near->fd, &batch, MSG_DONTWAIT);

      for (int i = 0; i < got; i++)
        count += n_segments (&batch.headers[i]);
    }
  return count;
}

static guint64
measure_up (Near *near, double seconds, gsize size)
{
  gint64 end = g_get_monotonic_time () + (gint64) (seconds * 1e6);
  struct pollfd ready = { .fd = near->fd, .events = POLLIN };

  memset (near->datagram + near->header_bytes, 'x', size);
  while (g_get_monotonic_time () < end)
    for (guint i = 0; i < 64; i++)
      (void) send (near->fd, near->datagram, near->header_bytes + size, 0);
  for (guint i = 0; i < 10; i++)
    {
      g_usleep (100000); /* what is on its way */
      near_say (near, "?");
      if (poll (&ready, 1, QUIET_MS) > 0)
        {
          gssize got = recv (near->fd, near->datagram, sizeof near->datagram - 1, 0);

          near->datagram[MAX (got, 0)] = '\0';
          return g_ascii_strtoull ((char *) near->datagram + near->header_bytes, NULL, 10);
        }
    }
  errno = ETIMEDOUT;
  die ("the peer says no count");
}

static int
run_near (char **words, int n)
{
  double seconds = g_ascii_strtod (words[1], NULL);
  gsize size = g_ascii_strtoull (words[2], NULL, 10);
  struct sockaddr_in peer = address_of (words[3], words[4]);
  struct sockaddr_in proxy;
  g_autofree Near *near = g_new0 (Near, 1);
  g_autofree char *order = g_strdup_printf ("go %f %zu", seconds, size);
  guint64 count;

  if (n >= 7)
    proxy = address_of (words[5], words[6]);
  near_open (near, &peer, n >= 7 ? &proxy : NULL);
  near_say (near, "x"); /* the way is opened before the time runs */
  g_usleep (200000);
  if (strcmp (words[0], "up") == 0)
    count = measure_up (near, seconds, size);
  else
    {
      near_say (near, order);
      count = near_count (near, seconds + 2);
    }
  printf ("{\"rate\": %.0f, \"count\": %" G_GUINT64_FORMAT "}\n", (double) count / seconds,
          count);
  return 0;
}

int
main (int argc, char **argv)
{
  if (argc == 3 && strcmp (argv[1], "relay") == 0)
    run_relay (argv[2]);
  if (argc == 3 && strcmp (argv[1], "peer") == 0)
    run_peer (argv[2]);
  if (argc >= 6 && (strcmp (argv[1], "up") == 0 || strcmp (argv[1], "down") == 0))
    return run_near (argv + 1, argc - 1);
  fprintf (stderr,
           "usage: bench-datagrams relay|peer PORT\n"
           "       bench-datagrams up|down SECONDS SIZE HOST PORT [PROXY-HOST PROXY-PORT]\n");
  return 2;
}
