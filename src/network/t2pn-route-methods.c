/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * `bind-interface`: what is bound to a link that main names looks only there.
 *
 * `host-route`: the addresses that our sockets connect to are looked up in main by rules that
 * name them, whatever the other rules say by then; a route for each of them, by the gateway
 * that leads there now, pins the way.
 *
 * `half-default` has no rule at all: main has two routes that are longer than its default one,
 * and one for each exception: our upstreams, `exclude-routes`, multicast.
 *
 * A proxy on this machine is told by the user that it runs as, or, where others share that, by
 * whom it is connected to and its user together. */
#include "config.h"

#include "t2pn-route-methods.h"

#include "t2pn-bind-links.h"
#include "t2pn-loop-method.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>

typedef struct
{
  T2pnRoutePlan *plan;
  const T2pnRoutePlanInput *input;
  const T2pnSnapshot *snapshot;
  int family;
  guint32 priority;
  gboolean is_terminal;
} Builder;

gboolean
t2pn_route_methods_is_own_link (const T2pnRoutePlanInput *input, int ifindex)
{
  if (ifindex == input->ifindex)
    return TRUE;
  for (guint i = 0; i < input->n_own_ifindexes; i++)
    if (input->own_ifindexes[i] == ifindex)
      return TRUE;
  return FALSE;
}

/* --- routes */

static gboolean
is_better (const T2pnRoute *route, const T2pnRoute *best)
{
  if (best == NULL || route->destination.length != best->destination.length)
    return best == NULL || route->destination.length > best->destination.length;
  return route->metric < best->metric;
}

/* By which route of main, none of ours, that goes past every tunnel, @address is reached now.
 */
static const T2pnRoute *
find_way (const Builder *builder, const T2pIpAddress *address)
{
  const T2pnRoute *best = NULL;

  for (guint i = 0; i < builder->snapshot->routes->len; i++)
    {
      const T2pnRoute *route = &g_array_index (builder->snapshot->routes, T2pnRoute, i);

      if (route->table == RT_TABLE_MAIN && route->type == RTN_UNICAST &&
          route->protocol != T2PN_PROTOCOL &&
          t2p_ip_prefix_contains (&route->destination, address) &&
          !t2pn_route_methods_is_own_link (builder->input, route->ifindex) &&
          is_better (route, best))
        best = route;
    }
  return best;
}

static gboolean
has_destination (const GArray *routes, const T2pIpPrefix *destination)
{
  for (guint i = 0; i < routes->len; i++)
    if (t2p_ip_prefix_equal (&g_array_index (routes, T2pnRoute, i).destination, destination))
      return TRUE;
  return FALSE;
}

static void
put_route (const Builder *builder, const T2pIpPrefix *destination, const T2pnRoute *way)
{
  T2pnRoute route;

  if (has_destination (builder->plan->bypass_routes, destination))
    return;
  memset (&route, 0, sizeof route);
  route.destination = *destination;
  route.table = RT_TABLE_MAIN;
  route.type = RTN_UNICAST;
  route.protocol = T2PN_PROTOCOL;
  route.ifindex = way->ifindex;
  route.gateway = way->gateway;
  if (builder->family == AF_INET && way->gateway.family == AF_UNSPEC)
    route.scope = RT_SCOPE_LINK;
  g_array_append_val (builder->plan->bypass_routes, route);
}

/* What main has a route for that is longer than both halves is outside already. */
static void
append_prefix (const Builder *builder, const T2pIpPrefix *destination)
{
  const T2pnRoute *way = find_way (builder, &destination->address);

  if (destination->address.family == builder->family && way != NULL &&
      (way->destination.length <= 1 || way->destination.length < destination->length) &&
      way->gateway.family != AF_UNSPEC)
    put_route (builder, destination, way);
}

static void
append_host (const Builder *builder, const T2pIpAddress *address)
{
  T2pIpPrefix host = t2p_ip_prefix_of (address, t2p_ip_address_bits (address));

  if (!t2pn_snapshot_is_local (builder->snapshot, address))
    append_prefix (builder, &host);
}

static void
append_upstreams (const Builder *builder)
{
  const GArray *upstreams = builder->input->bypass->upstreams;

  for (guint i = 0; i < upstreams->len; i++)
    append_host (builder, &g_array_index (upstreams, T2pIpAddress, i));
}

static void
append_peers (const Builder *builder)
{
  const GArray *peers = builder->input->bypass->peers;

  for (guint i = 0; i < peers->len; i++)
    append_host (builder, &g_array_index (peers, T2pnBypassPeer, i).address);
}

static void
append_excluded (const Builder *builder)
{
  guint n = 0;
  const T2pIpPrefix *prefixes =
      t2p_settings_get_prefixes (builder->input->settings, "exclude-routes", &n);

  for (guint i = 0; i < n; i++)
    append_prefix (builder, &prefixes[i]);
}

