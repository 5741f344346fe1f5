/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * An upstream at an address of this machine, or at a unix socket, is a program here, whose own
 * connections the tunnel would capture. It is excluded by what tells it from others, the
 * strictest first: a user of its own, a unit of its own, or, for a user's program among his
 * others, whom it is connected to. Those may become more while the tunnel is up: the kernel
 * tells of no new connection, so they are looked at now and then, less often on a machine where
 * that takes long; who was one stays one, since a connection that broke is made again.
 *
 * Where all that is missing, the tunnel does not come up: with capture=default whatever the
 * program does next would go round. With capture=routes that depends on where it goes to,
 * which nobody knows; the loop detector sees it. */
#include "config.h"

#include "t2pd-second-hop.h"

#include "t2p-app-name.h"
#include "t2p-limits.h"
#include "t2p-log.h"
#include "t2pd-bring-up-private.h"
#include "t2pd-pace.h"
#include "t2pn-app-search.h"
#include "t2pn-local-proxy.h"
#include "t2pn-loop-method.h"
#include "t2pn-process-list.h"

#include <string.h>

#define LOOK_AGAIN_US (5 * G_USEC_PER_SEC)

struct _T2pdSecondHop
{
  T2pdBringUp *bring_up; /* unowned: it owns us */
  T2pnBypass *bypass;    /* its users and peers */
  GPtrArray *units;      /* NULL at the end */
  GPtrArray *captured;   /* of T2pnLocalProxy: would be, unless they are kept out */
  GSource *timer;        /* while peers and processes are followed */
};

static void
drop_timer (T2pdSecondHop *self)
{
  if (self->timer != NULL)
    g_source_destroy (self->timer);
  g_clear_pointer (&self->timer, g_source_unref);
}

void
t2pd_second_hop_free (T2pdSecondHop *self)
{
  if (self == NULL)
    return;
  drop_timer (self);
  t2pn_bypass_free (self->bypass);
  g_ptr_array_unref (self->units);
  g_ptr_array_unref (self->captured);
  g_free (self);
}

/* --- whose connections are captured */

static gboolean
is_captured_user (const T2pdBringUp *bring_up, guint32 uid)
{
  if (t2p_settings_get_scope (bring_up->settings) == T2P_SCOPE_USER)
    return uid == t2pd_tunnel_get_owner (bring_up->tunnel);
  for (guint i = 0; i < bring_up->users->len; i++)
    {
      const T2pnUidRange *range = &g_array_index (bring_up->users, T2pnUidRange, i);

      if (uid >= range->first && uid <= range->last)
        return TRUE;
    }
  return bring_up->users->len == 0;
}

static gboolean
is_captured (const T2pdBringUp *bring_up, const T2pnLocalProxy *proxy)
{
  if (proxy->is_elsewhere)
    return FALSE;
  for (guint i = 0; i < proxy->uids->len; i++)
    if (is_captured_user (bring_up, g_array_index (proxy->uids, guint32, i)))
      return TRUE;
  return FALSE;
}

/* --- by user */

static gboolean
exclude_users (T2pdSecondHop *self, const T2pnLocalProxy *proxy)
{
  const T2pdBringUp *bring_up = self->bring_up;

  if (!proxy->has_own_users ||
      t2pn_local_proxy_has_uid (proxy, t2pd_tunnel_get_owner (bring_up->tunnel)) ||
      t2pn_loop_method_of (bring_up->settings) == T2PN_LOOP_HALF_DEFAULT)
    return FALSE;
  for (guint i = 0; i < proxy->uids->len; i++)
    t2pn_bypass_add_uid (self->bypass, g_array_index (proxy->uids, guint32, i));
  return TRUE;
}

/* --- by unit */

