/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whose packets the real kernel leads into a tunnel, asked by `ip route get`, and which UDP
 * sockets it lists as servers; in a network namespace of this process's own. */
#include "config.h"

#include "netns-fixture.h"
#include "t2pn-forward-answers.h"
#include "t2pn-nft.h"
#include "t2pn-udp-servers.h"

#include <netinet/in.h>
#include <sched.h>
#include <unistd.h>

#define CAPTURE_ALL "'capture': <'default'>, 'ipv6': <'on'>, 'dns': <'tcp'>"
#define SETTLE_MS 3500 /* more than one look of the watch */

static int
open_udp (int family, const char *address, guint16 port, gboolean is_ipv6_only)
{
  int fd = socket (family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int only = is_ipv6_only;
  struct sockaddr_storage name;
  T2pIpEndpoint endpoint = { .port = port };
  socklen_t length;

  g_assert_cmpint (fd, >=, 0);
  g_assert_true (t2p_ip_address_parse (address, &endpoint.address));
  if (family == AF_INET6)
    g_assert_cmpint (setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only), ==, 0);
  length = t2p_ip_endpoint_to_sockaddr (&endpoint, &name);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &name, length), ==, 0);
  return fd;
}

static char *
list_servers (const T2pnPortRange *ephemeral)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) servers = ephemeral != NULL
                                   ? t2pn_udp_servers_list_outside (ephemeral, &error)
                                   : t2pn_udp_servers_list (&error);
  GString *text = g_string_new (NULL);

  g_assert_no_error (error);
  for (guint i = 0; i < servers->len; i++)
    {
      const T2pnUdpServer *server = &g_array_index (servers, T2pnUdpServer, i);

      g_string_append_printf (text, " %c:%u/%u", server->family == AF_INET ? '4' : '6',
                              server->port, server->uid);
    }
  return g_string_free (text, FALSE);
}

static void
close_all (const int *fds, guint n)
{
  for (guint i = 0; i < n; i++)
    close (fds[i]);
}

static void
test_servers (void)
{
  const T2pnPortRange wide = { 5000, 65535 };
  const T2pnPortRange none = { 1, 0 };
  struct sockaddr_storage name;
  T2pIpEndpoint peer = { .port = 9 };
  g_autofree char *usual = NULL, *narrow = NULL, *all = NULL;
  const int fds[] = {
    open_udp (AF_INET, "0.0.0.0", 5353, FALSE),  open_udp (AF_INET, "192.0.2.7", 5400, FALSE),
    open_udp (AF_INET, "0.0.0.0", 40000, FALSE), open_udp (AF_INET6, "::", 6000, FALSE),
    open_udp (AF_INET6, "::", 6001, TRUE),       open_udp (AF_INET, "0.0.0.0", 7000, FALSE),
    open_udp (AF_INET, "0.0.0.0", 7001, FALSE),  open_udp (AF_INET, "0.0.0.0", 123, FALSE),
  };

  g_assert_true (t2p_ip_address_parse ("192.0.2.1", &peer.address));
  g_assert_cmpint (
      connect (fds[5], (struct sockaddr *) &name, t2p_ip_endpoint_to_sockaddr (&peer, &name)),
      ==, 0);
  g_assert_cmpint (setsockopt (fds[6], SOL_SOCKET, SO_BINDTODEVICE, "up0", 4), ==, 0);
  usual = list_servers (NULL);
  g_assert_cmpstr (usual, ==, " 4:123/0 4:5353/0 4:6000/0 6:6000/0 6:6001/0");
  narrow = list_servers (&wide);
  g_assert_cmpstr (narrow, ==, " 4:123/0");
  all = list_servers (&none);
  g_assert_nonnull (strstr (all, " 4:40000/0"));
  close_all (fds, G_N_ELEMENTS (fds));
}

/* --- the watch */

static void
count_cb (gpointer user_data)
{
  ++*(guint *) user_data;
}

static gboolean
late_cb (gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
  return G_SOURCE_REMOVE;
}

