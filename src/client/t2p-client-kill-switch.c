/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-client.h"

#include "t2p-client-private.h"

/**
 * t2p_client_set_kill_switch:
 * @self: a client
 * @mode: `off`, `on-failure` or `always`
 * @options: (nullable): an `a{sv}`: `tunnel` (s, name of a tunnel: the caller's, then root's)
 * @cancellable: (nullable): ends the call
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Arms a tunnel that is up, whatever its settings say, or changes what holds for one that was
 * left armed; without `tunnel` the one that captures everything for everybody. `off` without
 * `tunnel` switches everything off.
 *
 * Since: 0.1
 */
void
t2p_client_set_kill_switch (T2pClient *self,
                            const char *mode,
                            GVariant *options,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  T2pBusTarget target;

  g_return_if_fail (T2P_IS_CLIENT (self));
  g_return_if_fail (mode != NULL);
  g_return_if_fail (options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT));

  target = t2p_client_get_target (self);
  t2p_bus_call_async (&target, "SetKillSwitch",
                      g_variant_new ("(s@a{sv})", mode, t2p_bus_vardict (options)), "()", self,
                      t2p_client_set_kill_switch, cancellable, callback, user_data);
}

/**
 * t2p_client_set_kill_switch_finish:
 * @self: a client
 * @result: what the callback got
 * @error: where to put an error of the domain [error@Error], or what GDBus says
 *
 * Returns: %FALSE with @error set when it failed
 *
 * Since: 0.1
 */
gboolean
t2p_client_set_kill_switch_finish (T2pClient *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (T2P_IS_CLIENT (self), FALSE);

  return t2p_bus_reply_is_there (
      t2p_bus_call_finish (self, t2p_client_set_kill_switch, result, error));
}

/**
 * t2p_client_set_kill_switch_sync:
 * @self: a client
 * @mode: as for [method@Client.set_kill_switch]
 * @options: (nullable): as for [method@Client.set_kill_switch]
 * @cancellable: (nullable): ends the call
 * @error: as for [method@Client.set_kill_switch_finish]
 *
 * [method@Client.set_kill_switch] for programs that have nothing else to do.
 *
 * Returns: %FALSE with @error set when it failed
 *
 * Since: 0.1
 */
gboolean
t2p_client_set_kill_switch_sync (T2pClient *self,
                                 const char *mode,
                                 GVariant *options,
                                 GCancellable *cancellable,
                                 GError **error)
{
  T2pBusTarget target;

  g_return_val_if_fail (T2P_IS_CLIENT (self), FALSE);
  g_return_val_if_fail (mode != NULL, FALSE);
  g_return_val_if_fail (
      options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT), FALSE);

  target = t2p_client_get_target (self);
  return t2p_bus_reply_is_there (t2p_bus_call_sync (
      &target, "SetKillSwitch", g_variant_new ("(s@a{sv})", mode, t2p_bus_vardict (options)),
      "()", cancellable, error));
}
