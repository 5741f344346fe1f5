/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-bus-tunnel.h"

#include "t2p-bus.h"
#include "t2p-limits.h"
#include "t2p-names.h"
#include "t2pd-apps.h"
#include "t2pd-bring-up.h"
#include "t2pd-bus-details.h"
#include "t2pd-call.h"
#include "t2pd-process-fd.h"

#include <gio/gunixfdlist.h>

#define MAX_LISTENERS 64 /* connections that get the unicast signals of one tunnel */
#define MAX_DRAIN_S 3600

struct _T2pdBusTunnel
{
  GObject parent;
  T2pdService *service;
  T2pdTunnel *tunnel;
  T2pBusTunnel *skeleton;
  GHashTable *listeners; /* unique names of the owner's and root's that called a method */
};

G_DEFINE_FINAL_TYPE (T2pdBusTunnel, t2pd_bus_tunnel, G_TYPE_OBJECT)

static GQuark
self_quark (void)
{
  return g_quark_from_static_string ("t2pd-bus-tunnel");
}

/* --- who gets the unicast signals */

static void
listen_to (T2pdCall *call)
{
  T2pdBusTunnel *self = g_object_get_qdata (G_OBJECT (call->tunnel), self_quark ());

  if (self == NULL || g_hash_table_size (self->listeners) >= MAX_LISTENERS)
    return;
  if (call->uid == 0 || call->uid == t2pd_tunnel_get_owner (call->tunnel))
    g_hash_table_add (self->listeners, g_strdup (call->sender));
}

static void
vanished_cb (T2pdCallers *callers, const char *sender, gpointer user_data)
{
  g_hash_table_remove (T2PD_BUS_TUNNEL (user_data)->listeners, sender);
}

static void
tell_listeners (T2pdBusTunnel *self, const char *signal, GVariant *parameters)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (parameters);
  GHashTableIter iter;
  gpointer listener;

  g_hash_table_iter_init (&iter, self->listeners);
  while (g_hash_table_iter_next (&iter, &listener, NULL))
    g_dbus_connection_emit_signal (self->service->bus, listener,
                                   t2pd_tunnel_get_path (self->tunnel), T2P_TUNNEL_INTERFACE,
                                   signal, owned, NULL);
}

/* --- Activate, Deactivate, Delete, Confirm */

gboolean
t2pd_bus_tunnel_check_rollback (GVariant *options, GError **error)
{
  guint32 timeout = t2pd_bus_tunnel_get_rollback_s (options);

  if (timeout == 0 || (timeout >= T2P_MIN_ROLLBACK_S && timeout <= T2P_MAX_ROLLBACK_S))
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
               "option 'rollback-timeout': %u seen, 0 or %d to %d seconds expected", timeout,
               T2P_MIN_ROLLBACK_S, T2P_MAX_ROLLBACK_S);
  return FALSE;
}

guint32
t2pd_bus_tunnel_get_rollback_s (GVariant *options)
{
  return t2pd_call_options_get_u32 (options, "rollback-timeout", 0);
}

static const T2pdCallOption activate_options[] = {
  { "wait", "b" },
  { "close-existing", "b" },
  { "rollback-timeout", "u" },
  { NULL, NULL },
};

/* Authorised for the settings as they will be. */
static gboolean
check_activate (T2pdCall *call, GError **error)
{
  call->settings = t2p_settings_ref (t2pd_tunnel_get_settings (call->tunnel));
  return t2pd_bus_tunnel_check_rollback (call->call_options, error);
}

static gboolean
look_again_activate (T2pdCall *call, GError **error)
{
  return t2pd_service_check_serving (call->service, error) &&
         (t2pd_tunnel_is_engaged (call->tunnel) ||
          t2pd_manager_check_conflicts (call->service->manager,
                                        t2pd_tunnel_get_owner (call->tunnel), call->settings,
                                        call->tunnel, error));
}

static void
activated_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pdCall) call = user_data;
  g_autoptr (GError) error = NULL;

  if (t2pd_tunnel_activate_finish (T2PD_TUNNEL (source), result, &error))
    t2pd_call_return (call, NULL);
  else
    t2pd_call_fail (call, error);
}

static void
accepted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  t2pd_tunnel_activate_finish (T2PD_TUNNEL (source), result, NULL);
}

