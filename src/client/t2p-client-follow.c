/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-client-private.h"

#include "t2p-names.h"
#include "t2p-tunnel-private.h"

/* Theory of operation. One subscription hears all signals of the service; the client hands them
 * to its tunnels. The name is watched: when somebody takes it, a snapshot (GetManagedObjects)
 * replaces what is known; when it is dropped, everything is forgotten. Signals before the first
 * snapshot's owner is known are dropped, because that snapshot contains what they say. */

/* --- the list */

T2pTunnel *
t2p_client_lookup (T2pClient *self, const char *path)
{
  for (guint i = 0; i < self->tunnels->len; i++)
    {
      T2pTunnel *tunnel = g_ptr_array_index (self->tunnels, i);

      if (g_str_equal (t2p_tunnel_get_object_path (tunnel), path))
        return tunnel;
    }
  return NULL;
}

/* The property names a tunnel that may come later than the name, or go earlier. */
static void
notify_default_route (T2pClient *self, T2pTunnel *tunnel)
{
  const char *path =
      t2p_property_cache_string (self->cache, T2P_CLIENT_PROP_DEFAULT_ROUTE_TUNNEL);

  if (g_str_equal (path, t2p_tunnel_get_object_path (tunnel)))
    g_object_notify (G_OBJECT (self), "default-route-tunnel");
}

static void
put_tunnel (T2pClient *self, const char *path, GVariant *properties)
{
  T2pTunnel *tunnel = t2p_client_lookup (self, path);

  if (tunnel != NULL)
    {
      t2p_tunnel_update (tunnel, properties);
      return;
    }
  tunnel = t2p_tunnel_new (self->connection, path, properties);
  g_ptr_array_add (self->tunnels, tunnel);
  g_list_model_items_changed (G_LIST_MODEL (self), self->tunnels->len - 1, 0, 1);
  g_signal_emit_by_name (self, "tunnel-added", tunnel);
  notify_default_route (self, tunnel);
}

static void
remove_tunnel_at (T2pClient *self, guint index)
{
  g_autoptr (T2pTunnel) tunnel = g_ptr_array_steal_index (self->tunnels, index);

  t2p_tunnel_set_gone (tunnel);
  g_list_model_items_changed (G_LIST_MODEL (self), index, 1, 0);
  g_signal_emit_by_name (self, "tunnel-removed", tunnel);
  notify_default_route (self, tunnel);
}

static void
remove_tunnel (T2pClient *self, const char *path)
{
  guint index = 0;

  if (g_ptr_array_find (self->tunnels, t2p_client_lookup (self, path), &index))
    remove_tunnel_at (self, index);
}

static void
set_is_running (T2pClient *self, gboolean is_running)
{
  if (self->is_running == is_running)
    return;
  self->is_running = is_running;
  g_object_notify (G_OBJECT (self), "is-running");
}

static void
forget_everything (T2pClient *self)
{
  while (self->tunnels->len > 0)
    remove_tunnel_at (self, self->tunnels->len - 1);
  t2p_property_cache_clear (self->cache);
  set_is_running (self, FALSE);
}

/* --- snapshots */

/* @interfaces: a{sa{sv}} of one object. */
static void
put_object (T2pClient *self, const char *path, GVariant *interfaces)
{
  g_autoptr (GVariant) manager = NULL;
  g_autoptr (GVariant) tunnel = NULL;

  manager = g_variant_lookup_value (interfaces, T2P_MANAGER_INTERFACE, G_VARIANT_TYPE_VARDICT);
  if (manager != NULL)
    t2p_property_cache_update (self->cache, manager);
  tunnel = g_variant_lookup_value (interfaces, T2P_TUNNEL_INTERFACE, G_VARIANT_TYPE_VARDICT);
  if (tunnel != NULL)
    put_tunnel (self, path, tunnel);
}

static void
remove_absent (T2pClient *self, GVariant *objects)
{
  for (guint i = self->tunnels->len; i > 0; i--)
    {
      T2pTunnel *tunnel = g_ptr_array_index (self->tunnels, i - 1);
      g_autoptr (GVariant) object =
          g_variant_lookup_value (objects, t2p_tunnel_get_object_path (tunnel), NULL);

      if (object == NULL)
        remove_tunnel_at (self, i - 1);
    }
}

static void
take_snapshot (T2pClient *self, GVariant *reply)
{
  g_autoptr (GVariant) objects = g_variant_get_child_value (reply, 0);
  GVariantIter iter;
  const char *path = NULL;
  GVariant *interfaces = NULL;

  remove_absent (self, objects);
  g_variant_iter_init (&iter, objects);
  while (g_variant_iter_loop (&iter, "{&o@a{sa{sv}}}", &path, &interfaces))
    put_object (self, path, interfaces);
  set_is_running (self, TRUE);
}

static gboolean
take_answer (T2pClient *self, GVariant *reply, GError *local_error, GError **error)
{
  if (reply != NULL)
    {
      take_snapshot (self, reply);
      return TRUE;
    }
  if (t2p_bus_error_is_absence (local_error))
    {
      g_error_free (local_error);
      forget_everything (self);
      return TRUE;
    }
  t2p_bus_error_translate (local_error);
  g_propagate_error (error, local_error);
  return FALSE;
}

