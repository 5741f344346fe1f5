/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plan-fixture.h"
#include "t2pn-claims.h"
#include "t2pn-nm-profile.h"

#define OWN 7 /* index of the tunnel's link */
#define UUID "6a1d5a1e-52c4-4b0b-9d5c-0f7e2f3f7a10"

static T2pnRoutePlanInput
make_input (const T2pSettings *settings, const T2pnSnapshot *snapshot)
{
  T2pnRoutePlanInput input = {
    .settings = settings,
    .ifindex = OWN,
    .ifname = "t2p0",
    .ids = { .mark = 0x2370, .table = 23700, .override_table = 23701, .rule_priority = 5404 },
    .owner_uid = 1000,
    .proxy_has_ipv4 = TRUE,
    .proxy_has_ipv6 = TRUE,
  };
  g_autoptr (GError) error = NULL;

  t2pn_address_pool_choose (settings, snapshot, NULL, "seed", &input.pool, &error);
  g_assert_no_error (error);
  input.pool.pool6 = parse_prefix ("fd00:1::/64");
  t2p_ip_address_parse ("fd00:1::1", &input.pool.address6);
  return input;
}

static T2pnRoutePlan *
make_plan (const char *settings_text, gboolean is_root)
{
  g_autoptr (T2pSettings) settings = make_settings (settings_text, is_root);
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  T2pnRoutePlanInput input = make_input (settings, snapshot);
  g_autoptr (GError) error = NULL;
  T2pnRoutePlan *plan = t2pn_route_plan_new (&input, snapshot, &error);

  g_assert_no_error (error);
  return plan;
}

static void
write_route (GString *text, NMIPRoute *route)
{
  GVariant *table = nm_ip_route_get_attribute (route, NM_IP_ROUTE_ATTRIBUTE_TABLE);
  GVariant *type = nm_ip_route_get_attribute (route, NM_IP_ROUTE_ATTRIBUTE_TYPE);

  g_string_append_printf (text, "route %s%s%s/%u table %u\n",
                          type != NULL ? g_variant_get_string (type, NULL) : "",
                          type != NULL ? " " : "", nm_ip_route_get_dest (route),
                          nm_ip_route_get_prefix (route), g_variant_get_uint32 (table));
}

static void
write_family (GString *text, NMSettingIPConfig *setting)
{
  g_string_append_printf (text, "%s\n", nm_setting_ip_config_get_method (setting));
  g_assert_true (nm_setting_ip_config_get_never_default (setting));
  g_assert_cmpint (nm_setting_ip_config_get_may_fail (setting), ==,
                   g_str_equal (nm_setting_ip_config_get_method (setting), "disabled"));
  g_assert_null (nm_setting_ip_config_get_gateway (setting));
  for (guint i = 0; i < nm_setting_ip_config_get_num_addresses (setting); i++)
    {
      NMIPAddress *address = nm_setting_ip_config_get_address (setting, (int) i);

      g_string_append_printf (text, "address %s/%u\n", nm_ip_address_get_address (address),
                              nm_ip_address_get_prefix (address));
    }
  for (guint i = 0; i < nm_setting_ip_config_get_num_routes (setting); i++)
    write_route (text, nm_setting_ip_config_get_route (setting, (int) i));
  for (guint i = 0; i < nm_setting_ip_config_get_num_routing_rules (setting); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *rule =
          nm_ip_routing_rule_to_string (nm_setting_ip_config_get_routing_rule (setting, i),
                                        NM_IP_ROUTING_RULE_AS_STRING_FLAGS_NONE, NULL, &error);

      g_assert_no_error (error);
      g_string_append_printf (text, "rule %s\n", rule);
    }
}

static NMConnection *
make_profile (const T2pnRoutePlan *plan, const T2pnNmProfileConfig *config)
{
  g_autoptr (GError) error = NULL;
  NMConnection *profile;

  t2pn_nm_profile_check (plan, &error);
  g_assert_no_error (error);
  profile = t2pn_nm_profile_new (plan, config, &error);
  g_assert_no_error (error);
  return profile;
}

