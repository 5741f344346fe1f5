/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A lookup walks the rules upwards. First those that keep something out of the tunnel:
 *
 *   P+0  (capture `default`) main without its default route: on-link prefixes, docker, other
 * VPNs own  our upstream sockets, told by mark or uid: main, then the tables that other
 * programs' rules would have led them to, then unreachable. Without that last one they would
 * fall through into table T the moment the uplink's default route goes: a loop. from (IPv6)
 * sockets bound to an address of the uplink, and with them the answers to inbound connections.
 * In IPv4 the capture rules tell them by themselves: a socket that is not bound asks from
 * 0.0.0.0. `from ::` never matches anything, so IPv6 has no twin of it.
 *
 *        When table T refuses IPv6, only answers of TCP servers on well-known ports: the
 * kernel, told "unreachable" for a socket that is not bound, asks again from the address that
 * it would choose, an uplink's (ip6_dst_lookup_tail()), and that would be let out.
 *
 * then those that lead into table T, which end with `iif lo`: made on this machine, not
 * forwarded.
 *
 * For apps, nftables has looked at user, program and direction of the connection already: its
 * mark takes the place of all that (t2pn-app-rules.c).
 *
 * Everything but `own` carries the users' uid ranges, so that a user's tunnel does not change
 * the order of look-ups for anybody else. Rules of one priority are asked in the order in which
 * they were installed. */
#include "config.h"

#include "t2pn-route-rules.h"

#include "t2pn-loop-method.h"
#include "t2pn-route-apps.h"
#include "t2pn-route-methods.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>

/* A machine with more has no use for the rest, and our rules would double its list. */
#define MAX_FOLLOWED_RULES 256
#define MAX_UPLINK_ADDRESSES 512
#define LAST_WELL_KNOWN_PORT 1023

typedef struct
{
  T2pnRoutePlan *plan;
  const T2pnRoutePlanInput *input;
  const T2pnSnapshot *snapshot;
  int family;
  gboolean is_rejected;
  guint32 next; /* priority */
} Builder;

/* --- whose traffic */

static guint
get_n_ranges (const Builder *builder)
{
  if (t2p_settings_get_scope (builder->input->settings) == T2P_SCOPE_USER)
    return 1;
  return builder->input->n_users;
}

static void
set_range (const Builder *builder, T2pnRule *rule, guint index)
{
  const T2pnRoutePlanInput *input = builder->input;
  gboolean is_user = t2p_settings_get_scope (input->settings) == T2P_SCOPE_USER;

  rule->has_uid_range = TRUE;
  rule->uid_first = is_user ? input->owner_uid : input->users[index].first;
  rule->uid_last = is_user ? input->owner_uid : input->users[index].last;
}

/* One rule for everybody, or one for each range of users. */
static void
append_for_users (const Builder *builder, GArray *rules, const T2pnRule *rule)
{
  guint n = get_n_ranges (builder);

  if (t2pn_route_apps_limit (builder->input, rule, rules))
    return;
  if (n == 0)
    g_array_append_val (rules, *rule);
  for (guint i = 0; i < n; i++)
    {
      T2pnRule limited = *rule;

      set_range (builder, &limited, i);
      g_array_append_val (rules, limited);
    }
}

/* --- our own sockets */

static void
select_own (const Builder *builder, T2pnRule *rule)
{
  guint32 worker_uid = builder->input->worker_uid;

  if (worker_uid == 0)
    {
      rule->mark = builder->input->ids.mark;
      rule->mask = G_MAXUINT32;
      return;
    }
  rule->has_uid_range = TRUE;
  rule->uid_first = worker_uid;
  rule->uid_last = worker_uid;
}

static gboolean
has_more_than_mark (const T2pnRule *rule)
{
  return rule->source.address.family != 0 || rule->destination.address.family != 0 ||
         rule->input[0] != '\0' || rule->output[0] != '\0' || rule->has_uid_range ||
         rule->ip_protocol != 0 || rule->source_port_first != 0 ||
         rule->destination_port_first != 0;
}

/* Whether a rule could select a socket of ours, by what we know of it: mark, uid, made here. */
static gboolean
could_select_own (const Builder *builder, const T2pnRule *rule)
{
  guint32 worker_uid = builder->input->worker_uid;
  guint32 mark = worker_uid == 0 ? builder->input->ids.mark : 0;
  gboolean has_its_mark = (mark & rule->mask) == (rule->mark & rule->mask);

  if (rule->is_inverted)
    return rule->mask != 0 && !has_more_than_mark (rule) && !has_its_mark;
  if (rule->input[0] != '\0' && strcmp (rule->input, "lo") != 0)
    return FALSE;
  if (worker_uid != 0 && rule->has_uid_range &&
      (worker_uid < rule->uid_first || worker_uid > rule->uid_last))
    return FALSE;
  return has_its_mark;
}

static gboolean
has_routes (const T2pnSnapshot *snapshot, int family, guint32 table)
{
  for (guint i = 0; i < snapshot->routes->len; i++)
    {
      const T2pnRoute *route = &g_array_index (snapshot->routes, T2pnRoute, i);

      if (route->table == table && route->destination.address.family == family)
        return TRUE;
    }
  return FALSE;
}

/* Rules before ours were asked already; after ours come main's and those of other programs. */
static gboolean
is_followed (const Builder *builder, const T2pnRule *rule)
{
  return rule->family == builder->family && rule->protocol != T2PN_PROTOCOL &&
         rule->action == FR_ACT_TO_TBL && rule->priority > builder->input->ids.rule_priority &&
         rule->table != RT_TABLE_MAIN && rule->table != RT_TABLE_LOCAL &&
         (rule->table != RT_TABLE_DEFAULT ||
          has_routes (builder->snapshot, builder->family, RT_TABLE_DEFAULT)) &&
         could_select_own (builder, rule);
}

