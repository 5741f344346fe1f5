/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plan-fixture.h"
#include "t2pn-explain.h"
#include "t2pn-hosts.h"
#include "t2pn-kill-switch.h"

#include <netinet/in.h>

#define TUN 7
#define TABLE 23700
#define USER 1000

static T2pnFlow
make_flow (const char *destination)
{
  T2pnFlow flow = { .uid = USER, .protocol = IPPROTO_TCP, .port = 443 };

  g_assert_true (t2p_ip_address_parse (destination, &flow.destination));
  return flow;
}

static void
append_rule (T2pnSnapshot *snapshot, const T2pnRule *rule)
{
  g_array_append_val (snapshot->rules, *rule);
}

static void
add_table_rule (T2pnSnapshot *snapshot, int family, guint32 priority, guint32 table)
{
  T2pnRule rule = t2pn_rule_make (family, priority);

  rule.table = table;
  rule.protocol = RTPROT_KERNEL;
  append_rule (snapshot, &rule);
}

static void
add_typed_route (T2pnSnapshot *snapshot, const char *destination, guint32 table, guint8 type)
{
  T2pnRoute route = { .destination = parse_prefix (destination), .table = table, .type = type };

  route.protocol = T2PN_PROTOCOL;
  route.ifindex = type == RTN_UNICAST ? TUN : 0;
  g_array_append_val (snapshot->routes, route);
}

/* A machine with an uplink, and a tunnel for everything of one user but 203.0.113.0/24. */
static T2pnSnapshot *
make_machine (void)
{
  T2pnSnapshot *snapshot = t2pn_snapshot_new ();
  T2pnRule rule;

  add_link (snapshot, 2, "eth0");
  add_link (snapshot, TUN, "t2p0");
  add_typed_route (snapshot, "0.0.0.0/0", TABLE, RTN_UNICAST);
  add_typed_route (snapshot, "203.0.113.0/24", TABLE, RTN_THROW);
  add_typed_route (snapshot, "::/0", TABLE, RTN_UNREACHABLE);
  add_route (snapshot, "0.0.0.0/0", 2, RT_TABLE_MAIN);
  add_route (snapshot, "192.0.2.0/24", 2, RT_TABLE_MAIN);
  add_route (snapshot, "::/0", 2, RT_TABLE_MAIN);

  add_table_rule (snapshot, AF_INET, 0, RT_TABLE_LOCAL);
  rule = t2pn_rule_make (AF_INET, 100);
  rule.table = RT_TABLE_MAIN;
  rule.suppress_prefix_length = 0;
  append_rule (snapshot, &rule);
  rule = t2pn_rule_make (AF_INET, 101);
  rule.mark = 0x2370;
  rule.mask = G_MAXUINT32;
  rule.table = RT_TABLE_MAIN;
  append_rule (snapshot, &rule);
  rule = t2pn_rule_make (AF_INET, 103);
  rule.source = parse_prefix ("0.0.0.0/32");
  g_strlcpy (rule.input, "lo", sizeof rule.input);
  rule.has_uid_range = TRUE;
  rule.uid_first = rule.uid_last = USER;
  rule.table = TABLE;
  append_rule (snapshot, &rule);
  add_table_rule (snapshot, AF_INET, 32766, RT_TABLE_MAIN);

  rule = t2pn_rule_make (AF_INET6, 110);
  g_strlcpy (rule.input, "lo", sizeof rule.input);
  rule.table = TABLE;
  append_rule (snapshot, &rule);
  add_table_rule (snapshot, AF_INET6, 32766, RT_TABLE_MAIN);
  return snapshot;
}

static void
assert_walk (const T2pnFlow *flow, T2pnWalkEnd end, guint32 priority, int ifindex)
{
  g_autoptr (T2pnSnapshot) snapshot = make_machine ();
  T2pnWalk walk = t2pn_explain_walk (snapshot, flow);

  g_assert_cmpint (walk.end, ==, end);
  g_assert_nonnull (walk.rule);
  g_assert_cmpuint (walk.rule->priority, ==, priority);
  g_assert_cmpint (walk.route != NULL ? walk.route->ifindex : 0, ==, ifindex);
}

static void
test_captured (void)
{
  T2pnFlow flow = make_flow ("198.51.100.1");

  assert_walk (&flow, T2PN_WALK_ROUTED, 103, TUN);
}

static void
test_on_link (void)
{
  T2pnFlow flow = make_flow ("192.0.2.9");

  assert_walk (&flow, T2PN_WALK_ROUTED, 100, 2);
}