static void
assert_profile (const char *settings_text, gboolean is_root, const char *expected)
{
  g_autoptr (T2pnRoutePlan) plan = make_plan (settings_text, is_root);
  T2pnNmProfileConfig config = { .id = "tun2proxy work", .uuid = UUID };
  g_autoptr (NMConnection) profile = make_profile (plan, &config);
  g_autoptr (GString) text = g_string_new (NULL);

  write_family (text, nm_connection_get_setting_ip4_config (profile));
  write_family (text, nm_connection_get_setting_ip6_config (profile));
  g_assert_cmpstr (text->str, ==, expected);
}

static void
test_none (void)
{
  assert_profile ("", TRUE,
                  "manual\naddress 198.18.0.1/30\n"
                  "manual\naddress fd00:1::1/126\n");
}

static void
test_none_virtual (void)
{
  assert_profile ("'dns': <'virtual'>", TRUE,
                  "manual\naddress 198.18.0.1/30\nroute 198.18.0.0/18 table 254\n"
                  "manual\naddress fd00:1::1/126\nroute fd00:1::/64 table 254\n");
}

#define IPV4_DEFAULT                                                                           \
  "manual\naddress 198.18.0.1/30\n"                                                            \
  "route 198.18.0.0/18 table 23700\n"                                                          \
  "route throw 224.0.0.0/4 table 23700\n"                                                      \
  "route throw 255.255.255.255/32 table 23700\n"                                               \
  "route 0.0.0.0/0 table 23700\n"                                                              \
  "rule priority 5404 from 0.0.0.0/0 fwmark 0x2370 table 254\n"                                \
  "rule priority 5405 from 0.0.0.0/0 fwmark 0x2370 table 254 type unreachable\n"               \
  "rule priority 5410 from 0.0.0.0/0 suppress_prefixlength 0 table 254\n"                      \
  "rule priority 5407 from 198.18.0.1 iif lo table 23700\n"                                    \
  "rule priority 5409 from 0.0.0.0 ipproto 17 dport 53 iif lo table 23700\n"                   \
  "rule priority 5409 from 0.0.0.0 ipproto 6 dport 53 iif lo table 23700\n"                    \
  "rule priority 5409 from 0.0.0.0 ipproto 17 dport 853 iif lo table 23700\n"                  \
  "rule priority 5409 from 0.0.0.0 ipproto 6 dport 853 iif lo table 23700\n"                   \
  "rule priority 5412 from 0.0.0.0 iif lo table 23700\n"
#define DNS6                                                                                   \
  "rule priority 5409 from ::/0 ipproto 17 dport 53 iif lo table 23700\n"                      \
  "rule priority 5409 from ::/0 ipproto 6 dport 53 iif lo table 23700\n"                       \
  "rule priority 5409 from ::/0 ipproto 17 dport 853 iif lo table 23700\n"                     \
  "rule priority 5409 from ::/0 ipproto 6 dport 853 iif lo table 23700\n"

static void
test_default (void)
{
  assert_profile ("'capture': <'default'>", TRUE,
                  IPV4_DEFAULT
                  "manual\naddress fd00:1::1/126\n"
                  "route fd00:1::/64 table 23700\n"
                  "route ::/0 table 23700\n"
                  "rule priority 5404 from ::/0 fwmark 0x2370 table 254\n"
                  "rule priority 5405 from ::/0 fwmark 0x2370 table 254 type unreachable\n"
                  "rule priority 5406 from 2001:db8:1::7 table 254\n"
                  "rule priority 5410 from ::/0 suppress_prefixlength 0 table 254\n"
                  "rule priority 5411 from 2001:db8:1::7 table 254 type unreachable\n" DNS6
                  "rule priority 5412 from ::/0 iif lo table 23700\n");
}

/* A refused family has no address, and its routes all the same. */
static void
test_rejected_ipv6 (void)
{
  assert_profile ("'capture': <'default'>, 'ipv6': <'reject'>", TRUE,
                  IPV4_DEFAULT
                  "link-local\n"
                  "route unreachable ::/0 table 23700\n"
                  "rule priority 5404 from ::/0 fwmark 0x2370 table 254\n"
                  "rule priority 5405 from ::/0 fwmark 0x2370 table 254 type unreachable\n"
                  "rule priority 5406 from 2001:db8:1::7 ipproto 6 sport 1-1023 table 254\n"
                  "rule priority 5410 from ::/0 suppress_prefixlength 0 table 254\n"
                  "rule priority 5411 from 2001:db8:1::7 ipproto 6 sport 1-1023 table 254 type "
                  "unreachable\n" DNS6 "rule priority 5412 from ::/0 iif lo table 23700\n");
}

