/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-netlink-objects.h"

#include "t2pn-route-set.h"

/* How many of each kind are installed. */
typedef struct
{
  guint addresses, routes, rules;
} Progress;

static guint
length_of (const GArray *array)
{
  return array != NULL ? array->len : 0;
}

static const T2pnAddress *
address_at (const GArray *addresses, guint index)
{
  return &g_array_index (addresses, T2pnAddress, index);
}

static const T2pnRoute *
route_at (const GArray *routes, guint index)
{
  return &g_array_index (routes, T2pnRoute, index);
}

static const T2pnRule *
rule_at (const GArray *rules, guint index)
{
  return &g_array_index (rules, T2pnRule, index);
}

/* --- everything */

static gboolean
add_counting (T2pnNetlink *netlink,
              const T2pnNetlinkObjects *objects,
              Progress *progress,
              GError **error)
{
  for (; progress->addresses < length_of (objects->addresses); progress->addresses++)
    if (!t2pn_netlink_add_address (netlink,
                                   address_at (objects->addresses, progress->addresses), error))
      return FALSE;
  for (; progress->routes < length_of (objects->routes); progress->routes++)
    if (!t2pn_netlink_add_route (netlink, route_at (objects->routes, progress->routes), error))
      return FALSE;
  for (; progress->rules < length_of (objects->rules); progress->rules++)
    if (!t2pn_netlink_add_rule (netlink, rule_at (objects->rules, progress->rules), error))
      return FALSE;
  return TRUE;
}

static void
keep_first (GError **first, GError *failure)
{
  if (failure != NULL && *first == NULL)
    *first = failure;
  else
    g_clear_error (&failure);
}

static gboolean
delete_counted (T2pnNetlink *netlink,
                const T2pnNetlinkObjects *objects,
                const Progress *progress,
                GError **error)
{
  GError *first = NULL;
  GError *failure = NULL;

  for (guint i = progress->rules; i > 0; i--, failure = NULL)
    if (!t2pn_netlink_delete_rule (netlink, rule_at (objects->rules, i - 1), &failure))
      keep_first (&first, failure);
  for (guint i = progress->routes; i > 0; i--, failure = NULL)
    if (!t2pn_netlink_delete_route (netlink, route_at (objects->routes, i - 1), &failure))
      keep_first (&first, failure);
  for (guint i = progress->addresses; i > 0; i--, failure = NULL)
    if (!t2pn_netlink_delete_address (netlink, address_at (objects->addresses, i - 1),
                                      &failure))
      keep_first (&first, failure);
  if (first == NULL)
    return TRUE;
  g_propagate_error (error, first);
  return FALSE;
}

gboolean
t2pn_netlink_objects_add (T2pnNetlink *netlink,
                          const T2pnNetlinkObjects *objects,
                          GError **error)
{
  Progress progress = { 0 };

  if (add_counting (netlink, objects, &progress, error))
    return TRUE;
  delete_counted (netlink, objects, &progress, NULL);
  return FALSE;
}

gboolean
t2pn_netlink_objects_delete (T2pnNetlink *netlink,
                             const T2pnNetlinkObjects *objects,
                             GError **error)
{
  Progress all = { length_of (objects->addresses), length_of (objects->routes),
                   length_of (objects->rules) };

  return delete_counted (netlink, objects, &all, error);
}

/* --- the difference */

gboolean
t2pn_netlink_objects_has_rule (const GArray *rules, const T2pnRule *rule)
{
  for (guint i = 0; i < length_of (rules); i++)
    if (t2pn_rule_equal (rule_at (rules, i), rule))
      return TRUE;
  return FALSE;
}

gboolean
t2pn_netlink_objects_has_route (const GArray *routes, const T2pnRoute *route)
{
  for (guint i = 0; i < length_of (routes); i++)
    {
      const T2pnRoute *other = route_at (routes, i);

      if (other->table == route->table && other->type == route->type &&
          other->protocol == route->protocol &&
          (route->ifindex == 0 || other->ifindex == route->ifindex) &&
          t2p_ip_prefix_equal (&other->destination, &route->destination))
        return TRUE;
    }
  return FALSE;
}

gboolean
t2pn_netlink_objects_has_address (const GArray *addresses, const T2pnAddress *address)
{
  for (guint i = 0; i < length_of (addresses); i++)
    {
      const T2pnAddress *other = address_at (addresses, i);

      if (other->ifindex == address->ifindex && other->length == address->length &&
          t2p_ip_address_equal (&other->address, &address->address))
        return TRUE;
    }
  return FALSE;
}

