/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-route-set.h"

#include <linux/rtnetlink.h>
#include <string.h>

struct _T2pnRouteSet
{
  GHashTable *routes;       /* set of T2pnRoute */
  GHashTable *destinations; /* set of T2pnRoute, by table and destination */
};

static guint
hash_route (gconstpointer key)
{
  const T2pnRoute *route = key;
  guint hash = route->table * 33 + route->destination.length;

  for (gsize i = 0; i < sizeof route->destination.address.bytes; i++)
    hash = hash * 33 + route->destination.address.bytes[i];
  return hash;
}

static gboolean
has_same_destination (gconstpointer a, gconstpointer b)
{
  const T2pnRoute *one = a;
  const T2pnRoute *other = b;

  return one->table == other->table &&
         t2p_ip_prefix_equal (&one->destination, &other->destination);
}

/* The kernel gives lo to IPv6 routes that lead nowhere. */
static int
link_of (const T2pnRoute *route)
{
  return route->type == RTN_UNICAST ? route->ifindex : 0;
}

static gboolean
is_same_route (gconstpointer a, gconstpointer b)
{
  const T2pnRoute *one = a;
  const T2pnRoute *other = b;

  return one->type == other->type && one->protocol == other->protocol &&
         link_of (one) == link_of (other) &&
         t2p_ip_address_equal (&one->gateway, &other->gateway) && has_same_destination (a, b);
}

T2pnRouteSet *
t2pn_route_set_new (const GArray *routes)
{
  T2pnRouteSet *set = g_new0 (T2pnRouteSet, 1);

  set->routes = g_hash_table_new (hash_route, is_same_route);
  set->destinations = g_hash_table_new (hash_route, has_same_destination);
  for (guint i = 0; routes != NULL && i < routes->len; i++)
    {
      T2pnRoute *route = &g_array_index (routes, T2pnRoute, i);

      g_hash_table_add (set->routes, route);
      g_hash_table_add (set->destinations, route);
    }
  return set;
}

void
t2pn_route_set_free (T2pnRouteSet *set)
{
  if (set == NULL)
    return;
  g_hash_table_unref (set->routes);
  g_hash_table_unref (set->destinations);
  g_free (set);
}

gboolean
t2pn_route_set_has (const T2pnRouteSet *set, const T2pnRoute *route)
{
  return g_hash_table_contains (set->routes, route);
}

gboolean
t2pn_route_set_has_rival (const T2pnRouteSet *set, const T2pnRoute *route)
{
  return g_hash_table_contains (set->destinations, route);
}
