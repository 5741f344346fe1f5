/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A probe of proxies that answer each kind of request in a way of their own. */
#include "config.h"

#include "t2p-error.h"
#include "t2pw-probe.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OK 0
#define REFUSED 5
#define NET_UNREACHABLE 3
#define BAD_COMMAND 7
#define BAD_ADDRESS_TYPE 8
#define SILENT 0xff

/** Manners: of a SOCKS 5 proxy, the reply code for each kind of request. */
typedef struct
{
  guint8 method; /* 0xff: it wants more than we have */
  guint8 ipv4, name, ipv6, udp;
} Manners;

typedef struct
{
  const Manners *manners;
  int listener;
  int stop[2];
  GThread *thread;
  T2pReactor *reactor;
  T2pwSocketPolicy policy;
  T2pwOutboundContext context;
  gboolean is_done;
  T2pwProbeResult result;
  char *auth;
  char *udp;
  GError *error;
} Fixture;

/* --- the proxy */

/* FALSE when the client has hung up, or the test is over. */
static gboolean
read_exactly (const Fixture *f, int fd, guint8 *bytes, gsize n)
{
  for (gsize at = 0; at < n;)
    {
      struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
                              { .fd = f->stop[0], .events = POLLIN } };
      gssize got;

      poll (fds, 2, -1);
      if (fds[1].revents != 0)
        return FALSE;
      got = read (fd, bytes + at, n - at);
      if (got <= 0)
        return FALSE;
      at += (gsize) got;
    }
  return TRUE;
}

static guint8
reply_for (const Manners *manners, const guint8 *request)
{
  if (request[1] == 3)
    return manners->udp;
  return request[3] == 1 ? manners->ipv4 : request[3] == 3 ? manners->name : manners->ipv6;
}

static void
serve (const Fixture *f, int fd)
{
  static const guint8 lengths[] = { [1] = 4, [4] = 16 };
  guint8 bytes[300] = { 0 };
  guint8 reply[] = { 5, 0, 0, 1, 127, 0, 0, 1, 0, 9 };
  guint8 length;

  if (!read_exactly (f, fd, bytes, 2) || !read_exactly (f, fd, bytes + 2, bytes[1]))
    return;
  if (write (fd, (guint8[]){ 5, f->manners->method }, 2) != 2 ||
      !read_exactly (f, fd, bytes, 5))
    return;
  length = bytes[3] == 3 ? bytes[4] : (guint8) (lengths[bytes[3] & 7] - 1);
  if (!read_exactly (f, fd, bytes + 5, (gsize) length + 2))
    return;
  reply[1] = reply_for (f->manners, bytes);
  if (reply[1] != SILENT && write (fd, reply, sizeof reply) != sizeof reply)
    return;
  while (read_exactly (f, fd, bytes, 1))
    ;
}

static gpointer
proxy_thread (gpointer data)
{
  Fixture *f = data;

  for (;;)
    {
      struct pollfd fds[] = { { .fd = f->listener, .events = POLLIN },
                              { .fd = f->stop[0], .events = POLLIN } };
      int fd;

      poll (fds, 2, -1);
      if (fds[1].revents != 0)
        return NULL;
      fd = accept (f->listener, NULL, NULL);
      serve (f, fd);
      close (fd);
    }
}

/* --- the probe */

static void
done_cb (const T2pwProbeResult *result, gpointer data)
{
  Fixture *f = data;

  f->result = *result;
  f->auth = g_strdup (result->auth);
  f->udp = g_strdup (result->udp);
  f->error = result->error != NULL ? g_error_copy (result->error) : NULL;
  f->is_done = TRUE;
}

static guint16
listen_on_loopback (Fixture *f)
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t length = sizeof address;

  f->listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (bind (f->listener, (struct sockaddr *) &address, sizeof address), ==, 0);
  g_assert_cmpint (listen (f->listener, 16), ==, 0);
  g_assert_cmpint (getsockname (f->listener, (struct sockaddr *) &address, &length), ==, 0);
  return ntohs (address.sin_port);
}

