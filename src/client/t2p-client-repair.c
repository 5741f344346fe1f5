/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-client.h"

#include "t2p-client-private.h"

static char **
unpack (GVariant *reply)
{
  g_autoptr (GVariant) owned = reply;
  char **lines = NULL;

  if (reply != NULL)
    g_variant_get (reply, "(^as)", &lines);
  return lines;
}

/**
 * t2p_client_repair:
 * @self: a client
 * @options: (nullable): an `a{sv}`: `dry-run` (b): only tell
 * @cancellable: (nullable): ends the call
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Undoes what a dead instance of the service has left. The service does the same whenever it
 * starts.
 *
 * Since: 0.1
 */
void
t2p_client_repair (T2pClient *self,
                   GVariant *options,
                   GCancellable *cancellable,
                   GAsyncReadyCallback callback,
                   gpointer user_data)
{
  T2pBusTarget target;

  g_return_if_fail (T2P_IS_CLIENT (self));
  g_return_if_fail (options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT));

  target = t2p_client_get_target (self);
  t2p_bus_call_async (&target, "Repair", g_variant_new ("(@a{sv})", t2p_bus_vardict (options)),
                      "(as)", self, t2p_client_repair, cancellable, callback, user_data);
}

/**
 * t2p_client_repair_finish:
 * @self: a client
 * @result: what the callback got
 * @error: where to put an error of the domain [error@Error], or what GDBus says
 *
 * Returns: (transfer full) (array zero-terminated=1): a line for each thing that was, or would
 *   be, undone; %NULL with @error set when it failed
 *
 * Since: 0.1
 */
char **
t2p_client_repair_finish (T2pClient *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (T2P_IS_CLIENT (self), NULL);

  return unpack (t2p_bus_call_finish (self, t2p_client_repair, result, error));
}

/**
 * t2p_client_repair_sync:
 * @self: a client
 * @options: (nullable): as for [method@Client.repair]
 * @cancellable: (nullable): ends the call
 * @error: as for [method@Client.repair_finish]
 *
 * [method@Client.repair] for programs that have nothing else to do.
 *
 * Returns: (transfer full) (array zero-terminated=1): a line for each thing that was, or would
 *   be, undone; %NULL with @error set when it failed
 *
 * Since: 0.1
 */
char **
t2p_client_repair_sync (T2pClient *self,
                        GVariant *options,
                        GCancellable *cancellable,
                        GError **error)
{
  T2pBusTarget target;

  g_return_val_if_fail (T2P_IS_CLIENT (self), NULL);
  g_return_val_if_fail (
      options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT), NULL);

  target = t2p_client_get_target (self);
  return unpack (t2p_bus_call_sync (&target, "Repair",
                                    g_variant_new ("(@a{sv})", t2p_bus_vardict (options)),
                                    "(as)", cancellable, error));
}
