/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A volatile profile on a device that we hold. NetworkManager keeps it for as long as there is
 * the device, over its own restarts, and takes everything in it back with the device: what we
 * leave when we are killed goes with the last descriptor of the tun. Only a NetworkManager that
 * was killed itself leaves rules and routes without a link; those are in the journal.
 *
 *   DOWN → CHANGING → UP → CHANGING → DOWN
 *                     UP → AWAY (NetworkManager ended) → CHANGING → UP, or `lost`
 *
 * An update is a Reapply. What comes in AWAY is kept, and applied when NetworkManager has
 * brought up the profile as it was added. */
#include "config.h"

#include "t2pn-nm-backend-private.h"

#include "t2p-error.h"
#include "t2pn-claims.h"
#include "t2pn-netlink-objects.h"
#include "t2pn-nm-activation.h"
#include "t2pn-nm-client-private.h"
#include "t2pn-nm-profile.h"
#include "t2pn-resolver-backends.h"

#define STEP "configure-link"

static void t2pn_nm_backend_iface_init (T2pnBackendInterface *iface);

G_DEFINE_TYPE_WITH_CODE (T2pnNmBackend,
                         t2pn_nm_backend,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (T2PN_TYPE_BACKEND, t2pn_nm_backend_iface_init))

/* --- what is asked for */

NMConnection *
t2pn_nm_backend_make_profile (T2pnNmBackend *self, const T2pnRoutePlan *plan, GError **error)
{
  T2pnNmProfileConfig config = {
    .id = self->id,
    .uuid = self->uuid,
    .has_vnet_header = self->has_vnet_header,
    .is_multi_queue = self->is_multi_queue,
    .server = self->has_dns ? &self->server : NULL,
    .domains = (const char *const *) self->domains,
    .dns_priority = t2pn_nm_client_get_dns_priority (self->client),
  };

  return t2pn_nm_profile_new (plan, &config, error);
}

gboolean
t2pn_nm_backend_write_plan (T2pnNmBackend *self,
                            const T2pnRoutePlan *installed,
                            T2pnNmWrite write,
                            GError **error)
{
  g_autoptr (GArray) rules = g_array_copy (installed->bypass_rules);

  g_array_append_vals (rules, installed->capture_rules->data, installed->capture_rules->len);
  return write (self->journal, STEP, NULL, installed->routes, rules, error);
}

/* NetworkManager may set what we set before, whenever it activates or reapplies. */
gboolean
t2pn_nm_backend_prepare_link (T2pnNmBackend *self, GError **error)
{
  g_autoptr (T2pnNetlink) netlink = t2pn_netlink_new (error);

  return netlink != NULL &&
         t2pn_netlink_prepare_link (netlink, self->plan->ifindex, self->plan->mtu, error);
}

/* Names that were looked up before are known from elsewhere. */
static void
flush_names (T2pnNmBackend *self)
{
  NMClient *client = t2pn_nm_client_peek (self->client);
  GDBusConnection *bus = client != NULL ? nm_client_get_dbus_connection (client) : NULL;

  if (bus != NULL && self->has_dns && t2pn_nm_client_tells_resolved (self->client))
    g_dbus_connection_call (bus, "org.freedesktop.resolve1", "/org/freedesktop/resolve1",
                            "org.freedesktop.resolve1.Manager", "FlushCaches", NULL, NULL,
                            G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, NULL, NULL, NULL);
}

/* --- whether it is still there */

void
t2pn_nm_backend_drop_active (T2pnNmBackend *self)
{
  if (self->active != NULL)
    g_signal_handlers_disconnect_by_data (self->active, self);
  g_clear_object (&self->active);
}

void
t2pn_nm_backend_emit_lost (T2pnNmBackend *self, const GError *error)
{
  t2pn_nm_backend_drop_active (self);
  self->state = T2PN_NM_STATE_DOWN;
  g_signal_emit_by_name (self, "lost", error);
}

