/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-bind-links.h"

#include "t2p-error.h"
#include "t2p-limits.h"
#include "t2p-quote.h"
#include "t2pn-loop-method.h"

#include <linux/rtnetlink.h>
#include <string.h>

/* --- by the setting */

static void
append_all_of (GArray *links, int family, const char *name)
{
  const guint8 zero[16] = { 0 };
  T2pnBindLink link;

  memset (&link, 0, sizeof link);
  link.prefix.address = t2p_ip_address_from_bytes (family, zero);
  g_strlcpy (link.name, name, sizeof link.name);
  g_array_append_val (links, link);
}

gboolean
t2pn_bind_links_check (const T2pSettings *settings,
                       const T2pnSnapshot *snapshot,
                       GError **error)
{
  const char *name = t2p_settings_get_string (settings, "outbound-interface");
  g_autofree char *seen = t2p_quote (name);

  if (*name == '\0')
    return TRUE;
  for (guint i = 0; i < snapshot->links->len; i++)
    if (strcmp (g_array_index (snapshot->links, T2pnLink, i).name, name) == 0)
      return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_DEVICE_UNAVAILABLE,
               "outbound-interface: there is no link %s on this machine", seen);
  return FALSE;
}

/* --- by the routes */

static gboolean
is_one_of (int ifindex, const int *ifindexes, guint n)
{
  for (guint i = 0; i < n; i++)
    if (ifindexes[i] == ifindex)
      return TRUE;
  return FALSE;
}

/* Link-local addresses mean nothing without a link, and nobody connects to a multicast one. */
static gboolean
is_way_out (const T2pnRoute *route)
{
  return route->table == RT_TABLE_MAIN && route->type == RTN_UNICAST && route->ifindex != 0 &&
         !t2p_ip_address_is_link_local (&route->destination.address) &&
         !t2p_ip_address_is_multicast (&route->destination.address);
}

static int
compare_routes (gconstpointer a, gconstpointer b)
{
  const T2pnRoute *one = *(const T2pnRoute *const *) a;
  const T2pnRoute *other = *(const T2pnRoute *const *) b;

  if (one->destination.length != other->destination.length)
    return one->destination.length < other->destination.length ? -1 : 1;
  return (one->metric > other->metric) - (one->metric < other->metric);
}

static gboolean
has_prefix (const GArray *links, const T2pIpPrefix *prefix)
{
  for (guint i = 0; i < links->len; i++)
    if (t2p_ip_prefix_equal (&g_array_index (links, T2pnBindLink, i).prefix, prefix))
      return TRUE;
  return FALSE;
}

static void
append_route (GArray *links, const T2pnRoute *route, const T2pnSnapshot *snapshot)
{
  const T2pnLink *out = t2pn_snapshot_find_link (snapshot, route->ifindex);
  T2pnBindLink link;

  if (out == NULL || has_prefix (links, &route->destination))
    return;
  memset (&link, 0, sizeof link);
  link.prefix = route->destination;
  g_strlcpy (link.name, out->name, sizeof link.name);
  g_array_append_val (links, link);
}

static void
append_by_routes (GArray *links, const T2pnSnapshot *snapshot, const int *own, guint n_own)
{
  g_autoptr (GPtrArray) routes = g_ptr_array_new ();

  for (guint i = 0; i < snapshot->routes->len; i++)
    {
      const T2pnRoute *route = &g_array_index (snapshot->routes, T2pnRoute, i);

      if (is_way_out (route) && !is_one_of (route->ifindex, own, n_own))
        g_ptr_array_add (routes, (gpointer) route);
    }
  g_ptr_array_sort (routes, compare_routes);
  for (guint i = 0; i < routes->len && links->len < T2P_MAX_BIND_LINKS; i++)
    append_route (links, routes->pdata[i], snapshot);
}

GArray *
t2pn_bind_links_new (const T2pSettings *settings,
                     const T2pnSnapshot *snapshot,
                     const int *own_ifindexes,
                     guint n_own_ifindexes)
{
  const char *name = t2p_settings_get_string (settings, "outbound-interface");
  g_autoptr (GArray) links = g_array_new (FALSE, TRUE, sizeof (T2pnBindLink));

  if (*name != '\0')
    {
      append_all_of (links, AF_INET, name);
      append_all_of (links, AF_INET6, name);
    }
  else if (t2pn_loop_method_of (settings) == T2PN_LOOP_BIND_INTERFACE &&
           t2p_settings_get_capture (settings) != T2P_CAPTURE_NONE)
    append_by_routes (links, snapshot, own_ifindexes, n_own_ifindexes);
  else
    return NULL;
  return g_steal_pointer (&links);
}