static void
put_routes (T2pnNetlink *netlink,
            const GArray *present,
            const GArray *old,
            const GArray *wanted,
            GError **first)
{
  g_autoptr (T2pnRouteSet) present_set = t2pn_route_set_new (present);
  g_autoptr (T2pnRouteSet) old_set = t2pn_route_set_new (old);

  for (guint i = 0; i < length_of (wanted); i++)
    {
      const T2pnRoute *route = route_at (wanted, i);
      GError *failure = NULL;
      gboolean is_done = TRUE;

      if (t2pn_route_set_has (present_set, route))
        continue;
      if (t2pn_route_set_has_rival (old_set, route) &&
          t2pn_route_set_has_rival (present_set, route))
        is_done = t2pn_netlink_replace_route (netlink, route, &failure);
      else
        is_done = t2pn_netlink_add_route (netlink, route, &failure);
      if (!is_done)
        keep_first (first, failure);
    }
}

static void
delete_routes (T2pnNetlink *netlink, const GArray *old, const GArray *wanted, GError **first)
{
  g_autoptr (T2pnRouteSet) wanted_set = t2pn_route_set_new (wanted);

  for (guint i = 0; i < length_of (old); i++)
    {
      GError *failure = NULL;

      if (!t2pn_route_set_has_rival (wanted_set, route_at (old, i)) &&
          !t2pn_netlink_delete_route (netlink, route_at (old, i), &failure))
        keep_first (first, failure);
    }
}

/* --- rules, in order */

/* Where in @rules it is, or -1. */
static int
find_rule (const GArray *rules, const T2pnRule *rule)
{
  for (guint i = 0; i < length_of (rules); i++)
    if (t2pn_rule_equal (rule_at (rules, i), rule))
      return (int) i;
  return -1;
}

/* Of rules of one priority the kernel asks first what was installed first: what stands before
 * one that was put back is put behind it again. There is no moment without all but one. */
static void
put_rules (T2pnNetlink *netlink, const GArray *present, const GArray *wanted, GError **first)
{
  int last = -1;
  gboolean is_moving = FALSE;

  for (guint i = 0; i < length_of (wanted); i++)
    {
      const T2pnRule *rule = rule_at (wanted, i);
      const T2pnRule *before = i > 0 ? rule_at (wanted, i - 1) : NULL;
      int position = find_rule (present, rule);
      GError *failure = NULL;

      if (before == NULL || before->family != rule->family ||
          before->priority != rule->priority)
        {
          is_moving = FALSE;
          last = -1;
        }
      is_moving = is_moving || position < 0 || position < last;
      last = position;
      if (!is_moving)
        continue;
      if (position >= 0 && !t2pn_netlink_delete_rule (netlink, rule, &failure))
        keep_first (first, g_steal_pointer (&failure));
      if (!t2pn_netlink_add_rule (netlink, rule, &failure))
        keep_first (first, failure);
    }
}

/* One that cannot be had is no reason to do without the others. */
static void
add_missing (T2pnNetlink *netlink,
             const T2pnSnapshot *snapshot,
             const T2pnNetlinkObjects *old,
             const T2pnNetlinkObjects *wanted,
             GError **first)
{
  GError *failure = NULL;

  for (guint i = 0; i < length_of (wanted->addresses); i++, failure = NULL)
    if (!t2pn_netlink_objects_has_address (snapshot->addresses,
                                           address_at (wanted->addresses, i)) &&
        !t2pn_netlink_add_address (netlink, address_at (wanted->addresses, i), &failure))
      keep_first (first, failure);
  put_routes (netlink, snapshot->routes, old->routes, wanted->routes, first);
  put_rules (netlink, snapshot->rules, wanted->rules, first);
}

static void
delete_unwanted (T2pnNetlink *netlink,
                 const T2pnNetlinkObjects *old,
                 const T2pnNetlinkObjects *wanted,
                 GError **first)
{
  GError *failure = NULL;

  for (guint i = 0; i < length_of (old->rules); i++, failure = NULL)
    if (!t2pn_netlink_objects_has_rule (wanted->rules, rule_at (old->rules, i)) &&
        !t2pn_netlink_delete_rule (netlink, rule_at (old->rules, i), &failure))
      keep_first (first, failure);
  delete_routes (netlink, old->routes, wanted->routes, first);
  for (guint i = 0; i < length_of (old->addresses); i++, failure = NULL)
    if (!t2pn_netlink_objects_has_address (wanted->addresses, address_at (old->addresses, i)) &&
        !t2pn_netlink_delete_address (netlink, address_at (old->addresses, i), &failure))
      keep_first (first, failure);
}

gboolean
t2pn_netlink_objects_change (T2pnNetlink *netlink,
                             const T2pnSnapshot *snapshot,
                             const T2pnNetlinkObjects *old,
                             const T2pnNetlinkObjects *wanted,
                             GError **error)
{
  GError *first = NULL;

  add_missing (netlink, snapshot, old, wanted, &first);
  delete_unwanted (netlink, old, wanted, &first);
  if (first == NULL)
    return TRUE;
  g_propagate_error (error, first);
  return FALSE;
}