/* Whether nftables would find the cgroup by the unit's name. */
static gboolean
is_found (const T2pdBringUp *bring_up, const char *unit, const char *cgroup)
{
  const char *const names[] = { unit, NULL };
  T2pnAppPlace place = {
    .root = T2PN_CGROUP_ROOT,
    .is_user = t2p_settings_get_scope (bring_up->settings) == T2P_SCOPE_USER,
    .uid = t2pd_tunnel_get_owner (bring_up->tunnel),
  };
  gboolean is_cut = FALSE;
  g_autoptr (GArray) groups = t2pn_app_search (&place, names, NULL, &is_cut);

  for (guint i = 0; i < groups->len; i++)
    if (strcmp (g_array_index (groups, T2pnAppGroup, i).path, cgroup) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
exclude_unit (T2pdSecondHop *self, const T2pnLocalProxy *proxy)
{
  T2pdBringUp *bring_up = self->bring_up;
  g_autofree char *unit = proxy->cgroup != NULL ? g_path_get_basename (proxy->cgroup) : NULL;

  if (!proxy->has_own_cgroup || !t2p_app_name_check (unit, NULL) ||
      t2pn_loop_method_of (bring_up->settings) == T2PN_LOOP_HALF_DEFAULT ||
      !t2pn_app_search_check (T2PN_CGROUP_ROOT, NULL) ||
      !is_found (bring_up, unit, proxy->cgroup) ||
      !t2pd_bring_up_take_app_mark (bring_up, NULL))
    return FALSE;
  g_ptr_array_insert (self->units, (int) self->units->len - 1, g_steal_pointer (&unit));
  return TRUE;
}

/* --- by peers */

static gboolean
exclude_peers (T2pdSecondHop *self, const T2pnLocalProxy *proxy)
{
  for (guint i = 0; i < proxy->peers->len; i++)
    for (guint j = 0; j < proxy->uids->len; j++)
      if (self->bypass->peers->len < T2P_MAX_LOCAL_PEERS)
        t2pn_bypass_add_peer (self->bypass, &g_array_index (proxy->peers, T2pIpAddress, i),
                              g_array_index (proxy->uids, guint32, j));
  return proxy->peers->len > 0;
}

static gboolean
refuse (T2pdSecondHop *self,
        const T2pEndpoint *endpoint,
        const T2pnLocalProxy *proxy,
        GError **error)
{
  if (t2p_settings_get_capture (self->bring_up->settings) == T2P_CAPTURE_ROUTES)
    return TRUE;
  g_set_error (
      error, T2P_ERROR, T2P_ERROR_ROUTING_LOOP,
      "%s is the program '%s' of this machine (pid %d, user %u), whose own connections "
      "would go into the tunnel: it has neither a user nor a unit of its own, and is "
      "connected to nobody yet",
      t2p_endpoint_get_display (endpoint), proxy->program, proxy->pid,
      g_array_index (proxy->uids, guint32, 0));
  return FALSE;
}

/* --- looking */

static gboolean
exclude (T2pdSecondHop *self,
         const T2pEndpoint *endpoint,
         const T2pnLocalProxy *proxy,
         GError **error)
{
  const char *name = t2pd_tunnel_get_name (self->bring_up->tunnel);
  const char *by = NULL;

  if (!is_captured (self->bring_up, proxy))
    return TRUE;
  if (exclude_users (self, proxy))
    by = "user";
  else if (exclude_unit (self, proxy))
    by = "unit";
  else if (exclude_peers (self, proxy))
    by = "its peers";
  else
    return refuse (self, endpoint, proxy, error);
  t2p_log_info (name, NULL, "%s is '%s' (pid %d) of this machine: stays outside by %s",
                t2p_endpoint_get_display (endpoint), proxy->program, proxy->pid, by);
  return TRUE;
}

typedef gboolean (*ProxyFunc) (T2pdSecondHop *self,
                               const T2pEndpoint *endpoint,
                               const T2pnLocalProxy *proxy,
                               GError **error);

static gboolean
call_for (T2pdSecondHop *self,
          const T2pEndpoint *endpoint,
          T2pnLocalProxy *found,
          ProxyFunc func,
          GError **error)
{
  g_autoptr (T2pnLocalProxy) proxy = found;

  if (proxy != NULL && !func (self, endpoint, proxy, error))
    return FALSE;
  if (proxy != NULL && is_captured (self->bring_up, proxy))
    g_ptr_array_add (self->captured, g_steal_pointer (&proxy));
  return TRUE;
}

/* What cannot be listed is no reason to refuse: nothing is known against it. */
static gboolean
look_at (T2pdSecondHop *self,
         const T2pnSnapshot *snapshot,
         guint index,
         ProxyFunc func,
         GError **error)
{
  T2pdUpstreams *upstreams = self->bring_up->upstreams;
  const T2pEndpoint *endpoint = t2pd_upstreams_get_endpoint (upstreams, index);
  const GArray *addresses = t2pd_upstreams_get_addresses (upstreams, index);
  const char *path = t2p_endpoint_get_unix_path (endpoint);

  if (path != NULL)
    return call_for (self, endpoint, t2pn_local_proxy_find_unix (path, NULL), func, error);
  for (guint i = 0; i < addresses->len; i++)
    {
      T2pIpEndpoint place = { g_array_index (addresses, T2pIpAddress, i),
                              t2p_endpoint_get_port (endpoint) };

      if (t2pn_snapshot_is_local (snapshot, &place.address) &&
          !call_for (self, endpoint, t2pn_local_proxy_find (&place, NULL), func, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
look_at_all (T2pdSecondHop *self, ProxyFunc func, GError **error)
{
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_take_around_tunnels (0, error);

  if (snapshot == NULL)
    return FALSE;
  for (guint i = 0; t2pd_upstreams_get_endpoint (self->bring_up->upstreams, i) != NULL; i++)
    if (!look_at (self, snapshot, i, func, error))
      return FALSE;
  return TRUE;
}

/* --- following */

static gboolean
follow (T2pdSecondHop *self,
        const T2pEndpoint *endpoint,
        const T2pnLocalProxy *proxy,
        GError **error)
{
  if (is_captured (self->bring_up, proxy) && !proxy->has_own_users && !proxy->has_own_cgroup)
    exclude_peers (self, proxy);
  return TRUE;
}

static gboolean look_again_cb (gpointer user_data);

static void
plan_look (T2pdSecondHop *self, gint64 delay_us)
{
  drop_timer (self);
  self->timer = g_timeout_source_new ((guint) (delay_us / 1000));
  g_source_set_callback (self->timer, look_again_cb, self, NULL);
  g_source_attach (self->timer, NULL);
}

static gboolean
look_again_cb (gpointer user_data)
{
  T2pdSecondHop *self = user_data;
  guint n_before = self->bypass->peers->len;
  gint64 began_us = g_get_monotonic_time ();
  gint64 ended_us;

  g_ptr_array_set_size (self->captured, 0);
  look_at_all (self, follow, NULL);
  ended_us = g_get_monotonic_time ();
  plan_look (self, t2pd_pace_next (began_us, ended_us, LOOK_AGAIN_US) - ended_us);
  if (self->bypass->peers->len > n_before)
    t2pd_bring_up_update_plan (self->bring_up);
  return G_SOURCE_REMOVE;
}

static void
start_following (T2pdSecondHop *self)
{
  if (self->bypass->peers->len == 0 && self->units->len == 1)
    return; /* whose user tells it is known by that */
  plan_look (self, LOOK_AGAIN_US);
}

/* --- the whole */

gboolean
t2pd_second_hop_find (T2pdBringUp *bring_up, GError **error)
{
  T2pdSecondHop *self = g_new0 (T2pdSecondHop, 1);

  g_clear_pointer (&bring_up->second_hop, t2pd_second_hop_free);
  bring_up->second_hop = self;
  self->bring_up = bring_up;
  self->bypass = t2pn_bypass_new ();
  self->units = g_ptr_array_new_with_free_func (g_free);
  self->captured = g_ptr_array_new_with_free_func ((GDestroyNotify) t2pn_local_proxy_free);
  g_ptr_array_add (self->units, NULL);
  if (t2p_settings_get_capture (bring_up->settings) == T2P_CAPTURE_NONE)
    return TRUE;
  if (!look_at_all (self, exclude, error))
    return FALSE;
  start_following (self);
  return TRUE;
}

gboolean
t2pd_second_hop_is_captured (const T2pdSecondHop *self)
{
  return self->captured->len > 0;
}

static gboolean
has_socket (const T2pnLocalProxy *proxy, guint32 inode)
{
  for (guint i = 0; i < proxy->pids->len; i++)
    if (t2pn_process_list_has_socket (g_array_index (proxy->pids, int, i), inode))
      return TRUE;
  return FALSE;
}

gboolean
t2pd_second_hop_has_socket (const T2pdSecondHop *self, guint32 uid, guint32 inode)
{
  for (guint i = 0; i < self->captured->len; i++)
    {
      const T2pnLocalProxy *proxy = self->captured->pdata[i];

      if (t2pn_local_proxy_has_uid (proxy, uid) &&
          (proxy->has_own_users || has_socket (proxy, inode)))
        return TRUE;
    }
  return FALSE;
}

void
t2pd_second_hop_add_to (const T2pdSecondHop *self, T2pnBypass *bypass)
{
  for (guint i = 0; i < self->bypass->uids->len; i++)
    t2pn_bypass_add_uid (bypass, g_array_index (self->bypass->uids, guint32, i));
  for (guint i = 0; i < self->bypass->peers->len; i++)
    {
      const T2pnBypassPeer *peer = &g_array_index (self->bypass->peers, T2pnBypassPeer, i);

      t2pn_bypass_add_peer (bypass, &peer->address, peer->uid);
    }
}

const char *const *
t2pd_second_hop_get_units (const T2pdSecondHop *self)
{
  return (const char *const *) self->units->pdata;
}
