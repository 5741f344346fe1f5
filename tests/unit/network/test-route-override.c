/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of main is overridden, from routes made by hand. */
#include "config.h"

#include "plan-fixture.h"
#include "t2pn-route-override.h"

#define DEFAULT "'capture': <'default'>, 'dns': <'off'>"

static T2pnRoute *
last_route (T2pnSnapshot *snapshot)
{
  return &g_array_index (snapshot->routes, T2pnRoute, snapshot->routes->len - 1);
}

static void
add_told (T2pnSnapshot *snapshot, const char *destination, int ifindex, guint8 protocol)
{
  add_route (snapshot, destination, ifindex, RT_TABLE_MAIN);
  last_route (snapshot)->protocol = protocol;
  last_route (snapshot)->gateway = t2p_ip_address_from_v4 (0xc0a80101);
}

static GArray *
list (const char *settings_text, const T2pnSnapshot *snapshot, int family)
{
  g_autoptr (T2pSettings) settings = make_settings (settings_text, TRUE);
  T2pnRoutePlanInput input = { .settings = settings };

  return t2pn_route_override_list (&input, snapshot, family);
}

static char *
to_text (const GArray *overrides)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < overrides->len; i++)
    {
      const T2pnOverride *override = &g_array_index (overrides, T2pnOverride, i);
      char prefix[T2P_PREFIX_STRLEN];

      t2p_ip_prefix_format (&override->destination, prefix);
      g_string_append_printf (text, "%s%s%s", i == 0 ? "" : " ", override->is_kept ? "!" : "",
                              prefix);
    }
  return g_string_free (text, FALSE);
}

static void
assert_list (const char *settings_text,
             const T2pnSnapshot *snapshot,
             int family,
             const char *expected)
{
  g_autoptr (GArray) overrides = list (settings_text, snapshot, family);
  g_autofree char *text = to_text (overrides);

  g_assert_cmpstr (text, ==, expected);
}

/* A machine as it should be needs no table X, docker, libvirt and a VPN included. */
static void
test_nothing (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();

  add_link (snapshot, 3, "docker0");
  add_address (snapshot, 3, "172.17.0.1", 16);
  add_route (snapshot, "172.17.0.0/16", 3, RT_TABLE_MAIN);
  add_link (snapshot, 4, "tun9");
  add_route (snapshot, "0.0.0.0/1", 4, RT_TABLE_MAIN); /* another VPN's */
  add_route (snapshot, "128.0.0.0/1", 4, RT_TABLE_MAIN);
  add_told (snapshot, "10.0.0.0/8", 2, RTPROT_DHCP); /* private, by a gateway */
  add_told (snapshot, "169.254.169.254/32", 2, RTPROT_DHCP);
  add_told (snapshot, "203.0.113.9/32", 2, RTPROT_BOOT); /* another VPN's server */
  add_told (snapshot, "203.0.113.0/24", 2, RTPROT_STATIC);
  add_told (snapshot, "198.51.100.0/24", 2, 186 /* bgp */);
  assert_list (DEFAULT, snapshot, AF_INET, "");
  assert_list (DEFAULT, snapshot, AF_INET6, "");
}

static void
test_half_defaults (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();

  add_told (snapshot, "0.0.0.0/1", 2, RTPROT_DHCP);
  add_told (snapshot, "128.0.0.0/1", 2, RTPROT_DHCP);
  assert_list (DEFAULT, snapshot, AF_INET,
               "0.0.0.0/1 128.0.0.0/1 !224.0.0.0/4 !255.255.255.255/32 !192.168.1.0/24");
  assert_list (DEFAULT ", 'lan': <'all'>", snapshot, AF_INET, "");
  assert_list (DEFAULT ", 'lan': <'none'>", snapshot, AF_INET, "");
  assert_list ("'capture': <'routes'>, 'routes': <['1.0.0.0/8']>", snapshot, AF_INET, "");
}