static void
test_excluded (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_machine ();
  T2pnFlow flow = make_flow ("203.0.113.9");
  T2pnWalk walk = t2pn_explain_walk (snapshot, &flow);

  assert_walk (&flow, T2PN_WALK_ROUTED, 32766, 2);
  g_assert_nonnull (walk.throw_route);
  g_assert_cmpuint (walk.throw_rule->priority, ==, 103);
  g_assert_cmpuint (walk.throw_route->destination.length, ==, 24);
}

static void
test_others (void)
{
  T2pnFlow other = make_flow ("198.51.100.1");
  T2pnFlow bound = make_flow ("198.51.100.1");
  T2pnFlow marked = make_flow ("198.51.100.1");

  other.uid = USER + 1;
  assert_walk (&other, T2PN_WALK_ROUTED, 32766, 2);
  g_assert_true (t2p_ip_address_parse ("192.0.2.7", &bound.source));
  assert_walk (&bound, T2PN_WALK_ROUTED, 32766, 2);
  marked.mark = 0x2370;
  assert_walk (&marked, T2PN_WALK_ROUTED, 101, 2);
}

static void
test_refused (void)
{
  T2pnFlow flow = make_flow ("2001:db8::1");

  assert_walk (&flow, T2PN_WALK_REFUSED, 110, 0);
}

static void
test_nowhere (void)
{
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_new ();
  T2pnFlow flow = make_flow ("192.0.2.1");
  T2pnWalk walk;

  add_table_rule (snapshot, AF_INET, 32766, RT_TABLE_MAIN);
  walk = t2pn_explain_walk (snapshot, &flow);
  g_assert_cmpint (walk.end, ==, T2PN_WALK_NOWHERE);
  g_assert_null (walk.rule);
  g_assert_null (walk.route);
}

static void
test_metric (void)
{
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_new ();
  T2pnFlow flow = make_flow ("192.0.2.1");

  add_table_rule (snapshot, AF_INET, 32766, RT_TABLE_MAIN);
  add_route (snapshot, "0.0.0.0/0", 2, RT_TABLE_MAIN);
  g_array_index (snapshot->routes, T2pnRoute, 0).metric = 600;
  add_route (snapshot, "0.0.0.0/0", 3, RT_TABLE_MAIN);
  g_array_index (snapshot->routes, T2pnRoute, 1).metric = 100;
  g_assert_cmpint (t2pn_explain_walk (snapshot, &flow).route->ifindex, ==, 3);
}

/* Each selector alone, and turned round. */
static void
test_selectors (void)
{
  static const struct
  {
    const char *name;
    T2pnRule rule;
    gboolean expected;
  } cases[] = {
    { "none", { .family = AF_INET }, TRUE },
    { "other-family", { .family = AF_INET6 }, FALSE },
    { "mark", { .family = AF_INET, .mark = 1, .mask = 1 }, FALSE },
    { "mask-of-another-bit", { .family = AF_INET, .mark = 0, .mask = 0xff }, TRUE },
    { "user", { .family = AF_INET, .has_uid_range = TRUE, .uid_last = USER }, TRUE },
    { "other-user", { .family = AF_INET, .has_uid_range = TRUE, .uid_last = 1 }, FALSE },
    { "tcp", { .family = AF_INET, .ip_protocol = IPPROTO_TCP }, TRUE },
    { "udp", { .family = AF_INET, .ip_protocol = IPPROTO_UDP }, FALSE },
    { "sport", { .family = AF_INET, .source_port_first = 53 }, FALSE },
    { "dport", { .family = AF_INET, .destination_port_first = 443 }, TRUE },
    { "dport-range",
      { .family = AF_INET, .destination_port_first = 400, .destination_port_last = 500 },
      TRUE },
    { "other-dport", { .family = AF_INET, .destination_port_first = 53 }, FALSE },
    { "iif-lo", { .family = AF_INET, .input = "lo" }, TRUE },
    { "iif-eth0", { .family = AF_INET, .input = "eth0" }, FALSE },
    { "oif", { .family = AF_INET, .output = "eth0" }, FALSE },
  };
  T2pnFlow flow = make_flow ("192.0.2.1");

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      T2pnRule rule = cases[i].rule;

      g_test_message ("%s", cases[i].name);
      g_assert_cmpint (t2pn_explain_selects (&rule, &flow), ==, cases[i].expected);
      rule.is_inverted = TRUE;
      g_assert_cmpint (t2pn_explain_selects (&rule, &flow), ==,
                       rule.family == AF_INET && !cases[i].expected);
    }
}