/* What no proxy carries, on the link of the default route. IPv6 has its own in table local. */
static void
append_multicast (const Builder *builder)
{
  const T2pIpAddress any = t2p_ip_address_from_v4 (0);
  T2pIpAddress multicast = t2p_ip_address_from_v4 (0xe0000000);
  T2pIpPrefix prefix = t2p_ip_prefix_of (&multicast, 4);
  const T2pnRoute *way = builder->family == AF_INET ? find_way (builder, &any) : NULL;
  T2pnRoute on_link;

  if (way == NULL)
    return;
  on_link = *way;
  on_link.gateway = (T2pIpAddress){ 0 };
  put_route (builder, &prefix, &on_link);
}

void
t2pn_route_methods_append_routes (T2pnRoutePlan *plan,
                                  const T2pnRoutePlanInput *input,
                                  const T2pnSnapshot *snapshot,
                                  int family)
{
  Builder builder = { plan, input, snapshot, family, 0, FALSE };

  if (!t2pn_loop_method_needs_routes (input->settings))
    return;
  if (input->bypass != NULL)
    append_upstreams (&builder);
  if (t2pn_loop_method_of (input->settings) != T2PN_LOOP_HALF_DEFAULT)
    return;
  if (input->bypass != NULL)
    append_peers (&builder);
  append_excluded (&builder);
  append_multicast (&builder);
}

/* --- rules */

static void
put_rule (const Builder *builder, T2pnRule *rule)
{
  if (builder->is_terminal)
    rule->action = FR_ACT_UNREACHABLE;
  else
    rule->table = RT_TABLE_MAIN;
  if (!t2pn_route_plan_has_rule (builder->plan, rule))
    g_array_append_val (builder->plan->bypass_rules, *rule);
}

static void
select_user (T2pnRule *rule, guint32 uid)
{
  rule->has_uid_range = TRUE;
  rule->uid_first = uid;
  rule->uid_last = uid;
}

static void
put_destination (const Builder *builder, const T2pIpAddress *address, gint64 uid)
{
  T2pnRule rule = t2pn_rule_make (builder->family, builder->priority);

  if (address->family != builder->family || t2pn_snapshot_is_local (builder->snapshot, address))
    return;
  rule.destination.address = *address;
  rule.destination.length = t2p_ip_address_bits (address);
  if (uid >= 0)
    select_user (&rule, (guint32) uid);
  put_rule (builder, &rule);
}

/* Where the link has no route nothing else has one for it: that needs no rule. */
static void
put_links (const Builder *builder)
{
  const T2pnRoutePlanInput *input = builder->input;
  g_autoptr (GArray) links =
      builder->is_terminal ? NULL
                           : t2pn_bind_links_new (input->settings, builder->snapshot,
                                                  input->own_ifindexes, input->n_own_ifindexes);

  for (guint i = 0; links != NULL && i < links->len; i++)
    {
      const T2pnBindLink *link = &g_array_index (links, T2pnBindLink, i);
      T2pnRule rule = t2pn_rule_make (builder->family, builder->priority);

      g_strlcpy (rule.output, link->name, sizeof rule.output);
      if (link->prefix.address.family == builder->family)
        put_rule (builder, &rule);
    }
}

static void
put_local_proxies (const Builder *builder)
{
  const T2pnBypass *bypass = builder->input->bypass;

  for (guint i = 0; i < bypass->uids->len; i++)
    {
      T2pnRule rule = t2pn_rule_make (builder->family, builder->priority);

      select_user (&rule, g_array_index (bypass->uids, guint32, i));
      put_rule (builder, &rule);
    }
  for (guint i = 0; i < bypass->peers->len; i++)
    {
      const T2pnBypassPeer *peer = &g_array_index (bypass->peers, T2pnBypassPeer, i);

      put_destination (builder, &peer->address, peer->uid);
    }
}

void
t2pn_route_methods_append_rules (T2pnRoutePlan *plan,
                                 const T2pnRoutePlanInput *input,
                                 const T2pnSnapshot *snapshot,
                                 int family,
                                 guint32 priority,
                                 gboolean is_terminal)
{
  Builder builder = { plan, input, snapshot, family, priority, is_terminal };
  T2pnLoopMethod method = t2pn_loop_method_of (input->settings);

  if (input->bypass != NULL)
    put_local_proxies (&builder);
  if (method == T2PN_LOOP_BIND_INTERFACE)
    put_links (&builder);
  if (method == T2PN_LOOP_HOST_ROUTE && input->bypass != NULL)
    for (guint i = 0; i < input->bypass->upstreams->len; i++)
      put_destination (&builder, &g_array_index (input->bypass->upstreams, T2pIpAddress, i),
                       -1);
}
