/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-route-plan.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

/* No bit in common with the marks of Kubernetes (0x4000, 0x8000), Tailscale and Calico (the
 * upper half), which are told by mask. */
#define MARK_FIRST 0x2370u
#define MARK_LAST 0x23ffu
#define TABLE_FIRST 23700u
#define TABLE_LAST 24699u
/* A tunnel's block: room ahead of P for rules that must come before it, and after it. */
#define BLOCK_BEFORE 4
#define BLOCK_AFTER 12
#define BLOCK (BLOCK_BEFORE + BLOCK_AFTER)
/* After Tailscale's 5210 to 5270. What is more particular is asked first: some routes before
 * all, a user's before the system's. */
#define PRIORITY_FIRST 5400u
#define BAND 1100u
#define PRIORITY_LAST 32700u /* main is 32766 */

gboolean
t2pn_route_ids_is_mark_selected (const T2pnSnapshot *snapshot, guint32 mark)
{
  for (guint i = 0; i < snapshot->rules->len; i++)
    {
      const T2pnRule *rule = &g_array_index (snapshot->rules, T2pnRule, i);

      if (rule->protocol != T2PN_PROTOCOL && rule->mask != 0 &&
          (mark & rule->mask) == (rule->mark & rule->mask))
        return TRUE;
    }
  return FALSE;
}

gboolean
t2pn_route_ids_choose_mark (const T2pnSnapshot *snapshot, guint32 *out_mark, GError **error)
{
  for (guint32 mark = MARK_FIRST; mark <= MARK_LAST; mark++)
    if (!t2pn_route_ids_is_mark_selected (snapshot, mark))
      {
        *out_mark = mark;
        return TRUE;
      }
  g_set_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT,
               "rules of other programs select every firewall mark from 0x%x to 0x%x: set mark",
               MARK_FIRST, MARK_LAST);
  return FALSE;
}

static gboolean
is_table_used (const T2pnSnapshot *snapshot, const GArray *taken, guint32 table)
{
  for (guint i = 0; taken != NULL && i < taken->len; i++)
    if (g_array_index (taken, T2pnRouteIds, i).table == table ||
        g_array_index (taken, T2pnRouteIds, i).override_table == table)
      return TRUE;
  for (guint i = 0; i < snapshot->rules->len; i++)
    if (g_array_index (snapshot->rules, T2pnRule, i).table == table)
      return TRUE;
  for (guint i = 0; i < snapshot->routes->len; i++)
    if (g_array_index (snapshot->routes, T2pnRoute, i).table == table)
      return TRUE;
  return FALSE;
}

static gboolean
check_table (const T2pnSnapshot *snapshot, const GArray *taken, guint32 table, GError **error)
{
  if ((table < RT_TABLE_DEFAULT || table > RT_TABLE_LOCAL) &&
      !is_table_used (snapshot, taken, table))
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT,
               "route-table: %u is in use, expected an empty table", table);
  return FALSE;
}

/* Any but @other. */
static gboolean
find_table (const T2pnSnapshot *snapshot,
            const GArray *taken,
            guint32 other,
            guint32 *out_table,
            GError **error)
{
  for (guint32 table = TABLE_FIRST; table <= TABLE_LAST; table++)
    if (table != other && !is_table_used (snapshot, taken, table))
      {
        *out_table = table;
        return TRUE;
      }
  g_set_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT,
               "no routing table from %u to %u is free%s", TABLE_FIRST, TABLE_LAST,
               other == 0 ? ": set route-table" : " for a second one");
  return FALSE;
}

static gboolean
choose_tables (const T2pSettings *settings,
               const T2pnSnapshot *snapshot,
               const GArray *taken,
               T2pnRouteIds *ids,
               GError **error)
{
  ids->table = t2p_settings_get_u32 (settings, "route-table");
  if (ids->table != 0 ? !check_table (snapshot, taken, ids->table, error)
                      : !find_table (snapshot, taken, 0, &ids->table, error))
    return FALSE;
  return find_table (snapshot, taken, ids->table, &ids->override_table, error);
}

