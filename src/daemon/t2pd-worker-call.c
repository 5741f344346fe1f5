/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking a worker, whose answers are hostile: their types are checked, each call has a
 * deadline, error texts are cleaned. */
#include "config.h"

#include "t2pd-worker-private.h"

#include "t2p-error.h"
#include "t2p-names.h"
#include "t2pd-worker-row.h"

/* The text of a remote error comes from a hostile process. */
static GError *
clean_error (const GError *error)
{
  g_autoptr (GError) copy = g_error_copy (error);
  g_autofree char *text = NULL;

  g_dbus_error_strip_remote_error (copy);
  text = t2pd_worker_row_clean_text (copy->message);
  if (error->domain == T2P_ERROR)
    return g_error_new_literal (T2P_ERROR, error->code, text);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    return g_error_new_literal (T2P_ERROR, T2P_ERROR_TIMED_OUT, "the worker did not answer");
  return g_error_new (T2P_ERROR, T2P_ERROR_FAILED, "the worker failed: %s", text);
}

static void
answered_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  GVariant *reply = g_dbus_connection_call_with_unix_fd_list_finish (G_DBUS_CONNECTION (source),
                                                                     NULL, result, &error);

  if (reply == NULL)
    g_task_return_error (task, clean_error (error));
  else
    g_task_return_pointer (task, reply, (GDestroyNotify) g_variant_unref);
}

/**
 * t2pd_worker_call_async:
 * @parameters: (nullable): a floating reference is taken
 * @reply_type: what the answer must be; anything else is an error
 * @fds: (nullable): descriptors that travel with it
 *
 * Calls a method of the private interface.
 *
 * Since: 0.1
 */
void
t2pd_worker_call_async (T2pdWorker *self,
                        const char *method,
                        GVariant *parameters,
                        const GVariantType *reply_type,
                        GUnixFDList *fds,
                        guint timeout_ms,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  g_autoptr (GVariant) owned = parameters != NULL ? g_variant_ref_sink (parameters) : NULL;
  GDBusConnection *connection = t2pd_worker_get_connection (self);

  if (connection == NULL)
    {
      g_task_return_new_error (task, T2P_ERROR, T2P_ERROR_FAILED, "there is no worker");
      return;
    }
  g_dbus_connection_call_with_unix_fd_list (connection, NULL, T2P_WORKER_PATH,
                                            T2P_WORKER_INTERFACE, method, owned, reply_type,
                                            G_DBUS_CALL_FLAGS_NONE, (int) timeout_ms, fds,
                                            cancellable, answered_cb, g_steal_pointer (&task));
}

/**
 * t2pd_worker_call_finish:
 *
 * Returns: (transfer full): the answer, hostile in everything but its type, or %NULL with a
 *   #T2pError
 *
 * Since: 0.1
 */
GVariant *
t2pd_worker_call_finish (T2pdWorker *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
