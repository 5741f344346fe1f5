/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * The whole decision about routes and rules is taken here, from values, so that every case can
 * be tested as text; backends only carry it out. A family is carried by the tunnel, rejected
 * (the proxy lacks it: unreachable at once, neither silence nor a leak) or left alone.
 *
 * Capture `none` has no table and no rule: only the prefixes of the link, and with virtual DNS
 * the pools, are routed to it, in main. The pool is a route there rather than the prefix of the
 * address, because the kernel would make its last address a broadcast address. */
#include "config.h"

#include "t2pn-route-plan.h"

#include "t2pn-loop-method.h"
#include "t2pn-route-apps.h"
#include "t2pn-route-methods.h"
#include "t2pn-route-override.h"
#include "t2pn-route-rules.h"

#include <linux/rtnetlink.h>
#include <string.h>

typedef enum
{
  FAMILY_LEFT,
  FAMILY_REJECTED,
  FAMILY_CARRIED,
} FamilyMode;

typedef struct
{
  T2pnRoutePlan *plan;
  const T2pnRoutePlanInput *input;
  const T2pnSnapshot *snapshot;
  int family;
  FamilyMode mode;
  gboolean is_sent; /* into the tunnel, if only to be refused there */
  guint32 table;
  GHashTable *seen; /* set of T2pIpPrefix: one route for each destination of a table */
} Builder;

static guint
prefix_hash (gconstpointer key)
{
  const guint8 *bytes = key;
  guint hash = 5381;

  for (gsize i = 0; i < sizeof (T2pIpPrefix); i++)
    hash = hash * 33 + bytes[i];
  return hash;
}

static gboolean
prefix_equal (gconstpointer a, gconstpointer b)
{
  return t2p_ip_prefix_equal (a, b);
}

static FamilyMode
mode_of_ipv6 (const T2pnRoutePlanInput *input, const T2pnSnapshot *snapshot)
{
  T2pIpv6Mode mode = t2p_settings_get_ipv6 (input->settings);
  gboolean carries_nothing = !input->proxy_has_ipv4 && !input->proxy_has_ipv6;
  gboolean is_wanted = (mode == T2P_IPV6_MODE_ON && !carries_nothing) ||
                       (mode == T2P_IPV6_MODE_AUTO && input->proxy_has_ipv6);

  if (!snapshot->has_ipv6 || mode == T2P_IPV6_MODE_LEAVE)
    return FAMILY_LEFT;
  return is_wanted && snapshot->links_get_ipv6 ? FAMILY_CARRIED : FAMILY_REJECTED;
}

static FamilyMode
mode_of (const T2pnRoutePlanInput *input, const T2pnSnapshot *snapshot, int family)
{
  if (family == AF_INET6)
    return mode_of_ipv6 (input, snapshot);
  return input->proxy_has_ipv4 ? FAMILY_CARRIED : FAMILY_REJECTED;
}

static T2pIpPrefix
everything (int family)
{
  const guint8 zero[16] = { 0 };
  T2pIpPrefix prefix;

  memset (&prefix, 0, sizeof prefix);
  prefix.address = t2p_ip_address_from_bytes (family, zero);
  return prefix;
}

static void
append_route (Builder *builder, const T2pIpPrefix *destination, guint8 type)
{
  T2pnRoute route;

  if (destination->address.family != builder->family ||
      !g_hash_table_add (builder->seen, g_memdup2 (destination, sizeof *destination)))
    return;
  memset (&route, 0, sizeof route);
  route.destination = *destination;
  route.table = builder->table;
  route.type = type;
  route.protocol = T2PN_PROTOCOL;
  route.scope = RT_SCOPE_UNIVERSE;
  if (type == RTN_UNICAST)
    {
      route.ifindex = builder->input->ifindex;
      if (builder->family == AF_INET)
        route.scope = RT_SCOPE_LINK;
    }
  g_array_append_val (builder->plan->routes, route);
}

static void
append_setting (Builder *builder, const char *key, guint8 type)
{
  guint n = 0;
  const T2pIpPrefix *prefixes = t2p_settings_get_prefixes (builder->input->settings, key, &n);

  for (guint i = 0; i < n; i++)
    append_route (builder, &prefixes[i], type);
}

/* What no proxy carries stays on the wire that it is meant for. IPv6 has its multicast routes
 * in table local. */