static void
active_state_cb (NMActiveConnection *active, guint state, guint reason, gpointer user_data)
{
  g_autoptr (T2pnNmBackend) self = g_object_ref (user_data);
  NMClient *client = t2pn_nm_client_peek (self->client);
  g_autoptr (GError) error = NULL;

  if (self->state != T2PN_NM_STATE_UP || !nm_client_get_nm_running (client) ||
      state != NM_ACTIVE_CONNECTION_STATE_DEACTIVATED)
    return;
  error = g_error_new (T2P_ERROR, T2P_ERROR_NETWORK_MANAGER_FAILED,
                       "somebody had NetworkManager take %s down", self->plan->ifname);
  t2pn_nm_backend_emit_lost (self, error);
}

/* Takes @active. */
void
t2pn_nm_backend_take_active (T2pnNmBackend *self, NMActiveConnection *active)
{
  t2pn_nm_backend_drop_active (self);
  self->active = active;
  self->state = T2PN_NM_STATE_UP;
  g_signal_connect (active, "state-changed", G_CALLBACK (active_state_cb), self);
}

/* --- up */

void
t2pn_nm_backend_return (GTask *task, gboolean is_done, GError *error)
{
  if (is_done)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
forget (T2pnNmBackend *self)
{
  g_autoptr (GError) error = NULL;

  self->state = T2PN_NM_STATE_DOWN;
  t2pn_claims_drop (self);
  if (!t2pn_journal_set_step_network (self->journal, STEP, NULL, NULL, NULL, &error))
    g_debug ("%s, ignoring", error->message);
}

static void
activated_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  T2pnNmBackend *self = g_task_get_source_object (task);
  GError *error = NULL;
  NMActiveConnection *active = t2pn_nm_activate_finish (result, &error);

  if (active == NULL)
    {
      forget (self);
      g_task_return_error (task, error);
      return;
    }
  t2pn_nm_backend_take_active (self, active);
  t2pn_nm_backend_return (task, t2pn_nm_backend_prepare_link (self, &error), error);
}

