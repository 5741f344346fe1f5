/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Our own upstream sockets, told by mark or uid: main, then the tables that other programs'
 * rules would have led them to, then unreachable. Without that last one they would fall through
 * into table T the moment the uplink's default route goes: a loop. */
#include "config.h"

#include "t2pn-loop-method.h"
#include "t2pn-route-methods.h"
#include "t2pn-route-rules-private.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* A machine with more has no use for the rest, and our rules would double its list. */
#define MAX_FOLLOWED_RULES 256

static void
select_own (const T2pnRuleBuilder *builder, T2pnRule *rule)
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
could_select_own (const T2pnRuleBuilder *builder, const T2pnRule *rule)
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
is_followed (const T2pnRuleBuilder *builder, const T2pnRule *rule)
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
is_in_plan (const T2pnRuleBuilder *builder, const T2pnRule *rule)
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
append_followed (const T2pnRuleBuilder *builder)
{
  guint n = 0;

  for (guint i = 0; i < builder->snapshot->rules->len && n < MAX_FOLLOWED_RULES; i++)
    {
      T2pnRule rule = g_array_index (builder->snapshot->rules, T2pnRule, i);

      if (!is_followed (builder, &rule))
        continue;
      rule.priority = builder->input->ids.rule_priority + T2PN_SLOT_OWN;
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

static void
append_other_bypass (const T2pnRuleBuilder *builder, T2pnRuleSlot slot)
{
  t2pn_route_methods_append_rules (builder->plan, builder->input, builder->snapshot,
                                   builder->family, builder->input->ids.rule_priority + slot,
                                   slot == T2PN_SLOT_OWN_END);
}

void
t2pn_route_own_append (const T2pnRuleBuilder *builder)
{
  gboolean is_marked = t2pn_loop_method_of (builder->input->settings) == T2PN_LOOP_MARK;
  T2pnRule rule = t2pn_rule_builder_make (builder, T2PN_SLOT_OWN);
  T2pnRule last = t2pn_rule_builder_make (builder, T2PN_SLOT_OWN_END);

  select_own (builder, &rule);
  rule.table = RT_TABLE_MAIN;
  select_own (builder, &last);
  last.action = FR_ACT_UNREACHABLE;
  if (is_marked)
    {
      g_array_append_val (builder->plan->bypass_rules, rule);
      append_followed (builder);
    }
  append_other_bypass (builder, T2PN_SLOT_OWN);
  if (is_marked)
    g_array_append_val (builder->plan->bypass_rules, last);
  append_other_bypass (builder, T2PN_SLOT_OWN_END);
}
