/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * The kernel says where a packet goes (t2pn-flow-route.c) but not which rule decided that. So
 * its walk is repeated here, on a snapshot: fib_rules_lookup() with fib4_rule_match() and
 * fib6_rule_match(). Rules are asked in their order; one that selects the flow looks up its
 * table by the longest prefix, then the lowest metric; a route that is not there, one of the
 * type `throw`, or one that the rule suppresses sends the walk on.
 *
 * Left out, because a snapshot has none of it: `goto` (the walk goes on with the next rule),
 * type of service, VRFs, suppression by group. Where that makes a difference the kernel's
 * answer differs, and counts. */
#include "config.h"

#include "t2pn-explain.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>

static gboolean
is_in_range (guint16 port, guint16 first, guint16 last)
{
  return port >= first && port <= MAX (first, last);
}

/* A socket that is not bound asks from 0.0.0.0 in IPv4; in IPv6 it has no source to compare. */
static gboolean
selects_source (const T2pnRule *rule, const T2pnFlow *flow)
{
  T2pIpAddress any = t2p_ip_address_from_v4 (0);

  if (rule->source.address.family == 0 || rule->source.length == 0)
    return TRUE;
  if (flow->source.family != 0)
    return t2p_ip_prefix_contains (&rule->source, &flow->source);
  return rule->family == AF_INET && t2p_ip_prefix_contains (&rule->source, &any);
}

static gboolean
selects_socket (const T2pnRule *rule, const T2pnFlow *flow)
{
  if ((rule->mark & rule->mask) != (flow->mark & rule->mask))
    return FALSE;
  if (rule->has_uid_range && (flow->uid < rule->uid_first || flow->uid > rule->uid_last))
    return FALSE;
  if (rule->ip_protocol != 0 && rule->ip_protocol != flow->protocol)
    return FALSE;
  if (rule->source_port_first != 0) /* not chosen yet */
    return FALSE;
  return rule->destination_port_first == 0 ||
         is_in_range (flow->port, rule->destination_port_first, rule->destination_port_last);
}

/* What is made on this machine comes in by lo, and goes out by nothing yet. */
static gboolean
selects_link (const T2pnRule *rule)
{
  return (rule->input[0] == '\0' || strcmp (rule->input, "lo") == 0) && rule->output[0] == '\0';
}

gboolean
t2pn_explain_selects (const T2pnRule *rule, const T2pnFlow *flow)
{
  gboolean matches = selects_link (rule) && selects_socket (rule, flow) &&
                     selects_source (rule, flow) &&
                     (rule->destination.address.family == 0 ||
                      t2p_ip_prefix_contains (&rule->destination, &flow->destination));

  return rule->family == flow->destination.family && matches != rule->is_inverted;
}

static gboolean
is_better (const T2pnRoute *route, const T2pnRoute *best)
{
  if (best == NULL || route->destination.length != best->destination.length)
    return best == NULL || route->destination.length > best->destination.length;
  return route->metric < best->metric;
}

static const T2pnRoute *
look_up (const T2pnSnapshot *snapshot, guint32 table, const T2pnFlow *flow)
{
  const T2pnRoute *best = NULL;

  for (guint i = 0; i < snapshot->routes->len; i++)
    {
      const T2pnRoute *route = &g_array_index (snapshot->routes, T2pnRoute, i);

      if (route->table == table &&
          route->destination.address.family == flow->destination.family &&
          t2p_ip_prefix_contains (&route->destination, &flow->destination) &&
          is_better (route, best))
        best = route;
    }
  return best;
}

static gboolean
is_refusal (guint8 type)
{
  return type == RTN_UNREACHABLE || type == RTN_PROHIBIT || type == RTN_BLACKHOLE;
}

/* Whether the walk ends with what @rule says about its table. */
static gboolean
ends_in_table (const T2pnSnapshot *snapshot,
               const T2pnRule *rule,
               const T2pnFlow *flow,
               T2pnWalk *walk)
{
  const T2pnRoute *route = look_up (snapshot, rule->table, flow);

  if (route != NULL && route->type == RTN_THROW)
    {
      walk->throw_rule = rule;
      walk->throw_route = route;
      return FALSE;
    }
  if (route == NULL || (int) route->destination.length <= rule->suppress_prefix_length)
    {
      if (rule->protocol == T2PN_PROTOCOL)
        walk->own_rule = rule;
      return FALSE;
    }
  walk->rule = rule;
  walk->route = route;
  walk->end = is_refusal (route->type) ? T2PN_WALK_REFUSED : T2PN_WALK_ROUTED;
  return TRUE;
}

/* Whether the walk ends at @rule, which selects the flow. */
static gboolean
ends (const T2pnSnapshot *snapshot, const T2pnRule *rule, const T2pnFlow *flow, T2pnWalk *walk)
{
  switch (rule->action)
    {
    case FR_ACT_TO_TBL:
      return ends_in_table (snapshot, rule, flow, walk);
    case FR_ACT_UNREACHABLE:
    case FR_ACT_PROHIBIT:
    case FR_ACT_BLACKHOLE:
      walk->rule = rule;
      walk->end = T2PN_WALK_REFUSED;
      return TRUE;
    default: /* the kernel's own enum, which grows */
      return FALSE;
    }
}

T2pnWalk
t2pn_explain_walk (const T2pnSnapshot *snapshot, const T2pnFlow *flow)
{
  T2pnWalk walk = { .end = T2PN_WALK_NOWHERE };

  for (guint i = 0; i < snapshot->rules->len; i++)
    {
      const T2pnRule *rule = &g_array_index (snapshot->rules, T2pnRule, i);

      if (t2pn_explain_selects (rule, flow) && ends (snapshot, rule, flow, &walk))
        break;
    }
  return walk;
}