static void
test_kill_switch (void)
{
  static const struct
  {
    const char *destination;
    guint32 uid, mark;
    guint16 port;
    gboolean is_refused;
  } cases[] = {
    { "198.51.100.1", USER, 0, 443, TRUE },   { "198.51.100.1", USER + 1, 0, 443, FALSE },
    { "198.51.100.1", USER, 7, 443, FALSE },  { "198.51.100.1", USER, 8, 443, TRUE },
    { "203.0.113.1", USER, 0, 443, FALSE },   { "203.0.113.1", USER, 0, 53, FALSE },
    { "192.0.2.1", USER, 0, 443, FALSE },     { "192.0.2.1", USER, 0, 53, TRUE },
    { "2001:db8::1", USER, 0, 443, FALSE },   { "2001:db8::1", USER, 0, 853, TRUE },
    { "198.51.100.77", USER, 0, 443, FALSE },
  };
  g_autoptr (T2pnKillSwitch) table = t2pn_kill_switch_new ();
  T2pnKillSwitchArm *arm = t2pn_kill_switch_arm_new (0, "work");
  T2pnUidRange user = { USER, USER };
  T2pIpPrefix excluded = parse_prefix ("203.0.113.0/24");
  T2pIpPrefix lan = parse_prefix ("192.0.2.0/24");
  T2pnBypassPeer peer = { .uid = USER };

  g_assert_true (t2p_ip_address_parse ("198.51.100.77", &peer.address));
  g_array_append_val (arm->users, user);
  g_array_append_val (arm->excluded, excluded);
  g_array_append_val (arm->lan, lan);
  g_array_append_val (arm->passing_peers, peer);
  arm->captures_all = TRUE;
  arm->guards_dns = TRUE;
  g_ptr_array_add (table->arms, arm);
  t2pn_kill_switch_add_mark (table, 7);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      T2pnFlow flow = make_flow (cases[i].destination);

      flow.uid = cases[i].uid;
      flow.mark = cases[i].mark;
      flow.port = cases[i].port;
      g_test_message ("%s port %u of %u", cases[i].destination, flow.port, flow.uid);
      g_assert_true (t2pn_kill_switch_find_refusal (table, &flow) ==
                     (cases[i].is_refused ? arm : NULL));
    }
}

static void
test_hosts (void)
{
  static const char content[] = "# 192.0.2.9 commented\n"
                                "127.0.0.1\tlocalhost\n"
                                "\n"
                                "not-an-address printer\n"
                                "192.0.2.5  printer printer.example # the old one\n"
                                "2001:db8::5 printer\r\n";
  T2pIpAddress address;
  char text[T2P_IP_STRLEN];

  g_assert_true (t2pn_hosts_find (content, "PRINTER.example", AF_UNSPEC, &address));
  t2p_ip_address_format (&address, text);
  g_assert_cmpstr (text, ==, "192.0.2.5");
  g_assert_true (t2pn_hosts_find (content, "printer", AF_INET6, &address));
  t2p_ip_address_format (&address, text);
  g_assert_cmpstr (text, ==, "2001:db8::5");
  g_assert_false (t2pn_hosts_find (content, "commented", AF_UNSPEC, &address));
  g_assert_false (t2pn_hosts_find (content, "old", AF_UNSPEC, &address));
  g_assert_false (t2pn_hosts_find (content, "192.0.2.5", AF_UNSPEC, &address));
  g_assert_false (t2pn_hosts_find ("", "printer", AF_UNSPEC, &address));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/explain/captured-by-the-rule-of-the-user", test_captured);
  g_test_add_func ("/explain/on-link-by-main-without-default", test_on_link);
  g_test_add_func ("/explain/excluded-by-throw", test_excluded);
  g_test_add_func ("/explain/other-user-bound-or-marked-goes-directly", test_others);
  g_test_add_func ("/explain/unreachable-is-refused", test_refused);
  g_test_add_func ("/explain/no-route-is-nowhere", test_nowhere);
  g_test_add_func ("/explain/lower-metric-wins", test_metric);
  g_test_add_func ("/explain/selectors", test_selectors);
  g_test_add_func ("/explain/kill-switch-as-its-table-says", test_kill_switch);
  g_test_add_func ("/hosts/first-address-of-a-name", test_hosts);
  return g_test_run ();
}
