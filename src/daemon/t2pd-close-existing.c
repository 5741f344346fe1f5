/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * What is captured is known to the kernel best: a connection is ended when a new one of the
 * same program to the same place would go into the tunnel, or be refused in its stead. So
 * loopback, the LAN, excluded networks, other tunnels and our own sockets, which have their
 * mark, stay by themselves. Connections from outside stay, too: somebody listens at their port.
 *
 * Programs are told by the cgroup that a socket was made in. */

#include "t2pd-close-existing.h"

#include "t2p-log.h"
#include "t2pd-bring-up-private.h"
#include "t2pn-open-sockets.h"
#include "t2pn-route-lookup.h"

typedef struct
{
  T2pdBringUp *bring_up;
  T2pnRouteLookup *lookup;
  GHashTable *inside; /* set of guint64: cgroups; NULL: all but @outside */
  GHashTable *outside;
} Choice;

static gboolean
is_captured_program (const Choice *choice, const T2pnOpenSocket *socket)
{
  if (choice->bring_up->ids.app_mark == 0)
    return TRUE;
  if (socket->mark != 0 || !t2pd_apps_captures_user (choice->bring_up, socket->uid) ||
      g_hash_table_contains (choice->outside, &socket->cgroup))
    return FALSE;
  return choice->inside == NULL || g_hash_table_contains (choice->inside, &socket->cgroup);
}

static gboolean
would_be_captured (const Choice *choice, const T2pnOpenSocket *socket)
{
  guint32 app_mark = choice->bring_up->ids.app_mark;
  int ifindex = 0;

  switch (t2pn_route_lookup_ask (choice->lookup, &socket->remote.address, socket->uid,
                                 app_mark != 0 ? app_mark : socket->mark, &ifindex))
    {
    case T2PN_WAY_NONE:
      return FALSE;
    case T2PN_WAY_LINK:
      return ifindex == t2pd_bring_up_get_ifindex (choice->bring_up);
    case T2PN_WAY_UNREACHABLE:
      return TRUE;
    }
  return FALSE;
}

static gboolean
is_to_end (const Choice *choice, const T2pnOpenSocket *socket)
{
  guint32 worker_uid = choice->bring_up->service->options->worker_uid;

  return !socket->is_inbound && !socket->is_bound &&
         socket->mark != choice->bring_up->ids.mark && socket->uid != worker_uid &&
         !t2p_ip_address_is_loopback (&socket->remote.address) &&
         is_captured_program (choice, socket) && would_be_captured (choice, socket);
}

/* --- */

static gboolean
end_them (Choice *choice, guint *out_n, GError **error)
{
  g_autoptr (GArray) sockets = t2pn_open_sockets_list (error);

  if (sockets == NULL)
    return FALSE;
  for (guint i = sockets->len; i > 0; i--)
    if (!is_to_end (choice, &g_array_index (sockets, T2pnOpenSocket, i - 1)))
      g_array_remove_index_fast (sockets, i - 1);
  return sockets->len == 0 || t2pn_open_sockets_end (sockets, out_n, error);
}

static void
warn (T2pdBringUp *bring_up, const GError *error)
{
  g_autofree char *text =
      g_strdup_printf ("connections that were open before stay outside: %s", error->message);

  t2p_log_warning (t2pd_tunnel_get_name (bring_up->tunnel), NULL, "%s", text);
  t2pd_tunnel_tell (bring_up->tunnel, text);
  g_free (bring_up->close_warning);
  bring_up->close_warning = g_steal_pointer (&text);
}

gboolean
t2pd_close_existing_run (T2pdBringUp *bring_up, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (T2pnRouteLookup) lookup = NULL;
  Choice choice = { bring_up, NULL, NULL, NULL };
  guint n = 0;

  g_clear_pointer (&bring_up->close_warning, g_free);
  if (!bring_up->closes_existing ||
      t2p_settings_get_capture (bring_up->settings) == T2P_CAPTURE_NONE)
    return TRUE;
  choice.lookup = lookup = t2pn_route_lookup_new (&failure);
  t2pd_apps_list_cgroups (bring_up, &choice.inside, &choice.outside);
  if (lookup == NULL || !end_them (&choice, &n, &failure))
    warn (bring_up, failure);
  else
    t2p_log_info (t2pd_tunnel_get_name (bring_up->tunnel), NULL,
                  "%u connections that were open before were ended", n);
  g_clear_pointer (&choice.inside, g_hash_table_unref);
  g_clear_pointer (&choice.outside, g_hash_table_unref);
  return TRUE;
}
