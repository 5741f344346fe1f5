/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether anything of a route plan is somebody else's. */
#include "config.h"

#include "t2pn-route-plan.h"

#include <linux/rtnetlink.h>

static gboolean
check_table (const T2pnRoutePlanInput *input, const T2pnSnapshot *snapshot, GError **error)
{
  for (guint i = 0; i < snapshot->routes->len; i++)
    {
      const T2pnRoute *route = &g_array_index (snapshot->routes, T2pnRoute, i);

      if ((route->table == input->ids.table || route->table == input->ids.override_table) &&
          route->protocol != T2PN_PROTOCOL)
        {
          g_autofree char *text = t2pn_route_to_text (route, NULL);

          g_set_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT,
                       "routing table %u has a route of another program: %s", route->table,
                       text);
          return FALSE;
        }
    }
  return TRUE;
}

static gboolean
check_rules (const T2pnRoutePlan *plan, const T2pnSnapshot *snapshot, GError **error)
{
  const GArray *mine[] = { plan->bypass_rules, plan->capture_rules };

  for (guint i = 0; i < snapshot->rules->len; i++)
    {
      const T2pnRule *other = &g_array_index (snapshot->rules, T2pnRule, i);

      for (guint j = 0; other->protocol != T2PN_PROTOCOL && j < G_N_ELEMENTS (mine); j++)
        for (guint k = 0; k < mine[j]->len; k++)
          if (g_array_index (mine[j], T2pnRule, k).family == other->family &&
              g_array_index (mine[j], T2pnRule, k).priority == other->priority)
            {
              g_autofree char *text = t2pn_rule_to_text (other);

              g_set_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT,
                           "another program's rule is in the way: %s", text);
              return FALSE;
            }
    }
  return TRUE;
}

static const T2pnRoute *
find_other_route (const T2pnSnapshot *snapshot, const T2pnRoute *mine)
{
  for (guint i = 0; i < snapshot->routes->len; i++)
    {
      const T2pnRoute *other = &g_array_index (snapshot->routes, T2pnRoute, i);

      if (other->table == mine->table && other->ifindex != mine->ifindex &&
          t2p_ip_prefix_equal (&mine->destination, &other->destination))
        return other;
    }
  return NULL;
}

/* The pools may have been taken since they were chosen. */
static gboolean
check_main (const T2pnRoutePlan *plan, const T2pnSnapshot *snapshot, GError **error)
{
  for (guint i = 0; i < plan->routes->len; i++)
    {
      const T2pnRoute *mine = &g_array_index (plan->routes, T2pnRoute, i);
      const T2pnRoute *other;
      g_autofree char *text = NULL;

      other = mine->table == RT_TABLE_MAIN ? find_other_route (snapshot, mine) : NULL;
      if (other == NULL)
        continue;
      text = t2pn_route_to_text (other, NULL);
      g_set_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT,
                   "main has another route already: %s", text);
      return FALSE;
    }
  return TRUE;
}

gboolean
t2pn_route_plan_check (const T2pnRoutePlan *plan,
                       const T2pnRoutePlanInput *input,
                       const T2pnSnapshot *snapshot,
                       GError **error)
{
  gboolean has_table = t2p_settings_get_capture (input->settings) != T2P_CAPTURE_NONE;

  return (!has_table || check_table (input, snapshot, error)) &&
         check_rules (plan, snapshot, error) && check_main (plan, snapshot, error);
}
