/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-tunnel.h"

#include "t2p-tunnel-private.h"

/* Activate, Deactivate, Confirm and Delete: options in, nothing out. */

static void
change_async (T2pTunnel *self,
              const char *method,
              gpointer tag,
              GVariant *options,
              GCancellable *cancellable,
              GAsyncReadyCallback callback,
              gpointer user_data)
{
  const T2pBusTarget target = t2p_tunnel_get_target (self);

  t2p_bus_call_async (&target, method, g_variant_new ("(@a{sv})", t2p_bus_vardict (options)),
                      "()", self, tag, cancellable, callback, user_data);
}

static gboolean
change_finish (T2pTunnel *self, gpointer tag, GAsyncResult *result, GError **error)
{
  return t2p_bus_reply_is_there (t2p_bus_call_finish (self, tag, result, error));
}

static gboolean
change_sync (T2pTunnel *self,
             const char *method,
             GVariant *options,
             GCancellable *cancellable,
             GError **error)
{
  const T2pBusTarget target = t2p_tunnel_get_target (self);
  g_autoptr (GVariant) reply = NULL;

  reply =
      t2p_bus_call_sync (&target, method, g_variant_new ("(@a{sv})", t2p_bus_vardict (options)),
                         "()", cancellable, error);
  if (reply == NULL)
    return FALSE;
  if (g_str_equal (method, "Delete"))
    t2p_tunnel_set_gone (self);
  else
    t2p_tunnel_reload_sync (self, cancellable);
  return TRUE;
}

/**
 * t2p_tunnel_activate:
 * @self: a tunnel
 * @options: (nullable): an `a{sv}`: `wait`, `close-existing` (b), `rollback-timeout` (u, 5 to
 *   3600 seconds, see [method@Tunnel.confirm])
 * @cancellable: (nullable): ends the call, not the work of the service
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Brings it up. Returns when the service has accepted that, or, with the option `wait`, when
 * the tunnel is active.
 *
 * Since: 0.1
 */
void
t2p_tunnel_activate (T2pTunnel *self,
                     GVariant *options,
                     GCancellable *cancellable,
                     GAsyncReadyCallback callback,
                     gpointer user_data)
{
  g_return_if_fail (T2P_IS_TUNNEL (self));
  g_return_if_fail (options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT));

  change_async (self, "Activate", t2p_tunnel_activate, options, cancellable, callback,
                user_data);
}

/**
 * t2p_tunnel_activate_finish:
 * @self: a tunnel
 * @result: what the callback got
 * @error: where to put an error of the domain [error@Error], or what GDBus says
 *
 * Returns: %FALSE with @error set when it failed
 *
 * Since: 0.1
 */
gboolean
t2p_tunnel_activate_finish (T2pTunnel *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), FALSE);

  return change_finish (self, t2p_tunnel_activate, result, error);
}

/**
 * t2p_tunnel_activate_sync:
 * @self: a tunnel
 * @options: (nullable): as for [method@Tunnel.activate]
 * @cancellable: (nullable): ends the call, not the work of the service
 * @error: as for [method@Tunnel.activate_finish]
 *
 * [method@Tunnel.activate] for programs that have nothing else to do. The properties are up to
 * date afterwards.
 *
 * Returns: %FALSE with @error set when it failed
 *
 * Since: 0.1
 */
gboolean
t2p_tunnel_activate_sync (T2pTunnel *self,
                          GVariant *options,
                          GCancellable *cancellable,
                          GError **error)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), FALSE);
  g_return_val_if_fail (
      options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT), FALSE);

  return change_sync (self, "Activate", options, cancellable, error);
}

/**
 * t2p_tunnel_deactivate:
 * @self: a tunnel
 * @options: (nullable): an `a{sv}`: `drain-timeout` (u, seconds in which
 *   open connections may end)
 * @cancellable: (nullable): ends the call, not the work of the service
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Takes it down. Returns when everything is undone.
 *
 * Since: 0.1
 */
void
t2p_tunnel_deactivate (T2pTunnel *self,
                       GVariant *options,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  g_return_if_fail (T2P_IS_TUNNEL (self));
  g_return_if_fail (options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT));

  change_async (self, "Deactivate", t2p_tunnel_deactivate, options, cancellable, callback,
                user_data);
}

/**
 * t2p_tunnel_deactivate_finish:
 * @self: a tunnel
 * @result: what the callback got
 * @error: where to put an error of the domain [error@Error], or what GDBus says
 *
 * Returns: %FALSE with @error set when it failed
 *
 * Since: 0.1
 */
gboolean
t2p_tunnel_deactivate_finish (T2pTunnel *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), FALSE);

  return change_finish (self, t2p_tunnel_deactivate, result, error);
}