static void
append_multicast (Builder *builder)
{
  T2pIpAddress multicast = t2p_ip_address_from_v4 (0xe0000000);
  T2pIpAddress broadcast = t2p_ip_address_from_v4 (G_MAXUINT32);
  T2pIpPrefix prefixes[] = { t2p_ip_prefix_of (&multicast, 4),
                             t2p_ip_prefix_of (&broadcast, 32) };

  if (strcmp (t2p_settings_get_string (builder->input->settings, "lan"), "none") == 0)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (prefixes); i++)
    append_route (builder, &prefixes[i], RTN_THROW);
}

static void
append_pool (Builder *builder)
{
  const T2pnAddressPool *pool = &builder->input->pool;

  if (builder->mode == FAMILY_CARRIED &&
      t2p_settings_get_dns (builder->input->settings) == T2P_DNS_MODE_VIRTUAL)
    append_route (builder, builder->family == AF_INET ? &pool->pool4 : &pool->pool6,
                  RTN_UNICAST);
}

static void
append_table (Builder *builder)
{
  guint8 type = builder->is_sent ? RTN_UNICAST : RTN_UNREACHABLE;
  T2pIpPrefix all = everything (builder->family);

  append_pool (builder);
  append_setting (builder, "exclude-routes", RTN_THROW);
  if (t2p_settings_get_capture (builder->input->settings) == T2P_CAPTURE_ROUTES)
    {
      append_setting (builder, "routes", type);
      return;
    }
  append_multicast (builder);
  append_route (builder, &all, type);
}

/* Longer than the default route, which stays as it is. */
static void
append_halves (Builder *builder)
{
  guint8 type = builder->is_sent ? RTN_UNICAST : RTN_UNREACHABLE;
  T2pIpPrefix half = everything (builder->family);

  half.length = 1;
  append_route (builder, &half, type);
  half.address.bytes[0] = 0x80;
  append_route (builder, &half, type);
}

/* Table X. */
static void
append_overrides (Builder *builder)
{
  g_autoptr (GArray) overrides =
      t2pn_route_override_list (builder->input, builder->snapshot, builder->family);
  g_autoptr (GHashTable) seen = g_hash_table_new_full (prefix_hash, prefix_equal, g_free, NULL);
  guint8 type = builder->is_sent ? RTN_UNICAST : RTN_UNREACHABLE;
  Builder other = *builder;

  other.table = builder->input->ids.override_table;
  other.seen = seen;
  for (guint i = 0; i < overrides->len; i++)
    {
      const T2pnOverride *override = &g_array_index (overrides, T2pnOverride, i);

      append_route (&other, &override->destination, override->is_kept ? RTN_THROW : type);
    }
}

/* An explicit address brings no route (it may lie in a prefix of the LAN), so that the
 * responder beside it needs one. */
static void
append_responder (Builder *builder)
{
  const T2pnAddressPool *pool = &builder->input->pool;
  gboolean is_v4 = builder->family == AF_INET;
  const T2pIpAddress *responder = is_v4 ? &pool->responder4 : &pool->responder6;
  T2pIpPrefix prefix = t2p_ip_prefix_of (responder, t2p_ip_address_bits (responder));

  if (!(is_v4 ? pool->is_explicit4 : pool->is_explicit6) || builder->mode != FAMILY_CARRIED ||
      t2p_settings_get_dns (builder->input->settings) == T2P_DNS_MODE_OFF)
    return;
  append_route (builder, &prefix, RTN_UNICAST);
}

static void
append_address (Builder *builder)
{
  const T2pnAddressPool *pool = &builder->input->pool;
  gboolean is_v4 = builder->family == AF_INET;
  gboolean is_none = t2p_settings_get_capture (builder->input->settings) == T2P_CAPTURE_NONE;
  T2pnAddress address;

  /* The IPv4 capture rules need an address to come from, carried or not. */
  if (builder->mode != FAMILY_CARRIED && !is_v4)
    return;
  memset (&address, 0, sizeof address);
  address.ifindex = builder->input->ifindex;
  address.address = is_v4 ? pool->address4 : pool->address6;
  address.length = is_v4 ? pool->link_length4 : pool->link_length6;
  address.without_prefix_route = !is_none && (is_v4 ? pool->is_explicit4 : pool->is_explicit6);
  g_array_append_val (builder->plan->addresses, address);
}