static void
act_activate (T2pdCall *call)
{
  gboolean is_going_down =
      t2pd_tunnel_is_being_deleted (call->tunnel) ||
      t2pd_tunnel_get_state (call->tunnel) == T2P_TUNNEL_STATE_DEACTIVATING;
  guint32 rollback_s = t2pd_bus_tunnel_get_rollback_s (call->call_options);

  listen_to (call);
  if (!t2pd_tunnel_is_engaged (call->tunnel))
    {
      t2pd_bring_up_set_advanced (t2pd_bring_up_of (call->tunnel), call->is_advanced);
      t2pd_bring_up_set_closes_existing (
          t2pd_bring_up_of (call->tunnel),
          t2pd_call_options_get_bool (call->call_options, "close-existing", FALSE));
    }
  if (!is_going_down && rollback_s != 0)
    t2pd_tunnel_begin_rollback (call->tunnel, rollback_s);
  if (is_going_down || t2pd_call_options_get_bool (call->call_options, "wait", FALSE))
    {
      t2pd_tunnel_activate_async (call->tunnel, activated_cb, t2pd_call_ref (call));
      return;
    }
  t2pd_tunnel_activate_async (call->tunnel, accepted_cb, NULL);
  t2pd_call_return (call, NULL);
}

static const T2pdCallOption deactivate_options[] = {
  { "drain-timeout", "u" },
  { NULL, NULL },
};

static guint32
drain_timeout_s (T2pdCall *call)
{
  return t2pd_call_options_get_u32 (call->call_options, "drain-timeout", 0);
}

static gboolean
check_deactivate (T2pdCall *call, GError **error)
{
  if (drain_timeout_s (call) <= MAX_DRAIN_S)
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
               "option 'drain-timeout': %u seen, 0 to %d expected", drain_timeout_s (call),
               MAX_DRAIN_S);
  return FALSE;
}

static gboolean
look_again_down (T2pdCall *call, GError **error)
{
  return t2pd_tunnel_check_waiting_down (call->tunnel, error);
}

static void
deactivated_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pdCall) call = user_data;

  t2pd_tunnel_deactivate_finish (T2PD_TUNNEL (source), result);
  t2pd_call_return (call, NULL);
}

static void
act_deactivate (T2pdCall *call)
{
  listen_to (call);
  t2pd_tunnel_deactivate_async (call->tunnel, T2P_STATE_REASON_USER_REQUESTED,
                                drain_timeout_s (call) * 1000, deactivated_cb,
                                t2pd_call_ref (call));
}

static void
deleted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pdCall) call = user_data;

  t2pd_service_delete_tunnel_finish (call->service, result);
  t2pd_call_return (call, NULL);
}

static void
act_delete (T2pdCall *call)
{
  t2pd_service_delete_tunnel_async (call->service, call->tunnel,
                                    T2P_STATE_REASON_USER_REQUESTED, deleted_cb,
                                    t2pd_call_ref (call));
}

static void
act_confirm (T2pdCall *call)
{
  g_autoptr (GError) error = NULL;

  listen_to (call);
  if (t2pd_tunnel_confirm (call->tunnel, &error))
    t2pd_call_return (call, NULL);
  else
    t2pd_call_fail (call, error);
}

static gboolean
check_list (T2pdCall *call, GError **error)
{
  return t2pd_bus_details_check_filter (call->parameters, error);
}

/* Every method makes its caller a receiver of the tunnel's unicast signals. */
#define LISTENING(name)                                                                        \
  static void act_##name (T2pdCall *call)                                                      \
  {                                                                                            \
    listen_to (call);                                                                          \
    t2pd_bus_details_##name (call);                                                            \
  }

LISTENING (get_settings)
LISTENING (get_details)
LISTENING (get_statistics)
LISTENING (list_connections)
LISTENING (close_connections)

/* --- AttachProcess */

/* The message owns the descriptor, and closes it when the call is answered. */
static int
get_process (T2pdCall *call)
{
  GUnixFDList *list = t2pd_call_get_fds (call);
  gint32 handle;

  g_variant_get_child (call->parameters, 0, "h", &handle);
  return list != NULL && g_unix_fd_list_get_length (list) == 1 && handle == 0
             ? g_unix_fd_list_peek_fds (list, NULL)[0]
             : -1;
}