static void
probe (Fixture *f, const char *uri, guint timeout_ms)
{
  g_autoptr (T2pEndpoint) endpoint = t2p_endpoint_parse (uri, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (endpoint);
  f->context.connect_timeout_ms = timeout_ms;
  g_assert_nonnull (t2pw_probe_start (&f->context, endpoint, NULL, 0, done_cb, f, &error));
  g_assert_no_error (error);
  while (!f->is_done)
    g_main_context_iteration (NULL, TRUE);
}

static void
probe_proxy (Fixture *f, guint timeout_ms)
{
  g_autofree char *uri = g_strdup_printf ("socks5://127.0.0.1:%u", listen_on_loopback (f));

  f->thread = g_thread_new ("proxy", proxy_thread, f);
  probe (f, uri, timeout_ms);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->manners = data;
  f->listener = -1;
  g_assert_cmpint (pipe (f->stop), ==, 0);
  f->reactor = t2p_reactor_new (NULL, NULL);
  f->context = (T2pwOutboundContext){ .reactor = f->reactor, .policy = &f->policy };
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  close (f->stop[1]);
  if (f->thread != NULL)
    g_thread_join (f->thread);
  close (f->stop[0]);
  if (f->listener >= 0)
    close (f->listener);
  t2p_reactor_free (f->reactor);
  g_clear_error (&f->error);
  g_free (f->auth);
  g_free (f->udp);
}

/* --- the claims */

static const Manners able = { 0, REFUSED, OK, REFUSED, OK };

static void
test_able (Fixture *f, gconstpointer data)
{
  probe_proxy (f, 5000);
  g_assert_no_error (f->error);
  g_assert_true (f->result.is_reachable);
  g_assert_cmpint (f->result.rtt_us, >, 0);
  g_assert_cmpstr (f->auth, ==, "none");
  g_assert_true (f->result.can_connect);
  g_assert_true (f->result.can_names);
  g_assert_true (f->result.can_ipv6);
  g_assert_false (f->result.refuses_ipv6);
  g_assert_cmpstr (f->udp, ==, "associate");
}

static const Manners unable = { 0, OK, BAD_ADDRESS_TYPE, BAD_ADDRESS_TYPE, BAD_COMMAND };

static void
test_unable (Fixture *f, gconstpointer data)
{
  probe_proxy (f, 5000);
  g_assert_no_error (f->error);
  g_assert_true (f->result.can_connect);
  g_assert_false (f->result.can_names);
  g_assert_false (f->result.can_ipv6);
  g_assert_true (f->result.refuses_ipv6);
  g_assert_cmpstr (f->udp, ==, "none");
}

static const Manners without_route = { 0, OK, OK, NET_UNREACHABLE, REFUSED };

static void
test_without_route (Fixture *f, gconstpointer data)
{
  probe_proxy (f, 5000);
  g_assert_false (f->result.can_ipv6);
  g_assert_true (f->result.refuses_ipv6);
  g_assert_cmpstr (f->udp, ==, "none");
}

/* Which is no reason to keep IPv6 from it. */
static const Manners mute = { 0, OK, OK, SILENT, SILENT };

static void
test_mute (Fixture *f, gconstpointer data)
{
  probe_proxy (f, 400);
  g_assert_no_error (f->error);
  g_assert_true (f->result.can_connect);
  g_assert_false (f->result.can_ipv6);
  g_assert_false (f->result.refuses_ipv6);
}

static const Manners strict = { 0xff, OK, OK, OK, OK };

static void
test_password (Fixture *f, gconstpointer data)
{
  probe_proxy (f, 5000);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED);
  g_assert_true (f->result.is_reachable);
  g_assert_cmpstr (f->auth, ==, "password");
  g_assert_false (f->result.can_connect);
}

static void
test_nobody (Fixture *f, gconstpointer data)
{
  g_autofree char *uri = g_strdup_printf ("socks5://127.0.0.1:%u", listen_on_loopback (f));

  close (f->listener);
  f->listener = -1;
  probe (f, uri, 5000);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
  g_assert_false (f->result.is_reachable);
  g_assert_cmpint (f->result.rtt_us, ==, 0);
}

/* What is told is that of the whole: the second hop is not there. */
static void
test_chain (Fixture *f, gconstpointer data)
{
  g_autofree char *uri =
      g_strdup_printf ("socks5://127.0.0.1:%u | socks5://192.0.2.1:1", listen_on_loopback (f));

  f->thread = g_thread_new ("proxy", proxy_thread, f);
  probe (f, uri, 5000);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
  g_assert_false (f->result.is_reachable);
}

static void
test_no_proxy (Fixture *f, gconstpointer data)
{
  static const char *const uris[] = { "direct", "reject" };

  for (guint i = 0; i < G_N_ELEMENTS (uris); i++)
    {
      g_autoptr (T2pEndpoint) endpoint = t2p_endpoint_parse (uris[i], NULL);
      g_autoptr (GError) error = NULL;

      g_assert_null (t2pw_probe_start (&f->context, endpoint, NULL, 0, done_cb, f, &error));
      g_assert_error (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, manners, func) g_test_add (path, Fixture, manners, set_up, func, tear_down)
  ADD ("/probe/refusals-of-destinations-are-understanding", &able, test_able);
  ADD ("/probe/what-it-does-not-know-it-cannot", &unable, test_unable);
  ADD ("/probe/no-route-to-ipv6-is-a-refusal", &without_route, test_without_route);
  ADD ("/probe/silence-tells-nothing-of-ipv6", &mute, test_mute);
  ADD ("/probe/wish-for-a-password-is-told", &strict, test_password);
  ADD ("/probe/nobody-there", NULL, test_nobody);
  ADD ("/probe/chain-is-as-good-as-its-last-hop", &able, test_chain);
  ADD ("/probe/direct-and-reject-are-no-proxies", NULL, test_no_proxy);
  return g_test_run ();
}
