/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-manager.h"

#include "t2p-limits.h"
#include "t2pd-dns-redirect.h"

struct _T2pdManager
{
  GObject parent;
  GPtrArray *tunnels; /* at most T2P_MAX_TUNNELS: walked */
  guint64 last_id;
};

G_DEFINE_FINAL_TYPE (T2pdManager, t2pd_manager, G_TYPE_OBJECT)

enum
{
  ADDED,
  REMOVED,
  N_SIGNALS,
};
static guint signals[N_SIGNALS];

static void
t2pd_manager_finalize (GObject *object)
{
  g_ptr_array_unref (T2PD_MANAGER (object)->tunnels);
  G_OBJECT_CLASS (t2pd_manager_parent_class)->finalize (object);
}

static void
t2pd_manager_class_init (T2pdManagerClass *klass)
{
  GType type = G_TYPE_FROM_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = t2pd_manager_finalize;
  signals[ADDED] = g_signal_new ("added", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                 G_TYPE_NONE, 1, T2PD_TYPE_TUNNEL);
  signals[REMOVED] = g_signal_new ("removed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                   G_TYPE_NONE, 1, T2PD_TYPE_TUNNEL);
}

static void
t2pd_manager_init (T2pdManager *self)
{
  self->tunnels = g_ptr_array_new_with_free_func (g_object_unref);
}

T2pdManager *
t2pd_manager_new (void)
{
  return g_object_new (T2PD_TYPE_MANAGER, NULL);
}

void
t2pd_manager_add (T2pdManager *self, T2pdTunnel *tunnel)
{
  g_ptr_array_add (self->tunnels, g_object_ref (tunnel));
  g_signal_emit (self, signals[ADDED], 0, tunnel);
}

void
t2pd_manager_remove (T2pdManager *self, T2pdTunnel *tunnel)
{
  g_autoptr (T2pdTunnel) kept = g_object_ref (tunnel);

  g_return_if_fail (!t2pd_tunnel_is_engaged (tunnel));

  if (g_ptr_array_remove (self->tunnels, tunnel))
    g_signal_emit (self, signals[REMOVED], 0, kept);
}

gboolean
t2pd_manager_contains (T2pdManager *self, T2pdTunnel *tunnel)
{
  return g_ptr_array_find (self->tunnels, tunnel, NULL);
}

T2pdTunnel *
t2pd_manager_find (T2pdManager *self, guint32 owner, const char *name)
{
  for (guint i = 0; i < self->tunnels->len; i++)
    {
      T2pdTunnel *tunnel = self->tunnels->pdata[i];

      if (t2pd_tunnel_get_owner (tunnel) == owner &&
          g_str_equal (t2pd_tunnel_get_name (tunnel), name))
        return tunnel;
    }
  return NULL;
}

static gpointer
copy_ref (gconstpointer object, gpointer user_data)
{
  return g_object_ref ((gpointer) object);
}

GPtrArray *
t2pd_manager_list (T2pdManager *self)
{
  GPtrArray *list = g_ptr_array_copy (self->tunnels, copy_ref, NULL);

  g_ptr_array_set_free_func (list, g_object_unref);
  return list;
}

guint64
t2pd_manager_next_id (T2pdManager *self)
{
  return ++self->last_id;
}

void
t2pd_manager_skip_ids (T2pdManager *self, guint64 id)
{
  self->last_id = MAX (self->last_id, id);
}

gboolean
t2pd_manager_check_limits (T2pdManager *self, guint32 owner, GError **error)
{
  guint of_owner = 0;

  for (guint i = 0; i < self->tunnels->len; i++)
    of_owner += t2pd_tunnel_get_owner (self->tunnels->pdata[i]) == owner;
  if (of_owner < T2P_MAX_TUNNELS_PER_UID && self->tunnels->len < T2P_MAX_TUNNELS)
    return TRUE;
  if (of_owner >= T2P_MAX_TUNNELS_PER_UID)
    g_set_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED,
                 "user %u has %u tunnels, at most %d expected", owner, of_owner,
                 T2P_MAX_TUNNELS_PER_UID);
  else
    g_set_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED,
                 "the service has %u tunnels, at most %d expected", self->tunnels->len,
                 T2P_MAX_TUNNELS);
  return FALSE;
}

static gboolean
is_system_default (const T2pSettings *settings)
{
  return t2p_settings_get_scope (settings) == T2P_SCOPE_SYSTEM &&
         t2p_settings_get_capture (settings) == T2P_CAPTURE_DEFAULT;
}

/* Only one can have all names of the machine's resolver; one for some users or apps does not
 * ask for it. */
static gboolean
takes_every_name (const T2pSettings *settings)
{
  return !t2pd_dns_redirect_is_for_some (settings) &&
         t2p_settings_get_dns (settings) != T2P_DNS_MODE_OFF &&
         g_strv_contains (t2p_settings_get_strv (settings, "dns-domains"), ".");
}

static gboolean
is_user_default (const T2pSettings *settings)
{
  return t2p_settings_get_scope (settings) == T2P_SCOPE_USER &&
         t2p_settings_get_capture (settings) == T2P_CAPTURE_DEFAULT;
}

static const char *
conflict_of (guint32 owner, const T2pSettings *settings, T2pdTunnel *other)
{
  const T2pSettings *theirs = t2pd_tunnel_get_settings (other);

  if (is_system_default (settings) && is_system_default (theirs))
    return "captures all traffic of the system already";
  if (takes_every_name (settings) && takes_every_name (theirs))
    return "resolves all names of the system already";
  if (owner == t2pd_tunnel_get_owner (other) && is_user_default (settings) &&
      is_user_default (theirs))
    return "captures all traffic of this user already";
  return NULL;
}

gboolean
t2pd_manager_check_conflicts (T2pdManager *self,
                              guint32 owner,
                              const T2pSettings *settings,
                              T2pdTunnel *self_tunnel,
                              GError **error)
{
  if (self_tunnel != NULL && t2pd_tunnel_is_elsewhere (self_tunnel))
    return TRUE;
  for (guint i = 0; i < self->tunnels->len; i++)
    {
      T2pdTunnel *other = self->tunnels->pdata[i];
      const char *conflict = other == self_tunnel || !t2pd_tunnel_is_engaged (other) ||
                                     t2pd_tunnel_is_elsewhere (other)
                                 ? NULL
                                 : conflict_of (owner, settings, other);

      if (conflict == NULL)
        continue;
      g_set_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT, "tunnel '%s' of user %u %s",
                   t2pd_tunnel_get_name (other), t2pd_tunnel_get_owner (other), conflict);
      return FALSE;
    }
  return TRUE;
}

T2pdTunnel *
t2pd_manager_get_default (T2pdManager *self)
{
  for (guint i = 0; i < self->tunnels->len; i++)
    if (t2pd_tunnel_is_up (self->tunnels->pdata[i]) &&
        !t2pd_tunnel_is_elsewhere (self->tunnels->pdata[i]) &&
        is_system_default (t2pd_tunnel_get_settings (self->tunnels->pdata[i])))
      return self->tunnels->pdata[i];
  return NULL;
}
