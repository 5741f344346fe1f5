/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A lookup walks the rules upwards; T2pnRuleSlot is the order. What must not enter the tunnel
 * comes first (t2pn-route-own.c).
 *
 * In IPv4 the capture rules tell sockets that are bound to an address of the uplink by
 * themselves, and with them the answers to inbound connections: a socket that is not bound asks
 * from 0.0.0.0. `from ::` never matches anything, so IPv6 has a rule for each address.
 *
 *   When table T refuses IPv6, only answers of TCP servers on well-known ports: the kernel,
 *   told "unreachable" for a socket that is not bound, asks again from the address that it
 *   would choose, an uplink's (ip6_dst_lookup_tail()), and that would be let out.
 *
 * A socket whose first packet went into the tunnel asks from the tunnel's address afterwards,
 * so that this address is captured before main is asked at all.
 *
 * main is asked without its default route: on-link prefixes, docker, other VPNs stay as they
 * are. Two things that it would let out go into the tunnel before: what table X overrides
 * (t2pn-route-override.c), and questions to name servers on the link when the tunnel answers
 * them. The machine's own resolver asks only where it was told to, other links' servers for
 * their domains among them, and is believed.
 *
 * Rules for what was made on this machine end with `iif lo`. Forwarded packets are captured by
 * `not iif lo`: without an input interface the rule would catch answers of this machine's
 * servers, too. What comes out of the tunnel goes to where main leads without its default
 * route, and nowhere else: never into it again.
 *
 * For apps, nftables has looked at user, program and direction of the connection already: its
 * mark takes the place of all that (t2pn-app-rules.c).
 *
 * Everything but our own sockets and what is forwarded carries the users' uid ranges, so that a
 * user's tunnel does not change the order of look-ups for anybody else. */
#include "config.h"

#include "t2pn-route-rules-private.h"

#include "t2pn-route-apps.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* --- whose traffic */

static guint
get_n_ranges (const T2pnRuleBuilder *builder)
{
  if (t2p_settings_get_scope (builder->input->settings) == T2P_SCOPE_USER)
    return 1;
  return builder->input->n_users;
}

static void
set_range (const T2pnRuleBuilder *builder, T2pnRule *rule, guint index)
{
  const T2pnRoutePlanInput *input = builder->input;
  gboolean is_user = t2p_settings_get_scope (input->settings) == T2P_SCOPE_USER;

  rule->has_uid_range = TRUE;
  rule->uid_first = is_user ? input->owner_uid : input->users[index].first;
  rule->uid_last = is_user ? input->owner_uid : input->users[index].last;
}

void
t2pn_rule_builder_append_for_users (const T2pnRuleBuilder *builder,
                                    GArray *rules,
                                    const T2pnRule *rule)
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

gboolean
t2pn_rule_builder_is_captured (const T2pnRuleBuilder *builder, guint32 uid)
{
  guint n = get_n_ranges (builder);

  for (guint i = 0; i < n; i++)
    {
      T2pnRule range;

      set_range (builder, &range, i);
      if (uid >= range.uid_first && uid <= range.uid_last)
        return TRUE;
    }
  return n == 0;
}

/* --- rules */

T2pnRule
t2pn_rule_builder_make (const T2pnRuleBuilder *builder, T2pnRuleSlot slot)
{
  return t2pn_rule_make (builder->family, builder->input->ids.rule_priority + slot);
}

static gboolean
is_default (const T2pnRuleBuilder *builder)
{
  return t2p_settings_get_capture (builder->input->settings) == T2P_CAPTURE_DEFAULT;
}

static gboolean
has_lan (const T2pnRuleBuilder *builder)
{
  return strcmp (t2p_settings_get_string (builder->input->settings, "lan"), "none") != 0;
}

static gboolean
is_forwarding (const T2pnRuleBuilder *builder)
{
  return t2p_settings_get_bool (builder->input->settings, "forwarded");
}

static void
append_main_without_default (const T2pnRuleBuilder *builder)
{
  T2pnRule rule = t2pn_rule_builder_make (builder, T2PN_SLOT_MAIN);

  rule.table = RT_TABLE_MAIN;
  rule.suppress_prefix_length = 0;
  t2pn_rule_builder_append_for_users (builder, builder->plan->bypass_rules, &rule);
}

/* --- into the tunnel */

static void
append_local (const T2pnRuleBuilder *builder, T2pnRule *rule)
{
  g_strlcpy (rule->input, "lo", sizeof rule->input);
  t2pn_rule_builder_append_for_users (builder, builder->plan->capture_rules, rule);
}

