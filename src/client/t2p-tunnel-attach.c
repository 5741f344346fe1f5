/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-tunnel.h"

#include "t2p-tunnel-private.h"

/**
 * t2p_tunnel_attach_process:
 * @self: a tunnel
 * @process: from pidfd_open(2), of a process of the caller's; stays the caller's
 * @options: (nullable): an `a{sv}`: none so far
 * @cancellable: (nullable): ends the call
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Has the tunnel capture what that process, and all that it starts from then on, does with the
 * network. For tunnels with `apps` or `exclude-apps`. The process has to be in a scope of
 * systemd's of its own, named `tun2proxy-*.scope`; without systemd it is moved.
 *
 * Since: 0.1
 */
void
t2p_tunnel_attach_process (T2pTunnel *self,
                           int process,
                           GVariant *options,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data)
{
  T2pBusTarget target;

  g_return_if_fail (T2P_IS_TUNNEL (self));
  g_return_if_fail (process >= 0);
  g_return_if_fail (options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT));

  target = t2p_tunnel_get_target (self);
  t2p_bus_call_descriptor_async (&target, "AttachProcess", process, options, self,
                                 t2p_tunnel_attach_process, cancellable, callback, user_data);
}

/**
 * t2p_tunnel_attach_process_finish:
 * @self: a tunnel
 * @result: what the callback got
 * @error: where to put an error of the domain [error@Error], or what GDBus says
 *
 * Returns: %FALSE with @error set when it failed
 *
 * Since: 0.1
 */
gboolean
t2p_tunnel_attach_process_finish (T2pTunnel *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), FALSE);

  return t2p_bus_reply_is_there (
      t2p_bus_call_finish (self, t2p_tunnel_attach_process, result, error));
}

/**
 * t2p_tunnel_attach_process_sync:
 * @self: a tunnel
 * @process: as for [method@Tunnel.attach_process]
 * @options: (nullable): as for [method@Tunnel.attach_process]
 * @cancellable: (nullable): ends the call
 * @error: as for [method@Tunnel.attach_process_finish]
 *
 * [method@Tunnel.attach_process] for programs that have nothing else to do.
 *
 * Returns: %FALSE with @error set when it failed
 *
 * Since: 0.1
 */
gboolean
t2p_tunnel_attach_process_sync (
    T2pTunnel *self, int process, GVariant *options, GCancellable *cancellable, GError **error)
{
  T2pBusTarget target;

  g_return_val_if_fail (T2P_IS_TUNNEL (self), FALSE);
  g_return_val_if_fail (process >= 0, FALSE);
  g_return_val_if_fail (
      options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT), FALSE);

  target = t2p_tunnel_get_target (self);
  return t2p_bus_call_descriptor_sync (&target, "AttachProcess", process, options, cancellable,
                                       error);
}
