/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-client.h"

#include "t2p-client-private.h"
#include "t2p-error.h"
#include "t2p-names.h"

#include <gio/gunixfdlist.h>

#define REPLY G_VARIANT_TYPE ("(oha{sv})")

/* What the service said, and the descriptor that came with it. */
typedef struct
{
  GVariant *reply;
  GUnixFDList *descriptors;
} Answer;

static void
answer_free (Answer *answer)
{
  g_clear_pointer (&answer->reply, g_variant_unref);
  g_clear_object (&answer->descriptors);
  g_free (answer);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Answer, answer_free)

static GVariant *
make_arguments (const char *name, GVariant *settings, GVariant *descriptors, GVariant *options)
{
  return g_variant_new ("(s@a{sv}@a{sh}@a{sv})", name, settings, descriptors,
                        t2p_bus_vardict (options));
}

static T2pTunnel *
take_answer (
    T2pClient *self, Answer *answer, int *out_guard, GVariant **out_result, GError **error)
{
  const char *path = NULL;
  gint32 place = -1;
  T2pTunnel *tunnel;
  int guard;

  g_variant_get (answer->reply, "(&oh@a{sv})", &path, &place, NULL);
  tunnel = t2p_client_lookup (self, path);
  if (tunnel == NULL)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_FOUND, "the tunnel %s has gone again", path);
      return NULL;
    }
  if (answer->descriptors == NULL || place < 0 ||
      place >= g_unix_fd_list_get_length (answer->descriptors))
    {
      g_set_error_literal (error, T2P_ERROR, T2P_ERROR_FAILED,
                           "the service sent no guard with its answer");
      return NULL;
    }
  guard = g_unix_fd_list_get (answer->descriptors, place, error);
  if (guard < 0)
    return NULL;
  *out_guard = guard;
  if (out_result != NULL)
    *out_result = g_variant_get_child_value (answer->reply, 2);
  return g_object_ref (tunnel);
}

static void
refreshed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  GError *error = NULL;

  if (t2p_client_refresh_finish (T2P_CLIENT (source), result, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
answered_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  Answer *answer = g_task_get_task_data (task);
  T2pClient *self = g_task_get_source_object (task);
  GError *error = NULL;

  answer->reply = g_dbus_connection_call_with_unix_fd_list_finish (
      G_DBUS_CONNECTION (source), &answer->descriptors, result, &error);
  if (answer->reply == NULL)
    {
      t2p_bus_error_translate (error);
      g_task_return_error (task, error);
      return;
    }
  t2p_client_refresh (self, g_task_get_cancellable (task), refreshed_cb,
                      g_steal_pointer (&task));
}

/**
 * t2p_client_create_tunnel_fd:
 * @self: a client
 * @name: as for [method@Client.create_tunnel]
 * @settings: as for [method@Client.create_tunnel]; files are named as `fd:NAME`
 * @descriptors: an `a{sh}`: `netns`, and the names of files; the handles count in @list
 * @list: the descriptors, as many as @descriptors has names
 * @options: (nullable): as for [method@Client.create_tunnel]
 * @cancellable: (nullable): ends the call, not the work of the service
 * @callback: (scope async): called with the result
 * @user_data: for @callback
 *
 * [method@Client.create_tunnel] with descriptors of the caller's. With `netns`, a network
 * namespace, the tunnel's interface and routes are made there. The tunnel lives as long as the
 * guard that comes with the result is open.
 *
 * Since: 0.1
 */
void
t2p_client_create_tunnel_fd (T2pClient *self,
                             const char *name,
                             GVariant *settings,
                             GVariant *descriptors,
                             GUnixFDList *list,
                             GVariant *options,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  GTask *task = NULL;

  g_return_if_fail (T2P_IS_CLIENT (self));
  g_return_if_fail (name != NULL);
  g_return_if_fail (g_variant_is_of_type (settings, G_VARIANT_TYPE_VARDICT));
  g_return_if_fail (g_variant_is_of_type (descriptors, G_VARIANT_TYPE ("a{sh}")));
  g_return_if_fail (G_IS_UNIX_FD_LIST (list));

  (void) T2P_ERROR; /* registers the names before a reply needs them */
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, t2p_client_create_tunnel_fd);
  g_task_set_task_data (task, g_new0 (Answer, 1), (GDestroyNotify) answer_free);
  g_dbus_connection_call_with_unix_fd_list (
      self->connection, T2P_BUS_NAME, T2P_MANAGER_PATH, T2P_MANAGER_INTERFACE, "CreateTunnelFd",
      make_arguments (name, settings, descriptors, options), REPLY,
      G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, G_MAXINT, list, cancellable,
      answered_cb, task);
}

