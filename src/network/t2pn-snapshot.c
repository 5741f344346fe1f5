/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-snapshot.h"

#include "t2pn-netlink-dump.h"

#include <linux/rtnetlink.h>

#define MAX_TABLES 32 /* with more, one list of everything is cheaper */

T2pnSnapshot *
t2pn_snapshot_new (void)
{
  T2pnSnapshot *snapshot = g_new0 (T2pnSnapshot, 1);

  snapshot->links = g_array_new (FALSE, TRUE, sizeof (T2pnLink));
  snapshot->addresses = g_array_new (FALSE, TRUE, sizeof (T2pnAddress));
  snapshot->routes = g_array_new (FALSE, TRUE, sizeof (T2pnRoute));
  snapshot->rules = g_array_new (FALSE, TRUE, sizeof (T2pnRule));
  snapshot->udp_servers = g_array_new (FALSE, TRUE, sizeof (T2pnUdpServer));
  snapshot->has_ipv6 = TRUE;
  snapshot->links_get_ipv6 = TRUE;
  return snapshot;
}

void
t2pn_snapshot_free (T2pnSnapshot *snapshot)
{
  if (snapshot == NULL)
    return;
  g_array_unref (snapshot->links);
  g_array_unref (snapshot->addresses);
  g_array_unref (snapshot->routes);
  g_array_unref (snapshot->rules);
  g_array_unref (snapshot->udp_servers);
  g_free (snapshot);
}

static gboolean
links_get_ipv6 (void)
{
  g_autofree char *text = NULL;

  /* A file that is not there (no /proc, no IPv6) says nothing against it: the kernel will. */
  if (!g_file_get_contents ("/proc/sys/net/ipv6/conf/default/disable_ipv6", &text, NULL, NULL))
    return TRUE;
  return text[0] == '0';
}

static gboolean
take_routes (T2pnSnapshot *snapshot, T2pnNetlinkDump *dump, guint32 table, GError **error)
{
  const int families[] = { AF_INET, AF_INET6 };

  for (guint i = 0; i < (snapshot->has_ipv6 ? 2 : 1); i++)
    if (!(table == 0
              ? t2pn_netlink_dump_routes (dump, families[i], snapshot->routes, error)
              : t2pn_netlink_dump_table (dump, families[i], table, snapshot->routes, error)))
      return FALSE;
  return TRUE;
}

/* A kernel that cannot list sockets has its routes all the same. */
static void
take_udp_servers (T2pnSnapshot *snapshot)
{
  g_autoptr (GError) error = NULL;
  GArray *servers = t2pn_udp_servers_list (&error);

  if (servers == NULL)
    {
      g_debug ("%s, ignoring", error->message);
      return;
    }
  g_array_unref (snapshot->udp_servers);
  snapshot->udp_servers = servers;
}

/* Everything but routes. */
static T2pnSnapshot *
take_most (T2pnNetlinkDump *dump, GError **error)
{
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_new ();

  snapshot->has_ipv6 = g_file_test ("/proc/net/if_inet6", G_FILE_TEST_EXISTS);
  snapshot->links_get_ipv6 = snapshot->has_ipv6 && links_get_ipv6 ();
  if (!t2pn_netlink_dump_links (dump, snapshot->links, error) ||
      !t2pn_netlink_dump_addresses (dump, snapshot->addresses, error) ||
      !t2pn_netlink_dump_rules (dump, AF_INET, snapshot->rules, error) ||
      (snapshot->has_ipv6 && !t2pn_netlink_dump_rules (dump, AF_INET6, snapshot->rules, error)))
    return NULL;
  take_udp_servers (snapshot);
  return g_steal_pointer (&snapshot);
}

T2pnSnapshot *
t2pn_snapshot_take (GError **error)
{
  g_autoptr (T2pnNetlinkDump) dump = t2pn_netlink_dump_new (error);
  g_autoptr (T2pnSnapshot) snapshot = dump != NULL ? take_most (dump, error) : NULL;

  if (snapshot == NULL || !take_routes (snapshot, dump, 0, error))
    return NULL;
  return g_steal_pointer (&snapshot);
}

