/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plan-fixture.h"
#include "t2p-limits.h"
#include "t2pn-bind-links.h"

#define OWN 7 /* index of the tunnel's link */

/** Case: a machine, settings and what is to stay outside. */
typedef struct
{
  T2pSettings *settings;
  T2pnSnapshot *snapshot;
  T2pnBypass *bypass;
  int own[1];
} Case;

static T2pIpAddress
parse_address (const char *text)
{
  T2pIpAddress address;

  g_assert_true (t2p_ip_address_parse (text, &address));
  return address;
}

static void
set_gateway (T2pnSnapshot *snapshot, guint index, const char *text)
{
  g_array_index (snapshot->routes, T2pnRoute, index).gateway = parse_address (text);
}

/* eth0 has both default routes, by gateways. */
static Case
case_new (const char *settings)
{
  T2pIpAddress upstream = parse_address ("192.0.2.80");
  Case c = { make_settings (settings, TRUE), make_snapshot (), t2pn_bypass_new (), { OWN } };

  set_gateway (c.snapshot, 0, "192.168.1.1");
  set_gateway (c.snapshot, 2, "fe80::99");
  t2pn_bypass_add_upstream (c.bypass, &upstream);
  return c;
}

static void
case_clear (Case *c)
{
  t2p_settings_unref (c->settings);
  t2pn_snapshot_free (c->snapshot);
  t2pn_bypass_free (c->bypass);
}

static T2pnRoutePlan *
make_plan (const Case *c)
{
  T2pnRoutePlanInput input = {
    .settings = c->settings,
    .ifindex = OWN,
    .ifname = "t2p0",
    .ids = { .mark = 0x2370, .table = 23700, .override_table = 23701, .rule_priority = 5404 },
    .own_ifindexes = c->own,
    .n_own_ifindexes = 1,
    .proxy_has_ipv4 = TRUE,
    .proxy_has_ipv6 = TRUE,
    .bypass = c->bypass,
  };
  g_autoptr (GError) error = NULL;

  t2pn_address_pool_choose (c->settings, c->snapshot, NULL, "seed", &input.pool, &error);
  g_assert_no_error (error);
  return t2pn_route_plan_renew (&input, c->snapshot);
}

/* Lines of the plan that hold @word. */
static char *
lines_with (const Case *c, const char *word)
{
  g_autoptr (T2pnRoutePlan) plan = make_plan (c);
  g_autofree char *text = t2pn_route_plan_to_text (plan);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  GString *found = g_string_new (NULL);

  for (guint i = 0; lines[i] != NULL; i++)
    if (strstr (lines[i], word) != NULL)
      g_string_append_printf (found, "%s\n", lines[i]);
  return g_string_free (found, FALSE);
}

static void
assert_lines (const Case *c, const char *word, const char *expected)
{
  g_autofree char *found = lines_with (c, word);

  g_assert_cmpstr (found, ==, expected);
}

static void
test_bind (void)
{
  Case c = case_new ("'capture': <'default'>, 'loop-avoidance': <'bind-interface'>");

  add_link (c.snapshot, 3, "docker0");
  add_route (c.snapshot, "172.17.0.0/16", 3, RT_TABLE_MAIN);
  assert_lines (&c, "fwmark", "");
  assert_lines (&c, "oif",
                "ip -4 rule add priority 5404 oif eth0 lookup main protocol 142\n"
                "ip -4 rule add priority 5404 oif docker0 lookup main protocol 142\n"
                "ip -6 rule add priority 5404 oif eth0 lookup main protocol 142\n");
  assert_lines (&c, "192.0.2.80", "");
  case_clear (&c);
}

static void
test_bind_links (void)
{
  Case c = case_new ("'capture': <'default'>, 'loop-avoidance': <'bind-interface'>");
  g_autoptr (GArray) links = NULL;
  const char *const expected[][2] = {
    { "::/0", "eth0" },           { "0.0.0.0/0", "wlan0" },      { "172.17.0.0/16", "docker0" },
    { "192.168.1.0/24", "eth0" }, { "2001:db8:1::/64", "eth0" },
  };

  add_link (c.snapshot, 3, "docker0");
  add_link (c.snapshot, 4, "wlan0");
  add_link (c.snapshot, OWN, "t2p0");
  add_route (c.snapshot, "172.17.0.0/16", 3, RT_TABLE_MAIN);
  add_route (c.snapshot, "198.18.0.0/30", OWN, RT_TABLE_MAIN);
  add_route (c.snapshot, "0.0.0.0/0", 4, RT_TABLE_MAIN);
  g_array_index (c.snapshot->routes, T2pnRoute, 0).metric = 600;
  links = t2pn_bind_links_new (c.settings, c.snapshot, c.own, 1);
  g_assert_cmpuint (links->len, ==, G_N_ELEMENTS (expected));
  for (guint i = 0; i < links->len; i++)
    {
      const T2pnBindLink *link = &g_array_index (links, T2pnBindLink, i);
      T2pIpPrefix prefix = parse_prefix (expected[i][0]);

      g_assert_true (t2p_ip_prefix_equal (&link->prefix, &prefix));
      g_assert_cmpstr (link->name, ==, expected[i][1]);
    }
  case_clear (&c);
}

