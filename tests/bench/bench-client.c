/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <glib-unix.h>
#include <glib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Theory of operation
 *
 * The near end of a measurement. With --via it is the native SOCKS5 client that everything is
 * compared with; without it connects plainly, and a tunnel on the way does the rest. Both do
 * the very same system calls on the payload. One line of JSON on standard output.
 *
 *   up, down, both   N streams for T seconds: bytes per second each way
 *   connect          N connections at a time, opened and closed for T seconds: per second
 *   echo             N connections, one message of 64 bytes in flight at a time in turn:
 *                    microseconds at p50 and p99, and how many
 *   dns              N queries for one name in flight at a time for T seconds: answers per
 * second idle             opens N connections, prints when all are open, holds them till stdin
 * ends
 *
 * Destinations rotate over --spread addresses from --host on, since a connection that lwIP ends
 * keeps its port pair in TIME_WAIT. */

#define MESSAGE_BYTES 64

typedef struct
{
  char *mode;
  char *via;
  char *host;
  gint port;
  gint streams;
  gdouble seconds;
  gint spread;
} Options;

static guint8 buffer[256 * 1024];
static guint64 n_dialled;

static gint64
now_us (void)
{
  return g_get_monotonic_time ();
}

static void
die (const char *what)
{
  fprintf (stderr, "bench-client: %s: %s\n", what, g_strerror (errno));
  exit (1);
}

static struct sockaddr_in
next_destination (const Options *options)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons (options->port) };
  guint32 base = ntohl (inet_addr (options->host));

  address.sin_addr.s_addr = htonl (base + (guint32) (n_dialled++ % options->spread));
  return address;
}

static int
plain_connect (struct sockaddr_in address)
{
  int one = 1, fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect (fd, (struct sockaddr *) &address, sizeof address) < 0)
    {
      close (fd);
      return -1;
    }
  return fd;
}

static struct sockaddr_in
proxy_address (const Options *options)
{
  g_auto (GStrv) parts = g_strsplit (options->via, ":", 2);
  struct sockaddr_in address = { .sin_family = AF_INET };

  address.sin_addr.s_addr = inet_addr (parts[0]);
  address.sin_port = htons ((guint16) strtoul (parts[1], NULL, 10));
  return address;
}

static gboolean
receive_exactly (int fd, guint8 *bytes, gsize n)
{
  return recv (fd, bytes, n, MSG_WAITALL) == (gssize) n;
}

/* As a careful native client does it: greeting, answer, request, answer. */
static int
dial (const Options *options)
{
  struct sockaddr_in destination = next_destination (options);
  guint8 request[10] = { 5, 1, 0, 1 }, reply[10];
  int fd;

  if (options->via == NULL)
    return plain_connect (destination);
  fd = plain_connect (proxy_address (options));
  if (fd < 0)
    return -1;
  memcpy (request + 4, &destination.sin_addr, 4);
  memcpy (request + 8, &destination.sin_port, 2);
  if (send (fd, "\5\1\0", 3, MSG_NOSIGNAL) == 3 && receive_exactly (fd, reply, 2) &&
      send (fd, request, sizeof request, MSG_NOSIGNAL) == sizeof request &&
      receive_exactly (fd, reply, sizeof reply) && reply[1] == 0)
    return fd;
  close (fd);
  return -1;
}

static void
set_blocking (int fd, gboolean blocking)
{
  g_unix_set_fd_nonblocking (fd, !blocking, NULL);
}

/* --- throughput */

static guint64
send_some (int fd)
{
  guint64 sum = 0;

  for (guint i = 0; i < 8; i++)
    {
      gssize n = send (fd, buffer, sizeof buffer, MSG_NOSIGNAL);

      if (n < 0 && errno != EAGAIN)
        die ("send");
      if (n <= 0)
        break;
      sum += n;
    }
  return sum;
}

static guint64
receive_some (int fd)
{
  guint64 sum = 0;

  for (guint i = 0; i < 8; i++)
    {
      gssize n = recv (fd, buffer, sizeof buffer, 0);

      if (n == 0 || (n < 0 && errno != EAGAIN))
        die ("recv");
      if (n < 0)
        break;
      sum += n;
    }
  return sum;
}

