/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "kill-switch-fixture.h"

#define DEFAULT_SYSTEM "'capture': <'default'>"

static void
test_everything (void)
{
  g_autoptr (T2pnKillSwitch) self = make_switch (DEFAULT_SYSTEM, TRUE);
  g_autofree char *script = t2pn_kill_switch_to_script (self);

  g_assert_cmpstr (
      script, ==,
      "add table inet tun2proxy\n"
      "delete table inet tun2proxy\n"
      "table inet tun2proxy {\n"
      "  set own4-0 {\n"
      "    type ipv4_addr; flags interval; auto-merge\n"
      "    elements = { 198.18.0.1/32 }\n"
      "  }\n"
      "  set lan4-0 {\n"
      "    type ipv4_addr; flags interval; auto-merge\n"
      "    elements = { 224.0.0.0/4, 255.255.255.255/32, 192.168.1.0/24 }\n"
      "  }\n"
      "  set own6-0 {\n"
      "    type ipv6_addr; flags interval; auto-merge\n"
      "    elements = { fd00:1::1/128 }\n"
      "  }\n"
      "  set lan6-0 {\n"
      "    type ipv6_addr; flags interval; auto-merge\n"
      "    elements = { ff00::/8, fe80::/10, 2001:db8:1::/64, fe80::/64 }\n"
      "  }\n"
      "  chain refuse {\n"
      "    meta l4proto tcp reject with tcp reset\n"
      "    reject with icmpx admin-prohibited\n"
      "  }\n"
      "  chain arm-0 {\n"
      "    meta l4proto { tcp, udp } th dport { 53, 853 } goto refuse\n"
      "    ip daddr @lan4-0 return\n"
      "    ip6 daddr @lan6-0 return\n"
      "    meta nfproto ipv4 goto refuse\n"
      "    meta nfproto ipv6 goto refuse\n"
      "  }\n"
      "  chain output {\n"
      "    type filter hook output priority 200; policy accept\n"
      "    oifname { \"lo\", \"t2p0\" } accept\n"
      "    meta mark { 9072 } accept\n"
      "    meta nfproto ipv4 udp sport 68 udp dport 67 accept\n"
      "    meta nfproto ipv6 udp sport 546 udp dport 547 accept\n"
      "    ip protocol igmp accept\n"
      "    icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, "
      "nd-neighbor-advert, mld-listener-query, mld-listener-report, mld-listener-done, "
      "mld2-listener-report } accept\n"
      "    ip saddr @own4-0 goto refuse\n"
      "    ip6 saddr @own6-0 goto refuse\n"
      "    ct direction reply accept\n"
      "    meta l4proto { icmp, ipv6-icmp } ct state related accept\n"
      "    jump arm-0\n"
      "  }\n"
      "}\n");
}

static void
test_off (void)
{
  g_autoptr (T2pnKillSwitch) self = t2pn_kill_switch_new ();
  g_autofree char *script = t2pn_kill_switch_to_script (self);

  g_assert_cmpstr (script, ==, "add table inet tun2proxy\ndelete table inet tun2proxy\n");
}

static void
test_scope (void)
{
  g_autoptr (T2pnKillSwitch) user = make_switch (DEFAULT_SYSTEM, FALSE);
  g_autoptr (T2pnKillSwitch) users = make_switch (DEFAULT_SYSTEM, TRUE);
  T2pnUidRange ranges[] = { { 1001, 1001 }, { 2000, 2999 } };
  T2pnKillSwitchArm *arm = users->arms->pdata[0];

  assert_has (user, "    meta skuid { 1000 } jump arm-0\n");
  assert_has (user,
              "  chain postrouting {\n"
              "    type filter hook postrouting priority 0; policy accept\n"
              "    meta skuid { 1000 } oifname \"lo\" meta l4proto { tcp, udp } th dport 53 "
              "drop\n  }\n");
  assert_lacks (users, "chain postrouting");
  g_array_append_vals (arm->users, ranges, G_N_ELEMENTS (ranges));
  assert_has (users, "    meta skuid { 1001, 2000-2999 } jump arm-0\n");
  assert_lacks (users, "\n    jump arm-0");
}

static void
test_routes (void)
{
  g_autoptr (T2pnKillSwitch) self =
      make_switch ("'capture': <'routes'>, 'routes': <['203.0.113.0/24', '2001:db8:9::/48']>, "
                   "'exclude-routes': <['203.0.113.7/32']>, 'dns': <'virtual'>",
                   TRUE);

  assert_has (self, "elements = { 203.0.113.0/24, 198.18.0.0/18 }");
  assert_has (self, "elements = { 2001:db8:9::/48, fd00:1::/64 }");
  assert_has (self, "  chain arm-0 {\n"
                    "    ip daddr @excluded4-0 return\n"
                    "    ip daddr @captured4-0 goto refuse\n"
                    "    ip6 daddr @captured6-0 goto refuse\n"
                    "  }\n");
}