/* What told two foreign rules apart may have been their marks. */
static gboolean
is_in_plan (const Builder *builder, const T2pnRule *rule)
{
  const GArray *rules = builder->plan->bypass_rules;

  for (guint i = rules->len; i > 0; i--)
    {
      const T2pnRule *other = &g_array_index (rules, T2pnRule, i - 1);

      if (other->family != rule->family || other->priority != rule->priority)
        return FALSE;
      if (t2pn_rule_equal (other, rule))
        return TRUE;
    }
  return FALSE;
}

static void
append_followed (const Builder *builder)
{
  guint n = 0;

  for (guint i = 0; i < builder->snapshot->rules->len && n < MAX_FOLLOWED_RULES; i++)
    {
      T2pnRule rule = g_array_index (builder->snapshot->rules, T2pnRule, i);

      if (!is_followed (builder, &rule))
        continue;
      rule.priority = builder->next;
      rule.protocol = T2PN_PROTOCOL;
      rule.is_inverted = FALSE;
      rule.mark = 0;
      rule.mask = 0;
      select_own (builder, &rule);
      if (is_in_plan (builder, &rule))
        continue;
      g_array_append_val (builder->plan->bypass_rules, rule);
      n++;
    }
}

/* @is_terminal: see t2pn_route_methods_append_rules() */
static void
append_other_bypass (const Builder *builder, gboolean is_terminal)
{
  t2pn_route_methods_append_rules (builder->plan, builder->input, builder->snapshot,
                                   builder->family, builder->next, is_terminal);
}

static void
append_own (Builder *builder)
{
  gboolean is_marked = t2pn_loop_method_of (builder->input->settings) == T2PN_LOOP_MARK;
  T2pnRule rule = t2pn_rule_make (builder->family, builder->next);

  select_own (builder, &rule);
  rule.table = RT_TABLE_MAIN;
  if (is_marked)
    {
      g_array_append_val (builder->plan->bypass_rules, rule);
      append_followed (builder);
    }
  append_other_bypass (builder, FALSE);
  builder->next++;

  rule.priority = builder->next;
  rule.table = 0;
  rule.action = FR_ACT_UNREACHABLE;
  if (is_marked)
    g_array_append_val (builder->plan->bypass_rules, rule);
  append_other_bypass (builder, TRUE);
  builder->next++;
}

static void
append_main_without_default (Builder *builder)
{
  T2pnRule rule = t2pn_rule_make (builder->family, builder->next++);

  rule.table = RT_TABLE_MAIN;
  rule.suppress_prefix_length = 0;
  append_for_users (builder, builder->plan->bypass_rules, &rule);
}

/* --- IPv6: addresses of the uplinks */

static gboolean
is_uplink_address (const Builder *builder, const T2pnAddress *address)
{
  return address->address.family == builder->family &&
         !t2p_ip_address_is_loopback (&address->address) &&
         !t2p_ip_address_is_link_local (&address->address) &&
         !t2pn_route_methods_is_own_link (builder->input, address->ifindex);
}

/* A socket that connects has no source port yet when it is routed, or one of the upper range.
 */
static void
select_server_answers (T2pnRule *rule)
{
  rule->ip_protocol = IPPROTO_TCP;
  rule->source_port_first = 1;
  rule->source_port_last = LAST_WELL_KNOWN_PORT;
}

static void
append_from_uplinks (Builder *builder, gboolean is_terminal)
{
  guint n = 0;

  for (guint i = 0; i < builder->snapshot->addresses->len && n < MAX_UPLINK_ADDRESSES; i++)
    {
      const T2pnAddress *address =
          &g_array_index (builder->snapshot->addresses, T2pnAddress, i);
      T2pnRule rule = t2pn_rule_make (builder->family, builder->next);

      if (!is_uplink_address (builder, address))
        continue;
      rule.source.address = address->address;
      rule.source.length = 128;
      if (builder->is_rejected)
        select_server_answers (&rule);
      if (is_terminal)
        rule.action = FR_ACT_UNREACHABLE;
      else
        rule.table = RT_TABLE_MAIN;
      append_for_users (builder, builder->plan->bypass_rules, &rule);
      n++;
    }
  builder->next++;
}

/* --- into the tunnel */

static void
append_capture (Builder *builder, const T2pIpAddress *source)
{
  T2pnRule rule = t2pn_rule_make (builder->family, builder->next++);

  rule.table = builder->input->ids.table;
  g_strlcpy (rule.input, "lo", sizeof rule.input);
  if (source != NULL)
    {
      rule.source.address = *source;
      rule.source.length = t2p_ip_address_bits (source);
    }
  append_for_users (builder, builder->plan->capture_rules, &rule);
}

void
t2pn_route_rules_append (T2pnRoutePlan *plan,
                         const T2pnRoutePlanInput *input,
                         const T2pnSnapshot *snapshot,
                         int family,
                         gboolean is_rejected)
{
  Builder builder = { plan, input, snapshot, family, is_rejected, input->ids.rule_priority };
  gboolean is_default = t2p_settings_get_capture (input->settings) == T2P_CAPTURE_DEFAULT;
  T2pIpAddress any = t2p_ip_address_from_v4 (0);

  if (is_default)
    append_main_without_default (&builder);
  append_own (&builder);
  if (input->ids.app_mark != 0)
    {
      append_capture (&builder, NULL);
      return;
    }
  if (family == AF_INET)
    {
      append_capture (&builder, &any);
      append_capture (&builder, &input->pool.address4);
      return;
    }
  append_from_uplinks (&builder, FALSE);
  if (is_default)
    append_from_uplinks (&builder, TRUE);
  append_capture (&builder, NULL);
}
