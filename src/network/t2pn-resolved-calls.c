/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * What resolved was told of a link is forgotten when it is restarted: the calls are made again
 * when its name gets a new owner. Each run of them has its own reference; dropping ends the
 * watch, and what runs for it ends before its next call. */
#include "config.h"

#include "t2pn-resolved-calls.h"

#include "t2p-error.h"

#define PATH "/org/freedesktop/resolve1"
#define MANAGER "org.freedesktop.resolve1.Manager"

typedef struct
{
  const char *method;
  GVariant *arguments;
  gboolean is_optional;
} Call;

struct _T2pnResolvedCalls
{
  grefcount references;
  GDBusConnection *bus;
  GPtrArray *calls; /* of Call */
  gboolean is_revert;
  gboolean is_dropped;
  guint watch; /* 0: none */
  char *owner; /* of resolved's name, when it was told */
};

/* One run of them: the data of its task. */
typedef struct
{
  T2pnResolvedCalls *calls;
  guint next;
} Run;

static void
call_free (Call *call)
{
  g_variant_unref (call->arguments);
  g_free (call);
}

T2pnResolvedCalls *
t2pn_resolved_calls_new (GDBusConnection *bus)
{
  T2pnResolvedCalls *self = g_new0 (T2pnResolvedCalls, 1);

  g_ref_count_init (&self->references);
  self->bus = g_object_ref (bus);
  self->calls = g_ptr_array_new_with_free_func ((GDestroyNotify) call_free);
  return self;
}

static void
unref (T2pnResolvedCalls *self)
{
  if (!g_ref_count_dec (&self->references))
    return;
  g_object_unref (self->bus);
  g_ptr_array_unref (self->calls);
  g_free (self->owner);
  g_free (self);
}

void
t2pn_resolved_calls_drop (T2pnResolvedCalls *self)
{
  if (self == NULL)
    return;
  if (self->watch != 0)
    g_bus_unwatch_name (self->watch);
  self->watch = 0;
  self->is_dropped = TRUE;
  unref (self);
}

void
t2pn_resolved_calls_add (T2pnResolvedCalls *self,
                         const char *method,
                         GVariant *arguments,
                         gboolean is_optional)
{
  Call *call = g_new0 (Call, 1);

  call->method = method;
  call->arguments = g_variant_ref_sink (arguments);
  call->is_optional = is_optional;
  g_ptr_array_add (self->calls, call);
}

/* --- one call after the other */

static void
run_free (gpointer data)
{
  Run *run = data;

  unref (run->calls);
  g_free (run);
}

static gboolean
is_remote_error (const GError *error, const char *name)
{
  g_autofree char *remote = g_dbus_error_get_remote_error (error);

  return g_strcmp0 (remote, name) == 0;
}

/* What makes a failure none: nobody there or no such link means nothing to revert. */
static gboolean
is_ignored (const T2pnResolvedCalls *self, const Call *call, const GError *error)
{
  if (call->is_optional &&
      (g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD) ||
       g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NOT_SUPPORTED)))
    return TRUE;
  return self->is_revert &&
         (g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER) ||
          g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN) ||
          g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY) ||
          g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED) ||
          is_remote_error (error, T2PN_RESOLVED_NAME ".NoSuchLink"));
}

static void make_next_call (GTask *task);

static void
called_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  Run *run = g_task_get_task_data (task);
  const Call *call = g_ptr_array_index (run->calls->calls, run->next);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);

  if (reply == NULL && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  if (reply == NULL && !is_ignored (run->calls, call, error))
    {
      g_dbus_error_strip_remote_error (error);
      g_task_return_new_error (task, T2P_ERROR, T2P_ERROR_DNS_SETUP_FAILED,
                               "systemd-resolved does not take %s: %s", call->method,
                               error->message);
      return;
    }
  run->next++;
  make_next_call (task);
}

static void
make_next_call (GTask *task)
{
  const Run *run = g_task_get_task_data (task);
  const T2pnResolvedCalls *self = run->calls;
  const Call *call;

  if (run->next == self->calls->len)
    {
      g_task_return_boolean (task, TRUE);
      return;
    }
  if (!self->is_revert && self->is_dropped)
    {
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                               "the link's DNS was reverted meanwhile");
      return;
    }
  call = g_ptr_array_index (self->calls, run->next);
  g_dbus_connection_call (
      self->bus, T2PN_RESOLVED_NAME, PATH, MANAGER, call->method, call->arguments, NULL,
      self->is_revert ? G_DBUS_CALL_FLAGS_NO_AUTO_START : G_DBUS_CALL_FLAGS_NONE, -1,
      g_task_get_cancellable (task), called_cb, g_object_ref (task));
}

/* Takes @task. */
static void
run_all (T2pnResolvedCalls *self, GTask *task)
{
  Run *run = g_new0 (Run, 1);

  g_ref_count_inc (&self->references);
  run->calls = self;
  g_task_set_task_data (task, run, run_free);
  make_next_call (task);
  g_object_unref (task);
}

/* --- resolved restarts */

static void
made_again_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  if (!g_task_propagate_boolean (G_TASK (result), &error))
    g_debug ("%s, ignoring", error->message);
}

static void
appeared_cb (GDBusConnection *bus, const char *name, const char *owner, gpointer user_data)
{
  T2pnResolvedCalls *self = user_data;
  gboolean is_first = self->owner == NULL;

  if (g_strcmp0 (self->owner, owner) == 0)
    return;
  g_free (self->owner);
  self->owner = g_strdup (owner);
  if (!is_first)
    run_all (self, g_task_new (NULL, NULL, made_again_cb, NULL));
}

void
t2pn_resolved_calls_keep (T2pnResolvedCalls *self, GTask *task)
{
  self->watch = g_bus_watch_name_on_connection (self->bus, T2PN_RESOLVED_NAME,
                                                G_BUS_NAME_WATCHER_FLAGS_NONE, appeared_cb,
                                                NULL, self, NULL);
  run_all (self, task);
}

void
t2pn_resolved_calls_revert (T2pnResolvedCalls *self, GTask *task)
{
  self->is_revert = TRUE;
  run_all (self, task);
}