static void
test_settings (void)
{
  g_autoptr (T2pnKillSwitch) no_dns = make_switch (DEFAULT_SYSTEM ", 'dns': <'off'>", TRUE);
  g_autoptr (T2pnKillSwitch) no_ipv6 = make_switch (DEFAULT_SYSTEM ", 'ipv6': <'leave'>", TRUE);
  g_autoptr (T2pnKillSwitch) no_lan = make_switch (DEFAULT_SYSTEM, TRUE);

  assert_lacks (no_dns, "dport { 53, 853 }");
  assert_lacks (no_ipv6, "nfproto ipv6 goto refuse");
  g_array_set_size (((T2pnKillSwitchArm *) no_lan->arms->pdata[0])->lan, 0);
  assert_lacks (no_lan, "@lan");
  assert_lacks (no_lan, "set lan");
}

static void
test_forwarded (void)
{
  g_autoptr (T2pnKillSwitch) self = make_switch (DEFAULT_SYSTEM, TRUE);

  assert_lacks (self, "hook forward");
  ((T2pnKillSwitchArm *) self->arms->pdata[0])->is_forwarded = TRUE;
  assert_has (self, "  chain forward {\n"
                    "    type filter hook forward priority 200; policy accept\n"
                    "    oifname { \"lo\", \"t2p0\" } accept\n"
                    "    ct direction reply accept\n"
                    "    meta l4proto { icmp, ipv6-icmp } ct state related accept\n"
                    "    jump arm-0\n");
}

static void
test_local_proxies (void)
{
  g_autoptr (T2pnKillSwitch) self = make_switch (DEFAULT_SYSTEM, TRUE);
  T2pnKillSwitchArm *arm = self->arms->pdata[0];
  T2pnBypassPeer peer = { .uid = 1000 };
  guint32 tor = 106;

  t2p_ip_address_parse ("203.0.113.5", &peer.address);
  g_array_append_val (arm->passing_uids, tor);
  g_array_append_val (arm->passing_peers, peer);
  assert_has (self, "    meta skuid { 106 } accept\n"
                    "    meta skuid 1000 ip daddr 203.0.113.5 accept\n");
}

static void
test_exceptions (void)
{
  g_autoptr (T2pnKillSwitch) self = make_switch (DEFAULT_SYSTEM, TRUE);
  guint16 ssh = 22, http = 80;
  T2pIpAddress host;

  assert_lacks (self, "tcp sport");
  assert_lacks (self, "dport 80 ");
  assert_lacks (self, "dport { 80");
  g_array_append_val (self->servers, ssh);
  g_array_append_val (self->servers, http);
  t2p_ip_address_parse ("203.0.113.80", &host);
  g_array_append_val (self->check_hosts, host);
  t2p_ip_address_parse ("2001:db8:80::1", &host);
  g_array_append_val (self->check_hosts, host);
  self->is_portal_open = TRUE;
  g_ptr_array_add (self->links, g_strdup ("t2p0"));
  g_ptr_array_add (self->links, g_strdup ("vpn7"));
  t2pn_kill_switch_add_worker_uid (self, 998);
  t2pn_kill_switch_add_worker_uid (self, 998);
  t2pn_kill_switch_add_worker_uid (self, 0);
  assert_has (self, "    oifname { \"lo\", \"t2p0\", \"vpn7\" } accept\n");
  assert_has (self, "    meta skuid { 998 } accept\n");
  assert_has (self,
              "    tcp flags & (fin | syn | rst | ack) != syn tcp sport { 22, 80 } accept\n");
  assert_has (self, "    meta skuid 0 ip daddr 203.0.113.80 tcp dport 80 accept\n");
  assert_has (self, "    meta skuid 0 ip6 daddr 2001:db8:80::1 tcp dport 80 accept\n");
  assert_has (self, "    tcp dport { 80, 443 } accept\n");
}

/* --- lan */

static char *
list_lan (const char *lan, const T2pnSnapshot *snapshot)
{
  const int own[] = { 9 };
  g_autoptr (GArray) prefixes = t2pn_kill_switch_list_lan (lan, snapshot, own, 1);
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < prefixes->len; i++)
    {
      char formatted[T2P_PREFIX_STRLEN];

      t2p_ip_prefix_format (&g_array_index (prefixes, T2pIpPrefix, i), formatted);
      g_string_append_printf (text, "%s%s", i > 0 ? " " : "", formatted);
    }
  return g_string_free (text, FALSE);
}

#define LINK_SCOPE "224.0.0.0/4 255.255.255.255/32 ff00::/8 fe80::/10 "
#define CONNECTED "192.168.1.0/24 2001:db8:1::/64 fe80::/64"

static void
assert_lan (const char *lan, const T2pnSnapshot *snapshot, const char *expected)
{
  g_autofree char *text = list_lan (lan, snapshot);

  g_assert_cmpstr (text, ==, expected);
}

