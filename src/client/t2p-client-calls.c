/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-client.h"

#include "t2p-client-private.h"
#include "t2p-error.h"

/* Methods that answer with object paths. The answer may overtake the signal that announces the
 * object, so a path that is not known yet is looked for in a new snapshot. */

/* Takes the path from member 0 of @reply. */
static T2pTunnel *
find_answer (T2pClient *self, GVariant *reply, GError **error)
{
  const char *path = NULL;
  T2pTunnel *tunnel = NULL;

  g_variant_get_child (reply, 0, "&o", &path);
  tunnel = t2p_client_lookup (self, path);
  if (tunnel == NULL)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_FOUND, "the tunnel %s has gone again", path);
      return NULL;
    }
  return g_object_ref (tunnel);
}

static GPtrArray *
find_answers (T2pClient *self, GVariant *reply)
{
  GPtrArray *tunnels = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GVariant) paths = g_variant_get_child_value (reply, 0);
  g_autofree const char **list = g_variant_get_objv (paths, NULL);

  for (gsize i = 0; list[i] != NULL; i++)
    {
      T2pTunnel *tunnel = t2p_client_lookup (self, list[i]);

      if (tunnel != NULL)
        g_ptr_array_add (tunnels, g_object_ref (tunnel));
    }
  return tunnels;
}

static void
refreshed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) outer = user_data;
  GVariant *reply = g_task_get_task_data (outer);
  GError *error = NULL;

  if (t2p_client_refresh_finish (T2P_CLIENT (source), result, &error))
    g_task_return_pointer (outer, g_variant_ref (reply), (GDestroyNotify) g_variant_unref);
  else
    g_task_return_error (outer, error);
}

static void
answered_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  T2pClient *self = T2P_CLIENT (source);
  g_autoptr (GTask) outer = user_data;
  GCancellable *cancellable = g_task_get_cancellable (outer);
  GError *error = NULL;
  GVariant *reply = t2p_bus_call_finish (self, answered_cb, result, &error);

  if (reply == NULL)
    {
      g_task_return_error (outer, error);
      return;
    }
  g_task_set_task_data (outer, reply, (GDestroyNotify) g_variant_unref);
  t2p_client_refresh (self, cancellable, refreshed_cb, g_steal_pointer (&outer));
}

/* A call, then a snapshot; the task of @tag returns the call's reply. */
static void
ask_async (T2pClient *self,
           const char *method,
           GVariant *arguments,
           const char *reply_type,
           gpointer tag,
           GCancellable *cancellable,
           GAsyncReadyCallback callback,
           gpointer user_data)
{
  const T2pBusTarget target = t2p_client_get_target (self);
  GTask *outer = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (outer, tag);
  t2p_bus_call_async (&target, method, arguments, reply_type, self, answered_cb, cancellable,
                      answered_cb, outer);
}

static GVariant *
ask_sync (T2pClient *self,
          const char *method,
          GVariant *arguments,
          const char *reply_type,
          GCancellable *cancellable,
          GError **error)
{
  const T2pBusTarget target = t2p_client_get_target (self);
  g_autoptr (GVariant) reply = NULL;

  reply = t2p_bus_call_sync (&target, method, arguments, reply_type, cancellable, error);
  if (reply == NULL || !t2p_client_refresh_sync (self, cancellable, error))
    return NULL;
  return g_steal_pointer (&reply);
}

static GVariant *
create_arguments (const char *name, GVariant *settings, GVariant *options)
{
  return g_variant_new ("(s@a{sv}@a{sv})", name, t2p_bus_vardict (settings),
                        t2p_bus_vardict (options));
}

static T2pTunnel *
take_created (T2pClient *self, GVariant *reply, GVariant **out_result, GError **error)
{
  g_autoptr (GVariant) owned = reply;
  T2pTunnel *tunnel = reply != NULL ? find_answer (self, reply, error) : NULL;

  if (tunnel != NULL && out_result != NULL)
    *out_result = g_variant_get_child_value (reply, 1);
  return tunnel;
}

