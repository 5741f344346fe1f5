/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * NetworkManager hears of a new link from the kernel, as we do, and a moment later. So: ask for
 * the device; while it is unknown, ask again at each signal of NetworkManager's; then set
 * Managed and ask again until it reads FALSE. One step is under way at a time, `is_busy` marks
 * it; a signal that comes meanwhile makes `is_stale`, so that none is lost. */
#include "config.h"

#include "t2pn-nm.h"

#include "t2p-error.h"

#define NM_NAME T2PN_NM_NAME
#define NM_PATH "/org/freedesktop/NetworkManager"
#define NM_DEVICE NM_NAME ".Device"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define WAIT_S 5

typedef struct
{
  GDBusConnection *bus;
  char *ifname;
  char *device; /* object path; NULL until NetworkManager knows it */
  gboolean was_set;
  gboolean is_busy;
  gboolean is_stale;
  gboolean was_running;
  guint subscription;
  GSource *timeout;
  GSource *cancelled; /* NULL without a cancellable */
} Release;

static void
stop_source (GSource **source)
{
  if (*source == NULL)
    return;
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void
release_free (Release *release)
{
  if (release->subscription != 0)
    g_dbus_connection_signal_unsubscribe (release->bus, release->subscription);
  stop_source (&release->timeout);
  stop_source (&release->cancelled);
  g_clear_object (&release->bus);
  g_free (release->ifname);
  g_free (release->device);
  g_free (release);
}

static void advance (GTask *task);

/* Ends the operation once: what comes later (a reply after the timeout) finds it done. */
static void
finish (GTask *task, GError *error)
{
  Release *release = g_task_get_task_data (task);

  if (g_task_get_completed (task) || release->timeout == NULL)
    {
      g_clear_error (&error);
      return;
    }
  stop_source (&release->timeout);
  stop_source (&release->cancelled);
  g_dbus_connection_signal_unsubscribe (release->bus, release->subscription);
  release->subscription = 0;
  if (error != NULL)
    g_task_return_error (task, error);
  else
    g_task_return_boolean (task, TRUE);
}

static void
fail (GTask *task, const char *what, GError *cause)
{
  Release *release = g_task_get_task_data (task);
  GError *error = NULL;

  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    error = g_error_copy (cause);
  else
    g_set_error (&error, T2P_ERROR, T2P_ERROR_NETWORK_MANAGER_FAILED,
                 "NetworkManager does not %s %s: %s", what, release->ifname, cause->message);
  finish (task, error);
}

static GVariant *
end_call (GObject *source, GAsyncResult *result, GTask *task, GError **error)
{
  Release *release = g_task_get_task_data (task);
  GVariant *reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, error);

  release->is_busy = FALSE;
  if (*error != NULL)
    g_dbus_error_strip_remote_error (*error);
  return reply;
}

static void
call (GTask *task,
      const char *path,
      const char *interface,
      const char *method,
      GVariant *arguments,
      GAsyncReadyCallback callback)
{
  Release *release = g_task_get_task_data (task);

  release->is_busy = TRUE;
  g_dbus_connection_call (release->bus, NM_NAME, path, interface, method, arguments, NULL,
                          G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, g_task_get_cancellable (task),
                          callback, g_object_ref (task));
}

static void
get_managed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  Release *release = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = end_call (source, result, task, &error);
  g_autoptr (GVariant) value = NULL;

  if (reply == NULL)
    {
      fail (task, "tell whether it manages", error);
      return;
    }
  g_variant_get (reply, "(v)", &value);
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_BOOLEAN) && !g_variant_get_boolean (value))
    finish (task, NULL);
  else if (release->is_stale)
    advance (task);
}

static void
set_managed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  Release *release = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = end_call (source, result, task, &error);

  if (reply == NULL)
    {
      fail (task, "leave alone the link", error);
      return;
    }
  release->was_set = TRUE;
  advance (task);
}

static void
get_device_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  Release *release = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = end_call (source, result, task, &error);

  if (reply != NULL)
    g_variant_get (reply, "(o)", &release->device);
  if (reply != NULL || release->is_stale)
    advance (task);
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    fail (task, "", error);
  /* Else it does not know the link yet, and will tell. */
}

