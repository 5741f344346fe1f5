/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The link monitor against the real kernel, in a network namespace of this process's own. */
#include "config.h"

#include "t2pn-link-monitor.h"

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define QUIET_MS 200

typedef struct
{
  T2pnLinkMonitor *monitor;
  GString *log;
  gboolean is_quiet;
} Fixture;

static void
must (const char *command)
{
  g_autoptr (GError) error = NULL;
  const char *argv[] = { "/bin/sh", "-c", command, NULL };
  int status = -1;

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL, &status,
                &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
}

static void
link_removed_cb (T2pnLinkMonitor *monitor, int ifindex, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_string_append_printf (fixture->log, "removed %d\n", ifindex);
}

static void
uplink_changed_cb (T2pnLinkMonitor *monitor, gboolean has4, gboolean has6, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_string_append_printf (fixture->log, "uplink %d %d\n", has4, has6);
}

static void
address_changed_cb (T2pnLinkMonitor *monitor, int ifindex, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_string_append_printf (fixture->log, "address %d\n", ifindex);
}

static void
rule_removed_cb (T2pnLinkMonitor *monitor, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_string_append (fixture->log, "rule\n");
}

static gboolean
quiet_cb (gpointer user_data)
{
  Fixture *fixture = user_data;

  fixture->is_quiet = TRUE;
  return G_SOURCE_REMOVE;
}

/* Everything told until it has been quiet for a while. */
static void
assert_told (Fixture *fixture, const char *command, const char *expected)
{
  g_string_truncate (fixture->log, 0);
  must (command);
  fixture->is_quiet = FALSE;
  g_timeout_add (QUIET_MS, quiet_cb, fixture);
  while (!fixture->is_quiet)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (fixture->log->str, ==, expected);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  must ("ip link add up0 type veth peer name up1; "
        "echo 1 >/proc/sys/net/ipv6/conf/up0/addr_gen_mode; "
        "echo 1 >/proc/sys/net/ipv6/conf/up1/addr_gen_mode; "
        "ip address add 192.0.2.7/24 dev up0; "
        "ip link set up1 up; ip link set up0 up");
  fixture->log = g_string_new (NULL);
  fixture->monitor = t2pn_link_monitor_new (&error);
  g_assert_no_error (error);
  g_signal_connect (fixture->monitor, "link-removed", G_CALLBACK (link_removed_cb), fixture);
  g_signal_connect (fixture->monitor, "uplink-changed", G_CALLBACK (uplink_changed_cb),
                    fixture);
  g_signal_connect (fixture->monitor, "address-changed", G_CALLBACK (address_changed_cb),
                    fixture);
  g_signal_connect (fixture->monitor, "rule-removed", G_CALLBACK (rule_removed_cb), fixture);
  assert_told (fixture, "true", "");
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_object_unref (fixture->monitor);
  g_string_free (fixture->log, TRUE);
  must ("ip link del up0 2>/dev/null || true");
}

static void
test_uplink (Fixture *fixture, gconstpointer data)
{
  g_assert_false (t2pn_link_monitor_has_default (fixture->monitor, AF_INET));
  assert_told (fixture, "ip route add default via 192.0.2.1", "uplink 1 0\n");
  g_assert_true (t2pn_link_monitor_has_default (fixture->monitor, AF_INET));
  assert_told (fixture, "ip route replace default via 192.0.2.2", "uplink 1 0\n");
  assert_told (fixture, "ip route add default via 192.0.2.1 table 77", "");
  assert_told (fixture, "ip route add 10.0.0.0/8 via 192.0.2.1", "");
  /* Nobody tells of IPv4 routes that go with their link's state. */
  assert_told (fixture, "ip link set up0 down", "uplink 0 0\n");
}

static void
test_own_link_is_no_uplink (Fixture *fixture, gconstpointer data)
{
  t2pn_link_monitor_ignore (fixture->monitor, (int) if_nametoindex ("up0"));
  assert_told (fixture, "ip route add default via 192.0.2.1", "");
  g_assert_false (t2pn_link_monitor_has_default (fixture->monitor, AF_INET));
}