/**
 * t2p_client_create_tunnel:
 * @self: a client
 * @name: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`, unique among the caller's tunnels
 * @settings: an `a{sv}`; `proxies` (as) is the one that cannot be left out
 * @options: (nullable): an `a{sv}`: `activate`, `persist`, `wait` (b), `close-existing` (b:
 *   connections that were open before are ended, to be made again inside), `lifetime` (s,
 *   `service` or `caller`), `rollback-timeout` (u, 5 to 3600 seconds, see
 *   [method@Tunnel.confirm])
 * @cancellable: (nullable): ends the call, not the work of the service
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Creates a tunnel and, unless the option `activate` is false, brings it up. With the option
 * `wait` the result comes when the tunnel is active, and there is no tunnel when that fails;
 * without it the result comes when the service has accepted the settings. Nothing is captured
 * that the setting `capture` does not ask for.
 *
 * Since: 0.1
 */
void
t2p_client_create_tunnel (T2pClient *self,
                          const char *name,
                          GVariant *settings,
                          GVariant *options,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_return_if_fail (T2P_IS_CLIENT (self));
  g_return_if_fail (name != NULL);
  g_return_if_fail (g_variant_is_of_type (settings, G_VARIANT_TYPE_VARDICT));
  g_return_if_fail (options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT));

  ask_async (self, "CreateTunnel", create_arguments (name, settings, options), "(oa{sv})",
             t2p_client_create_tunnel, cancellable, callback, user_data);
}

/**
 * t2p_client_create_tunnel_finish:
 * @self: a client
 * @result: what the callback got
 * @out_result: (out) (optional) (transfer full): an `a{sv}`: `interface` (s), `warnings` (as)
 * @error: where to put an error of the domain [error@Error], or what GDBus says
 *
 * Returns: (transfer full): the tunnel; %NULL with @error set when it failed
 *
 * Since: 0.1
 */
T2pTunnel *
t2p_client_create_tunnel_finish (T2pClient *self,
                                 GAsyncResult *result,
                                 GVariant **out_result,
                                 GError **error)
{
  g_return_val_if_fail (T2P_IS_CLIENT (self), NULL);

  return take_created (self,
                       t2p_bus_call_finish (self, t2p_client_create_tunnel, result, error),
                       out_result, error);
}

/**
 * t2p_client_create_tunnel_sync:
 * @self: a client
 * @name: as for [method@Client.create_tunnel]
 * @settings: as for [method@Client.create_tunnel]
 * @options: (nullable): as for [method@Client.create_tunnel]
 * @cancellable: (nullable): ends the call, not the work of the service
 * @out_result: (out) (optional) (transfer full): an `a{sv}`: `interface` (s), `warnings` (as)
 * @error: as for [method@Client.create_tunnel_finish]
 *
 * [method@Client.create_tunnel] for programs that have nothing else to do.
 *
 * Returns: (transfer full): the tunnel; %NULL with @error set when it failed
 *
 * Since: 0.1
 */
T2pTunnel *
t2p_client_create_tunnel_sync (T2pClient *self,
                               const char *name,
                               GVariant *settings,
                               GVariant *options,
                               GCancellable *cancellable,
                               GVariant **out_result,
                               GError **error)
{
  GVariant *arguments = NULL;

  g_return_val_if_fail (T2P_IS_CLIENT (self), NULL);
  g_return_val_if_fail (name != NULL, NULL);
  g_return_val_if_fail (g_variant_is_of_type (settings, G_VARIANT_TYPE_VARDICT), NULL);
  g_return_val_if_fail (
      options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT), NULL);

  arguments = create_arguments (name, settings, options);
  return take_created (
      self, ask_sync (self, "CreateTunnel", arguments, "(oa{sv})", cancellable, error),
      out_result, error);
}

/**
 * t2p_client_get_tunnel:
 * @self: a client
 * @name: name of a tunnel: the caller's, then root's
 * @cancellable: (nullable): ends the call
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Asks the service for a tunnel by its name.
 *
 * Since: 0.1
 */