/* As far as the family has a word for it. */
void
t2pn_rule_builder_append_unbound (const T2pnRuleBuilder *builder, T2pnRule *rule)
{
  if (builder->family == AF_INET && builder->input->ids.app_mark == 0)
    {
      rule->source.address = t2p_ip_address_from_v4 (0);
      rule->source.length = 32;
    }
  append_local (builder, rule);
}

static void
append_forwarded (const T2pnRuleBuilder *builder, T2pnRuleSlot slot, guint32 table)
{
  T2pnRule rule = t2pn_rule_builder_make (builder, slot);

  if (!is_forwarding (builder))
    return;
  g_strlcpy (rule.input, "lo", sizeof rule.input);
  rule.is_inverted = TRUE;
  rule.table = table;
  g_array_append_val (builder->plan->capture_rules, rule);
}

/* What those for whom we forward answer (t2pn-forward-answers.c), if that is not led like our
 * own sockets already. */
static void
append_marked_answers (const T2pnRuleBuilder *builder)
{
  T2pnRule rule = t2pn_rule_builder_make (builder, T2PN_SLOT_OWN);
  T2pnRule last = t2pn_rule_builder_make (builder, T2PN_SLOT_OWN_END);

  rule.mark = last.mark = builder->input->ids.mark;
  rule.mask = last.mask = G_MAXUINT32;
  rule.table = RT_TABLE_MAIN;
  last.action = FR_ACT_UNREACHABLE;
  if (t2pn_route_plan_has_rule (builder->plan, &rule))
    return;
  g_array_append_val (builder->plan->bypass_rules, rule);
  g_array_append_val (builder->plan->bypass_rules, last);
}

/* What the tunnel sends to them. */
static void
append_out_of_tunnel (const T2pnRuleBuilder *builder)
{
  T2pnRule rule = t2pn_rule_builder_make (builder, T2PN_SLOT_OWN);
  T2pnRule last = t2pn_rule_builder_make (builder, T2PN_SLOT_OWN_END);

  if (!is_forwarding (builder))
    return;
  append_marked_answers (builder);
  g_strlcpy (rule.input, builder->input->ifname, sizeof rule.input);
  rule.table = RT_TABLE_MAIN;
  rule.suppress_prefix_length = 0;
  g_array_append_val (builder->plan->bypass_rules, rule);
  g_strlcpy (last.input, builder->input->ifname, sizeof last.input);
  last.action = FR_ACT_UNREACHABLE;
  g_array_append_val (builder->plan->bypass_rules, last);
}

static void
append_from_tunnel (const T2pnRuleBuilder *builder)
{
  T2pnRule rule = t2pn_rule_builder_make (builder, T2PN_SLOT_OVERRIDE);

  if (builder->family != AF_INET)
    return;
  rule.table = builder->input->ids.table;
  rule.source.address = builder->input->pool.address4;
  rule.source.length = 32;
  append_local (builder, &rule);
}

static void
append_overrides (const T2pnRuleBuilder *builder)
{
  T2pnRule rule = t2pn_rule_builder_make (builder, T2PN_SLOT_OVERRIDE);

  if (!(builder->flags & T2PN_RULES_OVERRIDING))
    return;
  rule.table = builder->input->ids.override_table;
  t2pn_rule_builder_append_unbound (builder, &rule);
  append_forwarded (builder, T2PN_SLOT_OVERRIDE, builder->input->ids.override_table);
}

static void
append_capture (const T2pnRuleBuilder *builder)
{
  T2pnRule rule = t2pn_rule_builder_make (builder, T2PN_SLOT_CAPTURE);

  rule.table = builder->input->ids.table;
  t2pn_rule_builder_append_unbound (builder, &rule);
  append_forwarded (builder, T2PN_SLOT_FORWARDED, builder->input->ids.table);
}

void
t2pn_route_rules_append (T2pnRoutePlan *plan,
                         const T2pnRoutePlanInput *input,
                         const T2pnSnapshot *snapshot,
                         int family,
                         T2pnRuleFlags flags)
{
  T2pnRuleBuilder builder = { plan, input, snapshot, family, flags };
  gboolean is_for_apps = input->ids.app_mark != 0;

  t2pn_route_own_append (&builder);
  append_out_of_tunnel (&builder);
  if (!is_for_apps)
    {
      t2pn_route_answers_append (&builder);
      append_from_tunnel (&builder);
    }
  append_overrides (&builder);
  if (is_default (&builder) && has_lan (&builder))
    {
      t2pn_route_dns_append (&builder);
      append_main_without_default (&builder);
    }
  if (!is_for_apps && is_default (&builder))
    t2pn_route_answers_append_end (&builder);
  append_capture (&builder);
}