static int
open_all (const Options *options, int *fds, guint32 events)
{
  int epoll_fd = epoll_create1 (EPOLL_CLOEXEC);

  for (gint i = 0; i < options->streams; i++)
    {
      struct epoll_event event = { .events = events };

      fds[i] = dial (options);
      if (fds[i] < 0)
        die ("connect");
      set_blocking (fds[i], FALSE);
      event.data.fd = fds[i];
      epoll_ctl (epoll_fd, EPOLL_CTL_ADD, fds[i], &event);
    }
  return epoll_fd;
}

/* A fifth of the time warms up and does not count for the rates; `bytes` are all. */
static void
run_throughput (const Options *options, gboolean is_up, gboolean is_down)
{
  g_autofree int *fds = g_new (int, options->streams);
  int epoll_fd = open_all (options, fds, (is_up ? EPOLLOUT : 0) | (is_down ? EPOLLIN : 0));
  gint64 start = now_us (), length = (gint64) (options->seconds * 1e6);
  gint64 counted_from = start + length / 5, now;
  guint64 up = 0, down = 0, warm_up = 0;
  gboolean counting = FALSE;

  while ((now = now_us ()) < start + length)
    {
      struct epoll_event events[64];
      int n = epoll_wait (epoll_fd, events, G_N_ELEMENTS (events), 100);

      if (!counting && now >= counted_from)
        {
          counting = TRUE;
          counted_from = now;
          warm_up = up + down;
          up = down = 0;
        }
      for (int i = 0; i < n; i++)
        {
          if (events[i].events & EPOLLOUT)
            up += send_some (events[i].data.fd);
          if (events[i].events & EPOLLIN)
            down += receive_some (events[i].data.fd);
        }
    }
  printf ("{\"up\": %.0f, \"down\": %.0f, \"bytes\": %" G_GUINT64_FORMAT "}\n",
          up * 1e6 / (now - counted_from), down * 1e6 / (now - counted_from),
          warm_up + up + down);
}

/* --- connections */

/* Opened by address, ended by the usual close: nothing that a browser would not do. */
static gpointer
connect_loop (gpointer data)
{
  const Options *options = data;
  gint64 end = now_us () + (gint64) (options->seconds * 1e6);
  guint64 n = 0;

  while (now_us () < end)
    {
      int fd = dial (options);

      if (fd < 0)
        die ("connect");
      close (fd);
      n++;
    }
  return GSIZE_TO_POINTER (n);
}

static void
run_connect (const Options *options)
{
  g_autofree GThread **threads = g_new (GThread *, options->streams);
  guint64 n = 0;

  for (gint i = 0; i < options->streams; i++)
    threads[i] = g_thread_new ("connect", connect_loop, (gpointer) options);
  for (gint i = 0; i < options->streams; i++)
    n += GPOINTER_TO_SIZE (g_thread_join (threads[i]));
  printf ("{\"rate\": %.1f, \"count\": %" G_GUINT64_FORMAT "}\n", n / options->seconds, n);
}

/* --- echo */

static gint
compare_u32 (gconstpointer a, gconstpointer b)
{
  guint32 x = *(const guint32 *) a, y = *(const guint32 *) b;

  return (x > y) - (x < y);
}

static void
run_echo (const Options *options)
{
  g_autofree int *fds = g_new (int, options->streams);
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (guint32));
  gint64 end;

  for (gint i = 0; i < options->streams; i++)
    if ((fds[i] = dial (options)) < 0)
      die ("connect");
  end = now_us () + (gint64) (options->seconds * 1e6);
  for (guint64 turn = 0; now_us () < end; turn++)
    {
      int fd = fds[turn % options->streams];
      gint64 start = now_us ();
      guint32 taken;

      if (send (fd, buffer, MESSAGE_BYTES, MSG_NOSIGNAL) != MESSAGE_BYTES ||
          !receive_exactly (fd, buffer, MESSAGE_BYTES))
        die ("echo");
      taken = (guint32) (now_us () - start);
      g_array_append_val (times, taken);
    }
  g_array_sort (times, compare_u32);
  printf ("{\"p50\": %u, \"p99\": %u, \"count\": %u}\n",
          g_array_index (times, guint32, times->len / 2),
          g_array_index (times, guint32, times->len * 99ul / 100), times->len);
}