void
t2p_client_get_tunnel (T2pClient *self,
                       const char *name,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  g_return_if_fail (T2P_IS_CLIENT (self));
  g_return_if_fail (name != NULL);

  ask_async (self, "GetTunnel", g_variant_new ("(s@a{sv})", name, t2p_bus_vardict (NULL)),
             "(o)", t2p_client_get_tunnel, cancellable, callback, user_data);
}

/**
 * t2p_client_get_tunnel_finish:
 * @self: a client
 * @result: what the callback got
 * @error: where to put an error of the domain [error@Error], or what GDBus says
 *
 * Returns: (transfer full): the tunnel; %NULL with @error set when it failed
 *
 * Since: 0.1
 */
T2pTunnel *
t2p_client_get_tunnel_finish (T2pClient *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GVariant) reply = NULL;

  g_return_val_if_fail (T2P_IS_CLIENT (self), NULL);

  reply = t2p_bus_call_finish (self, t2p_client_get_tunnel, result, error);
  return reply != NULL ? find_answer (self, reply, error) : NULL;
}

/**
 * t2p_client_get_tunnel_sync:
 * @self: a client
 * @name: as for [method@Client.get_tunnel]
 * @cancellable: (nullable): ends the call
 * @error: as for [method@Client.get_tunnel_finish]
 *
 * [method@Client.get_tunnel] for programs that have nothing else to do.
 *
 * Returns: (transfer full): the tunnel; %NULL with @error set when it failed
 *
 * Since: 0.1
 */
T2pTunnel *
t2p_client_get_tunnel_sync (T2pClient *self,
                            const char *name,
                            GCancellable *cancellable,
                            GError **error)
{
  g_autoptr (GVariant) reply = NULL;

  g_return_val_if_fail (T2P_IS_CLIENT (self), NULL);
  g_return_val_if_fail (name != NULL, NULL);

  reply =
      ask_sync (self, "GetTunnel", g_variant_new ("(s@a{sv})", name, t2p_bus_vardict (NULL)),
                "(o)", cancellable, error);
  return reply != NULL ? find_answer (self, reply, error) : NULL;
}

/**
 * t2p_client_list_tunnels:
 * @self: a client
 * @cancellable: (nullable): ends the call
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Asks the service for the tunnels whose methods the caller may use. Unlike
 * [method@Client.get_tunnels], which lists everybody's, this starts the service.
 *
 * Since: 0.1
 */
void
t2p_client_list_tunnels (T2pClient *self,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  g_return_if_fail (T2P_IS_CLIENT (self));

  ask_async (self, "ListTunnels", g_variant_new ("(@a{sv})", t2p_bus_vardict (NULL)), "(ao)",
             t2p_client_list_tunnels, cancellable, callback, user_data);
}

/**
 * t2p_client_list_tunnels_finish:
 * @self: a client
 * @result: what the callback got
 * @error: where to put an error of the domain [error@Error], or what GDBus says
 *
 * Returns: (transfer container) (element-type T2pTunnel): the tunnels; %NULL with @error set
 * when it failed
 *
 * Since: 0.1
 */
GPtrArray *
t2p_client_list_tunnels_finish (T2pClient *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GVariant) reply = NULL;

  g_return_val_if_fail (T2P_IS_CLIENT (self), NULL);

  reply = t2p_bus_call_finish (self, t2p_client_list_tunnels, result, error);
  return reply != NULL ? find_answers (self, reply) : NULL;
}

/**
 * t2p_client_list_tunnels_sync:
 * @self: a client
 * @cancellable: (nullable): ends the call
 * @error: as for [method@Client.list_tunnels_finish]
 *
 * [method@Client.list_tunnels] for programs that have nothing else to do.
 *
 * Returns: (transfer container) (element-type T2pTunnel): the tunnels; %NULL with @error set
 * when it failed
 *
 * Since: 0.1
 */
GPtrArray *
t2p_client_list_tunnels_sync (T2pClient *self, GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) reply = NULL;

  g_return_val_if_fail (T2P_IS_CLIENT (self), NULL);

  reply = ask_sync (self, "ListTunnels", g_variant_new ("(@a{sv})", t2p_bus_vardict (NULL)),
                    "(ao)", cancellable, error);
  return reply != NULL ? find_answers (self, reply) : NULL;
}
