/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plan-fixture.h"
#include "t2pn-netns-plan.h"

static void
assert_plan (const char *settings_text, gboolean links_get_ipv6, const char *expected)
{
  g_autoptr (T2pSettings) settings = make_settings (settings_text, FALSE);
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_new ();
  g_autoptr (T2pnRoutePlan) plan = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  T2pnRoutePlanInput input = { .settings = settings, .ifindex = 2, .ifname = "t2p0" };

  snapshot->links_get_ipv6 = links_get_ipv6;
  t2pn_address_pool_choose (settings, snapshot, NULL, "seed", &input.pool, &error);
  g_assert_no_error (error);
  input.pool.pool6 = parse_prefix ("fd00:1::/64");
  t2p_ip_address_parse ("fd00:1::1", &input.pool.address6);
  plan = t2pn_netns_plan_new (&input, snapshot);
  text = t2pn_route_plan_to_text (plan);
  g_assert_cmpstr (text, ==, expected);
}

#define ADDRESS4 "ip -4 address add 198.18.0.1/30 dev t2p0\n"
#define ADDRESSES ADDRESS4 "ip -6 address add fd00:1::1/126 dev t2p0\n"
#define POOL4 "ip -4 route add 198.18.0.0/18 dev t2p0 table main proto 142\n"
#define POOL6 "ip -6 route add fd00:1::/64 dev t2p0 table main proto 142\n"

static void
test_none (void)
{
  assert_plan ("", TRUE, ADDRESSES);
}

/* Carried or not: the worker refuses what the proxy lacks, and nothing is left behind. */
static void
test_default (void)
{
  assert_plan ("'capture': <'default'>", TRUE,
               ADDRESSES POOL4 "ip -4 route add default dev t2p0 table main proto 142\n" POOL6
                               "ip -6 route add default dev t2p0 table main proto 142\n");
}

static void
test_without_ipv6 (void)
{
  const char *expected =
      ADDRESS4 POOL4 "ip -4 route add default dev t2p0 table main proto 142\n";

  assert_plan ("'capture': <'default'>", FALSE, expected);
  assert_plan ("'capture': <'default'>, 'ipv6': <'leave'>", TRUE, expected);
}

static void
test_routes (void)
{
  assert_plan ("'capture': <'routes'>, 'routes': <['192.0.2.0/24', '2001:db8::/32', "
               "'192.0.2.0/24']>",
               TRUE,
               ADDRESSES "ip -4 route add 192.0.2.0/24 dev t2p0 table main proto 142\n"
                         "ip -6 route add 2001:db8::/32 dev t2p0 table main proto 142\n");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/netns-plan/none/only-addresses", test_none);
  g_test_add_func ("/netns-plan/default/is-a-default-route", test_default);
  g_test_add_func ("/netns-plan/default/without-ipv6", test_without_ipv6);
  g_test_add_func ("/netns-plan/routes/each-once", test_routes);
  return g_test_run ();
}
