/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-client.h"

#include "t2p-client-private.h"
#include "t2p-error.h"
#include "t2p-names.h"

#include <gio/gunixfdlist.h>

/* A message with a descriptor, which t2p_bus_call_async() does not carry. */

static GVariant *
make_arguments (int socket, GVariant *options, GUnixFDList **out_descriptors, GError **error)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (t2p_bus_vardict (options));
  g_autoptr (GUnixFDList) descriptors = g_unix_fd_list_new ();
  int handle = g_unix_fd_list_append (descriptors, socket, error);

  if (handle < 0)
    return NULL;
  *out_descriptors = g_steal_pointer (&descriptors);
  return g_variant_new ("(h@a{sv})", handle, owned);
}

static void
called_cb (GObject *connection, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  GError *error = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_with_unix_fd_list_finish (
      G_DBUS_CONNECTION (connection), NULL, result, &error);

  if (reply != NULL)
    {
      g_task_return_boolean (task, TRUE);
      return;
    }
  t2p_bus_error_translate (error);
  g_task_return_error (task, error);
}

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
  g_autoptr (GUnixFDList) descriptors = NULL;
  GVariant *arguments;
  GError *error = NULL;
  GTask *task;

  g_return_if_fail (T2P_IS_CLIENT (self));
  g_return_if_fail (socket >= 0);
  g_return_if_fail (options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT));

  (void) T2P_ERROR; /* registers the names before a reply needs them */
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, t2p_client_bypass_socket);
  arguments = make_arguments (socket, options, &descriptors, &error);
  if (arguments == NULL)
    {
      g_task_return_error (task, error);
      g_object_unref (task);
      return;
    }
  g_dbus_connection_call_with_unix_fd_list (
      self->connection, T2P_BUS_NAME, T2P_MANAGER_PATH, T2P_MANAGER_INTERFACE, "BypassSocket",
      arguments, G_VARIANT_TYPE_UNIT, G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION,
      G_MAXINT, descriptors, cancellable, called_cb, task);
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
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, t2p_client_bypass_socket), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
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
  g_autoptr (GUnixFDList) descriptors = NULL;
  g_autoptr (GVariant) reply = NULL;
  GError *local_error = NULL;
  GVariant *arguments;

  g_return_val_if_fail (T2P_IS_CLIENT (self), FALSE);
  g_return_val_if_fail (socket >= 0, FALSE);
  g_return_val_if_fail (
      options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT), FALSE);

  (void) T2P_ERROR; /* registers the names before a reply needs them */
  arguments = make_arguments (socket, options, &descriptors, error);
  if (arguments == NULL)
    return FALSE;
  reply = g_dbus_connection_call_with_unix_fd_list_sync (
      self->connection, T2P_BUS_NAME, T2P_MANAGER_PATH, T2P_MANAGER_INTERFACE, "BypassSocket",
      arguments, G_VARIANT_TYPE_UNIT, G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION,
      G_MAXINT, descriptors, NULL, cancellable, &local_error);
  if (reply != NULL)
    return TRUE;
  t2p_bus_error_translate (local_error);
  g_propagate_error (error, local_error);
  return FALSE;
}