/**
 * t2p_tunnel_deactivate_sync:
 * @self: a tunnel
 * @options: (nullable): as for [method@Tunnel.deactivate]
 * @cancellable: (nullable): ends the call, not the work of the service
 * @error: as for [method@Tunnel.deactivate_finish]
 *
 * [method@Tunnel.deactivate] for programs that have nothing else to do. The properties are up
 * to date afterwards.
 *
 * Returns: %FALSE with @error set when it failed
 *
 * Since: 0.1
 */
gboolean
t2p_tunnel_deactivate_sync (T2pTunnel *self,
                            GVariant *options,
                            GCancellable *cancellable,
                            GError **error)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), FALSE);
  g_return_val_if_fail (
      options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT), FALSE);

  return change_sync (self, "Deactivate", options, cancellable, error);
}

/**
 * t2p_tunnel_confirm:
 * @self: a tunnel
 * @options: (nullable): an `a{sv}`: none so far
 * @cancellable: (nullable): ends the call, not the work of the service
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Ends the rollback timer that the option `rollback-timeout` has begun: the tunnel stays.
 * %T2P_ERROR_TIMED_OUT when it was taken down already.
 *
 * Since: 0.1
 */
void
t2p_tunnel_confirm (T2pTunnel *self,
                    GVariant *options,
                    GCancellable *cancellable,
                    GAsyncReadyCallback callback,
                    gpointer user_data)
{
  g_return_if_fail (T2P_IS_TUNNEL (self));
  g_return_if_fail (options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT));

  change_async (self, "Confirm", t2p_tunnel_confirm, options, cancellable, callback, user_data);
}

/**
 * t2p_tunnel_confirm_finish:
 * @self: a tunnel
 * @result: what the callback got
 * @error: where to put an error of the domain [error@Error], or what GDBus says
 *
 * Returns: %FALSE with @error set when it failed
 *
 * Since: 0.1
 */
gboolean
t2p_tunnel_confirm_finish (T2pTunnel *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), FALSE);

  return change_finish (self, t2p_tunnel_confirm, result, error);
}

/**
 * t2p_tunnel_confirm_sync:
 * @self: a tunnel
 * @options: (nullable): as for [method@Tunnel.confirm]
 * @cancellable: (nullable): ends the call, not the work of the service
 * @error: as for [method@Tunnel.confirm_finish]
 *
 * [method@Tunnel.confirm] for programs that have nothing else to do. The properties are up to
 * date afterwards.
 *
 * Returns: %FALSE with @error set when it failed
 *
 * Since: 0.1
 */
gboolean
t2p_tunnel_confirm_sync (T2pTunnel *self,
                         GVariant *options,
                         GCancellable *cancellable,
                         GError **error)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), FALSE);
  g_return_val_if_fail (
      options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT), FALSE);

  return change_sync (self, "Confirm", options, cancellable, error);
}

/**
 * t2p_tunnel_delete:
 * @self: a tunnel
 * @options: (nullable): an `a{sv}`: none so far
 * @cancellable: (nullable): ends the call, not the work of the service
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Takes it down and removes it. Returns when everything is undone.
 *
 * Since: 0.1
 */
void
t2p_tunnel_delete (T2pTunnel *self,
                   GVariant *options,
                   GCancellable *cancellable,
                   GAsyncReadyCallback callback,
                   gpointer user_data)
{
  g_return_if_fail (T2P_IS_TUNNEL (self));
  g_return_if_fail (options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT));

  change_async (self, "Delete", t2p_tunnel_delete, options, cancellable, callback, user_data);
}

/**
 * t2p_tunnel_delete_finish:
 * @self: a tunnel
 * @result: what the callback got
 * @error: where to put an error of the domain [error@Error], or what GDBus says
 *
 * Returns: %FALSE with @error set when it failed
 *
 * Since: 0.1
 */
gboolean
t2p_tunnel_delete_finish (T2pTunnel *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), FALSE);

  return change_finish (self, t2p_tunnel_delete, result, error);
}

/**
 * t2p_tunnel_delete_sync:
 * @self: a tunnel
 * @options: (nullable): as for [method@Tunnel.delete]
 * @cancellable: (nullable): ends the call, not the work of the service
 * @error: as for [method@Tunnel.delete_finish]
 *
 * [method@Tunnel.delete] for programs that have nothing else to do. The properties are up to
 * date afterwards.
 *
 * Returns: %FALSE with @error set when it failed
 *
 * Since: 0.1
 */
gboolean
t2p_tunnel_delete_sync (T2pTunnel *self,
                        GVariant *options,
                        GCancellable *cancellable,
                        GError **error)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), FALSE);
  g_return_val_if_fail (
      options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT), FALSE);

  return change_sync (self, "Delete", options, cancellable, error);
}
