/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-client.h"

#include "t2p-client-private.h"

/**
 * t2p_client_bypass_socket:
 * @self: a client
 * @socket: descriptor of a TCP or UDP socket of the caller's own that is not connected; stays
 *   the caller's
 * @options: (nullable): an `a{sv}`: none so far
 * @cancellable: (nullable): ends the call
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Lets a socket bypass all tunnels.
 *
 * Since: 0.1
 */
void
t2p_client_bypass_socket (T2pClient *self,
                          int socket,
                          GVariant *options,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  T2pBusTarget target;

  g_return_if_fail (T2P_IS_CLIENT (self));
  g_return_if_fail (socket >= 0);
  g_return_if_fail (options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT));

  target = t2p_client_get_target (self);
  t2p_bus_call_descriptor_async (&target, "BypassSocket", socket, options, self,
                                 t2p_client_bypass_socket, cancellable, callback, user_data);
}

/**
 * t2p_client_bypass_socket_finish:
 * @self: a client
 * @result: what the callback got
 * @error: where to put an error of the domain [error@Error], or what GDBus says
 *
 * Returns: %FALSE with @error set when it failed: then the socket goes where it would have gone
 *
 * Since: 0.1
 */
gboolean
t2p_client_bypass_socket_finish (T2pClient *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (T2P_IS_CLIENT (self), FALSE);

  return t2p_bus_reply_is_there (
      t2p_bus_call_finish (self, t2p_client_bypass_socket, result, error));
}

/**
 * t2p_client_bypass_socket_sync:
 * @self: a client
 * @socket: as for [method@Client.bypass_socket]
 * @options: (nullable): as for [method@Client.bypass_socket]
 * @cancellable: (nullable): ends the call
 * @error: as for [method@Client.bypass_socket_finish]
 *
 * [method@Client.bypass_socket] for programs that have nothing else to do.
 *
 * Returns: %FALSE with @error set when it failed: then the socket goes where it would have gone
 *
 * Since: 0.1
 */
gboolean
t2p_client_bypass_socket_sync (
    T2pClient *self, int socket, GVariant *options, GCancellable *cancellable, GError **error)
{
  T2pBusTarget target;

  g_return_val_if_fail (T2P_IS_CLIENT (self), FALSE);
  g_return_val_if_fail (socket >= 0, FALSE);
  g_return_val_if_fail (
      options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT), FALSE);

  target = t2p_client_get_target (self);
  return t2p_bus_call_descriptor_sync (&target, "BypassSocket", socket, options, cancellable,
                                       error);
}
