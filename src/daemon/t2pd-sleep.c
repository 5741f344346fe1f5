/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * logind sends PrepareForSleep(true), waits for those who hold a delay lock, has the machine
 * sleep, and sends PrepareForSleep(false). We hold such a lock from the start, so that what is
 * told of the sleep has left before it begins; it is given back when it has, and taken again
 * afterwards. A lock is a descriptor, and goes with us. A machine without logind tells nothing:
 * for its links, sleep is a change of the uplink like any other. A logind that is restarted has
 * forgotten locks: ours is taken again. */
#include "config.h"

#include "t2pd-sleep.h"

#include "t2p-log.h"

#include <gio/gunixfdlist.h>
#include <unistd.h>

#define NAME "org.freedesktop.login1"
#define PATH "/org/freedesktop/login1"
#define MANAGER "org.freedesktop.login1.Manager"

struct _T2pdSleep
{
  GDBusConnection *bus;
  T2pdSleepFunc func;
  gpointer user_data;
  GCancellable *cancellable;
  guint watch_id;
  guint signal_id;
  gboolean is_asleep;
  int lock; /* -1: none */
};

static void
give_lock_back (T2pdSleep *self)
{
  if (self->lock >= 0)
    close (self->lock);
  self->lock = -1;
}

/* (transfer full): the descriptor, or -1 */
static int
take_handle (GVariant *reply, GUnixFDList *fds, GError **error)
{
  gint32 handle = -1;

  g_variant_get (reply, "(h)", &handle);
  if (fds == NULL || handle < 0 || handle >= g_unix_fd_list_get_length (fds))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "logind's answer has descriptor %d, and brings none such", handle);
      return -1;
    }
  return g_unix_fd_list_get (fds, handle, error);
}

static void
inhibited_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  T2pdSleep *self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GUnixFDList) fds = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_with_unix_fd_list_finish (
      G_DBUS_CONNECTION (source), &fds, result, &error);
  int lock = -1;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return; /* @self may be gone */
  if (reply != NULL)
    lock = take_handle (reply, fds, &error);
  if (lock < 0)
    {
      t2p_log_warning (NULL, error, "logind does not wait for us before a sleep, ignoring");
      return;
    }
  give_lock_back (self);
  self->lock = lock;
  if (self->is_asleep) /* it would hold the sleep up for as long as it may */
    give_lock_back (self);
}

static void
take_lock (T2pdSleep *self)
{
  g_dbus_connection_call_with_unix_fd_list (
      self->bus, NAME, PATH, MANAGER, "Inhibit",
      g_variant_new ("(ssss)", "sleep", "tun2proxyd", "Tunnels are told of the sleep", "delay"),
      G_VARIANT_TYPE ("(h)"), G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, NULL, self->cancellable,
      inhibited_cb, self);
}

static void
flushed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  T2pdSleep *self = user_data;
  g_autoptr (GError) error = NULL;

  g_dbus_connection_flush_finish (G_DBUS_CONNECTION (source), result, &error);
  if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) && self->is_asleep)
    give_lock_back (self);
}

static void
prepare_cb (GDBusConnection *bus,
            const char *sender,
            const char *path,
            const char *interface,
            const char *name,
            GVariant *parameters,
            gpointer user_data)
{
  T2pdSleep *self = user_data;
  gboolean is_asleep;

  if (!g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(b)")))
    return;
  g_variant_get (parameters, "(b)", &is_asleep);
  if (is_asleep == self->is_asleep)
    return;
  self->is_asleep = is_asleep;
  t2p_log_notice (NULL, NULL, is_asleep ? "the machine goes to sleep" : "the machine is awake");
  self->func (is_asleep, self->user_data);
  if (is_asleep)
    g_dbus_connection_flush (bus, self->cancellable, flushed_cb, self);
  else
    take_lock (self);
}

static void
appeared_cb (GDBusConnection *bus, const char *name, const char *owner, gpointer user_data)
{
  take_lock (user_data);
}

/* Who tells us of the awakening has gone: whatever the machine does, it is awake. */
static void
vanished_cb (GDBusConnection *bus, const char *name, gpointer user_data)
{
  T2pdSleep *self = user_data;

  give_lock_back (self);
  if (!self->is_asleep)
    return;
  self->is_asleep = FALSE;
  self->func (FALSE, self->user_data);
}

/**
 * t2pd_sleep_new:
 * @bus: the system bus
 *
 * Since: 0.1
 */
T2pdSleep *
t2pd_sleep_new (GDBusConnection *bus, T2pdSleepFunc func, gpointer user_data)
{
  T2pdSleep *self = g_new0 (T2pdSleep, 1);

  self->bus = g_object_ref (bus);
  self->func = func;
  self->user_data = user_data;
  self->cancellable = g_cancellable_new ();
  self->lock = -1;
  self->signal_id =
      g_dbus_connection_signal_subscribe (bus, NAME, MANAGER, "PrepareForSleep", PATH, NULL,
                                          G_DBUS_SIGNAL_FLAGS_NONE, prepare_cb, self, NULL);
  self->watch_id = g_bus_watch_name_on_connection (bus, NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                                   appeared_cb, vanished_cb, self, NULL);
  return self;
}

void
t2pd_sleep_free (T2pdSleep *self)
{
  g_cancellable_cancel (self->cancellable);
  g_bus_unwatch_name (self->watch_id);
  g_dbus_connection_signal_unsubscribe (self->bus, self->signal_id);
  give_lock_back (self);
  g_object_unref (self->cancellable);
  g_object_unref (self->bus);
  g_free (self);
}