static void
snapshot_cb (GObject *connection, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GVariant) reply = NULL;
  GError *local_error = NULL;
  GError *error = NULL;

  reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (connection), result, &local_error);
  if (take_answer (g_task_get_source_object (task), reply, local_error, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

void
t2p_client_refresh (T2pClient *self,
                    GCancellable *cancellable,
                    GAsyncReadyCallback callback,
                    gpointer user_data)
{
  g_dbus_connection_call (self->connection, T2P_BUS_NAME, T2P_ROOT_PATH,
                          "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL,
                          G_VARIANT_TYPE ("(a{oa{sa{sv}}})"), G_DBUS_CALL_FLAGS_NO_AUTO_START,
                          -1, cancellable, snapshot_cb,
                          g_task_new (self, cancellable, callback, user_data));
}

gboolean
t2p_client_refresh_finish (T2pClient *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

gboolean
t2p_client_refresh_sync (T2pClient *self, GCancellable *cancellable, GError **error)
{
  GError *local_error = NULL;
  g_autoptr (GVariant) reply = NULL;

  reply = g_dbus_connection_call_sync (
      self->connection, T2P_BUS_NAME, T2P_ROOT_PATH, "org.freedesktop.DBus.ObjectManager",
      "GetManagedObjects", NULL, G_VARIANT_TYPE ("(a{oa{sa{sv}}})"),
      G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, cancellable, &local_error);
  return take_answer (self, reply, local_error, error);
}

/* --- following the service */

static void
properties_changed (T2pClient *self, const char *path, GVariant *parameters)
{
  T2pTunnel *tunnel = t2p_client_lookup (self, path);
  g_autoptr (GVariant) changed = NULL;
  const char *interface = NULL;

  if (!g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(sa{sv}as)")))
    return;
  g_variant_get (parameters, "(&s@a{sv}@as)", &interface, &changed, NULL);
  if (tunnel != NULL && g_str_equal (interface, T2P_TUNNEL_INTERFACE))
    t2p_tunnel_update (tunnel, changed);
  else if (g_str_equal (interface, T2P_MANAGER_INTERFACE))
    t2p_property_cache_update (self->cache, changed);
}

static void
interfaces_added (T2pClient *self, GVariant *parameters)
{
  g_autoptr (GVariant) interfaces = NULL;
  const char *path = NULL;

  if (!g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(oa{sa{sv}})")))
    return;
  g_variant_get (parameters, "(&o@a{sa{sv}})", &path, &interfaces);
  put_object (self, path, interfaces);
}

static void
interfaces_removed (T2pClient *self, GVariant *parameters)
{
  g_autofree const char **interfaces = NULL;
  const char *path = NULL;

  if (!g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(oas)")))
    return;
  g_variant_get (parameters, "(&o^a&s)", &path, &interfaces);
  if (g_strv_contains (interfaces, T2P_TUNNEL_INTERFACE))
    remove_tunnel (self, path);
}

static void
signal_cb (GDBusConnection *connection,
           const char *sender,
           const char *path,
           const char *interface,
           const char *signal,
           GVariant *parameters,
           gpointer user_data)
{
  g_autoptr (T2pClient) self = g_object_ref (user_data);
  T2pTunnel *tunnel = t2p_client_lookup (self, path);

  if (g_strcmp0 (sender, self->owner) != 0)
    return;
  if (tunnel != NULL && g_str_equal (interface, T2P_TUNNEL_INTERFACE))
    {
      g_autoptr (T2pTunnel) held = g_object_ref (tunnel);

      t2p_tunnel_handle_signal (held, signal, parameters);
    }
  else if (g_str_equal (signal, "PropertiesChanged"))
    properties_changed (self, path, parameters);
  else if (g_str_equal (signal, "InterfacesAdded"))
    interfaces_added (self, parameters);
  else if (g_str_equal (signal, "InterfacesRemoved"))
    interfaces_removed (self, parameters);
}

static void
follow_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  if (!t2p_client_refresh_finish (T2P_CLIENT (source), result, &error))
    g_debug ("cannot list tunnels: %s, ignoring", error->message);
}

static void
stop_following (T2pClient *self)
{
  if (self->follow_cancellable != NULL)
    g_cancellable_cancel (self->follow_cancellable);
  g_clear_object (&self->follow_cancellable);
  g_clear_pointer (&self->owner, g_free);
}

static void
appeared_cb (GDBusConnection *connection,
             const char *name,
             const char *owner,
             gpointer user_data)
{
  T2pClient *self = T2P_CLIENT (user_data);

  stop_following (self);
  self->owner = g_strdup (owner);
  self->follow_cancellable = g_cancellable_new ();
  t2p_client_refresh (self, self->follow_cancellable, follow_cb, NULL);
}

static void
vanished_cb (GDBusConnection *connection, const char *name, gpointer user_data)
{
  g_autoptr (T2pClient) self = g_object_ref (user_data);

  stop_following (self);
  forget_everything (self);
}

void
t2p_client_follow (T2pClient *self)
{
  self->signal_subscription = g_dbus_connection_signal_subscribe (
      self->connection, T2P_BUS_NAME, NULL, NULL, NULL, NULL, G_DBUS_SIGNAL_FLAGS_NONE,
      signal_cb, self, NULL);
  self->name_watch = g_bus_watch_name_on_connection (self->connection, T2P_BUS_NAME,
                                                     G_BUS_NAME_WATCHER_FLAGS_NONE, appeared_cb,
                                                     vanished_cb, self, NULL);
}

void
t2p_client_unfollow (T2pClient *self)
{
  stop_following (self);
  if (self->connection == NULL)
    return;
  if (self->signal_subscription != 0)
    g_dbus_connection_signal_unsubscribe (self->connection, self->signal_subscription);
  self->signal_subscription = 0;
  g_clear_handle_id (&self->name_watch, g_bus_unwatch_name);
}