static void
test_addresses (Fixture *fixture, gconstpointer data)
{
  g_autofree char *once = g_strdup_printf ("address %u\n", if_nametoindex ("up0"));

  assert_told (fixture,
               "for i in 1 2 3; do ip address add 2001:db8::$i/64 dev up0 nodad; done; "
               "ip address del 2001:db8::2/64 dev up0",
               once);
}

static void
test_rules (Fixture *fixture, gconstpointer data)
{
  assert_told (fixture, "ip rule add priority 9 lookup 77; ip rule del priority 9", "");
  assert_told (fixture, "ip rule add priority 9 lookup 77 protocol 142", "");
  assert_told (fixture, "ip rule del priority 9", "rule\n");
}

static void
routes_changed_cb (T2pnLinkMonitor *monitor, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_string_append (fixture->log, "routes\n");
}

/* Ours, a routing daemon's and those of other tables are nobody's news; a burst is one. */
static void
test_routes (Fixture *fixture, gconstpointer data)
{
  g_signal_connect (fixture->monitor, "routes-changed", G_CALLBACK (routes_changed_cb),
                    fixture);
  assert_told (fixture, "ip route add 198.18.0.0/18 via 192.0.2.1 proto 142", "");
  assert_told (fixture, "ip route add 10.0.0.0/8 via 192.0.2.1 proto bird", "");
  assert_told (fixture, "ip route add 10.1.0.0/16 via 192.0.2.1 proto dhcp table 77", "");
  assert_told (fixture, "ip route add 0.0.0.0/1 via 192.0.2.1 proto dhcp", "routes\n");
  assert_told (fixture, "ip route del 0.0.0.0/1", "routes\n");
  assert_told (fixture, "ip -6 route add 2001:db8:9::/48 dev up0 proto ra", "routes\n");
  assert_told (fixture,
               "for i in 1 2 3; do echo route add 203.0.113.$i/32 via 192.0.2.1; done | "
               "ip -batch -",
               "routes\n");
}

static void
own_removed_cb (T2pnLinkMonitor *monitor, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_string_append (fixture->log, "own\n");
}

static void
test_own_removed (Fixture *fixture, gconstpointer data)
{
  g_signal_connect (fixture->monitor, "own-removed", G_CALLBACK (own_removed_cb), fixture);
  assert_told (fixture, "ip route add 10.0.0.0/8 via 192.0.2.1 table 77", "");
  assert_told (fixture, "ip route del 10.0.0.0/8 table 77", "");
  assert_told (fixture, "ip route add 10.0.0.0/8 via 192.0.2.1 table 77 proto 142", "");
  assert_told (fixture, "ip route flush table 77", "own\n");
  assert_told (fixture, "ip link set up0 down; ip link set up0 up", "");
  t2pn_link_monitor_ignore (fixture->monitor, (int) if_nametoindex ("up0"));
  assert_told (fixture, "ip link set up0 down; ip link set up0 up", "own\n");
}

static void
test_link (Fixture *fixture, gconstpointer data)
{
  g_autofree char *expected = NULL;

  must ("ip link add t2p9 type bridge");
  expected = g_strdup_printf ("removed %u\n", if_nametoindex ("t2p9"));
  assert_told (fixture, "true", "");
  assert_told (fixture, "ip link set up1 master t2p9; ip link set up1 nomaster", "");
  assert_told (fixture, "ip link del t2p9", expected);
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
#define ADD(name, function) g_test_add (name, Fixture, NULL, set_up, function, tear_down)
  ADD ("/link-monitor/uplink", test_uplink);
  ADD ("/link-monitor/own-link-is-no-uplink", test_own_link_is_no_uplink);
  ADD ("/link-monitor/burst-of-addresses-is-told-once", test_addresses);
  ADD ("/link-monitor/only-our-rules", test_rules);
  ADD ("/link-monitor/routes-of-main", test_routes);
  ADD ("/link-monitor/what-is-ours-was-removed", test_own_removed);
  ADD ("/link-monitor/link", test_link);
  return g_test_run ();
}
