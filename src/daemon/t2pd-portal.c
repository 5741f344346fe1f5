/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * Behind a captive portal no proxy answers until somebody has logged in, and with everything
 * blocked nobody can. NetworkManager finds out that there is one by asking a web server, as
 * root, by the uplink itself; the addresses of that server are let through for root, on port
 * 80. When it says PORTAL and the kill switch blocks, web pages and names are let through for
 * T2P_PORTAL_OPEN_S at most, by every program: whatever else they use that for leaks, and an
 * attacker who runs the network can have it. Therefore once for each network, ended as soon as
 * there is an internet or a proxy answers, and logged.
 *
 * The server's addresses are asked of the machine's own resolver while the tunnel works; what
 * was known stays when that fails. */

#include "t2pd-portal.h"

#include "t2p-limits.h"
#include "t2p-log.h"

struct _T2pdPortal
{
  T2pdKillSwitch *kill_switch;
  T2pdUplink *uplink;
  T2pnPortalWatch *watch;
  T2pnConnectivity connectivity;
  T2pdPortalMemory memory;
  GSource *limit; /* while it is open */
  GCancellable *lookup;
};

void
t2pd_portal_judge (T2pdPortalMemory *memory,
                   T2pnConnectivity connectivity,
                   gboolean is_blocking,
                   gboolean is_too_late)
{
  switch (connectivity)
    {
    case T2PN_CONNECTIVITY_NONE:
    case T2PN_CONNECTIVITY_FULL:
      *memory = (T2pdPortalMemory){ FALSE, FALSE };
      return;
    case T2PN_CONNECTIVITY_PORTAL:
      memory->is_open = is_blocking && !is_too_late && (memory->is_open || !memory->is_spent);
      memory->is_spent |= memory->is_open;
      return;
    case T2PN_CONNECTIVITY_UNKNOWN:
    case T2PN_CONNECTIVITY_LIMITED: /* on the way in or out */
      memory->is_open = memory->is_open && is_blocking && !is_too_late;
      return;
    }
}

static void
drop_limit (T2pdPortal *self)
{
  if (self->limit != NULL)
    g_source_destroy (self->limit);
  g_clear_pointer (&self->limit, g_source_unref);
}

static void judge (T2pdPortal *self, gboolean is_too_late);

static gboolean
too_late_cb (gpointer user_data)
{
  judge (user_data, TRUE);
  return G_SOURCE_REMOVE;
}

static void
judge (T2pdPortal *self, gboolean is_too_late)
{
  gboolean was_open = self->memory.is_open;
  gboolean is_blocking =
      t2pd_kill_switch_get_state (self->kill_switch) == T2PD_KILL_SWITCH_BLOCKING;

  t2pd_portal_judge (&self->memory, self->connectivity, is_blocking, is_too_late);
  if (self->memory.is_open == was_open)
    return;
  drop_limit (self);
  t2pd_kill_switch_set_portal_open (self->kill_switch, self->memory.is_open);
  if (!self->memory.is_open)
    {
      t2p_log_notice (NULL, NULL, "kill switch: the way to the captive portal is closed%s",
                      is_too_late ? ", its time is over" : "");
      return;
    }
  t2p_log_warning (
      NULL, NULL,
      "kill switch: the network wants a login, web pages and names are let through "
      "for %d seconds at most",
      T2P_PORTAL_OPEN_S);
  self->limit = g_timeout_source_new_seconds (T2P_PORTAL_OPEN_S);
  g_source_set_callback (self->limit, too_late_cb, self, NULL);
  g_source_attach (self->limit, NULL);
}

/* --- whom NetworkManager asks */

static void
looked_up_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) hosts = NULL;
  GList *addresses = g_resolver_lookup_by_name_finish (G_RESOLVER (source), result, &error);
  T2pdPortal *self;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  self = user_data;
  g_clear_object (&self->lookup);
  if (addresses == NULL)
    return;
  hosts = g_array_new (FALSE, TRUE, sizeof (T2pIpAddress));
  for (GList *item = addresses; item != NULL && hosts->len < T2P_MAX_ADDRESSES;
       item = item->next)
    {
      GSocketFamily family = g_inet_address_get_family (item->data);
      T2pIpAddress address =
          t2p_ip_address_from_bytes (family == G_SOCKET_FAMILY_IPV4 ? AF_INET : AF_INET6,
                                     g_inet_address_to_bytes (item->data));

      g_array_append_val (hosts, address);
    }
  g_resolver_free_addresses (addresses);
  t2pd_kill_switch_set_check_hosts (self->kill_switch, hosts);
}

static void
look_up (T2pdPortal *self)
{
  const char *host = t2pd_uplink_get_check_host (self->uplink);
  g_autoptr (GResolver) resolver = NULL;

  if (host == NULL || self->lookup != NULL ||
      t2pd_kill_switch_get_state (self->kill_switch) != T2PD_KILL_SWITCH_ARMED)
    return;
  resolver = g_resolver_get_default ();
  self->lookup = g_cancellable_new ();
  g_resolver_lookup_by_name_async (resolver, host, self->lookup, looked_up_cb, self);
}

/* --- events */

static void
connectivity_cb (T2pnConnectivity connectivity, gpointer user_data)
{
  T2pdPortal *self = user_data;

  self->connectivity = connectivity;
  judge (self, FALSE);
  look_up (self);
}

static void
kill_switch_cb (T2pdKillSwitch *kill_switch, gpointer user_data)
{
  judge (user_data, FALSE);
  look_up (user_data);
}

static void
uplink_cb (T2pdUplink *uplink, gpointer user_data)
{
  look_up (user_data);
}

T2pdPortal *
t2pd_portal_new (GDBusConnection *bus, T2pdKillSwitch *kill_switch, T2pdUplink *uplink)
{
  T2pdPortal *self = g_new0 (T2pdPortal, 1);

  self->kill_switch = g_object_ref (kill_switch);
  self->uplink = g_object_ref (uplink);
  self->watch = t2pn_portal_watch_new (bus, connectivity_cb, self);
  g_signal_connect (kill_switch, "changed", G_CALLBACK (kill_switch_cb), self);
  g_signal_connect (uplink, "changed", G_CALLBACK (uplink_cb), self);
  return self;
}

void
t2pd_portal_free (T2pdPortal *self)
{
  if (self == NULL)
    return;
  g_signal_handlers_disconnect_by_data (self->kill_switch, self);
  g_signal_handlers_disconnect_by_data (self->uplink, self);
  if (self->lookup != NULL)
    g_cancellable_cancel (self->lookup);
  g_clear_object (&self->lookup);
  drop_limit (self);
  t2pn_portal_watch_free (self->watch);
  g_object_unref (self->kill_switch);
  g_object_unref (self->uplink);
  g_free (self);
}