/* Within what is overridden the LAN, containers and excluded networks stay as they are. */
static void
test_kept_within (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();

  add_told (snapshot, "0.0.0.0/1", 2, RTPROT_DHCP);
  add_route (snapshot, "10.4.0.0/16", 3, RT_TABLE_MAIN);
  add_route (snapshot, "203.0.113.0/24", 3, RT_TABLE_MAIN); /* in the other half */
  add_route (snapshot, "9.0.0.0/8", 3, 77);                 /* of another table */
  assert_list (DEFAULT ", 'exclude-routes': <['8.8.8.0/24', '128.9.0.0/16']>", snapshot,
               AF_INET, "0.0.0.0/1 !8.8.8.0/24 !10.4.0.0/16");
}

static void
test_excluded (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();

  add_told (snapshot, "8.8.8.8/32", 2, RTPROT_DHCP);
  assert_list (DEFAULT, snapshot, AF_INET, "8.8.8.8/32");
  assert_list (DEFAULT ", 'exclude-routes': <['8.8.8.0/24']>", snapshot, AF_INET, "");
}

/* Programs that set no protocol: what is wider than a host is not another VPN's server. */
static void
test_boot (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();

  add_told (snapshot, "1.2.3.0/24", 2, RTPROT_BOOT);
  add_told (snapshot, "1.2.4.0/24", 3, RTPROT_BOOT); /* of no uplink */
  add_told (snapshot, "1.2.5.0/24", 3, RTPROT_DHCP); /* but this one is told */
  assert_list (DEFAULT, snapshot, AF_INET, "1.2.3.0/24 1.2.5.0/24");
}

/* A gateway of 0.0.0.0 in option 121 makes an "on-link" route; a netmask does, too. */
static void
test_on_link (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();

  add_route (snapshot, "1.2.3.4/32", 2, RT_TABLE_MAIN);
  last_route (snapshot)->protocol = RTPROT_DHCP;
  add_address (snapshot, 2, "64.9.8.7", 2);
  add_route (snapshot, "64.0.0.0/2", 2, RT_TABLE_MAIN);
  last_route (snapshot)->protocol = RTPROT_KERNEL;
  add_address (snapshot, 2, "203.0.113.7", 24); /* a LAN with public addresses */
  add_route (snapshot, "203.0.113.0/24", 2, RT_TABLE_MAIN);
  last_route (snapshot)->protocol = RTPROT_KERNEL;
  assert_list (DEFAULT, snapshot, AF_INET, "1.2.3.4/32 64.0.0.0/2");
}

static void
test_router_advertisement (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();

  last_route (snapshot)->protocol = RTPROT_KERNEL;
  add_told (snapshot, "2000::/3", 2, RTPROT_RA);
  add_route (snapshot, "2001:db8:2::/64", 2, RT_TABLE_MAIN); /* on the link, no address there */
  last_route (snapshot)->protocol = RTPROT_RA;
  add_told (snapshot, "fd12::/16", 2, RTPROT_RA);
  assert_list (DEFAULT, snapshot, AF_INET6, "2000::/3 2001:db8:2::/64 !2001:db8:1::/64");
}

/* Hundreds of them are no way to have one forgotten. */
static void
test_flood (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  g_autoptr (GArray) overrides = NULL;
  g_autofree char *text = NULL;

  for (guint i = 0; i < 3000; i++)
    {
      g_autofree char *prefix = g_strdup_printf ("%u.%u.0.0/16", 11 + i / 256, i % 256);

      add_told (snapshot, prefix, 2, RTPROT_DHCP);
    }
  overrides = list (DEFAULT, snapshot, AF_INET);
  text = to_text (overrides);
  g_assert_cmpstr (text, ==,
                   "0.0.0.0/1 128.0.0.0/1 !224.0.0.0/4 !255.255.255.255/32 !192.168.1.0/24");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/route-override/nothing-to-override", test_nothing);
  g_test_add_func ("/route-override/half-defaults", test_half_defaults);
  g_test_add_func ("/route-override/what-is-within-is-kept", test_kept_within);
  g_test_add_func ("/route-override/excluded-is-not-overridden", test_excluded);
  g_test_add_func ("/route-override/without-a-protocol", test_boot);
  g_test_add_func ("/route-override/on-link-is-what-an-address-says", test_on_link);
  g_test_add_func ("/route-override/router-advertisement", test_router_advertisement);
  g_test_add_func ("/route-override/flood-overrides-everything", test_flood);
  return g_test_run ();
}