static void
test_user_without_ipv6 (void)
{
  assert_profile ("'capture': <'routes'>, 'routes': <['203.0.113.0/24']>, "
                  "'exclude-routes': <['203.0.113.128/25']>, 'ipv6': <'leave'>",
                  FALSE,
                  "manual\naddress 198.18.0.1/30\n"
                  "route throw 203.0.113.128/25 table 23700\n"
                  "route 203.0.113.0/24 table 23700\n"
                  "rule priority 5404 from 0.0.0.0/0 fwmark 0x2370 table 254\n"
                  "rule priority 5405 from 0.0.0.0/0 fwmark 0x2370 table 254 type "
                  "unreachable\n"
                  "rule priority 5407 from 198.18.0.1 iif lo uidrange 1000-1000 table "
                  "23700\n"
                  "rule priority 5412 from 0.0.0.0 iif lo uidrange 1000-1000 table 23700\n"
                  "disabled\n");
}

static void
test_explicit_address (void)
{
  assert_profile ("'addresses': <['192.168.1.77/24']>, 'capture': <'routes'>, "
                  "'routes': <['203.0.113.0/24']>, 'ipv6': <'leave'>, 'dns': <'off'>",
                  TRUE,
                  "manual\naddress 192.168.1.77/32\n"
                  "route 203.0.113.0/24 table 23700\n"
                  "rule priority 5404 from 0.0.0.0/0 fwmark 0x2370 table 254\n"
                  "rule priority 5405 from 0.0.0.0/0 fwmark 0x2370 table 254 type "
                  "unreachable\n"
                  "rule priority 5407 from 192.168.1.77 iif lo table 23700\n"
                  "rule priority 5412 from 0.0.0.0 iif lo table 23700\n"
                  "disabled\n");
}

/* Every selector that a rule of a plan can have. */
static void
test_all_selectors (void)
{
  g_autoptr (T2pnRoutePlan) plan = make_plan ("'ipv6': <'leave'>", TRUE);
  T2pnNmProfileConfig config = { .id = "tun2proxy work", .uuid = UUID };
  T2pnRule rule = t2pn_rule_make (AF_INET, 100);
  g_autoptr (NMConnection) profile = NULL;
  g_autoptr (GString) text = g_string_new (NULL);

  rule.is_inverted = TRUE;
  rule.source = parse_prefix ("192.0.2.0/24");
  rule.destination = parse_prefix ("198.51.100.0/25");
  g_strlcpy (rule.input, "lo", sizeof rule.input);
  g_strlcpy (rule.output, "eth0", sizeof rule.output);
  rule.mark = 0x10;
  rule.mask = 0xf0;
  rule.has_uid_range = TRUE;
  rule.uid_first = 0;
  rule.uid_last = 4001;
  rule.ip_protocol = IPPROTO_UDP;
  rule.source_port_first = rule.source_port_last = 123;
  rule.destination_port_first = 53;
  rule.destination_port_last = 54;
  rule.suppress_prefix_length = 8;
  rule.table = 1234;
  g_array_append_val (plan->capture_rules, rule);
  profile = make_profile (plan, &config);
  write_family (text, nm_connection_get_setting_ip4_config (profile));
  g_assert_cmpstr (text->str, ==,
                   "manual\naddress 198.18.0.1/30\n"
                   "rule priority 100 not from 192.0.2.0/24 to 198.51.100.0/25 ipproto 17 "
                   "fwmark 0x10/0xf0 sport 123 dport 53-54 iif lo oif eth0 uidrange 0-4001 "
                   "suppress_prefixlength 8 table 1234\n");
}