gboolean
t2pn_snapshot_add_table (T2pnSnapshot *snapshot, guint32 table, GError **error)
{
  g_autoptr (T2pnNetlinkDump) dump = t2pn_netlink_dump_new (error);

  return dump != NULL && take_routes (snapshot, dump, table, error);
}

/* Tables that somebody else looks up, and main. (transfer full) */
static GHashTable *
list_tables (const T2pnSnapshot *snapshot)
{
  GHashTable *tables = g_hash_table_new (NULL, NULL);

  g_hash_table_add (tables, GUINT_TO_POINTER (RT_TABLE_MAIN));
  for (guint i = 0; i < snapshot->rules->len; i++)
    {
      const T2pnRule *rule = &g_array_index (snapshot->rules, T2pnRule, i);

      if (rule->protocol != T2PN_PROTOCOL && rule->table != 0 && rule->table != RT_TABLE_LOCAL)
        g_hash_table_add (tables, GUINT_TO_POINTER (rule->table));
    }
  return tables;
}

T2pnSnapshot *
t2pn_snapshot_take_around_tunnels (guint32 table, GError **error)
{
  g_autoptr (T2pnNetlinkDump) dump = t2pn_netlink_dump_new (error);
  g_autoptr (T2pnSnapshot) snapshot = dump != NULL ? take_most (dump, error) : NULL;
  g_autoptr (GHashTable) tables = snapshot != NULL ? list_tables (snapshot) : NULL;
  GHashTableIter iter;
  gpointer key;

  if (snapshot == NULL)
    return NULL;
  if (table != 0)
    g_hash_table_add (tables, GUINT_TO_POINTER (table));
  if (g_hash_table_size (tables) > MAX_TABLES)
    return take_routes (snapshot, dump, 0, error) ? g_steal_pointer (&snapshot) : NULL;
  g_hash_table_iter_init (&iter, tables);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    if (!take_routes (snapshot, dump, GPOINTER_TO_UINT (key), error))
      return NULL;
  return g_steal_pointer (&snapshot);
}

const T2pnLink *
t2pn_snapshot_find_link (const T2pnSnapshot *snapshot, int ifindex)
{
  for (guint i = 0; i < snapshot->links->len; i++)
    {
      const T2pnLink *link = &g_array_index (snapshot->links, T2pnLink, i);

      if (link->ifindex == ifindex)
        return link;
    }
  return NULL;
}

gboolean
t2pn_snapshot_has_default (const T2pnSnapshot *snapshot, int family, int ignored_ifindex)
{
  for (guint i = 0; i < snapshot->routes->len; i++)
    {
      const T2pnRoute *route = &g_array_index (snapshot->routes, T2pnRoute, i);

      if (route->destination.address.family == family && route->destination.length == 0 &&
          route->table == RT_TABLE_MAIN && route->type == RTN_UNICAST &&
          route->ifindex != ignored_ifindex)
        return TRUE;
    }
  return FALSE;
}

GHashTable *
t2pn_snapshot_list_uplinks (const T2pnSnapshot *snapshot)
{
  GHashTable *uplinks = g_hash_table_new (NULL, NULL);

  for (guint i = 0; i < snapshot->routes->len; i++)
    {
      const T2pnRoute *route = &g_array_index (snapshot->routes, T2pnRoute, i);

      if (route->destination.length == 0 && route->table == RT_TABLE_MAIN &&
          route->type == RTN_UNICAST)
        g_hash_table_add (uplinks, GINT_TO_POINTER (route->ifindex));
    }
  return uplinks;
}

gboolean
t2pn_snapshot_has_address (const T2pnSnapshot *snapshot, const T2pIpAddress *address)
{
  for (guint i = 0; i < snapshot->addresses->len; i++)
    if (t2p_ip_address_equal (&g_array_index (snapshot->addresses, T2pnAddress, i).address,
                              address))
      return TRUE;
  return FALSE;
}

gboolean
t2pn_snapshot_is_local (const T2pnSnapshot *snapshot, const T2pIpAddress *address)
{
  return t2p_ip_address_is_loopback (address) || t2pn_snapshot_has_address (snapshot, address);
}