static void
append_family (T2pnRoutePlan *plan,
               const T2pnRoutePlanInput *input,
               const T2pnSnapshot *snapshot,
               int family)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (prefix_hash, prefix_equal, g_free, NULL);
  FamilyMode mode = mode_of (input, snapshot, family);
  Builder builder = {
    .plan = plan,
    .input = input,
    .snapshot = snapshot,
    .family = family,
    .mode = mode,
    .is_sent =
        mode == FAMILY_CARRIED || t2pn_route_apps_worker_refuses (input, snapshot, family),
    .table = RT_TABLE_MAIN,
    .seen = seen,
  };
  T2pnRuleFlags flags = builder.mode == FAMILY_REJECTED ? T2PN_RULES_REJECTED : 0;
  guint n_routes;

  if (builder.mode == FAMILY_LEFT)
    return;
  append_address (&builder);
  if (t2p_settings_get_capture (input->settings) == T2P_CAPTURE_NONE)
    {
      append_pool (&builder);
      append_responder (&builder);
      return;
    }
  append_responder (&builder);
  t2pn_route_methods_append_routes (plan, input, snapshot, family);
  if (t2pn_loop_method_of (input->settings) == T2PN_LOOP_HALF_DEFAULT)
    {
      append_halves (&builder);
      return;
    }
  builder.table = input->ids.table;
  n_routes = plan->routes->len;
  append_table (&builder);
  if (plan->routes->len == n_routes)
    return;
  n_routes = plan->routes->len;
  append_overrides (&builder);
  if (plan->routes->len > n_routes)
    flags |= T2PN_RULES_OVERRIDING;
  t2pn_route_rules_append (plan, input, snapshot, family, flags);
}

/* --- the whole */

gboolean
t2pn_route_plan_has_rule (const T2pnRoutePlan *plan, const T2pnRule *rule)
{
  for (guint i = 0; i < plan->bypass_rules->len; i++)
    if (t2pn_rule_equal (&g_array_index (plan->bypass_rules, T2pnRule, i), rule))
      return TRUE;
  return FALSE;
}

T2pnRoutePlan *
t2pn_route_plan_renew (const T2pnRoutePlanInput *input, const T2pnSnapshot *snapshot)
{
  T2pnRoutePlan *plan = g_new0 (T2pnRoutePlan, 1);

  plan->ifindex = input->ifindex;
  plan->table = input->ids.table;
  plan->override_table = input->ids.override_table;
  plan->mtu = t2p_settings_get_u32 (input->settings, "mtu");
  g_strlcpy (plan->ifname, input->ifname, sizeof plan->ifname);
  plan->addresses = g_array_new (FALSE, TRUE, sizeof (T2pnAddress));
  plan->has_bypass_routes = t2pn_loop_method_needs_routes (input->settings);
  plan->bypass_routes = g_array_new (FALSE, TRUE, sizeof (T2pnRoute));
  plan->bypass_rules = g_array_new (FALSE, TRUE, sizeof (T2pnRule));
  plan->routes = g_array_new (FALSE, TRUE, sizeof (T2pnRoute));
  plan->capture_rules = g_array_new (FALSE, TRUE, sizeof (T2pnRule));
  append_family (plan, input, snapshot, AF_INET);
  append_family (plan, input, snapshot, AF_INET6);
  return plan;
}

T2pnRoutePlan *
t2pn_route_plan_new (const T2pnRoutePlanInput *input,
                     const T2pnSnapshot *snapshot,
                     GError **error)
{
  g_autoptr (T2pnRoutePlan) plan = t2pn_route_plan_renew (input, snapshot);

  return t2pn_route_plan_check (plan, input, snapshot, error) ? g_steal_pointer (&plan) : NULL;
}

void
t2pn_route_plan_free (T2pnRoutePlan *plan)
{
  if (plan == NULL)
    return;
  g_clear_pointer (&plan->addresses, g_array_unref);
  g_clear_pointer (&plan->bypass_routes, g_array_unref);
  g_clear_pointer (&plan->bypass_rules, g_array_unref);
  g_clear_pointer (&plan->routes, g_array_unref);
  g_clear_pointer (&plan->capture_rules, g_array_unref);
  g_free (plan);
}
