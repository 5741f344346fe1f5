/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-connectivity-host.h"

#include "t2p-host-name.h"
#include "t2pn-nm.h"

#define NM_PATH "/org/freedesktop/NetworkManager"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define PROPERTY "ConnectivityCheckUri"
#define CALL_TIMEOUT_MS 3000

char *
t2pn_connectivity_host_of_uri (const char *uri)
{
  g_autofree char *host = NULL;

  if (!g_uri_split (uri, G_URI_FLAGS_NONE, NULL, NULL, &host, NULL, NULL, NULL, NULL, NULL) ||
      !t2p_host_name_is_valid (host))
    return NULL;
  return g_ascii_strdown (host, -1);
}

static void
got_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  GError *error = NULL;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  g_autoptr (GVariant) value = NULL;
  char *host = NULL;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_task_return_error (task, error);
      return;
    }
  g_clear_error (&error); /* it does not run, or is too old to tell */
  if (reply != NULL)
    g_variant_get (reply, "(v)", &value);
  if (value != NULL && g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    host = t2pn_connectivity_host_of_uri (g_variant_get_string (value, NULL));
  g_task_return_pointer (task, host, g_free);
}

void
t2pn_connectivity_host_async (GDBusConnection *bus,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);

  g_task_set_source_tag (task, t2pn_connectivity_host_async);
  if (bus == NULL)
    {
      g_task_return_pointer (task, NULL, NULL);
      return;
    }
  g_dbus_connection_call (bus, T2PN_NM_NAME, NM_PATH, PROPERTIES, "Get",
                          g_variant_new ("(ss)", T2PN_NM_NAME, PROPERTY),
                          G_VARIANT_TYPE ("(v)"), G_DBUS_CALL_FLAGS_NO_AUTO_START,
                          CALL_TIMEOUT_MS, cancellable, got_cb, g_steal_pointer (&task));
}

char *
t2pn_connectivity_host_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