static void
add_gateway_route (T2pnSnapshot *snapshot, const char *destination, int ifindex)
{
  T2pnRoute *route;

  add_route (snapshot, destination, ifindex, RT_TABLE_MAIN);
  route = &g_array_index (snapshot->routes, T2pnRoute, snapshot->routes->len - 1);
  t2p_ip_address_parse ("192.168.1.1", &route->gateway);
}

/* As a machine has them that takes part in the routing of the internet. */
static void
test_lan_among_many_routes (void)
{
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_new ();

  for (guint i = 0; i < 100000; i++)
    {
      T2pIpAddress address = t2p_ip_address_from_v4 (0x0b000000 + (i << 8));
      T2pnRoute route = { .destination = t2p_ip_prefix_of (&address, 24),
                          .table = RT_TABLE_MAIN,
                          .type = RTN_UNICAST,
                          .ifindex = 2 };

      g_array_append_val (snapshot->routes, route);
    }
  add_gateway_route (snapshot, "0.0.0.0/0", 2);
  add_gateway_route (snapshot, "10.20.0.0/16", 2);
  g_test_timer_start ();
  assert_lan ("connected", snapshot, LINK_SCOPE "10.20.0.0/16");
  g_assert_cmpfloat (g_test_timer_elapsed (), <, 2);
}

static void
test_lan (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();

  add_link (snapshot, 3, "docker0");
  add_link (snapshot, 4, "wg0");
  add_link (snapshot, 9, "t2p0");
  add_route (snapshot, "172.17.0.0/16", 3, RT_TABLE_MAIN);
  add_route (snapshot, "203.0.113.0/24", 4, RT_TABLE_MAIN); /* of another VPN */
  add_route (snapshot, "198.18.0.0/30", 9, RT_TABLE_MAIN);  /* our own */
  add_route (snapshot, "100.64.0.0/10", 4, 52);             /* of another table */
  add_gateway_route (snapshot, "10.20.0.0/16", 2);
  assert_lan ("none", snapshot, "");
  assert_lan ("connected", snapshot,
              LINK_SCOPE CONNECTED " 172.17.0.0/16 203.0.113.0/24 10.20.0.0/16");
  assert_lan ("all", snapshot,
              LINK_SCOPE CONNECTED " 172.17.0.0/16 203.0.113.0/24 10.20.0.0/16");
}

/* CVE-2024-3661, and its kin. */
static void
test_hostile_routes (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();

  add_link (snapshot, 3, "tun9");
  add_gateway_route (snapshot, "0.0.0.0/1", 2);
  add_gateway_route (snapshot, "128.0.0.0/1", 2);
  add_gateway_route (snapshot, "8.8.8.0/24", 2);
  add_route (snapshot, "9.9.9.0/24", 2, RT_TABLE_MAIN); /* option 121, gateway 0.0.0.0 */
  add_route (snapshot, "10.0.0.0/7", 2, RT_TABLE_MAIN); /* more than is private */
  add_route (snapshot, "64.0.0.0/2", 3, RT_TABLE_MAIN); /* of no uplink, and wide */
  add_route (snapshot, "2000::/3", 2, RT_TABLE_MAIN);   /* by a router advertisement */
  add_route (snapshot, "2001:db8:6::/64", 2, RT_TABLE_MAIN);
  assert_lan ("connected", snapshot, LINK_SCOPE CONNECTED);
  /* Asked for; still no default route in disguise. */
  assert_lan ("all", snapshot, LINK_SCOPE CONNECTED " 8.8.8.0/24 9.9.9.0/24 2001:db8:6::/64");
}

static void
test_wide_network (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();

  add_address (snapshot, 2, "77.1.2.3", 1);
  add_route (snapshot, "0.0.0.0/1", 2, RT_TABLE_MAIN);
  add_address (snapshot, 2, "78.1.2.3", 20);
  add_route (snapshot, "78.1.0.0/20", 2, RT_TABLE_MAIN);
  assert_lan ("connected", snapshot, LINK_SCOPE CONNECTED " 78.1.0.0/20");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/kill-switch/text/everything", test_everything);
  g_test_add_func ("/kill-switch/text/off", test_off);
  g_test_add_func ("/kill-switch/text/scope", test_scope);
  g_test_add_func ("/kill-switch/text/routes", test_routes);
  g_test_add_func ("/kill-switch/text/settings", test_settings);
  g_test_add_func ("/kill-switch/text/forwarded", test_forwarded);
  g_test_add_func ("/kill-switch/text/local-proxies", test_local_proxies);
  g_test_add_func ("/kill-switch/text/exceptions", test_exceptions);
  g_test_add_func ("/kill-switch/lan/among-many-routes", test_lan_among_many_routes);
  g_test_add_func ("/kill-switch/lan/by-setting", test_lan);
  g_test_add_func ("/kill-switch/lan/routes-of-an-attacker", test_hostile_routes);
  g_test_add_func ("/kill-switch/lan/network-of-half-the-world", test_wide_network);
  return g_test_run ();
}
