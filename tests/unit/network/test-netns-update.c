/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tunnel that is up, while others change the machine: in a network namespace of this
 * process's own. */
#include "config.h"

#include "netns-fixture.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

static void
finish (Tunnel *tunnel, char *runtime_dir)
{
  take_down (tunnel);
  g_assert_true (t2pn_journal_undo (tunnel->journal, NULL));
  tunnel_free (tunnel);
  remove_runtime_dir (runtime_dir);
}

/* Attaching to it would be to share it with whoever comes back to it. */
static void
test_persistent_device_is_left_alone (void)
{
  g_autoptr (GError) error = NULL;

  must ("ip tuntap add dev t2pcorp mode tun");
  g_assert_null (t2pn_tun_device_open ("t2pcorp", 1, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_ALREADY_EXISTS);
  g_clear_error (&error);
  g_assert_null (t2pn_tun_device_open ("up0", 1, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_ALREADY_EXISTS);
  must ("ip link del t2pcorp");
}

/* What is in the way at bring-up may not be in the way of keeping our own rules. */
static void
test_foreign_rule_stops_no_update (void)
{
  char *runtime_dir = make_runtime_dir ();
  Tunnel *tunnel = tunnel_new (runtime_dir, DEFAULT_SYSTEM);

  bring_up (tunnel);
  must ("ip rule add pref 8704 to 203.0.113.99 lookup main");
  must ("ip route add 203.0.113.98/32 dev up0 table 23700");
  must ("ip rule del pref 8705; ip -6 rule del pref 8705");
  must ("ip address add 2001:db8:1::8/64 dev up0 nodad");
  update (tunnel);
  assert_line ("ip rule", "8705:\tfrom all fwmark 0x2370 unreachable proto 142");
  assert_line ("ip -6 rule", "8705:\tfrom all fwmark 0x2370 unreachable proto 142");
  assert_line ("ip -6 rule", "8706:\tfrom 2001:db8:1::8 lookup main");
  assert_line ("ip rule", "8704:\tfrom all to 203.0.113.99 lookup main");
  must ("ip address del 2001:db8:1::8/64 dev up0");
  must ("ip rule del pref 8704 to 203.0.113.99; ip route del 203.0.113.98 table 23700");
  update (tunnel);
  finish (tunnel, runtime_dir);
}

/* Somebody took IPv6 from the link: its address cannot be had, but the rest can. */
static void
test_one_failure_stops_no_update (void)
{
  char *runtime_dir = make_runtime_dir ();
  Tunnel *tunnel = tunnel_new (runtime_dir, DEFAULT_SYSTEM);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  bring_up (tunnel);
  must ("ip rule del pref 8705; echo 1 > /proc/sys/net/ipv6/conf/t2p0/disable_ipv6");
  t2pn_backend_update_async (tunnel->backend, make_plan (tunnel), NULL, store_result_cb,
                             &result);
  t2pn_backend_update_finish (tunnel->backend, wait_for (&result), &error);
  g_assert_nonnull (error);
  assert_line ("ip rule", "8705:\tfrom all fwmark 0x2370 unreachable proto 142");
  tunnel->has_no_proxy = TRUE;
  update (tunnel);
  assert_line ("ip route show table 23700", "unreachable default proto 142");
  assert_line ("ip -6 route show table 23700", "unreachable default dev lo proto 142");
  must ("echo 0 > /proc/sys/net/ipv6/conf/t2p0/disable_ipv6");
  tunnel->has_no_proxy = FALSE;
  update (tunnel);
  assert_line ("ip route show table 23700", "default dev t2p0 proto 142");
  assert_line ("ip -6 route show table 23700", "default dev t2p0 proto 142");
  finish (tunnel, runtime_dir);
}

/* Main is asked before the tables of others, whichever of the two was put back. */
static void
test_order_within_a_priority (void)
{
  char *runtime_dir = make_runtime_dir ();
  g_autofree char *before = NULL, *one = NULL, *two = NULL;
  Tunnel *tunnel;

  must ("ip -6 rule add priority 9001 lookup 2023");
  must ("ip -6 route add unreachable 2001:db8:bad:1::/64 table 2023");
  tunnel = tunnel_new (runtime_dir, DEFAULT_SYSTEM);
  bring_up (tunnel);
  before = run ("ip -6 rule");
  assert_line ("ip -6 rule", "8704:\tfrom all fwmark 0x2370 lookup main proto 142");
  assert_line ("ip -6 rule", "8704:\tfrom all fwmark 0x2370 lookup 2023 proto 142");
  must ("ip -6 rule del priority 8704 lookup main");
  update (tunnel);
  one = run ("ip -6 rule");
  g_assert_cmpstr (one, ==, before);
  must ("ip -6 rule del priority 8704 lookup 2022");
  update (tunnel);
  two = run ("ip -6 rule");
  g_assert_cmpstr (two, ==, before);
  finish (tunnel, runtime_dir);
  must ("ip -6 rule del priority 9001; ip -6 route flush table 2023");
}

/* A router on the link announces what is as good as a default route, and takes it back. */
static void
test_overrides_follow_main (void)
{
  char *runtime_dir = make_runtime_dir ();
  Tunnel *tunnel = tunnel_new (runtime_dir, DEFAULT_SYSTEM);
  g_autofree char *before = NULL, *after = NULL;

  bring_up (tunnel);
  before = run (DUMP_NETWORK);
  must ("ip route add 0.0.0.0/1 via 192.0.2.1 proto dhcp");
  must ("ip -6 route add 2000::/3 via 2001:db8:1::99 proto ra");
  update (tunnel);
  assert_line ("ip rule", "8707:\tfrom 0.0.0.0 iif lo lookup 23710 proto 142");
  assert_line ("ip -6 rule", "8707:\tfrom all iif lo lookup 23710 proto 142");
  assert_line ("ip route get 1.2.3.4", "dev t2p0");
  assert_line ("ip route get 1.2.3.4 mark 0x2370", "dev up0");
  assert_line ("ip -6 route get 2a00::1", "dev t2p0");
  assert_line ("ip -6 route get 2001:db8:1::55", "dev up0");
  tunnel->has_no_proxy = TRUE;
  update (tunnel);
  assert_line ("ip route show table 23710", "unreachable 0.0.0.0/1 proto 142");
  tunnel->has_no_proxy = FALSE;
  must ("ip route del 0.0.0.0/1; ip -6 route del 2000::/3");
  update (tunnel);
  after = run (DUMP_NETWORK);
  g_assert_cmpstr (after, ==, before);
  must ("ip route add 0.0.0.0/1 via 192.0.2.1 proto dhcp");
  update (tunnel);
  must ("ip route del 0.0.0.0/1");
  finish (tunnel, runtime_dir);
}

/* As after SIGKILL: nothing but the journal knows of table X. */
static void
test_overrides_are_journalled (void)
{
  char *runtime_dir = make_runtime_dir ();
  g_autofree char *before = run (DUMP_NETWORK), *after = NULL;
  Tunnel *tunnel = tunnel_new (runtime_dir, DEFAULT_SYSTEM);

  bring_up (tunnel);
  must ("ip route add 128.0.0.0/1 via 192.0.2.1 proto dhcp");
  update (tunnel);
  must ("ip route del 128.0.0.0/1");
  assert_line ("ip route show table 23710", "128.0.0.0/1 dev t2p0");
  assert_line ("ip route show table 23710", "throw 192.0.2.0/24");
  g_assert_true (t2pn_journal_undo (tunnel->journal, NULL));
  tunnel_free (tunnel);
  after = run (DUMP_NETWORK);
  g_assert_cmpstr (after, ==, before);
  remove_runtime_dir (runtime_dir);
}

/* Rules that a lost journal knew about go, those of a living tunnel and of others stay. */
static void
test_orphans_go (void)
{
  char *runtime_dir = make_runtime_dir ();
  g_autofree char *bad = g_build_filename (runtime_dir, "journal", "2.json", NULL);
  g_autofree char *aside = g_strconcat (bad, ".bad", NULL);
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  g_autofree char *before = NULL, *after = NULL;
  Tunnel *tunnel = tunnel_new (runtime_dir, DEFAULT_SYSTEM);

  bring_up (tunnel);
  must ("ip rule add priority 9100 lookup 2024"); /* not ours, and leads nowhere */
  before = run (DUMP_NETWORK);
  must ("ip rule add priority 6000 iif lo lookup 23701 protocol 142");
  must ("ip -6 rule add priority 6000 iif lo lookup 23701 protocol 142");
  must ("ip route add throw 224.0.0.0/4 table 23701 protocol 142");
  g_assert_true (g_file_set_contents (bad, "{", -1, NULL));
  g_chmod (bad, 0600);
  t2pn_repair (runtime_dir, FALSE, lines, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (lines->len, ==, 4);
  after = run (DUMP_NETWORK);
  g_assert_cmpstr (after, ==, before);
  g_assert_cmpint (g_unlink (aside), ==, 0);
  must ("ip rule del priority 9100");
  finish (tunnel, runtime_dir);
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
  g_test_add_func ("/netns/device/persistent-one-is-left-alone",
                   test_persistent_device_is_left_alone);
  g_test_add_func ("/netns/update/overrides-follow-main", test_overrides_follow_main);
  g_test_add_func ("/netns/repair/overrides-go", test_overrides_are_journalled);
  g_test_add_func ("/netns/update/foreign-rule-stops-nothing",
                   test_foreign_rule_stops_no_update);
  g_test_add_func ("/netns/update/one-failure-stops-nothing-else",
                   test_one_failure_stops_no_update);
  g_test_add_func ("/netns/update/order-within-a-priority", test_order_within_a_priority);
  g_test_add_func ("/netns/repair/orphans-go", test_orphans_go);
  return g_test_run ();
}