static gboolean
check_attach (T2pdCall *call, GError **error)
{
  pid_t pid;
  guint32 uid;

  return t2pd_process_fd_check (get_process (call), call->uid, &pid, &uid, error);
}

static void
act_attach (T2pdCall *call)
{
  g_autoptr (GError) error = NULL;
  pid_t pid;
  guint32 uid;

  listen_to (call);
  if (t2pd_process_fd_check (get_process (call), call->uid, &pid, &uid, &error) &&
      t2pd_apps_attach (t2pd_bring_up_of (call->tunnel), pid, uid, &error))
    t2pd_call_return (call, NULL);
  else
    t2pd_call_fail (call, error);
}

static const struct
{
  const char *signal;
  T2pdMethod method;
} methods[] = {
  { "handle-activate",
    { "Activate", activate_options, check_activate, look_again_activate, act_activate } },
  { "handle-deactivate",
    { "Deactivate", deactivate_options, check_deactivate, look_again_down, act_deactivate } },
  { "handle-delete", { "Delete", NULL, NULL, look_again_down, act_delete } },
  { "handle-confirm", { "Confirm", NULL, NULL, NULL, act_confirm } },
  { "handle-get-settings", { "GetSettings", NULL, NULL, NULL, act_get_settings } },
  { "handle-get-details", { "GetDetails", NULL, NULL, NULL, act_get_details } },
  { "handle-get-statistics", { "GetStatistics", NULL, NULL, NULL, act_get_statistics } },
  { "handle-list-connections",
    { "ListConnections", NULL, check_list, NULL, act_list_connections } },
  { "handle-close-connections",
    { "CloseConnections", NULL, check_list, NULL, act_close_connections } },
  { "handle-attach-process", { "AttachProcess", NULL, check_attach, NULL, act_attach } },
};

/* --- properties and signals */

static const char *
or_empty (const char *text)
{
  return text != NULL ? text : "";
}

static void
show_facts (T2pdBusTunnel *self)
{
  const T2pdTunnelFacts *facts = t2pd_tunnel_get_facts (self->tunnel);
  T2pBusTunnel *skeleton = self->skeleton;

  t2p_bus_tunnel_set_interface (skeleton, or_empty (facts->interface));
  t2p_bus_tunnel_set_if_index (skeleton, facts->ifindex);
  t2p_bus_tunnel_set_network_backend (skeleton, or_empty (facts->network_backend));
  t2p_bus_tunnel_set_resolver_backend (skeleton, or_empty (facts->resolver_backend));
  t2p_bus_tunnel_set_rollback_deadline (
      skeleton, (guint64) t2pd_tunnel_get_rollback_deadline_us (self->tunnel));
}

static void
show_state (T2pdBusTunnel *self)
{
  T2pBusTunnel *skeleton = self->skeleton;

  t2p_bus_tunnel_set_state (skeleton,
                            t2p_tunnel_state_to_string (t2pd_tunnel_get_state (self->tunnel)));
  t2p_bus_tunnel_set_state_reason (
      skeleton, t2p_state_reason_to_string (t2pd_tunnel_get_reason (self->tunnel)));
  t2p_bus_tunnel_set_active_since (skeleton,
                                   (guint64) t2pd_tunnel_get_active_since_us (self->tunnel));
  t2p_bus_tunnel_set_lifetime (
      skeleton, t2pd_tunnel_get_keeper (self->tunnel) != NULL ? "caller" : "service");
}

static void
show_settings (T2pdBusTunnel *self)
{
  T2pSettings *settings = t2pd_tunnel_get_settings (self->tunnel);
  T2pBusTunnel *skeleton = self->skeleton;

  t2p_bus_tunnel_set_name (skeleton, t2pd_tunnel_get_name (self->tunnel));
  t2p_bus_tunnel_set_owner (skeleton, t2pd_tunnel_get_owner (self->tunnel));
  t2p_bus_tunnel_set_mtu (skeleton, t2p_settings_get_u32 (settings, "mtu"));
  t2p_bus_tunnel_set_capture (skeleton,
                              t2p_capture_to_string (t2p_settings_get_capture (settings)));
  t2p_bus_tunnel_set_scope (skeleton, t2p_scope_to_string (t2p_settings_get_scope (settings)));
  t2p_bus_tunnel_set_persistent (skeleton, FALSE);
}