/**
 * t2p_client_create_tunnel_fd_finish:
 * @self: a client
 * @result: what the callback got
 * @out_guard: (out): the caller's to close, which ends the tunnel; readable when that has gone
 * @out_result: (out) (optional) (transfer full): an `a{sv}`: `interface` (s), `warnings` (as)
 * @error: where to put an error of the domain [error@Error], or what GDBus says
 *
 * Returns: (transfer full): the tunnel; %NULL with @error set when it failed
 *
 * Since: 0.1
 */
T2pTunnel *
t2p_client_create_tunnel_fd_finish (T2pClient *self,
                                    GAsyncResult *result,
                                    int *out_guard,
                                    GVariant **out_result,
                                    GError **error)
{
  g_return_val_if_fail (T2P_IS_CLIENT (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, t2p_client_create_tunnel_fd), NULL);

  if (!g_task_propagate_boolean (G_TASK (result), error))
    return NULL;
  return take_answer (self, g_task_get_task_data (G_TASK (result)), out_guard, out_result,
                      error);
}

/**
 * t2p_client_create_tunnel_fd_sync:
 * @self: a client
 * @name: as for [method@Client.create_tunnel_fd]
 * @settings: as for [method@Client.create_tunnel_fd]
 * @descriptors: as for [method@Client.create_tunnel_fd]
 * @list: as for [method@Client.create_tunnel_fd]
 * @options: (nullable): as for [method@Client.create_tunnel]
 * @cancellable: (nullable): ends the call, not the work of the service
 * @out_guard: (out): as for [method@Client.create_tunnel_fd_finish]
 * @out_result: (out) (optional) (transfer full): an `a{sv}`: `interface` (s), `warnings` (as)
 * @error: as for [method@Client.create_tunnel_fd_finish]
 *
 * [method@Client.create_tunnel_fd] for programs that have nothing else to do.
 *
 * Returns: (transfer full): the tunnel; %NULL with @error set when it failed
 *
 * Since: 0.1
 */
T2pTunnel *
t2p_client_create_tunnel_fd_sync (T2pClient *self,
                                  const char *name,
                                  GVariant *settings,
                                  GVariant *descriptors,
                                  GUnixFDList *list,
                                  GVariant *options,
                                  GCancellable *cancellable,
                                  int *out_guard,
                                  GVariant **out_result,
                                  GError **error)
{
  g_autoptr (Answer) answer = g_new0 (Answer, 1);
  GError *failure = NULL;

  g_return_val_if_fail (T2P_IS_CLIENT (self), NULL);
  g_return_val_if_fail (name != NULL, NULL);
  g_return_val_if_fail (g_variant_is_of_type (settings, G_VARIANT_TYPE_VARDICT), NULL);
  g_return_val_if_fail (g_variant_is_of_type (descriptors, G_VARIANT_TYPE ("a{sh}")), NULL);
  g_return_val_if_fail (G_IS_UNIX_FD_LIST (list), NULL);

  (void) T2P_ERROR; /* registers the names before a reply needs them */
  answer->reply = g_dbus_connection_call_with_unix_fd_list_sync (
      self->connection, T2P_BUS_NAME, T2P_MANAGER_PATH, T2P_MANAGER_INTERFACE, "CreateTunnelFd",
      make_arguments (name, settings, descriptors, options), REPLY,
      G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, G_MAXINT, list, &answer->descriptors,
      cancellable, &failure);
  if (answer->reply == NULL)
    {
      t2p_bus_error_translate (failure);
      g_propagate_error (error, failure);
      return NULL;
    }
  if (!t2p_client_refresh_sync (self, cancellable, error))
    return NULL;
  return take_answer (self, answer, out_guard, out_result, error);
}
