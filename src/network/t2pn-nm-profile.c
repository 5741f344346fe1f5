/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Every rule and route names its own priority and table, so that NetworkManager has nothing
 * left to choose. `never-default` keeps the tun from becoming the primary connection, which
 * would be told to everybody; the default route of table T is an ordinary static route for it.
 *
 * A family without addresses has rules and routes all the same when it is refused: then the
 * method is `link-local`, the only one that takes routes and needs no address. */
#include "config.h"

#include "t2pn-nm-profile.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>

#define PRIORITY_SPLIT 50 /* beside other links' servers, each with its own domains */
#define PRIORITY_ONLY -50 /* in place of all others: one list cannot be split */

/* --- rules */

static void
set_prefixes (NMIPRoutingRule *made, const T2pnRule *rule)
{
  char text[T2P_IP_STRLEN];

  if (rule->source.address.family != 0)
    {
      t2p_ip_address_format (&rule->source.address, text);
      nm_ip_routing_rule_set_from (made, text, rule->source.length);
    }
  if (rule->destination.address.family != 0)
    {
      t2p_ip_address_format (&rule->destination.address, text);
      nm_ip_routing_rule_set_to (made, text, rule->destination.length);
    }
}

static void
set_selectors (NMIPRoutingRule *made, const T2pnRule *rule)
{
  set_prefixes (made, rule);
  nm_ip_routing_rule_set_invert (made, rule->is_inverted);
  if (rule->input[0] != '\0')
    nm_ip_routing_rule_set_iifname (made, rule->input);
  if (rule->output[0] != '\0')
    nm_ip_routing_rule_set_oifname (made, rule->output);
  if (rule->mark != 0 || rule->mask != 0)
    nm_ip_routing_rule_set_fwmark (made, rule->mark, rule->mask);
  if (rule->has_uid_range)
    nm_ip_routing_rule_set_uid_range (made, rule->uid_first, rule->uid_last);
  nm_ip_routing_rule_set_ipproto (made, rule->ip_protocol);
  nm_ip_routing_rule_set_source_port (made, rule->source_port_first, rule->source_port_last);
  nm_ip_routing_rule_set_destination_port (made, rule->destination_port_first,
                                           rule->destination_port_last);
}

/* (transfer full) */
static NMIPRoutingRule *
make_rule (const T2pnRule *rule)
{
  NMIPRoutingRule *made = nm_ip_routing_rule_new (rule->family);

  nm_ip_routing_rule_set_priority (made, rule->priority);
  set_selectors (made, rule);
  if (rule->action == FR_ACT_TO_TBL)
    nm_ip_routing_rule_set_table (made, rule->table);
  else
    nm_ip_routing_rule_set_action (made, rule->action);
  nm_ip_routing_rule_set_suppress_prefixlength (made, rule->suppress_prefix_length);
  return made;
}

/* --- what can be said */

static gboolean
refuse_rule (const T2pnRule *rule, const char *why, GError **error)
{
  g_autofree char *text = t2pn_rule_to_text (rule);

  g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED,
               "a profile of NetworkManager cannot have the rule '%s': %s", text, why);
  return FALSE;
}

static gboolean
check_rule (const T2pnRule *rule, GError **error)
{
  g_autoptr (GError) fault = NULL;
  NMIPRoutingRule *made;
  gboolean is_valid;

  if (rule->action != FR_ACT_TO_TBL && rule->action != FR_ACT_UNREACHABLE &&
      rule->action != FR_ACT_PROHIBIT && rule->action != FR_ACT_BLACKHOLE)
    return refuse_rule (rule, "unknown action", error);
  made = make_rule (rule);
  is_valid = nm_ip_routing_rule_validate (made, &fault);
  nm_ip_routing_rule_unref (made);
  return is_valid || refuse_rule (rule, fault->message, error);
}

static const char *
get_route_type (guint8 type)
{
  switch (type)
    {
    case RTN_THROW:
      return "throw";
    case RTN_UNREACHABLE:
      return "unreachable";
    case RTN_PROHIBIT:
      return "prohibit";
    case RTN_BLACKHOLE:
      return "blackhole";
    default:
      return NULL;
    }
}