static void
changed_cb (T2pdTunnel *tunnel, gpointer user_data)
{
  show_facts (user_data);
}

static void
state_changed_cb (T2pdTunnel *tunnel, int old, int new, int reason, gpointer user_data)
{
  T2pdBusTunnel *self = T2PD_BUS_TUNNEL (user_data);

  show_state (self);
  /* Who hears the signal may read the property at once. */
  g_dbus_interface_skeleton_flush (G_DBUS_INTERFACE_SKELETON (self->skeleton));
  t2p_bus_tunnel_emit_state_changed (self->skeleton,
                                     t2p_tunnel_state_to_string ((T2pTunnelState) old),
                                     t2p_tunnel_state_to_string ((T2pTunnelState) new),
                                     t2p_state_reason_to_string ((T2pStateReason) reason));
}

static void
message_cb (T2pdTunnel *tunnel, const char *text, gpointer user_data)
{
  tell_listeners (user_data, "Message", g_variant_new ("(s)", text));
}

static void
proxy_changed_cb (T2pdBringUp *bring_up,
                  const char *old,
                  const char *new,
                  const char *reason,
                  gpointer user_data)
{
  tell_listeners (user_data, "ProxyChanged", g_variant_new ("(sss)", old, new, reason));
}

static void
loop_detected_cb (T2pdBringUp *bring_up, GVariant *loop, gpointer user_data)
{
  tell_listeners (user_data, "LoopDetected", g_variant_new ("(@a{sv})", loop));
}

static void
t2pd_bus_tunnel_dispose (GObject *object)
{
  T2pdBusTunnel *self = T2PD_BUS_TUNNEL (object);

  if (self->tunnel != NULL)
    {
      g_object_set_qdata (G_OBJECT (self->tunnel), self_quark (), NULL);
      g_dbus_object_manager_server_unexport (self->service->objects,
                                             t2pd_tunnel_get_path (self->tunnel));
    }
  g_clear_object (&self->skeleton);
  g_clear_object (&self->tunnel);
  g_clear_pointer (&self->listeners, g_hash_table_unref);
  G_OBJECT_CLASS (t2pd_bus_tunnel_parent_class)->dispose (object);
}

static void
t2pd_bus_tunnel_class_init (T2pdBusTunnelClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = t2pd_bus_tunnel_dispose;
}

static void
t2pd_bus_tunnel_init (T2pdBusTunnel *self)
{
  self->listeners = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->skeleton = t2p_bus_tunnel_skeleton_new ();
}

static void
watch (T2pdBusTunnel *self)
{
  g_signal_connect_object (self->tunnel, "changed", G_CALLBACK (changed_cb), self, 0);
  g_signal_connect_object (self->tunnel, "state-changed", G_CALLBACK (state_changed_cb), self,
                           0);
  g_signal_connect_object (self->tunnel, "message", G_CALLBACK (message_cb), self, 0);
  g_signal_connect_object (t2pd_bring_up_of (self->tunnel), "proxy-changed",
                           G_CALLBACK (proxy_changed_cb), self, 0);
  g_signal_connect_object (t2pd_bring_up_of (self->tunnel), "loop-detected",
                           G_CALLBACK (loop_detected_cb), self, 0);
  g_signal_connect_object (self->service->callers, "vanished", G_CALLBACK (vanished_cb), self,
                           0);
}

T2pdBusTunnel *
t2pd_bus_tunnel_new (T2pdService *service, T2pdTunnel *tunnel)
{
  T2pdBusTunnel *self = g_object_new (T2PD_TYPE_BUS_TUNNEL, NULL);
  g_autoptr (T2pBusObjectSkeleton) object =
      t2p_bus_object_skeleton_new (t2pd_tunnel_get_path (tunnel));

  self->service = service;
  self->tunnel = g_object_ref (tunnel);
  g_object_set_qdata (G_OBJECT (tunnel), self_quark (), self);
  show_settings (self);
  show_facts (self);
  show_state (self);
  watch (self);
  for (gsize i = 0; i < G_N_ELEMENTS (methods); i++)
    t2pd_call_connect (self->skeleton, methods[i].signal, service, &methods[i].method, tunnel);
  t2p_bus_object_skeleton_set_tunnel (object, self->skeleton);
  g_dbus_object_manager_server_export (service->objects, G_DBUS_OBJECT_SKELETON (object));
  return self;
}
