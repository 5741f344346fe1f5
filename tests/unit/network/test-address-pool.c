/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plan-fixture.h"

static void
assert_address (const T2pIpAddress *address, const char *expected)
{
  char text[T2P_IP_STRLEN];

  t2p_ip_address_format (address, text);
  g_assert_cmpstr (text, ==, expected);
}

static void
assert_prefix (const T2pIpPrefix *prefix, const char *expected)
{
  char text[T2P_PREFIX_STRLEN];

  t2p_ip_prefix_format (prefix, text);
  g_assert_cmpstr (text, ==, expected);
}

static T2pnAddressPool
choose (const char *settings_text, const T2pnSnapshot *snapshot, const GArray *taken)
{
  g_autoptr (T2pSettings) settings = make_settings (settings_text, TRUE);
  g_autoptr (GError) error = NULL;
  T2pnAddressPool pool;

  memset (&pool, 0, sizeof pool);
  t2pn_address_pool_choose (settings, snapshot, taken, "machine/1", &pool, &error);
  g_assert_no_error (error);
  return pool;
}

static void
assert_no_pool (const char *settings_text, const T2pnSnapshot *snapshot, const char *culprit)
{
  g_autoptr (T2pSettings) settings = make_settings (settings_text, TRUE);
  g_autoptr (GError) error = NULL;
  T2pnAddressPool pool;

  g_assert_false (t2pn_address_pool_choose (settings, snapshot, NULL, "s", &pool, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_ADDRESS_CONFLICT);
  g_assert_nonnull (strstr (error->message, culprit));
}

static void
test_first (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  T2pnAddressPool pool = choose ("", snapshot, NULL);
  T2pnAddressPool again = choose ("", snapshot, NULL);

  assert_prefix (&pool.pool4, "198.18.0.0/18");
  assert_address (&pool.address4, "198.18.0.1");
  assert_address (&pool.responder4, "198.18.0.2");
  g_assert_cmpuint (pool.link_length4, ==, 30);
  g_assert_cmpuint (pool.pool6.address.bytes[0], ==, 0xfd);
  g_assert_cmpuint (pool.pool6.length, ==, 64);
  g_assert_cmpuint (pool.address6.bytes[15], ==, 1);
  g_assert_cmpuint (pool.responder6.bytes[15], ==, 2);
  g_assert_cmpuint (pool.link_length6, ==, 126);
  g_assert_true (t2p_ip_prefix_equal (&pool.pool6, &again.pool6));
}

static void
test_avoids_what_is_there (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  g_autoptr (GArray) taken = g_array_new (FALSE, FALSE, sizeof (T2pIpPrefix));
  T2pnAddressPool before = choose ("", snapshot, NULL);
  T2pIpPrefix other = parse_prefix ("198.18.128.0/18");
  T2pnAddressPool pool;

  add_route (snapshot, "198.18.0.0/30", 3, RT_TABLE_MAIN); /* another program's tun */
  add_address (snapshot, 2, "198.18.64.9", 32);
  g_array_append_val (taken, other);
  g_array_append_val (taken, before.pool6);
  pool = choose ("", snapshot, taken);
  assert_prefix (&pool.pool4, "198.18.192.0/18");
  g_assert_false (t2p_ip_prefix_equal (&pool.pool6, &before.pool6));
}

/* OpenVPN's two halves of the Internet are a default route, and block nothing. */
static void
test_half_defaults_do_not_block (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  T2pnAddressPool pool;

  add_route (snapshot, "128.0.0.0/1", 2, RT_TABLE_MAIN);
  add_route (snapshot, "8000::/1", 2, RT_TABLE_MAIN);
  pool = choose ("", snapshot, NULL);
  assert_prefix (&pool.pool4, "198.18.0.0/18");
}

static void
test_none_free (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();

  add_link (snapshot, 3, "tailscale0");
  add_route (snapshot, "198.18.0.0/15", 3, 52);
  assert_no_pool ("", snapshot, "198.18.0.0/15 dev tailscale0 table 52");
  assert_no_pool ("'dns-pool4': <'192.168.0.0/16'>", snapshot, "192.168.1.7 of eth0");
}

static void
test_no_ula_free (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();

  add_route (snapshot, "fc00::/7", 2, RT_TABLE_MAIN);
  assert_no_pool ("", snapshot, "fc00::/7");
}

static void
test_explicit (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  T2pnAddressPool pool =
      choose ("'addresses': <['10.9.0.0/24', 'fd12::5/64']>, 'dns-pool4': <'10.10.0.0/20'>",
              snapshot, NULL);

  assert_prefix (&pool.pool4, "10.10.0.0/20");
  assert_address (&pool.address4, "10.9.0.1");
  assert_address (&pool.responder4, "10.9.0.2");
  g_assert_cmpuint (pool.link_length4, ==, 24);
  g_assert_true (pool.is_explicit4);
  assert_address (&pool.address6, "fd12::5");
  assert_address (&pool.responder6, "fd12::6");
  pool = choose ("'addresses': <['10.9.0.2/30']>", snapshot, NULL);
  assert_address (&pool.responder4, "10.9.0.1"); /* .3 is the broadcast address */
  pool = choose ("'addresses': <['10.9.0.9/32']>", snapshot, NULL);
  assert_address (&pool.address4, "10.9.0.9");
  assert_address (&pool.responder4, "10.9.0.10");
  assert_no_pool ("'addresses': <['192.168.1.9/24']>", snapshot, "192.168.1.7");
}

/* --- numbers */

static T2pnRouteIds
choose_ids (const char *settings_text,
            gboolean is_root,
            const T2pnSnapshot *snapshot,
            const GArray *taken)
{
  g_autoptr (T2pSettings) settings = make_settings (settings_text, is_root);
  g_autoptr (GError) error = NULL;
  T2pnRouteIds ids = { 0 };

  t2pn_route_ids_choose (settings, snapshot, 0x2370, taken, &ids, &error);
  g_assert_no_error (error);
  return ids;
}

static void
assert_no_ids (const char *settings_text, const T2pnSnapshot *snapshot, const char *key)
{
  g_autoptr (T2pSettings) settings = make_settings (settings_text, TRUE);
  g_autoptr (GError) error = NULL;
  T2pnRouteIds ids;

  g_assert_false (t2pn_route_ids_choose (settings, snapshot, 0x2370, NULL, &ids, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT);
  g_assert_true (g_str_has_prefix (error->message, key));
}

static void
test_ids (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  g_autoptr (GArray) taken = g_array_new (FALSE, FALSE, sizeof (T2pnRouteIds));
  T2pnRouteIds user = choose_ids ("'capture': <'default'>", FALSE, snapshot, NULL);
  T2pnRouteIds all = choose_ids ("'capture': <'default'>", TRUE, snapshot, NULL);
  T2pnRouteIds some =
      choose_ids ("'capture': <'routes'>, 'routes': <['10.0.0.0/8']>", TRUE, snapshot, NULL);
  T2pnRouteIds second;

  g_assert_cmpuint (some.rule_priority, >, 5270);
  g_assert_cmpuint (some.rule_priority, <, user.rule_priority);
  g_assert_cmpuint (user.rule_priority, <, all.rule_priority);
  g_array_append_val (taken, all);
  second = choose_ids ("'capture': <'default'>", TRUE, snapshot, taken);
  g_assert_cmpuint (second.table, !=, all.table);
  g_assert_cmpuint (second.rule_priority, >=, all.rule_priority + 16);
}

static void
test_ids_avoid_others (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  T2pnRouteIds before = choose_ids ("'capture': <'default'>", TRUE, snapshot, NULL);
  T2pnRouteIds after;

  add_rule (snapshot, AF_INET6, before.rule_priority + 3, 77);
  add_route (snapshot, "10.0.0.0/8", 2, before.table);
  after = choose_ids ("'capture': <'default'>", TRUE, snapshot, NULL);
  g_assert_cmpuint (after.table, !=, before.table);
  g_assert_cmpuint (after.rule_priority, >, before.rule_priority + 3);
}

static void
test_ids_from_settings (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  T2pnRouteIds ids = choose_ids (
      "'mark': <uint32 7>, 'route-table': <uint32 8>, 'rule-priority': <uint32 900>", TRUE,
      snapshot, NULL);

  g_assert_cmpuint (ids.mark, ==, 7);
  g_assert_cmpuint (ids.table, ==, 8);
  g_assert_cmpuint (ids.rule_priority, ==, 900);
  add_rule (snapshot, AF_INET, 905, 8)->mark = 7;
  g_array_index (snapshot->rules, T2pnRule, snapshot->rules->len - 1).mask = 7;
  assert_no_ids ("'mark': <uint32 7>", snapshot, "mark: 0x7");
  assert_no_ids ("'route-table': <uint32 8>", snapshot, "route-table: 8");
  assert_no_ids ("'rule-priority': <uint32 900>", snapshot, "rule-priority: 900 to");
}

static void
test_mark (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  g_autoptr (GError) error = NULL;
  guint32 first = 0, second = 0;
  T2pnRule *rule;

  g_assert_true (t2pn_route_ids_choose_mark (snapshot, &first, &error));
  rule = add_rule (snapshot, AF_INET, 100, 52);
  rule->mark = first & 0xf;
  rule->mask = 0xf;
  g_assert_true (t2pn_route_ids_choose_mark (snapshot, &second, &error));
  g_assert_cmphex (second & 0xf, !=, first & 0xf);
  g_assert_cmphex (second & 0xffffc000, ==, 0); /* Kubernetes, Tailscale, Calico */
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/address-pool/first-of-both", test_first);
  g_test_add_func ("/address-pool/avoids-what-is-there", test_avoids_what_is_there);
  g_test_add_func ("/address-pool/half-defaults-do-not-block", test_half_defaults_do_not_block);
  g_test_add_func ("/address-pool/none-free-names-the-culprit", test_none_free);
  g_test_add_func ("/address-pool/no-ula-free-names-the-culprit", test_no_ula_free);
  g_test_add_func ("/address-pool/settings-are-kept-to", test_explicit);
  g_test_add_func ("/route-ids/particular-before-general", test_ids);
  g_test_add_func ("/route-ids/avoid-others", test_ids_avoid_others);
  g_test_add_func ("/route-ids/settings-must-be-free", test_ids_from_settings);
  g_test_add_func ("/route-ids/mark-is-nobody-elses", test_mark);
  return g_test_run ();
}