static gboolean
is_block_used (const T2pnSnapshot *snapshot,
               const GArray *taken,
               guint32 first,
               guint32 last,
               guint32 *out_culprit)
{
  for (guint i = 0; i < snapshot->rules->len; i++)
    {
      guint32 priority = g_array_index (snapshot->rules, T2pnRule, i).priority;

      if (priority < first || priority > last)
        continue;
      *out_culprit = priority;
      return TRUE;
    }
  for (guint i = 0; taken != NULL && i < taken->len; i++)
    {
      guint32 other = g_array_index (taken, T2pnRouteIds, i).rule_priority;

      if (other == 0 || other + BLOCK_AFTER <= first || other > last + BLOCK_BEFORE)
        continue;
      *out_culprit = other;
      return TRUE;
    }
  return FALSE;
}

static guint32
first_priority (const T2pSettings *settings)
{
  guint band = 0;

  if (t2p_settings_get_capture (settings) == T2P_CAPTURE_DEFAULT)
    band += 2;
  if (t2p_settings_get_scope (settings) == T2P_SCOPE_SYSTEM)
    band += 1;
  return PRIORITY_FIRST + band * BAND;
}

static gboolean
check_priority (const T2pnSnapshot *snapshot,
                const GArray *taken,
                guint32 priority,
                GError **error)
{
  guint32 culprit = 0;

  if (priority <= BLOCK_BEFORE || priority > PRIORITY_LAST)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT,
                   "rule-priority: %u, expected %u to %u", priority, BLOCK_BEFORE + 1,
                   PRIORITY_LAST);
      return FALSE;
    }
  if (!is_block_used (snapshot, taken, priority, priority + BLOCK_AFTER - 1, &culprit))
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT,
               "rule-priority: %u to %u are needed, %u is in use by another rule", priority,
               priority + BLOCK_AFTER - 1, culprit);
  return FALSE;
}

static gboolean
choose_priority (const T2pSettings *settings,
                 const T2pnSnapshot *snapshot,
                 const GArray *taken,
                 guint32 *out_priority,
                 GError **error)
{
  guint32 culprit;

  if (t2p_settings_get_u32 (settings, "rule-priority") != 0)
    {
      guint32 priority = t2p_settings_get_u32 (settings, "rule-priority");

      if (!check_priority (snapshot, taken, priority, error))
        return FALSE;
      *out_priority = priority;
      return TRUE;
    }
  for (guint32 first = first_priority (settings); first < PRIORITY_LAST; first += BLOCK)
    if (!is_block_used (snapshot, taken, first, first + BLOCK - 1, &culprit))
      {
        *out_priority = first + BLOCK_BEFORE;
        return TRUE;
      }
  g_set_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT,
               "no %d rule priorities in a row are free: set rule-priority", BLOCK);
  return FALSE;
}

gboolean
t2pn_route_ids_choose (const T2pSettings *settings,
                       const T2pnSnapshot *snapshot,
                       guint32 mark,
                       const GArray *taken,
                       T2pnRouteIds *out_ids,
                       GError **error)
{
  T2pnRouteIds ids = { .mark = mark };

  if (t2p_settings_get_u32 (settings, "mark") != 0)
    {
      ids.mark = t2p_settings_get_u32 (settings, "mark");
      if (t2pn_route_ids_is_mark_selected (snapshot, ids.mark))
        {
          g_set_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT,
                       "mark: 0x%x is selected by another program's rule, expected a free one",
                       ids.mark);
          return FALSE;
        }
    }
  if (!choose_tables (settings, snapshot, taken, &ids, error) ||
      !choose_priority (settings, snapshot, taken, &ids.rule_priority, error))
    return FALSE;
  *out_ids = ids;
  return TRUE;
}