static void
test_bind_links_are_bounded (void)
{
  Case c = case_new ("'capture': <'default'>, 'loop-avoidance': <'bind-interface'>");
  g_autoptr (GArray) links = NULL;

  for (guint i = 0; i < 2 * T2P_MAX_BIND_LINKS; i++)
    {
      g_autofree char *prefix = g_strdup_printf ("10.%u.%u.0/24", i / 256, i % 256);

      add_route (c.snapshot, prefix, 2, RT_TABLE_MAIN);
    }
  links = t2pn_bind_links_new (c.settings, c.snapshot, NULL, 0);
  g_assert_cmpuint (links->len, ==, T2P_MAX_BIND_LINKS);
  g_assert_cmpuint (g_array_index (links, T2pnBindLink, 0).prefix.length, ==, 0);
  g_assert_cmpuint (g_array_index (links, T2pnBindLink, 1).prefix.length, ==, 0);
  case_clear (&c);
}

static void
test_outbound_interface (void)
{
  Case c = case_new ("'outbound-interface': <'eth0'>");
  Case missing = case_new ("'outbound-interface': <'wwan0'>");
  Case none = case_new ("'capture': <'default'>");
  g_autoptr (GArray) links = t2pn_bind_links_new (c.settings, c.snapshot, c.own, 1);
  g_autoptr (GError) error = NULL;

  g_assert_cmpuint (links->len, ==, 2);
  g_assert_cmpstr (g_array_index (links, T2pnBindLink, 0).name, ==, "eth0");
  g_assert_true (t2pn_bind_links_check (c.settings, c.snapshot, &error));
  g_assert_null (t2pn_bind_links_new (none.settings, none.snapshot, none.own, 1));
  g_assert_false (t2pn_bind_links_check (missing.settings, missing.snapshot, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_DEVICE_UNAVAILABLE);
  g_assert_nonnull (strstr (error->message, "'wwan0'"));
  case_clear (&c);
  case_clear (&missing);
  case_clear (&none);
}

static void
test_host_route (void)
{
  Case c = case_new ("'capture': <'default'>, 'loop-avoidance': <'host-route'>");
  T2pIpAddress v6 = parse_address ("2001:db8:51::2");
  T2pIpAddress on_link = parse_address ("192.168.1.53");
  T2pIpAddress loopback = parse_address ("127.0.0.1");

  t2pn_bypass_add_upstream (c.bypass, &v6);
  t2pn_bypass_add_upstream (c.bypass, &on_link);
  t2pn_bypass_add_upstream (c.bypass, &loopback);
  assert_lines (&c, "fwmark", "");
  assert_lines (&c, "127.0.0.1", "");
  assert_lines (&c, " via ",
                "ip -4 route add 192.0.2.80/32 via 192.168.1.1 table main proto 142\n"
                "ip -6 route add 2001:db8:51::2/128 via fe80::99 table main proto 142\n");
  assert_lines (
      &c, " to ",
      "ip -4 rule add priority 5404 to 192.0.2.80/32 lookup main protocol 142\n"
      "ip -4 rule add priority 5404 to 192.168.1.53/32 lookup main protocol 142\n"
      "ip -4 rule add priority 5405 to 192.0.2.80/32 unreachable protocol 142\n"
      "ip -4 rule add priority 5405 to 192.168.1.53/32 unreachable protocol 142\n"
      "ip -6 rule add priority 5404 to 2001:db8:51::2/128 lookup main protocol 142\n"
      "ip -6 rule add priority 5405 to 2001:db8:51::2/128 unreachable protocol 142\n");
  case_clear (&c);
}

static void
test_host_route_moves (void)
{
  Case c = case_new ("'capture': <'default'>, 'loop-avoidance': <'host-route'>");

  set_gateway (c.snapshot, 0, "192.168.1.254");
  assert_lines (&c, " via ",
                "ip -4 route add 192.0.2.80/32 via 192.168.1.254 table main proto 142\n");
  /* Our own route of before is no way to learn the gateway from. */
  add_route (c.snapshot, "192.0.2.80/32", 2, RT_TABLE_MAIN);
  g_array_index (c.snapshot->routes, T2pnRoute, c.snapshot->routes->len - 1).protocol =
      T2PN_PROTOCOL;
  set_gateway (c.snapshot, c.snapshot->routes->len - 1, "192.168.1.1");
  assert_lines (&c, " via ",
                "ip -4 route add 192.0.2.80/32 via 192.168.1.254 table main proto 142\n");
  g_array_set_size (c.snapshot->routes, 0);
  assert_lines (&c, " via ", "");
  assert_lines (
      &c, "unreachable protocol",
      "ip -4 rule add priority 5405 to 192.0.2.80/32 unreachable protocol 142\n"
      "ip -6 rule add priority 5411 from 2001:db8:1::7/128 unreachable protocol 142\n");
  case_clear (&c);
}

static void
test_half_default (void)
{
  Case c = case_new ("'capture': <'default'>, 'loop-avoidance': <'half-default'>, "
                     "'exclude-routes': <['203.0.113.0/24', '192.168.1.0/24']>");

  assert_lines (&c, "rule", "");
  assert_lines (&c, "23700", "");
  assert_lines (&c, "route",
                "ip -4 route add 192.0.2.80/32 via 192.168.1.1 table main proto 142\n"
                "ip -4 route add 203.0.113.0/24 via 192.168.1.1 table main proto 142\n"
                "ip -4 route add 224.0.0.0/4 table main proto 142\n"
                "ip -4 route add 0.0.0.0/1 dev t2p0 table main proto 142\n"
                "ip -4 route add 128.0.0.0/1 dev t2p0 table main proto 142\n"
                "ip -6 route add ::/1 dev t2p0 table main proto 142\n"
                "ip -6 route add 8000::/1 dev t2p0 table main proto 142\n");
  case_clear (&c);
}

static void
test_half_default_taken (void)
{
  Case c = case_new ("'capture': <'default'>, 'loop-avoidance': <'half-default'>");
  T2pnRoutePlanInput input = { .settings = c.settings, .ifindex = OWN, .ifname = "t2p0" };
  g_autoptr (T2pnRoutePlan) plan = make_plan (&c);
  g_autoptr (GError) error = NULL;

  add_link (c.snapshot, 9, "vpn0");
  add_route (c.snapshot, "0.0.0.0/1", 9, RT_TABLE_MAIN);
  g_assert_false (t2pn_route_plan_check (plan, &input, c.snapshot, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT);
  case_clear (&c);
}

static void
test_local_proxies (void)
{
  Case c = case_new ("'capture': <'default'>");
  T2pIpAddress peer = parse_address ("198.51.100.7");

  t2pn_bypass_add_uid (c.bypass, 115);
  t2pn_bypass_add_peer (c.bypass, &peer, 1000);
  t2pn_bypass_add_peer (c.bypass, &peer, 1000);
  assert_lines (
      &c, "uidrange",
      "ip -4 rule add priority 5404 uidrange 115-115 lookup main protocol 142\n"
      "ip -4 rule add priority 5404 to 198.51.100.7/32 uidrange 1000-1000 lookup main "
      "protocol 142\n"
      "ip -4 rule add priority 5405 uidrange 115-115 unreachable protocol 142\n"
      "ip -4 rule add priority 5405 to 198.51.100.7/32 uidrange 1000-1000 unreachable "
      "protocol 142\n"
      "ip -6 rule add priority 5404 uidrange 115-115 lookup main protocol 142\n"
      "ip -6 rule add priority 5405 uidrange 115-115 unreachable protocol 142\n");
  case_clear (&c);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/route-methods/bound-sockets-look-into-main", test_bind);
  g_test_add_func ("/route-methods/links-follow-the-routes-of-main", test_bind_links);
  g_test_add_func ("/route-methods/links-are-bounded", test_bind_links_are_bounded);
  g_test_add_func ("/route-methods/outbound-interface-must-be-there", test_outbound_interface);
  g_test_add_func ("/route-methods/host-route-names-each-upstream", test_host_route);
  g_test_add_func ("/route-methods/host-route-follows-the-gateway", test_host_route_moves);
  g_test_add_func ("/route-methods/half-default-has-no-rule", test_half_default);
  g_test_add_func ("/route-methods/halves-of-another-are-a-conflict", test_half_default_taken);
  g_test_add_func ("/route-methods/local-proxies-stay-outside", test_local_proxies);
  return g_test_run ();
}
