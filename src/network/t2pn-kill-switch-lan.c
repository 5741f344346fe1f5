/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * The route plan leaves to main whatever it has a route for, and takes out what an uplink's
 * DHCP or router should not have a say in. The kill switch cannot look at routes: it has a list
 * of destinations, which must not be wider than what is meant by a LAN. So a network of an
 * uplink counts when an address of this machine is in it, and what is reached by a gateway only
 * when it is private. A route wider than any site is a default route in disguise, whoever made
 * it. */
#include "config.h"

#include "t2pn-kill-switch.h"

#include <linux/rtnetlink.h>
#include <string.h>

/* Networks that are wider belong to no site. Private ones may be: 10.0.0.0/8, fd00::/8. */
#define WIDEST_SITE4 16
#define WIDEST_SITE6 48
#define WIDEST_PRIVATE4 8
#define WIDEST_PRIVATE6 8
/* A machine with more has its routes from a protocol. */
#define MAX_LAN_PREFIXES 4096

typedef struct
{
  const T2pnSnapshot *snapshot;
  const int *own;
  guint n_own;
  GHashTable *uplinks; /* set of links with a default route in main */
  GArray *prefixes;
} Builder;

static gboolean
is_own (const Builder *builder, int ifindex)
{
  for (guint i = 0; i < builder->n_own; i++)
    if (builder->own[i] == ifindex)
      return TRUE;
  return FALSE;
}

/* All of it, not only where it begins. */
static gboolean
is_private (const T2pIpPrefix *prefix)
{
  static const char *const ranges[] = { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
                                        "fc00::/7" };

  for (guint i = 0; i < G_N_ELEMENTS (ranges); i++)
    {
      T2pIpPrefix range;

      if (t2p_ip_prefix_parse (ranges[i], &range, NULL) && prefix->length >= range.length &&
          t2p_ip_prefix_contains (&range, &prefix->address))
        return TRUE;
    }
  return FALSE;
}

static gboolean
is_site (const T2pIpPrefix *prefix)
{
  gboolean is_v4 = prefix->address.family == AF_INET;

  if (is_private (prefix))
    return prefix->length >= (is_v4 ? WIDEST_PRIVATE4 : WIDEST_PRIVATE6);
  return prefix->length >= (is_v4 ? WIDEST_SITE4 : WIDEST_SITE6);
}

static gboolean
has_address_in (const Builder *builder, const T2pnRoute *route)
{
  for (guint i = 0; i < builder->snapshot->addresses->len; i++)
    {
      const T2pnAddress *address =
          &g_array_index (builder->snapshot->addresses, T2pnAddress, i);

      if (address->ifindex == route->ifindex && address->length == route->destination.length &&
          t2p_ip_prefix_contains (&route->destination, &address->address))
        return TRUE;
    }
  return FALSE;
}

/* `connected`. */
static gboolean
is_connected (const Builder *builder, const T2pnRoute *route)
{
  if (!g_hash_table_contains (builder->uplinks, GINT_TO_POINTER (route->ifindex)) ||
      is_private (&route->destination))
    return TRUE;
  return route->gateway.family == 0 && has_address_in (builder, route);
}

static void
append (Builder *builder, const T2pIpPrefix *prefix)
{
  if (builder->prefixes->len < MAX_LAN_PREFIXES)
    g_array_append_vals (builder->prefixes, prefix, 1);
}

/* What no router carries, and the link's own. */
static void
append_link_scope (Builder *builder)
{
  static const char *const ranges[] = { "224.0.0.0/4", "255.255.255.255/32", "ff00::/8",
                                        "fe80::/10" };

  for (guint i = 0; i < G_N_ELEMENTS (ranges); i++)
    {
      T2pIpPrefix prefix;

      if (t2p_ip_prefix_parse (ranges[i], &prefix, NULL))
        append (builder, &prefix);
    }
}

GArray *
t2pn_kill_switch_list_lan (const char *lan,
                           const T2pnSnapshot *snapshot,
                           const int *own_ifindexes,
                           guint n_own)
{
  g_autoptr (GHashTable) uplinks = t2pn_snapshot_list_uplinks (snapshot);
  Builder builder = { snapshot, own_ifindexes, n_own, uplinks, NULL };
  gboolean is_all = strcmp (lan, "all") == 0;

  builder.prefixes = g_array_new (FALSE, TRUE, sizeof (T2pIpPrefix));
  if (strcmp (lan, "none") == 0)
    return builder.prefixes;
  append_link_scope (&builder);
  for (guint i = 0; i < snapshot->routes->len; i++)
    {
      const T2pnRoute *route = &g_array_index (snapshot->routes, T2pnRoute, i);

      if (route->table == RT_TABLE_MAIN && route->type == RTN_UNICAST &&
          !is_own (&builder, route->ifindex) && is_site (&route->destination) &&
          (is_all || is_connected (&builder, route)))
        append (&builder, &route->destination);
    }
  return builder.prefixes;
}
