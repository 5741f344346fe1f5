/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-bus-call.h"

#include "t2p-error.h"
#include "t2p-names.h"

#include <gio/gunixfdlist.h>

static const struct
{
  const char *bus_name;
  T2pError code;
} foreign_errors[] = {
  { "org.freedesktop.DBus.Error.AccessDenied", T2P_ERROR_NOT_AUTHORIZED },
  { "org.freedesktop.DBus.Error.AuthFailed", T2P_ERROR_NOT_AUTHORIZED },
  { "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", T2P_ERROR_NOT_AUTHORIZED },
  { "org.freedesktop.DBus.Error.InvalidArgs", T2P_ERROR_INVALID_ARGUMENT },
  { "org.freedesktop.DBus.Error.LimitsExceeded", T2P_ERROR_LIMIT_EXCEEDED },
  { "org.freedesktop.DBus.Error.UnknownObject", T2P_ERROR_NOT_FOUND },
  { "org.freedesktop.DBus.Error.UnknownMethod", T2P_ERROR_NOT_SUPPORTED },
};

static void
become (GError *error, T2pError code)
{
  error->domain = T2P_ERROR;
  error->code = code;
}

/* GDBus of before 2.76 answers UnknownMethod for an object that is gone, too. */
static gboolean
is_about_missing_object (const GError *error)
{
  return g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD) &&
         strstr (error->message, "does not exist at path") != NULL;
}

void
t2p_bus_error_translate (GError *error)
{
  g_autofree char *remote = g_dbus_error_get_remote_error (error);

  g_dbus_error_strip_remote_error (error);
  if (error->domain == T2P_ERROR || remote == NULL)
    return;
  if (g_str_has_prefix (remote, T2P_ERROR_PREFIX))
    {
      /* A service newer than this library. */
      become (error, T2P_ERROR_FAILED);
      return;
    }
  if (is_about_missing_object (error))
    {
      become (error, T2P_ERROR_NOT_FOUND);
      return;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (foreign_errors); i++)
    if (g_str_equal (foreign_errors[i].bus_name, remote))
      become (error, foreign_errors[i].code);
}

gboolean
t2p_bus_error_is_absence (const GError *error)
{
  return g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN) ||
         g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER);
}

GVariant *
t2p_bus_vardict (GVariant *vardict)
{
  return vardict != NULL ? vardict : g_variant_new ("a{sv}", NULL);
}

gboolean
t2p_bus_reply_is_there (GVariant *reply)
{
  g_autoptr (GVariant) owned = reply;

  return owned != NULL;
}

GVariant *
t2p_bus_reply_value (GVariant *reply)
{
  g_autoptr (GVariant) owned = reply;

  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}

static void
call_cb (GObject *connection, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  GError *error = NULL;
  GVariant *reply = g_dbus_connection_call_with_unix_fd_list_finish (
      G_DBUS_CONNECTION (connection), NULL, result, &error);

  if (reply != NULL)
    {
      g_task_return_pointer (task, reply, (GDestroyNotify) g_variant_unref);
      return;
    }
  t2p_bus_error_translate (error);
  g_task_return_error (task, error);
}

/* Takes @task. */
static void
send_async (const T2pBusTarget *target,
            const char *method,
            GVariant *arguments,
            GUnixFDList *descriptors,
            const char *reply_type,
            GTask *task)
{
  (void) T2P_ERROR; /* registers the names before a reply needs them */
  g_dbus_connection_call_with_unix_fd_list (
      target->connection, T2P_BUS_NAME, target->path, target->interface, method, arguments,
      G_VARIANT_TYPE (reply_type), G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, G_MAXINT,
      descriptors, g_task_get_cancellable (task), call_cb, task);
}

static GVariant *
send_sync (const T2pBusTarget *target,
           const char *method,
           GVariant *arguments,
           GUnixFDList *descriptors,
           const char *reply_type,
           GCancellable *cancellable,
           GError **error)
{
  GError *local_error = NULL;
  GVariant *reply = NULL;

  (void) T2P_ERROR; /* registers the names before a reply needs them */
  reply = g_dbus_connection_call_with_unix_fd_list_sync (
      target->connection, T2P_BUS_NAME, target->path, target->interface, method, arguments,
      G_VARIANT_TYPE (reply_type), G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, G_MAXINT,
      descriptors, NULL, cancellable, &local_error);
  if (reply == NULL)
    {
      t2p_bus_error_translate (local_error);
      g_propagate_error (error, local_error);
    }
  return reply;
}

void
t2p_bus_call_async (const T2pBusTarget *target,
                    const char *method,
                    GVariant *arguments,
                    const char *reply_type,
                    gpointer source,
                    gpointer tag,
                    GCancellable *cancellable,
                    GAsyncReadyCallback callback,
                    gpointer user_data)
{
  GTask *task = g_task_new (source, cancellable, callback, user_data);

  g_task_set_source_tag (task, tag);
  send_async (target, method, arguments, NULL, reply_type, task);
}

GVariant *
t2p_bus_call_finish (gpointer source, gpointer tag, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, source), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, tag), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

GVariant *
t2p_bus_call_sync (const T2pBusTarget *target,
                   const char *method,
                   GVariant *arguments,
                   const char *reply_type,
                   GCancellable *cancellable,
                   GError **error)
{
  return send_sync (target, method, arguments, NULL, reply_type, cancellable, error);
}

/* --- with a descriptor */

static GVariant *
descriptor_arguments (int descriptor, GVariant *options, GUnixFDList *list, GError **error)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (t2p_bus_vardict (options));
  int handle = g_unix_fd_list_append (list, descriptor, error);

  return handle >= 0 ? g_variant_new ("(h@a{sv})", handle, owned) : NULL;
}

void
t2p_bus_call_descriptor_async (const T2pBusTarget *target,
                               const char *method,
                               int descriptor,
                               GVariant *options,
                               gpointer source,
                               gpointer tag,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (source, cancellable, callback, user_data);
  g_autoptr (GUnixFDList) list = g_unix_fd_list_new ();
  GError *error = NULL;
  GVariant *arguments = descriptor_arguments (descriptor, options, list, &error);

  g_task_set_source_tag (task, tag);
  if (arguments != NULL)
    send_async (target, method, arguments, list, "()", g_steal_pointer (&task));
  else
    g_task_return_error (task, error);
}

gboolean
t2p_bus_call_descriptor_sync (const T2pBusTarget *target,
                              const char *method,
                              int descriptor,
                              GVariant *options,
                              GCancellable *cancellable,
                              GError **error)
{
  g_autoptr (GUnixFDList) list = g_unix_fd_list_new ();
  GVariant *arguments = descriptor_arguments (descriptor, options, list, error);

  return arguments != NULL && t2p_bus_reply_is_there (send_sync (
                                  target, method, arguments, list, "()", cancellable, error));
}
