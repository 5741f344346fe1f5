/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-tunnel.h"

#include "t2p-error.h"
#include "t2p-names.h"
#include "t2p-tunnel-private.h"

#include <gio/gunixfdlist.h>

/* A message with a descriptor, which t2p_bus_call_async() does not carry. */

#define METHOD "AttachProcess"

static GVariant *
make_arguments (int process, GVariant *options, GUnixFDList **out_list, GError **error)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (t2p_bus_vardict (options));
  g_autoptr (GUnixFDList) list = g_unix_fd_list_new ();
  int handle = g_unix_fd_list_append (list, process, error);

  if (handle < 0)
    return NULL;
  *out_list = g_steal_pointer (&list);
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
 * t2p_tunnel_attach_process:
 * @self: a tunnel
 * @process: from pidfd_open(2), of a process of the caller's; stays the caller's
 * @options: (nullable): an `a{sv}`: none so far
 * @cancellable: (nullable): ends the call
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * Has the tunnel capture what that process, and all that it starts from then on, does with the
 * network. For tunnels with `apps` or `exclude-apps`.
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
  g_autoptr (GTask) task = NULL;
  g_autoptr (GUnixFDList) list = NULL;
  T2pBusTarget target;
  GVariant *arguments;
  GError *error = NULL;

  g_return_if_fail (T2P_IS_TUNNEL (self));
  g_return_if_fail (options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT));

  (void) T2P_ERROR; /* registers the names before a reply needs them */
  target = t2p_tunnel_get_target (self);
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, t2p_tunnel_attach_process);
  arguments = make_arguments (process, options, &list, &error);
  if (arguments == NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  g_dbus_connection_call_with_unix_fd_list (
      target.connection, T2P_BUS_NAME, target.path, target.interface, METHOD, arguments, NULL,
      G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, G_MAXINT, list, cancellable, called_cb,
      g_steal_pointer (&task));
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
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, t2p_tunnel_attach_process), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
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
  g_autoptr (GUnixFDList) list = NULL;
  g_autoptr (GVariant) reply = NULL;
  T2pBusTarget target;
  GVariant *arguments;
  GError *failure = NULL;

  g_return_val_if_fail (T2P_IS_TUNNEL (self), FALSE);
  g_return_val_if_fail (
      options == NULL || g_variant_is_of_type (options, G_VARIANT_TYPE_VARDICT), FALSE);

  (void) T2P_ERROR; /* registers the names before a reply needs them */
  target = t2p_tunnel_get_target (self);
  arguments = make_arguments (process, options, &list, error);
  if (arguments == NULL)
    return FALSE;
  reply = g_dbus_connection_call_with_unix_fd_list_sync (
      target.connection, T2P_BUS_NAME, target.path, target.interface, METHOD, arguments, NULL,
      G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, G_MAXINT, list, NULL, cancellable,
      &failure);
  if (reply != NULL)
    return TRUE;
  t2p_bus_error_translate (failure);
  g_propagate_error (error, failure);
  return FALSE;
}