static void
wait_ms (guint ms)
{
  gboolean is_late = FALSE;

  g_timeout_add (ms, late_cb, &is_late);
  while (!is_late)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_watch (void)
{
  guint n = 0;
  T2pnUdpWatch *watch = t2pn_udp_watch_new (count_cb, &n);
  int asks = open_udp (AF_INET, "0.0.0.0", 0, FALSE);
  int serves;

  wait_ms (SETTLE_MS);
  g_assert_cmpuint (n, ==, 0);
  serves = open_udp (AF_INET, "0.0.0.0", 5353, FALSE);
  wait_ms (SETTLE_MS);
  g_assert_cmpuint (n, ==, 1);
  close (serves);
  close (asks);
  wait_ms (SETTLE_MS);
  g_assert_cmpuint (n, ==, 2);
  t2pn_udp_watch_free (watch);
}

/* Between two looks, and seen by somebody else. */
static void
test_watch_noted (void)
{
  guint n = 0;
  T2pnUdpWatch *watch = t2pn_udp_watch_new (count_cb, &n);
  int serves = open_udp (AF_INET, "0.0.0.0", 5353, FALSE);
  g_autoptr (GArray) seen = t2pn_udp_servers_list (NULL);
  g_autoptr (GArray) none = NULL;

  close (serves);
  g_assert_cmpuint (seen->len, ==, 1);
  t2pn_udp_watch_note (watch, seen);
  wait_ms (SETTLE_MS);
  g_assert_cmpuint (n, ==, 1);
  none = t2pn_udp_servers_list (NULL);
  t2pn_udp_watch_note (watch, none);
  wait_ms (SETTLE_MS);
  g_assert_cmpuint (n, ==, 1);
  t2pn_udp_watch_free (watch);
}

/* --- routes */

static void
finish (Tunnel *tunnel, char *runtime_dir, const char *before)
{
  g_autofree char *after = NULL;

  take_down (tunnel);
  g_assert_true (t2pn_journal_undo (tunnel->journal, NULL));
  tunnel_free (tunnel);
  after = dump ();
  g_assert_cmpstr (after, ==, before);
  remove_runtime_dir (runtime_dir);
}

static void
test_udp_answers (void)
{
  char *runtime_dir = make_runtime_dir ();
  g_autofree char *before = dump ();
  Tunnel *tunnel = tunnel_new (runtime_dir, CAPTURE_ALL);
  int server = open_udp (AF_INET6, "::", 5353, FALSE);

  bring_up (tunnel);
  assert_line ("ip route get 203.0.113.9 ipproto udp sport 5353", "dev t2p0");
  update (tunnel);
  assert_line ("ip route get 203.0.113.9 ipproto udp sport 5353", "dev up0");
  assert_line ("ip -6 route get 2a00::1 ipproto udp sport 5353", "dev up0");
  assert_line ("ip route get 203.0.113.9 ipproto udp sport 5353 uid 12345", "dev t2p0");
  assert_line ("ip route get 203.0.113.9 ipproto tcp sport 5353", "dev t2p0");
  assert_line ("ip route get 203.0.113.9 ipproto udp sport 5354", "dev t2p0");
  close (server);
  update (tunnel);
  assert_line ("ip route get 203.0.113.9 ipproto udp sport 5353", "dev t2p0");
  finish (tunnel, runtime_dir, before);
}

static void
test_questions (void)
{
  char *runtime_dir = make_runtime_dir ();
  g_autofree char *before = dump ();
  Tunnel *tunnel = tunnel_new (runtime_dir, CAPTURE_ALL);

  bring_up (tunnel);
  assert_line ("ip route get 192.0.2.53 ipproto udp dport 53", "dev t2p0");
  assert_line ("ip route get 192.0.2.53 ipproto tcp dport 853", "dev t2p0");
  assert_line ("ip route get 192.0.2.53 ipproto udp dport 54", "dev up0");
  assert_line ("ip route get 192.0.2.53 ipproto udp dport 53 mark 0x2370", "dev up0");
  assert_line ("ip -6 route get 2001:db8:1::53 ipproto udp dport 53", "dev t2p0");
  assert_line ("ip -6 route get 2001:db8:1::53", "dev up0");
  finish (tunnel, runtime_dir, before);
}

static void
test_no_lan (void)
{
  char *runtime_dir = make_runtime_dir ();
  g_autofree char *before = dump ();
  Tunnel *tunnel = tunnel_new (runtime_dir, CAPTURE_ALL ", 'lan': <'none'>");

  bring_up (tunnel);
  assert_line ("ip route get 192.0.2.53", "dev t2p0");
  assert_line ("ip -6 route get 2001:db8:1::53", "dev t2p0");
  assert_line ("ip route get 192.0.2.53 from 192.0.2.7", "dev up0");
  assert_line ("ip route get 192.0.2.53 mark 0x2370", "dev up0");
  finish (tunnel, runtime_dir, before);
}

#define MAKE_BRIDGE                                                                            \
  "echo 1 >/proc/sys/net/ipv4/ip_forward; ip link add docker0 type bridge; "                   \
  "ip address add 172.17.0.1/16 dev docker0; ip link set docker0 up; "                         \
  "ip -6 address add 2001:db8:d::1/64 dev docker0 nodad; "                                     \
  "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding"

static void
assert_forwarded (const char *device)
{
  g_autofree char *line = g_strdup_printf ("dev %s", device);

  assert_line ("ip route get 203.0.113.9 from 172.17.0.2 iif docker0", line);
  assert_line ("ip -6 route get 2a00::1 from 2001:db8:d::2 iif docker0", line);
}

static void
test_forwarded (void)
{
  char *runtime_dir = make_runtime_dir ();
  g_autofree char *before = NULL;
  Tunnel *tunnel;

  must (MAKE_BRIDGE);
  before = dump ();
  tunnel = tunnel_new (runtime_dir, CAPTURE_ALL);
  bring_up (tunnel);
  assert_forwarded ("up0");
  take_down (tunnel);
  tunnel_free (tunnel);
  tunnel = tunnel_new (runtime_dir, CAPTURE_ALL ", 'forwarded': <true>");
  bring_up (tunnel);
  assert_forwarded ("t2p0");
  assert_line ("ip route get 172.17.0.2 from 203.0.113.9 iif t2p0", "dev docker0");
  assert_line ("ip route get 8.8.8.8 from 203.0.113.9 iif t2p0 2>&1 || true", "unreachable");
  assert_line ("ip route get 192.0.2.99 from 172.17.0.2 iif docker0", "dev up0");
  assert_line ("ip route get 192.0.2.99 from 172.17.0.2 iif docker0 ipproto udp dport 53",
               "dev t2p0");
  assert_line ("ip route get 172.17.0.2 from 192.0.2.99 iif up0 ipproto udp dport 53",
               "dev docker0");
  assert_line ("ip route get 203.0.113.9 from 192.0.2.7", "dev up0"); /* answers of ours */
  finish (tunnel, runtime_dir, before);
  must ("ip link del docker0");
}

/* Its rule is taken by the kernel, again, too, and says what it should. */
static void
test_forward_answers (void)
{
  g_autofree char *table = t2pn_nft_make_table_name ("7");
  g_autofree char *script = t2pn_forward_answers_to_script (table, "t2p0", 0x2370);
  g_autofree char *said = NULL;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 2; i++)
    {
      t2pn_nft_run (script, &error);
      g_assert_no_error (error);
    }
  said = t2pn_nft_ask ("list table inet tun2proxy-7", &error);
  g_assert_no_error (error);
  g_assert_nonnull (strstr (said, "iifname != \"t2p0\" meta mark 0x00000000 ct direction reply "
                                  "fib daddr type != local meta mark set 0x00002370"));
  g_assert_cmpstr (strstr (strstr (said, "iifname") + 1, "iifname"), ==, NULL);
  g_assert_true (t2pn_nft_delete_table (table, &error));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (unshare (CLONE_NEWNET) != 0)
    {
      printf ("1..0 # SKIP needs root for a network namespace of its own\n");
      return 0;
    }
  make_machine ();
  g_test_add_func ("/netns/udp-servers/are-listed", test_servers);
  g_test_add_func ("/netns/udp-servers/are-watched", test_watch);
  g_test_add_func ("/netns/udp-servers/seen-by-others-are-looked-at", test_watch_noted);
  g_test_add_func ("/netns/capture/udp-answers", test_udp_answers);
  g_test_add_func ("/netns/capture/questions-to-the-link", test_questions);
  g_test_add_func ("/netns/capture/no-lan", test_no_lan);
  g_test_add_func ("/netns/capture/forwarded", test_forwarded);
  g_test_add_func ("/netns/capture/forwarded-answers", test_forward_answers);
  return g_test_run ();
}