static void
activate (T2pnNmBackend *self, GTask *task)
{
  GError *error = NULL;
  g_autoptr (NMConnection) profile = t2pn_nm_backend_make_profile (self, self->plan, &error);

  if (profile == NULL ||
      !t2pn_nm_backend_write_plan (self, self->installed, t2pn_journal_add_step_network,
                                   &error) ||
      !t2pn_nm_backend_prepare_link (self, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  self->state = T2PN_NM_STATE_CHANGING;
  t2pn_claims_set (self, self->installed, NULL);
  t2pn_nm_activate_async (t2pn_nm_client_peek (self->client), self->plan->ifname, self->uuid,
                          profile, g_task_get_cancellable (task), activated_cb,
                          g_object_ref (task));
}

static void
run_async (T2pnBackend *backend,
           T2pnStage stage,
           GCancellable *cancellable,
           GAsyncReadyCallback callback,
           gpointer user_data)
{
  T2pnNmBackend *self = T2PN_NM_BACKEND (backend);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  GError *error = NULL;

  g_task_set_source_tag (task, run_async);
  /* What was done is done, whether anybody still waits for it or not. */
  g_task_set_check_cancellable (task, FALSE);
  if (stage != T2PN_STAGE_CONFIGURE_LINK)
    g_task_return_boolean (task, TRUE);
  else if (!t2pn_nm_client_check (self->client, &error))
    g_task_return_error (task, error);
  else
    activate (self, task);
}

/* --- down */

static void
deactivated_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  T2pnNmBackend *self = g_task_get_source_object (task);
  GError *error = NULL;
  gboolean is_done = t2pn_nm_deactivate_finish (result, &error);

  flush_names (self);
  t2pn_nm_backend_return (task, is_done, error);
}

static void
undo_async (T2pnBackend *backend,
            T2pnStage stage,
            GCancellable *cancellable,
            GAsyncReadyCallback callback,
            gpointer user_data)
{
  T2pnNmBackend *self = T2PN_NM_BACKEND (backend);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  NMClient *client = t2pn_nm_client_peek (self->client);

  g_task_set_source_tag (task, undo_async);
  g_task_set_check_cancellable (task, FALSE);
  if (stage != T2PN_STAGE_CONFIGURE_LINK)
    {
      g_task_return_boolean (task, TRUE);
      return;
    }
  t2pn_nm_backend_stop_recovery (self);
  t2pn_nm_backend_drop_active (self);
  self->state = T2PN_NM_STATE_DOWN;
  t2pn_claims_drop (self); /* the journal looks at what is left, under its own number */
  t2pn_nm_deactivate_async (client, self->uuid, deactivated_cb, g_steal_pointer (&task));
}

/* --- the object */

static gboolean
finish (T2pnBackend *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
t2pn_nm_backend_iface_init (T2pnBackendInterface *iface)
{
  iface->name = "networkmanager";
  iface->run_async = run_async;
  iface->undo_async = undo_async;
  iface->update_async = t2pn_nm_backend_update_async;
  iface->doubt = t2pn_nm_backend_doubt;
  iface->finish = finish;
}

static void
t2pn_nm_backend_dispose (GObject *object)
{
  T2pnNmBackend *self = T2PN_NM_BACKEND (object);

  t2pn_nm_backend_stop_recovery (self);
  t2pn_nm_backend_drop_active (self);
  t2pn_claims_drop (self);
  G_OBJECT_CLASS (t2pn_nm_backend_parent_class)->dispose (object);
}

static void
t2pn_nm_backend_finalize (GObject *object)
{
  T2pnNmBackend *self = T2PN_NM_BACKEND (object);

  t2pn_route_plan_free (self->plan);
  t2pn_route_plan_free (self->installed);
  t2pn_route_plan_free (self->pending);
  g_clear_object (&self->client);
  g_strfreev (self->domains);
  g_free (self->id);
  g_free (self->uuid);
  G_OBJECT_CLASS (t2pn_nm_backend_parent_class)->finalize (object);
}

static void
t2pn_nm_backend_class_init (T2pnNmBackendClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = t2pn_nm_backend_dispose;
  G_OBJECT_CLASS (klass)->finalize = t2pn_nm_backend_finalize;
}

static void
t2pn_nm_backend_init (T2pnNmBackend *self)
{
}

gboolean
t2pn_nm_backend_check (T2pnNmClient *client, const T2pnRoutePlan *plan, GError **error)
{
  return t2pn_nm_client_check (client, error) && t2pn_nm_profile_check (plan, error);
}

T2pnBackend *
t2pn_nm_backend_new (T2pnRoutePlan *plan, const T2pnNmBackendConfig *config)
{
  T2pnNmBackend *self = g_object_new (T2PN_TYPE_NM_BACKEND, NULL);

  self->plan = plan;
  self->installed = t2pn_nm_profile_installed (plan);
  self->client = g_object_ref (config->client);
  self->journal = config->journal;
  self->id = g_strdup (config->id);
  self->uuid = g_uuid_string_random ();
  self->has_vnet_header = config->has_vnet_header;
  self->is_multi_queue = config->is_multi_queue;
  self->has_dns = config->server != NULL;
  if (self->has_dns)
    self->server = *config->server;
  self->domains = g_strdupv ((char **) config->domains);
  g_signal_connect_object (self->client, "running", G_CALLBACK (t2pn_nm_backend_running_cb),
                           self, 0);
  return T2PN_BACKEND (self);
}

T2pnResolver *
t2pn_nm_backend_make_resolver (T2pnBackend *backend)
{
  T2pnNmBackend *self;

  if (!T2PN_IS_NM_BACKEND (backend))
    return NULL;
  self = T2PN_NM_BACKEND (backend);
  if (!self->has_dns)
    return NULL;
  return t2pn_resolver_nm_new (
      nm_client_get_dbus_connection (t2pn_nm_client_peek (self->client)),
      t2pn_nm_client_tells_resolved (self->client));
}
