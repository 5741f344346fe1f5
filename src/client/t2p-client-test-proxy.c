/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-client.h"

#include "t2p-client-private.h"

/**
 * t2p_client_test_proxy:
 * @self: a client
 * @uri: a proxy, as in the setting `proxies`
 * @options: (nullable): an `a{sv}`: `timeout` (u, seconds, 30 at most)
 * @cancellable: (nullable): ends the call
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Lets the service do a real handshake with a proxy.
 *
 * Since: 0.1
 */
void
t2p_client_test_proxy (T2pClient *self,
                       const char *uri,
                       GVariant *options,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  T2pBusTarget target;

  g_return_if_fail (T2P_IS_CLIENT (self));
  g_return_if_fail (uri != NULL);
  g_return_if_fail (options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT));

  target = t2p_client_get_target (self);
  t2p_bus_call_async (&target, "TestProxy",
                      g_variant_new ("(s@a{sv})", uri, t2p_bus_vardict (options)), "(a{sv})",
                      self, t2p_client_test_proxy, cancellable, callback, user_data);
}

/**
 * t2p_client_test_proxy_finish:
 * @self: a client
 * @result: what the callback got
 * @error: where to put an error of the domain [error@Error], or what GDBus says
 *
 * That a proxy does not work is no error of this call.
 *
 * Returns: (transfer full): an `a{sv}`: `reachable` (b), `rtt-us` (t), `auth` (s), `connect`,
 *   `names`, `ipv6` (b), `udp`, `error`, `message` (s); %NULL with @error set when it failed
 *
 * Since: 0.1
 */
GVariant *
t2p_client_test_proxy_finish (T2pClient *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (T2P_IS_CLIENT (self), NULL);

  return t2p_bus_reply_value (t2p_bus_call_finish (self, t2p_client_test_proxy, result, error));
}

/**
 * t2p_client_test_proxy_sync:
 * @self: a client
 * @uri: a proxy, as in the setting `proxies`
 * @options: (nullable): as for [method@Client.test_proxy]
 * @cancellable: (nullable): ends the call
 * @error: as for [method@Client.test_proxy_finish]
 *
 * [method@Client.test_proxy] for programs that have nothing else to do.
 *
 * Returns: (transfer full): as [method@Client.test_proxy_finish]
 *
 * Since: 0.1
 */
GVariant *
t2p_client_test_proxy_sync (T2pClient *self,
                            const char *uri,
                            GVariant *options,
                            GCancellable *cancellable,
                            GError **error)
{
  T2pBusTarget target;

  g_return_val_if_fail (T2P_IS_CLIENT (self), NULL);
  g_return_val_if_fail (uri != NULL, NULL);
  g_return_val_if_fail (
      options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT), NULL);

  target = t2p_client_get_target (self);
  return t2p_bus_reply_value (t2p_bus_call_sync (
      &target, "TestProxy", g_variant_new ("(s@a{sv})", uri, t2p_bus_vardict (options)),
      "(a{sv})", cancellable, error));
}
