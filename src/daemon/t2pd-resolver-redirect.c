/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Our link has the domain `~.` with systemd-resolved. But a name below a domain that another
 * link has is asked of that link's servers, out of that link whatever the routes say, and the
 * domains of an uplink are those that the network's DHCP server has named: `com`, from one that
 * wants to know. So what resolved sends to name servers out of an uplink is turned round to
 * our responder, which asks the uplink's servers for names of the uplink's domains (of two
 * labels at least), and of nobody else's, from marked sockets.
 *
 * Uplinks are links with a default route in the main table. Domains of other links, of a VPN
 * say, are somebody's choice on this machine, and stay where they are. */
#include "config.h"

#include "t2pd-resolver-redirect.h"

#include "t2p-log.h"
#include "t2pd-bring-up-private.h"
#include "t2pd-dns-redirect.h"
#include "t2pd-tunnel-table.h"
#include "t2pn-dns-redirect.h"
#include "t2pn-nft.h"

#include <linux/rtnetlink.h>

static gboolean
is_wanted (const T2pSettings *settings)
{
  return !t2pd_dns_redirect_is_for_some (settings) &&
         t2p_settings_get_capture (settings) == T2P_CAPTURE_DEFAULT &&
         t2p_settings_get_dns (settings) != T2P_DNS_MODE_OFF &&
         g_strv_contains (t2p_settings_get_strv (settings, "dns-domains"), ".");
}

static gboolean
is_default_of_uplink (const T2pnRoute *route, int own_ifindex)
{
  return route->destination.length == 0 && route->table == RT_TABLE_MAIN &&
         route->type == RTN_UNICAST && route->ifindex > 0 && route->ifindex != own_ifindex;
}

/* (nullable): "2, 3"; by their numbers: names could say anything to nft */
static char *
list_uplinks (const T2pnSnapshot *snapshot, int own_ifindex)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  GString *list = g_string_new (NULL);

  for (guint i = 0; i < snapshot->routes->len; i++)
    {
      const T2pnRoute *route = &g_array_index (snapshot->routes, T2pnRoute, i);

      if (is_default_of_uplink (route, own_ifindex) &&
          g_hash_table_add (seen, GINT_TO_POINTER (route->ifindex)))
        g_string_append_printf (list, "%s%d", list->len > 0 ? ", " : "", route->ifindex);
    }
  return g_string_free (list, list->len == 0);
}

/* (nullable): without an uplink or a resolved there is nothing to turn round */
static char *
make_script (T2pdBringUp *self, const T2pnSnapshot *snapshot, const char *table)
{
  g_autofree char *uplinks =
      list_uplinks (snapshot, t2pn_tun_device_get_ifindex (self->device));
  g_autofree char *sent = NULL;
  const char *who[] = { NULL, NULL };
  T2pnDnsRedirect redirect = {
    .table = table,
    .ifname = t2pn_tun_device_get_name (self->device),
    .mark = self->ids.mark,
    .worker_uid = t2pd_bring_up_get_worker_uid (self),
    .who = who,
    .pool = self->pool,
    /* The responder answers by IPv6 when the link has its address, as the plan says. */
    .has_ipv6 = t2pn_snapshot_has_address (snapshot, &self->pool.address6),
  };

  if (self->resolver_uid == 0 || uplinks == NULL)
    return NULL;
  sent = g_strdup_printf ("meta skuid %u meta oif { %s }", self->resolver_uid, uplinks);
  who[0] = sent;
  return t2pn_dns_redirect_to_script (&redirect);
}

static gboolean
take_back (T2pdBringUp *self, const char *table, GError **error)
{
  g_autofree char *script = t2pn_dns_redirect_to_undo_script (table);

  if (self->resolver_redirect == NULL)
    return TRUE;
  g_clear_pointer (&self->resolver_redirect, g_free);
  return t2pn_nft_run (script, error);
}

static gboolean
make_true (T2pdBringUp *self, GError **error)
{
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_take_around_tunnels (0, error);
  g_autofree char *table = t2pd_tunnel_table_make_name (self);
  g_autofree char *script = NULL;

  if (snapshot == NULL)
    return FALSE;
  script = make_script (self, snapshot, table);
  if (script == NULL)
    return take_back (self, table, error);
  if (g_strcmp0 (script, self->resolver_redirect) == 0)
    return TRUE;
  if (!t2pd_tunnel_table_load (self, script, error))
    return FALSE;
  g_free (self->resolver_redirect);
  self->resolver_redirect = g_steal_pointer (&script);
  return TRUE;
}

static void
try_it (T2pdBringUp *self)
{
  g_autoptr (GError) error = NULL;
  gboolean was_failing = self->is_resolver_redirect_failing;

  self->is_resolver_redirect_failing = !make_true (self, &error);
  if (self->is_resolver_redirect_failing && !was_failing)
    t2p_log_warning (t2pd_tunnel_get_name (self->tunnel), error,
                     "systemd-resolved may ask the uplink's servers for names below the "
                     "uplink's domains, ignoring");
}

gboolean
t2pd_resolver_redirect_run (T2pdBringUp *self, GError **error)
{
  if (is_wanted (self->settings))
    try_it (self);
  return TRUE;
}

/* The table goes with the step, by the journal. */
gboolean
t2pd_resolver_redirect_undo (T2pdBringUp *self, GError **error)
{
  g_autofree char *table = t2pd_tunnel_table_make_name (self);

  take_back (self, table, NULL);
  return TRUE;
}

/* An uplink may have come that was not there at the bring-up. */
gboolean
t2pd_resolver_redirect_update (T2pdBringUp *self, GError **error)
{
  return t2pd_resolver_redirect_run (self, error);
}

gboolean
t2pd_resolver_redirect_restore (T2pdBringUp *self, GError **error)
{
  g_clear_pointer (&self->resolver_redirect, g_free);
  return t2pd_resolver_redirect_run (self, error);
}