/* The next step from where things stand. */
static void
advance (GTask *task)
{
  Release *release = g_task_get_task_data (task);

  release->is_stale = release->is_busy;
  if (release->is_busy || g_task_get_completed (task))
    return;
  if (release->device == NULL)
    call (task, NM_PATH, NM_NAME, "GetDeviceByIpIface", g_variant_new ("(s)", release->ifname),
          get_device_cb);
  else if (!release->was_set)
    call (task, release->device, PROPERTIES, "Set",
          g_variant_new ("(ssv)", NM_DEVICE, "Managed", g_variant_new_boolean (FALSE)),
          set_managed_cb);
  else
    call (task, release->device, PROPERTIES, "Get",
          g_variant_new ("(ss)", NM_DEVICE, "Managed"), get_managed_cb);
}

static void
signal_cb (GDBusConnection *bus,
           const char *sender,
           const char *path,
           const char *interface,
           const char *name,
           GVariant *parameters,
           gpointer user_data)
{
  advance (user_data);
}

static gboolean
timeout_cb (gpointer user_data)
{
  g_autoptr (GTask) task = g_object_ref (user_data);
  Release *release = g_task_get_task_data (task);
  GError *error = NULL;

  g_set_error (&error, T2P_ERROR, T2P_ERROR_NETWORK_MANAGER_FAILED,
               release->device == NULL
                   ? "NetworkManager has not noticed the link %s within %d seconds"
                   : "NetworkManager still manages the link %s after %d seconds",
               release->ifname, WAIT_S);
  finish (task, error);
  return G_SOURCE_REMOVE;
}

static gboolean
cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  g_autoptr (GTask) task = g_object_ref (user_data);
  GError *error = NULL;

  g_cancellable_set_error_if_cancelled (cancellable, &error);
  finish (task, error);
  return G_SOURCE_REMOVE;
}

static void
start_waiting (GTask *task)
{
  Release *release = g_task_get_task_data (task);
  GMainContext *context = g_main_context_get_thread_default ();
  GCancellable *cancellable = g_task_get_cancellable (task);

  release->timeout = g_timeout_source_new_seconds (WAIT_S);
  g_source_set_callback (release->timeout, timeout_cb, g_object_ref (task), g_object_unref);
  g_source_attach (release->timeout, context);
  if (cancellable == NULL)
    return;
  release->cancelled = g_cancellable_source_new (cancellable);
  g_source_set_callback (release->cancelled, G_SOURCE_FUNC (cancelled_cb), g_object_ref (task),
                         g_object_unref);
  g_source_attach (release->cancelled, context);
}

static void
get_owner_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  Release *release = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = end_call (source, result, task, &error);
  const char *owner;

  if (reply == NULL)
    {
      if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        g_task_return_error (task, g_steal_pointer (&error));
      else
        g_task_return_boolean (task, TRUE); /* nobody to ask */
      return;
    }
  release->was_running = TRUE;
  g_variant_get (reply, "(&s)", &owner);
  release->subscription = g_dbus_connection_signal_subscribe (
      release->bus, owner, NULL, NULL, NULL, NULL, G_DBUS_SIGNAL_FLAGS_NONE, signal_cb,
      g_object_ref (task), g_object_unref);
  start_waiting (task);
  advance (task);
}

void
t2pn_nm_release_async (GDBusConnection *bus,
                       const char *ifname,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);
  Release *release = g_new0 (Release, 1);

  g_task_set_source_tag (task, t2pn_nm_release_async);
  g_task_set_task_data (task, release, (GDestroyNotify) release_free);
  release->ifname = g_strdup (ifname);
  if (bus == NULL)
    {
      g_task_return_boolean (task, TRUE);
      return;
    }
  release->bus = g_object_ref (bus);
  release->is_busy = TRUE;
  g_dbus_connection_call (
      bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
      "GetNameOwner", g_variant_new ("(s)", NM_NAME), G_VARIANT_TYPE ("(s)"),
      G_DBUS_CALL_FLAGS_NONE, -1, cancellable, get_owner_cb, g_object_ref (task));
}

gboolean
t2pn_nm_release_finish (GAsyncResult *result, gboolean *out_was_running, GError **error)
{
  Release *release = g_task_get_task_data (G_TASK (result));

  if (!g_task_propagate_boolean (G_TASK (result), error))
    return FALSE;
  if (out_was_running != NULL)
    *out_was_running = release->was_running;
  return TRUE;
}