static void
test_connection (void)
{
  g_autoptr (T2pnRoutePlan) plan = make_plan ("", TRUE);
  T2pnNmProfileConfig config = { .id = "tun2proxy work",
                                 .uuid = UUID,
                                 .has_vnet_header = TRUE };
  g_autoptr (NMConnection) profile = make_profile (plan, &config);
  NMSettingConnection *connection = nm_connection_get_setting_connection (profile);
  NMSettingTun *tun = nm_connection_get_setting_tun (profile);

  g_assert_cmpstr (nm_setting_connection_get_id (connection), ==, "tun2proxy work");
  g_assert_cmpstr (nm_setting_connection_get_uuid (connection), ==, UUID);
  g_assert_cmpstr (nm_setting_connection_get_interface_name (connection), ==, "t2p0");
  g_assert_false (nm_setting_connection_get_autoconnect (connection));
  g_assert_cmpint (nm_setting_connection_get_dns_over_tls (connection), ==, 0);
  g_assert_cmpint (nm_setting_connection_get_mdns (connection), ==, 0);
  g_assert_cmpint (nm_setting_connection_get_llmnr (connection), ==, 0);
  g_assert_true (nm_setting_tun_get_vnet_hdr (tun));
  g_assert_false (nm_setting_tun_get_multi_queue (tun));
  g_assert_null (nm_setting_tun_get_owner (tun));
}

static void
test_dns (void)
{
  g_autoptr (T2pnRoutePlan) plan = make_plan ("", TRUE);
  const char *const domains[] = { ".", "corp.example", "*.lab.example", NULL };
  T2pIpAddress server = t2p_ip_address_from_v4 (0xc6120002);
  T2pnNmProfileConfig config = { .id = "tun2proxy work",
                                 .uuid = UUID,
                                 .server = &server,
                                 .domains = domains,
                                 .dns_priority = -50 };
  g_autoptr (NMConnection) profile = make_profile (plan, &config);
  NMSettingIPConfig *ip4 = nm_connection_get_setting_ip4_config (profile);
  NMSettingIPConfig *ip6 = nm_connection_get_setting_ip6_config (profile);

  g_assert_cmpuint (nm_setting_ip_config_get_num_dns (ip4), ==, 1);
  g_assert_cmpstr (nm_setting_ip_config_get_dns (ip4, 0), ==, "198.18.0.2");
  g_assert_cmpuint (nm_setting_ip_config_get_num_dns_searches (ip4), ==, 3);
  g_assert_cmpstr (nm_setting_ip_config_get_dns_search (ip4, 0), ==, "~.");
  g_assert_cmpstr (nm_setting_ip_config_get_dns_search (ip4, 1), ==, "~corp.example");
  g_assert_cmpstr (nm_setting_ip_config_get_dns_search (ip4, 2), ==, "~lab.example");
  g_assert_cmpint (nm_setting_ip_config_get_dns_priority (ip4), ==, -50);
  g_assert_cmpuint (nm_setting_ip_config_get_num_dns (ip6), ==, 0);
}

static void
test_dns_priority (void)
{
  g_assert_cmpint (t2pn_nm_dns_priority ("systemd-resolved", "unmanaged"), ==, 50);
  g_assert_cmpint (t2pn_nm_dns_priority ("dnsmasq", "symlink"), ==, 50);
  g_assert_cmpint (t2pn_nm_dns_priority ("dnsmasq", "unmanaged"), ==, 0);
  g_assert_cmpint (t2pn_nm_dns_priority ("default", "file"), ==, -50);
  g_assert_cmpint (t2pn_nm_dns_priority ("default", "unmanaged"), ==, 0);
  g_assert_cmpint (t2pn_nm_dns_priority ("none", "unmanaged"), ==, 0);
  g_assert_cmpint (t2pn_nm_dns_priority (NULL, NULL), ==, 0);
}

/* --- what cannot be said */

static void
assert_refused (const T2pnRoutePlan *plan, const char *why)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (t2pn_nm_profile_check (plan, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED);
  g_assert_nonnull (strstr (error->message, why));
}

static void
test_refusals (void)
{
  g_autoptr (T2pnRoutePlan) foreign = make_plan ("", TRUE);
  g_autoptr (T2pnRoutePlan) jump = make_plan ("", TRUE);
  g_autoptr (T2pnRoutePlan) bare = make_plan ("", TRUE);
  T2pnRoute route = { .destination = parse_prefix ("192.0.2.80/32"),
                      .table = RT_TABLE_MAIN,
                      .type = RTN_UNICAST,
                      .ifindex = 2 };
  T2pnRule rule = t2pn_rule_make (AF_INET, 100);

  rule.action = FR_ACT_GOTO;
  g_array_append_val (foreign->routes, route);
  g_array_append_val (jump->bypass_rules, rule);
  g_array_set_size (bare->addresses, 0);
  assert_refused (foreign, "192.0.2.80/32");
  assert_refused (jump, "priority 100");
  assert_refused (bare, "IPv4 address");
}

