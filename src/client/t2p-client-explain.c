/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-client.h"

#include "t2p-client-private.h"

/**
 * t2p_client_explain:
 * @self: a client
 * @destination: a name or an address, or one with a port: `example.org:443`
 * @options: (nullable): an `a{sv}`: `uid` (u): of whose connection;
 *   `pid` (u): of which process
 * @cancellable: (nullable): ends the call
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Asks what would become of a TCP connection that was made now: whether a tunnel captures it,
 * and why. Of other users only administrators are told.
 *
 * Since: 0.1
 */
void
t2p_client_explain (T2pClient *self,
                    const char *destination,
                    GVariant *options,
                    GCancellable *cancellable,
                    GAsyncReadyCallback callback,
                    gpointer user_data)
{
  T2pBusTarget target;

  g_return_if_fail (T2P_IS_CLIENT (self));
  g_return_if_fail (destination != NULL);
  g_return_if_fail (options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT));

  target = t2p_client_get_target (self);
  t2p_bus_call_async (&target, "Explain",
                      g_variant_new ("(s@a{sv})", destination, t2p_bus_vardict (options)),
                      "(a{sv})", self, t2p_client_explain, cancellable, callback, user_data);
}

/**
 * t2p_client_explain_finish:
 * @self: a client
 * @result: what the callback got
 * @error: where to put an error of the domain [error@Error], or what GDBus says
 *
 * Returns: (transfer full): an `a{sv}`: `path` (s: `tunnel`, `direct`, `blocked`), `tunnel`
 * (o), `rule`, `interface`, `reason` (s); %NULL with @error set when it failed
 *
 * Since: 0.1
 */
GVariant *
t2p_client_explain_finish (T2pClient *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (T2P_IS_CLIENT (self), NULL);

  return t2p_bus_reply_value (t2p_bus_call_finish (self, t2p_client_explain, result, error));
}

/**
 * t2p_client_explain_sync:
 * @self: a client
 * @destination: a name or an address, or one with a port: `example.org:443`
 * @options: (nullable): as for [method@Client.explain]
 * @cancellable: (nullable): ends the call
 * @error: as for [method@Client.explain_finish]
 *
 * [method@Client.explain] for programs that have nothing else to do.
 *
 * Returns: (transfer full): as [method@Client.explain_finish]
 *
 * Since: 0.1
 */
GVariant *
t2p_client_explain_sync (T2pClient *self,
                         const char *destination,
                         GVariant *options,
                         GCancellable *cancellable,
                         GError **error)
{
  T2pBusTarget target;

  g_return_val_if_fail (T2P_IS_CLIENT (self), NULL);
  g_return_val_if_fail (destination != NULL, NULL);
  g_return_val_if_fail (
      options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT), NULL);

  target = t2p_client_get_target (self);
  return t2p_bus_reply_value (t2p_bus_call_sync (
      &target, "Explain", g_variant_new ("(s@a{sv})", destination, t2p_bus_vardict (options)),
      "(a{sv})", cancellable, error));
}
