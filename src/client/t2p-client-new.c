/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-client.h"

/* All constructors are the same GInitable and GAsyncInitable with other properties. */

/**
 * t2p_client_new_sync: (constructor)
 * @cancellable: (nullable): ends it
 * @error: where to put an error
 *
 * Makes a client of the service on the system bus. It need not be running.
 *
 * Returns: (transfer full): a client; %NULL with @error set when the bus cannot be reached
 *
 * Since: 0.1
 */
T2pClient *
t2p_client_new_sync (GCancellable *cancellable, GError **error)
{
  return g_initable_new (T2P_TYPE_CLIENT, cancellable, error, NULL);
}

/**
 * t2p_client_new:
 * @cancellable: (nullable): ends it
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Makes a client of the service on the system bus. Finish with [func@Client.new_finish].
 *
 * Since: 0.1
 */
void
t2p_client_new (GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_async_initable_new_async (T2P_TYPE_CLIENT, G_PRIORITY_DEFAULT, cancellable, callback,
                              user_data, NULL);
}

/**
 * t2p_client_new_for_connection_sync: (constructor)
 * @connection: a message bus
 * @cancellable: (nullable): ends it
 * @error: where to put an error
 *
 * Makes a client of the service on @connection. It need not be running.
 *
 * Returns: (transfer full): a client; %NULL with @error set when the bus cannot be reached
 *
 * Since: 0.1
 */
T2pClient *
t2p_client_new_for_connection_sync (GDBusConnection *connection,
                                    GCancellable *cancellable,
                                    GError **error)
{
  g_return_val_if_fail (G_IS_DBUS_CONNECTION (connection), NULL);

  return g_initable_new (T2P_TYPE_CLIENT, cancellable, error, "connection", connection, NULL);
}

/**
 * t2p_client_new_for_connection:
 * @connection: a message bus
 * @cancellable: (nullable): ends it
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Makes a client of the service on @connection. Finish with [func@Client.new_finish].
 *
 * Since: 0.1
 */
void
t2p_client_new_for_connection (GDBusConnection *connection,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data)
{
  g_return_if_fail (G_IS_DBUS_CONNECTION (connection));

  g_async_initable_new_async (T2P_TYPE_CLIENT, G_PRIORITY_DEFAULT, cancellable, callback,
                              user_data, "connection", connection, NULL);
}

/**
 * t2p_client_new_for_address_sync: (constructor)
 * @address: D-Bus address of a message bus
 * @cancellable: (nullable): ends it
 * @error: where to put an error
 *
 * Makes a client of the service on another bus, for tests. It need not be running.
 *
 * Returns: (transfer full): a client; %NULL with @error set when the bus cannot be reached
 *
 * Since: 0.1
 */
T2pClient *
t2p_client_new_for_address_sync (const char *address, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (g_dbus_is_address (address), NULL);

  return g_initable_new (T2P_TYPE_CLIENT, cancellable, error, "bus-address", address, NULL);
}

/**
 * t2p_client_new_for_address:
 * @address: D-Bus address of a message bus
 * @cancellable: (nullable): ends it
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Makes a client of the service on another bus, for tests. Finish with
 * [func@Client.new_finish].
 *
 * Since: 0.1
 */
void
t2p_client_new_for_address (const char *address,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  g_return_if_fail (g_dbus_is_address (address));

  g_async_initable_new_async (T2P_TYPE_CLIENT, G_PRIORITY_DEFAULT, cancellable, callback,
                              user_data, "bus-address", address, NULL);
}

/**
 * t2p_client_new_finish: (constructor)
 * @result: what the callback got
 * @error: where to put an error
 *
 * Returns: (transfer full): a client; %NULL with @error set when the bus cannot be reached
 *
 * Since: 0.1
 */
T2pClient *
t2p_client_new_finish (GAsyncResult *result, GError **error)
{
  g_autoptr (GObject) source = g_async_result_get_source_object (result);
  GObject *client = g_async_initable_new_finish (G_ASYNC_INITABLE (source), result, error);

  return client != NULL ? T2P_CLIENT (client) : NULL;
}
