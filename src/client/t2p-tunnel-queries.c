/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-tunnel.h"

#include "t2p-tunnel-private.h"

/* What may be asked of a tunnel: a{sv} options in, values out. */

static void
ask_async (T2pTunnel *self,
           const char *method,
           const char *reply_type,
           gpointer tag,
           GCancellable *cancellable,
           GAsyncReadyCallback callback,
           gpointer user_data)
{
  const T2pBusTarget target = t2p_tunnel_get_target (self);

  t2p_bus_call_async (&target, method, g_variant_new ("(@a{sv})", t2p_bus_vardict (NULL)),
                      reply_type, self, tag, cancellable, callback, user_data);
}

static GVariant *
ask_sync (T2pTunnel *self,
          const char *method,
          const char *reply_type,
          GCancellable *cancellable,
          GError **error)
{
  const T2pBusTarget target = t2p_tunnel_get_target (self);

  return t2p_bus_call_sync (&target, method, g_variant_new ("(@a{sv})", t2p_bus_vardict (NULL)),
                            reply_type, cancellable, error);
}

/* Takes @reply; the version is its second member. */
static GVariant *
unpack_settings (GVariant *reply, guint64 *out_version)
{
  if (reply != NULL && out_version != NULL)
    g_variant_get_child (reply, 1, "t", out_version);
  return t2p_bus_reply_value (reply);
}

/**
 * t2p_tunnel_get_settings:
 * @self: a tunnel
 * @cancellable: (nullable): ends the call
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Asks for its settings as they were given, without credentials.
 *
 * Since: 0.1
 */
void
t2p_tunnel_get_settings (T2pTunnel *self,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  g_return_if_fail (T2P_IS_TUNNEL (self));

  ask_async (self, "GetSettings", "(a{sv}t)", t2p_tunnel_get_settings, cancellable, callback,
             user_data);
}

/**
 * t2p_tunnel_get_settings_finish:
 * @self: a tunnel
 * @result: what the callback got
 * @out_version: (out) (optional): changes with each update of the settings
 * @error: where to put an error of the domain [error@Error], or what GDBus says
 *
 * Returns: (transfer full): an `a{sv}`; `proxies-with-credentials` (au) are the indexes
 *   of the proxies that had some;
 *   %NULL with @error set when it failed
 *
 * Since: 0.1
 */
GVariant *
t2p_tunnel_get_settings_finish (T2pTunnel *self,
                                GAsyncResult *result,
                                guint64 *out_version,
                                GError **error)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), NULL);

  return unpack_settings (t2p_bus_call_finish (self, t2p_tunnel_get_settings, result, error),
                          out_version);
}

/**
 * t2p_tunnel_get_settings_sync:
 * @self: a tunnel
 * @cancellable: (nullable): ends the call
 * @out_version: (out) (optional): changes with each update of the settings
 * @error: as for [method@Tunnel.get_settings_finish]
 *
 * [method@Tunnel.get_settings] for programs that have nothing else to do.
 *
 * Returns: (transfer full): an `a{sv}`; `proxies-with-credentials` (au) are the indexes
 *   of the proxies that had some;
 *   %NULL with @error set when it failed
 *
 * Since: 0.1
 */
GVariant *
t2p_tunnel_get_settings_sync (T2pTunnel *self,
                              GCancellable *cancellable,
                              guint64 *out_version,
                              GError **error)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), NULL);

  return unpack_settings (ask_sync (self, "GetSettings", "(a{sv}t)", cancellable, error),
                          out_version);
}

/**
 * t2p_tunnel_get_details:
 * @self: a tunnel
 * @cancellable: (nullable): ends the call
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Asks what it does at the moment.
 *
 * Since: 0.1
 */
void
t2p_tunnel_get_details (T2pTunnel *self,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  g_return_if_fail (T2P_IS_TUNNEL (self));

  ask_async (self, "GetDetails", "(a{sv})", t2p_tunnel_get_details, cancellable, callback,
             user_data);
}

/**
 * t2p_tunnel_get_details_finish:
 * @self: a tunnel
 * @result: what the callback got
 * @error: where to put an error of the domain [error@Error], or what GDBus says
 *
 * Returns: (transfer full): an `a{sv}`: `active-proxy`, `proxies`, `udp-mode`,
 *   `ipv6-mode`, `dns-mode`, `addresses`, `message`;
 *   %NULL with @error set when it failed
 *
 * Since: 0.1
 */
GVariant *
t2p_tunnel_get_details_finish (T2pTunnel *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), NULL);

  return t2p_bus_reply_value (
      t2p_bus_call_finish (self, t2p_tunnel_get_details, result, error));
}

/**
 * t2p_tunnel_get_details_sync:
 * @self: a tunnel
 * @cancellable: (nullable): ends the call
 * @error: as for [method@Tunnel.get_details_finish]
 *
 * [method@Tunnel.get_details] for programs that have nothing else to do.
 *
 * Returns: (transfer full): an `a{sv}`: `active-proxy`, `proxies`, `udp-mode`,
 *   `ipv6-mode`, `dns-mode`, `addresses`, `message`;
 *   %NULL with @error set when it failed
 *
 * Since: 0.1
 */
GVariant *
t2p_tunnel_get_details_sync (T2pTunnel *self, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), NULL);

  return t2p_bus_reply_value (ask_sync (self, "GetDetails", "(a{sv})", cancellable, error));
}

/**
 * t2p_tunnel_get_statistics:
 * @self: a tunnel
 * @cancellable: (nullable): ends the call
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Asks for its counters.
 *
 * Since: 0.1
 */
void
t2p_tunnel_get_statistics (T2pTunnel *self,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data)
{
  g_return_if_fail (T2P_IS_TUNNEL (self));

  ask_async (self, "GetStatistics", "(a{st})", t2p_tunnel_get_statistics, cancellable, callback,
             user_data);
}

/**
 * t2p_tunnel_get_statistics_finish:
 * @self: a tunnel
 * @result: what the callback got
 * @error: where to put an error of the domain [error@Error], or what GDBus says
 *
 * Returns: (transfer full): an `a{st}`: `rx-bytes`, `tx-bytes`, `connections-active`
 *   and so on; received means from applications;
 *   %NULL with @error set when it failed
 *
 * Since: 0.1
 */
GVariant *
t2p_tunnel_get_statistics_finish (T2pTunnel *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), NULL);

  return t2p_bus_reply_value (
      t2p_bus_call_finish (self, t2p_tunnel_get_statistics, result, error));
}

/**
 * t2p_tunnel_get_statistics_sync:
 * @self: a tunnel
 * @cancellable: (nullable): ends the call
 * @error: as for [method@Tunnel.get_statistics_finish]
 *
 * [method@Tunnel.get_statistics] for programs that have nothing else to do.
 *
 * Returns: (transfer full): an `a{st}`: `rx-bytes`, `tx-bytes`, `connections-active`
 *   and so on; received means from applications;
 *   %NULL with @error set when it failed
 *
 * Since: 0.1
 */
GVariant *
t2p_tunnel_get_statistics_sync (T2pTunnel *self, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), NULL);

  return t2p_bus_reply_value (ask_sync (self, "GetStatistics", "(a{st})", cancellable, error));
}
