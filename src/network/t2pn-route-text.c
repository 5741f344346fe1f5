/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A route plan in the words of ip(8). */
#include "config.h"

#include "t2pn-route-plan.h"

static char
family_digit (int family)
{
  return family == AF_INET ? '4' : '6';
}

static void
write_rules (GString *text, const GArray *rules)
{
  for (guint i = 0; i < rules->len; i++)
    {
      const T2pnRule *rule = &g_array_index (rules, T2pnRule, i);
      g_autofree char *line = t2pn_rule_to_text (rule);

      g_string_append_printf (text, "ip -%c rule add %s protocol %u\n",
                              family_digit (rule->family), line, rule->protocol);
    }
}

static void
write_addresses (GString *text, const T2pnRoutePlan *plan)
{
  for (guint i = 0; i < plan->addresses->len; i++)
    {
      const T2pnAddress *address = &g_array_index (plan->addresses, T2pnAddress, i);
      char formatted[T2P_IP_STRLEN];

      t2p_ip_address_format (&address->address, formatted);
      g_string_append_printf (text, "ip -%c address add %s/%u dev %s%s\n",
                              family_digit (address->address.family), formatted,
                              address->length, plan->ifname,
                              address->without_prefix_route ? " noprefixroute" : "");
    }
}

static void
write_routes (GString *text, const T2pnRoutePlan *plan, const GArray *routes)
{
  for (guint i = 0; i < routes->len; i++)
    {
      const T2pnRoute *route = &g_array_index (routes, T2pnRoute, i);
      gboolean is_own = route->ifindex == plan->ifindex;
      g_autofree char *line = t2pn_route_to_text (route, is_own ? plan->ifname : NULL);

      g_string_append_printf (text, "ip -%c route add %s proto %u\n",
                              family_digit (route->destination.address.family), line,
                              route->protocol);
    }
}

char *
t2pn_route_plan_to_text (const T2pnRoutePlan *plan)
{
  GString *text = g_string_new (NULL);

  write_addresses (text, plan);
  write_routes (text, plan, plan->bypass_routes);
  write_rules (text, plan->bypass_rules);
  write_routes (text, plan, plan->routes);
  write_rules (text, plan->capture_rules);
  return g_string_free (text, FALSE);
}