static gboolean
check_route (const T2pnRoutePlan *plan, const T2pnRoute *route, GError **error)
{
  g_autofree char *text = NULL;

  if (route->type == RTN_UNICAST ? route->ifindex == plan->ifindex
                                 : get_route_type (route->type) != NULL)
    return TRUE;
  text = t2pn_route_to_text (route, NULL);
  g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED,
               "a profile of NetworkManager for %s cannot have the route '%s' of another link",
               plan->ifname, text);
  return FALSE;
}

static guint
count_addresses (const T2pnRoutePlan *plan, int family)
{
  guint n = 0;

  for (guint i = 0; i < plan->addresses->len; i++)
    if (g_array_index (plan->addresses, T2pnAddress, i).address.family == family)
      n++;
  return n;
}

static gboolean
has_rules (const GArray *rules, int family)
{
  for (guint i = 0; i < rules->len; i++)
    if (g_array_index (rules, T2pnRule, i).family == family)
      return TRUE;
  return FALSE;
}

static gboolean
has_family (const T2pnRoutePlan *plan, int family)
{
  for (guint i = 0; i < plan->routes->len; i++)
    if (g_array_index (plan->routes, T2pnRoute, i).destination.address.family == family)
      return TRUE;
  return count_addresses (plan, family) > 0 || has_rules (plan->bypass_rules, family) ||
         has_rules (plan->capture_rules, family);
}

gboolean
t2pn_nm_profile_check (const T2pnRoutePlan *plan, GError **error)
{
  const GArray *rules[] = { plan->bypass_rules, plan->capture_rules };

  if (plan->has_bypass_routes)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED,
                   "a profile of NetworkManager for %s cannot have host routes by other links",
                   plan->ifname);
      return FALSE;
    }
  if (count_addresses (plan, AF_INET) == 0)
    {
      g_set_error_literal (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED,
                           "a profile of NetworkManager needs an IPv4 address");
      return FALSE;
    }
  for (guint i = 0; i < G_N_ELEMENTS (rules); i++)
    for (guint j = 0; j < rules[i]->len; j++)
      if (!check_rule (&g_array_index (rules[i], T2pnRule, j), error))
        return FALSE;
  for (guint i = 0; i < plan->routes->len; i++)
    if (!check_route (plan, &g_array_index (plan->routes, T2pnRoute, i), error))
      return FALSE;
  return TRUE;
}

/* --- routes, addresses, DNS */

static void
add_rules (NMSettingIPConfig *setting, const GArray *rules, int family)
{
  for (guint i = 0; i < rules->len; i++)
    {
      const T2pnRule *rule = &g_array_index (rules, T2pnRule, i);
      NMIPRoutingRule *made;

      if (rule->family != family)
        continue;
      made = make_rule (rule);
      nm_setting_ip_config_add_routing_rule (setting, made);
      nm_ip_routing_rule_unref (made);
    }
}

static gboolean
add_route (NMSettingIPConfig *setting, const T2pnRoute *route, GError **error)
{
  const T2pIpAddress *to = &route->destination.address;
  gint64 metric = route->metric != 0 ? (gint64) route->metric : -1;
  const char *type = get_route_type (route->type);
  char address[T2P_IP_STRLEN], gateway[T2P_IP_STRLEN];
  NMIPRoute *made;

  t2p_ip_address_format (to, address);
  if (route->gateway.family != 0)
    t2p_ip_address_format (&route->gateway, gateway);
  made = nm_ip_route_new (to->family, address, route->destination.length,
                          route->gateway.family != 0 ? gateway : NULL, metric, error);
  if (made == NULL)
    return FALSE;
  nm_ip_route_set_attribute (made, NM_IP_ROUTE_ATTRIBUTE_TABLE,
                             g_variant_new_uint32 (route->table));
  if (type != NULL)
    nm_ip_route_set_attribute (made, NM_IP_ROUTE_ATTRIBUTE_TYPE, g_variant_new_string (type));
  nm_setting_ip_config_add_route (setting, made);
  nm_ip_route_unref (made);
  return TRUE;
}