/* --- dns */

static const guint8 dns_query[] = "\0\0\1\0\0\1\0\0\0\0\0\0\5bench\4test\0\0\1\0\1";

static void
send_queries (int fd, guint n)
{
  struct iovec iov = { (gpointer) dns_query, sizeof dns_query - 1 };
  struct mmsghdr messages[64] = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (messages); i++)
    messages[i].msg_hdr = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 };
  while (n > 0)
    {
      int sent = sendmmsg (fd, messages, MIN (n, G_N_ELEMENTS (messages)), 0);

      if (sent <= 0)
        return;
      n -= (guint) sent;
    }
}

/* What is lost is asked again after a moment, like a resolver would. */
static void
run_dns (const Options *options)
{
  struct sockaddr_in address = next_destination (options);
  struct timeval patience = { .tv_usec = 20000 };
  int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  gint64 start = now_us (), now;
  guint64 n = 0;

  setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect (fd, (struct sockaddr *) &address, sizeof address) < 0)
    die ("connect");
  send_queries (fd, (guint) options->streams);
  while ((now = now_us ()) < start + (gint64) (options->seconds * 1e6))
    {
      struct iovec iov = { buffer, 512 };
      struct mmsghdr messages[64] = { 0 };
      int got;

      for (guint i = 0; i < G_N_ELEMENTS (messages); i++)
        messages[i].msg_hdr = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 };
      got = recvmmsg (fd, messages, G_N_ELEMENTS (messages), MSG_WAITFORONE, NULL);
      n += (guint) MAX (got, 0);
      send_queries (fd, got > 0 ? (guint) got : (guint) options->streams);
    }
  printf ("{\"rate\": %.1f, \"count\": %" G_GUINT64_FORMAT "}\n", n * 1e6 / (now - start), n);
}

static void
run_idle (const Options *options)
{
  for (gint i = 0; i < options->streams; i++)
    if (dial (options) < 0)
      die ("connect");
  printf ("{\"open\": %d}\n", options->streams);
  fflush (stdout);
  while (read (STDIN_FILENO, buffer, 1) > 0)
    ;
}

static void
run (const Options *options)
{
  if (g_str_equal (options->mode, "up"))
    run_throughput (options, TRUE, FALSE);
  else if (g_str_equal (options->mode, "down"))
    run_throughput (options, FALSE, TRUE);
  else if (g_str_equal (options->mode, "both"))
    run_throughput (options, TRUE, TRUE);
  else if (g_str_equal (options->mode, "connect"))
    run_connect (options);
  else if (g_str_equal (options->mode, "echo"))
    run_echo (options);
  else if (g_str_equal (options->mode, "dns"))
    run_dns (options);
  else
    run_idle (options);
}

int
main (int argc, char **argv)
{
  Options options = { .streams = 1, .seconds = 2, .spread = 1, .port = 9000 };
  const GOptionEntry entries[] = {
    { "via", 0, 0, G_OPTION_ARG_STRING, &options.via, "SOCKS5 proxy", "ADDRESS:PORT" },
    { "host", 0, 0, G_OPTION_ARG_STRING, &options.host, "first destination", "ADDRESS" },
    { "port", 0, 0, G_OPTION_ARG_INT, &options.port, "destination port", "PORT" },
    { "streams", 0, 0, G_OPTION_ARG_INT, &options.streams, "connections at a time", "N" },
    { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &options.seconds, "how long", "T" },
    { "spread", 0, 0, G_OPTION_ARG_INT, &options.spread, "destinations to rotate over", "N" },
    { NULL },
  };
  g_autoptr (GOptionContext) context =
      g_option_context_new ("up|down|both|connect|echo|dns|idle");
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 2 || !options.host)
    {
      fprintf (stderr, "bench-client: %s\n",
               error ? error->message : "needs --host and a mode");
      return 2;
    }
  options.mode = argv[1];
  run (&options);
  return 0;
}