/* --- what becomes of it */

static void
test_installed (void)
{
  g_autoptr (T2pnRoutePlan) plan = make_plan ("'capture': <'default'>", TRUE);
  g_autoptr (T2pnRoutePlan) installed = t2pn_nm_profile_installed (plan);
  const T2pnRule *refusal = &g_array_index (installed->bypass_rules, T2pnRule, 1);

  g_assert_cmpuint (g_array_index (plan->bypass_rules, T2pnRule, 1).protocol, ==,
                    T2PN_PROTOCOL);
  g_assert_cmpuint (refusal->action, ==, FR_ACT_UNREACHABLE);
  g_assert_cmpuint (refusal->protocol, ==, RTPROT_STATIC);
  g_assert_cmpuint (refusal->table, ==, RT_TABLE_MAIN);
  g_assert_cmpuint (g_array_index (installed->routes, T2pnRoute, 0).protocol, ==,
                    RTPROT_STATIC);
}

static guint8
seen_rule_protocol (const T2pnRule *installed)
{
  T2pnRule rule = *installed;

  t2pn_claims_tag_rule (&rule);
  return rule.protocol;
}

static void
test_claims (void)
{
  g_autoptr (T2pnRoutePlan) plan = make_plan ("'capture': <'default'>", TRUE);
  g_autoptr (T2pnRoutePlan) other = make_plan ("'capture': <'default'>", FALSE);
  g_autoptr (T2pnRoutePlan) installed = t2pn_nm_profile_installed (plan);
  g_autoptr (T2pnRoutePlan) next = t2pn_nm_profile_installed (other);
  const T2pnRule *rule = &g_array_index (installed->capture_rules, T2pnRule, 0);
  const T2pnRule *next_rule = &g_array_index (next->capture_rules, T2pnRule, 0);
  T2pnRule foreign = *rule;
  T2pnRoute route = g_array_index (installed->routes, T2pnRoute, 0);

  foreign.protocol = RTPROT_BOOT;
  g_assert_cmpuint (seen_rule_protocol (rule), ==, RTPROT_STATIC);
  t2pn_claims_set (plan, installed, NULL);
  g_assert_cmpuint (seen_rule_protocol (rule), ==, T2PN_PROTOCOL);
  g_assert_cmpuint (seen_rule_protocol (next_rule), ==, RTPROT_STATIC);
  g_assert_cmpuint (seen_rule_protocol (&foreign), ==, RTPROT_BOOT);
  t2pn_claims_set (plan, installed, next);
  g_assert_cmpuint (seen_rule_protocol (next_rule), ==, T2PN_PROTOCOL);
  t2pn_claims_tag_route (&route);
  g_assert_cmpuint (route.protocol, ==, T2PN_PROTOCOL);
  t2pn_claims_drop (plan);
  g_assert_cmpuint (seen_rule_protocol (rule), ==, RTPROT_STATIC);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/nm-profile/none/only-addresses", test_none);
  g_test_add_func ("/nm-profile/none/virtual-dns-routes-the-pools-in-main", test_none_virtual);
  g_test_add_func ("/nm-profile/default/both-families", test_default);
  g_test_add_func ("/nm-profile/default/refused-ipv6-is-unreachable", test_rejected_ipv6);
  g_test_add_func ("/nm-profile/routes/user-and-no-ipv6", test_user_without_ipv6);
  g_test_add_func ("/nm-profile/explicit-address-brings-no-prefix", test_explicit_address);
  g_test_add_func ("/nm-profile/carries-every-selector", test_all_selectors);
  g_test_add_func ("/nm-profile/belongs-to-one-device", test_connection);
  g_test_add_func ("/nm-profile/dns/routing-domains", test_dns);
  g_test_add_func ("/nm-profile/dns/priority-goes-by-mode", test_dns_priority);
  g_test_add_func ("/nm-profile/refuses-what-it-cannot-say", test_refusals);
  g_test_add_func ("/nm-profile/installed-has-the-number-of-others", test_installed);
  g_test_add_func ("/claims/show-as-ours-until-dropped", test_claims);
  return g_test_run ();
}