static gboolean
add_routes (NMSettingIPConfig *setting, const GArray *routes, int family, GError **error)
{
  for (guint i = 0; i < routes->len; i++)
    {
      const T2pnRoute *route = &g_array_index (routes, T2pnRoute, i);

      if (route->destination.address.family == family && !add_route (setting, route, error))
        return FALSE;
    }
  return TRUE;
}

/* NetworkManager gives each address the route of its prefix: one of full length has none. */
static gboolean
add_address (NMSettingIPConfig *setting, const T2pnAddress *address, GError **error)
{
  guint8 length =
      address->without_prefix_route ? t2p_ip_address_bits (&address->address) : address->length;
  char text[T2P_IP_STRLEN];
  NMIPAddress *made;

  t2p_ip_address_format (&address->address, text);
  made = nm_ip_address_new (address->address.family, text, length, error);
  if (made == NULL)
    return FALSE;
  nm_setting_ip_config_add_address (setting, made);
  nm_ip_address_unref (made);
  return TRUE;
}

static gboolean
add_addresses (NMSettingIPConfig *setting, const GArray *addresses, int family, GError **error)
{
  for (guint i = 0; i < addresses->len; i++)
    {
      const T2pnAddress *address = &g_array_index (addresses, T2pnAddress, i);

      if (address->address.family == family && !add_address (setting, address, error))
        return FALSE;
    }
  return TRUE;
}

static void
add_dns (NMSettingIPConfig *setting, const T2pnNmProfileConfig *config)
{
  char text[T2P_IP_STRLEN];

  t2p_ip_address_format (config->server, text);
  nm_setting_ip_config_add_dns (setting, text);
  for (guint i = 0; config->domains[i] != NULL; i++)
    {
      const char *domain = config->domains[i];
      g_autofree char *routing =
          g_strconcat ("~", g_str_has_prefix (domain, "*.") ? domain + 2 : domain, NULL);

      nm_setting_ip_config_add_dns_search (setting, routing);
    }
}

static const char *
choose_method (const T2pnRoutePlan *plan, int family)
{
  if (count_addresses (plan, family) > 0)
    return "manual";
  return has_family (plan, family) ? "link-local" : "disabled";
}

/* (transfer full) */
static NMSetting *
make_family (const T2pnRoutePlan *plan,
             const T2pnNmProfileConfig *config,
             int family,
             GError **error)
{
  g_autoptr (NMSetting) setting =
      family == AF_INET ? nm_setting_ip4_config_new () : nm_setting_ip6_config_new ();
  NMSettingIPConfig *ip = NM_SETTING_IP_CONFIG (setting);

  g_object_set (setting, NM_SETTING_IP_CONFIG_METHOD, choose_method (plan, family),
                NM_SETTING_IP_CONFIG_NEVER_DEFAULT, TRUE, NM_SETTING_IP_CONFIG_MAY_FAIL, FALSE,
                NM_SETTING_IP_CONFIG_DNS_PRIORITY,
                config->server != NULL ? config->dns_priority : 0, NULL);
  if (!add_addresses (ip, plan->addresses, family, error) ||
      !add_routes (ip, plan->routes, family, error))
    return NULL;
  add_rules (ip, plan->bypass_rules, family);
  add_rules (ip, plan->capture_rules, family);
  if (config->server != NULL && config->server->family == family)
    add_dns (ip, config);
  return g_steal_pointer (&setting);
}

/* --- the profile */

