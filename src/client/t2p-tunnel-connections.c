/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-tunnel.h"

#include "t2p-tunnel-private.h"

/* The connections of a tunnel: no objects and no signals, they are asked for by the page. */

static GVariant *
list_arguments (GVariant *filter, guint64 after_id, guint max)
{
  return g_variant_new ("(@a{sv}tu@a{sv})", t2p_bus_vardict (filter), after_id, max,
                        t2p_bus_vardict (NULL));
}

/* Takes @reply. */
static GVariant *
unpack_list (GVariant *reply, guint64 *out_next_id)
{
  if (reply != NULL && out_next_id != NULL)
    g_variant_get_child (reply, 1, "t", out_next_id);
  return t2p_bus_reply_value (reply);
}

/**
 * t2p_tunnel_list_connections:
 * @self: a tunnel
 * @filter: (nullable): an `a{sv}`, any of `id` (t), `protocol`, `host`, `destination`,
 * `source`, `proxy`, `state` (s); all must match
 * @after_id: 0, or the next id of the page before
 * @max: rows at most, 1 to 1000; 0 for 1000
 * @cancellable: (nullable): ends the call
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Asks for a page of its connections.
 *
 * Since: 0.1
 */
void
t2p_tunnel_list_connections (T2pTunnel *self,
                             GVariant *filter,
                             guint64 after_id,
                             guint max,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  T2pBusTarget target;

  g_return_if_fail (T2P_IS_TUNNEL (self));
  g_return_if_fail (filter == NULL || g_variant_is_of_type (filter, G_VARIANT_TYPE_VARDICT));

  target = t2p_tunnel_get_target (self);
  t2p_bus_call_async (&target, "ListConnections", list_arguments (filter, after_id, max),
                      "(aa{sv}t)", self, t2p_tunnel_list_connections, cancellable, callback,
                      user_data);
}

/**
 * t2p_tunnel_list_connections_finish:
 * @self: a tunnel
 * @result: what the callback got
 * @out_next_id: (out) (optional): for the next page; 0 when this was the last one
 * @error: where to put an error of the domain [error@Error], or what GDBus says
 *
 * Returns: (transfer full): an `aa{sv}`, each `id` (t), `protocol`, `source`, `destination`,
 *   `host`, `proxy`, `rule`, `state` (s), `rx-bytes`, `tx-bytes`, `age-us` (t); %NULL with
 * @error set when it failed
 *
 * Since: 0.1
 */
GVariant *
t2p_tunnel_list_connections_finish (T2pTunnel *self,
                                    GAsyncResult *result,
                                    guint64 *out_next_id,
                                    GError **error)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), NULL);

  return unpack_list (t2p_bus_call_finish (self, t2p_tunnel_list_connections, result, error),
                      out_next_id);
}

/**
 * t2p_tunnel_list_connections_sync:
 * @self: a tunnel
 * @filter: (nullable): as for [method@Tunnel.list_connections]
 * @after_id: 0, or the next id of the page before
 * @max: rows at most, 1 to 1000; 0 for 1000
 * @cancellable: (nullable): ends the call
 * @out_next_id: (out) (optional): for the next page; 0 when this was the last one
 * @error: as for [method@Tunnel.list_connections_finish]
 *
 * [method@Tunnel.list_connections] for programs that have nothing else to do.
 *
 * Returns: (transfer full): as [method@Tunnel.list_connections_finish]
 *
 * Since: 0.1
 */
GVariant *
t2p_tunnel_list_connections_sync (T2pTunnel *self,
                                  GVariant *filter,
                                  guint64 after_id,
                                  guint max,
                                  GCancellable *cancellable,
                                  guint64 *out_next_id,
                                  GError **error)
{
  T2pBusTarget target;
  GVariant *arguments = NULL;

  g_return_val_if_fail (T2P_IS_TUNNEL (self), NULL);
  g_return_val_if_fail (filter == NULL || g_variant_is_of_type (filter, G_VARIANT_TYPE_VARDICT),
                        NULL);

  target = t2p_tunnel_get_target (self);
  arguments = list_arguments (filter, after_id, max);
  return unpack_list (t2p_bus_call_sync (&target, "ListConnections", arguments, "(aa{sv}t)",
                                         cancellable, error),
                      out_next_id);
}

static gboolean
unpack_close (GVariant *reply, guint *out_closed)
{
  g_autoptr (GVariant) owned = reply;

  if (reply == NULL)
    return FALSE;
  if (out_closed != NULL)
    g_variant_get (reply, "(u)", out_closed);
  return TRUE;
}

/**
 * t2p_tunnel_close_connections:
 * @self: a tunnel
 * @filter: (nullable): as for [method@Tunnel.list_connections]; empty for all
 * @cancellable: (nullable): ends the call
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Resets connections.
 *
 * Since: 0.1
 */
void
t2p_tunnel_close_connections (T2pTunnel *self,
                              GVariant *filter,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  T2pBusTarget target;

  g_return_if_fail (T2P_IS_TUNNEL (self));
  g_return_if_fail (filter == NULL || g_variant_is_of_type (filter, G_VARIANT_TYPE_VARDICT));

  target = t2p_tunnel_get_target (self);
  t2p_bus_call_async (
      &target, "CloseConnections",
      g_variant_new ("(@a{sv}@a{sv})", t2p_bus_vardict (filter), t2p_bus_vardict (NULL)), "(u)",
      self, t2p_tunnel_close_connections, cancellable, callback, user_data);
}

/**
 * t2p_tunnel_close_connections_finish:
 * @self: a tunnel
 * @result: what the callback got
 * @out_closed: (out) (optional): how many were reset
 * @error: where to put an error of the domain [error@Error], or what GDBus says
 *
 * Returns: %FALSE with @error set when it failed
 *
 * Since: 0.1
 */
gboolean
t2p_tunnel_close_connections_finish (T2pTunnel *self,
                                     GAsyncResult *result,
                                     guint *out_closed,
                                     GError **error)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), FALSE);

  return unpack_close (t2p_bus_call_finish (self, t2p_tunnel_close_connections, result, error),
                       out_closed);
}

/**
 * t2p_tunnel_close_connections_sync:
 * @self: a tunnel
 * @filter: (nullable): as for [method@Tunnel.list_connections]; empty for all
 * @cancellable: (nullable): ends the call
 * @out_closed: (out) (optional): how many were reset
 * @error: as for [method@Tunnel.close_connections_finish]
 *
 * [method@Tunnel.close_connections] for programs that have nothing else to do.
 *
 * Returns: %FALSE with @error set when it failed
 *
 * Since: 0.1
 */
gboolean
t2p_tunnel_close_connections_sync (T2pTunnel *self,
                                   GVariant *filter,
                                   GCancellable *cancellable,
                                   guint *out_closed,
                                   GError **error)
{
  T2pBusTarget target;
  GVariant *arguments = NULL;

  g_return_val_if_fail (T2P_IS_TUNNEL (self), FALSE);
  g_return_val_if_fail (filter == NULL || g_variant_is_of_type (filter, G_VARIANT_TYPE_VARDICT),
                        FALSE);

  target = t2p_tunnel_get_target (self);
  arguments =
      g_variant_new ("(@a{sv}@a{sv})", t2p_bus_vardict (filter), t2p_bus_vardict (NULL));
  return unpack_close (
      t2p_bus_call_sync (&target, "CloseConnections", arguments, "(u)", cancellable, error),
      out_closed);
}