static NMSetting *
make_connection (const T2pnRoutePlan *plan, const T2pnNmProfileConfig *config)
{
  NMSetting *setting = nm_setting_connection_new ();

  g_object_set (setting, NM_SETTING_CONNECTION_ID, config->id, NM_SETTING_CONNECTION_UUID,
                config->uuid, NM_SETTING_CONNECTION_TYPE, NM_SETTING_TUN_SETTING_NAME,
                NM_SETTING_CONNECTION_INTERFACE_NAME, plan->ifname,
                NM_SETTING_CONNECTION_AUTOCONNECT, FALSE, NM_SETTING_CONNECTION_LLMNR,
                NM_SETTING_CONNECTION_LLMNR_NO, NM_SETTING_CONNECTION_MDNS,
                NM_SETTING_CONNECTION_MDNS_NO, NM_SETTING_CONNECTION_DNS_OVER_TLS,
                NM_SETTING_CONNECTION_DNS_OVER_TLS_NO, NULL);
  return setting;
}

static NMSetting *
make_tun (const T2pnNmProfileConfig *config)
{
  NMSetting *setting = nm_setting_tun_new ();

  g_object_set (setting, NM_SETTING_TUN_MODE, (guint) NM_SETTING_TUN_MODE_TUN,
                NM_SETTING_TUN_VNET_HDR, config->has_vnet_header, NM_SETTING_TUN_MULTI_QUEUE,
                config->is_multi_queue, NULL);
  return setting;
}

NMConnection *
t2pn_nm_profile_new (const T2pnRoutePlan *plan,
                     const T2pnNmProfileConfig *config,
                     GError **error)
{
  g_autoptr (NMConnection) profile = nm_simple_connection_new ();
  g_autoptr (GError) fault = NULL;
  const int families[] = { AF_INET, AF_INET6 };

  nm_connection_add_setting (profile, make_connection (plan, config));
  nm_connection_add_setting (profile, make_tun (config));
  for (guint i = 0; i < G_N_ELEMENTS (families) && fault == NULL; i++)
    {
      NMSetting *setting = make_family (plan, config, families[i], &fault);

      if (setting != NULL)
        nm_connection_add_setting (profile, setting);
    }
  if (fault == NULL && nm_connection_normalize (profile, NULL, NULL, &fault))
    return g_steal_pointer (&profile);
  g_set_error (error, T2P_ERROR, T2P_ERROR_NETWORK_MANAGER_FAILED,
               "libnm does not take the profile for %s: %s", plan->ifname, fault->message);
  return NULL;
}

/* --- what becomes of it */

static void
tag_rules (GArray *rules)
{
  for (guint i = 0; i < rules->len; i++)
    {
      T2pnRule *rule = &g_array_index (rules, T2pnRule, i);

      rule->protocol = RTPROT_STATIC;
      if (rule->table == RT_TABLE_UNSPEC)
        rule->table = RT_TABLE_MAIN; /* that of a rule that looks nothing up, too */
    }
}

T2pnRoutePlan *
t2pn_nm_profile_installed (const T2pnRoutePlan *plan)
{
  T2pnRoutePlan *copy = g_new0 (T2pnRoutePlan, 1);

  *copy = *plan;
  copy->addresses = g_array_copy (plan->addresses);
  copy->bypass_routes = g_array_copy (plan->bypass_routes);
  copy->bypass_rules = g_array_copy (plan->bypass_rules);
  copy->routes = g_array_copy (plan->routes);
  copy->capture_rules = g_array_copy (plan->capture_rules);
  for (guint i = 0; i < copy->routes->len; i++)
    g_array_index (copy->routes, T2pnRoute, i).protocol = RTPROT_STATIC;
  tag_rules (copy->bypass_rules);
  tag_rules (copy->capture_rules);
  return copy;
}

int
t2pn_nm_dns_priority (const char *mode, const char *rc_manager)
{
  const char *const writers[] = { "file", "symlink", "resolvconf", "netconfig", NULL };
  gboolean is_written = rc_manager != NULL && g_strv_contains (writers, rc_manager);

  if (g_strcmp0 (mode, "systemd-resolved") == 0)
    return PRIORITY_SPLIT; /* it is told over the bus, whoever writes resolv.conf */
  if (g_strcmp0 (mode, "dnsmasq") == 0)
    return is_written ? PRIORITY_SPLIT : 0;
  return g_strcmp0 (mode, "default") == 0 && is_written ? PRIORITY_ONLY : 0;
}
