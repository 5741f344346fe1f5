/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * The daemon binds a listening socket, the worker inherits it as descriptor 3 and is the
 * authentication server on it; the daemon is the client. So another daemon can connect after
 * this one has died.
 *
 * Everything that comes back is hostile: t2pd-worker-filter.c bounds sizes and rates,
 * t2pd-worker-row.c copies only what is known, t2pd-worker-call.c checks the types of answers,
 * gives each call a deadline, and cleans error texts. A worker that is told to stop and does
 * not is killed. */

#include "t2pd-worker-private.h"

#include "t2p-error.h"
#include "t2p-log.h"
#include "t2p-names.h"
#include "t2pd-worker-filter.h"
#include "t2pd-worker-signals.h"
#include "t2pd-worker-socket.h"

#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <unistd.h>

#define SPAWN_TIMEOUT_MS 10000
#define STOP_GRACE_MS 2000
#define WORKER_FD 3

struct _T2pdWorker
{
  GObject parent;
  const T2pdOptions *options;
  char *label;
  char *socket_path;
  GSubprocess *process;
  GDBusConnection *connection;
  T2pdWorkerFilter *filter;
  guint subscription_id;
  GCancellable *exited;    /* cancelled when the process has gone */
  GSource *deadline;       /* of spawning, then of stopping */
  GPtrArray *waiting_exit; /* GTask */
};

G_DEFINE_FINAL_TYPE (T2pdWorker, t2pd_worker, G_TYPE_OBJECT)

enum
{
  EXITED,
  UPSTREAM_CHANGED,
  ACTIVE_PROXY_CHANGED,
  SOCKET_WANTED,
  OWNER_WANTED,
  N_SIGNALS,
};
static guint signals[N_SIGNALS];

static void
clear_deadline (T2pdWorker *self)
{
  if (self->deadline != NULL)
    g_source_destroy (self->deadline);
  g_clear_pointer (&self->deadline, g_source_unref);
}

static void
close_connection (T2pdWorker *self)
{
  if (self->connection == NULL)
    return;
  g_dbus_connection_signal_unsubscribe (self->connection, self->subscription_id);
  g_dbus_connection_close (self->connection, NULL, NULL, NULL);
  g_clear_object (&self->connection);
}

static void
t2pd_worker_dispose (GObject *object)
{
  T2pdWorker *self = T2PD_WORKER (object);

  clear_deadline (self);
  close_connection (self);
  if (self->process != NULL)
    g_subprocess_force_exit (self->process);
  g_clear_object (&self->process);
  G_OBJECT_CLASS (t2pd_worker_parent_class)->dispose (object);
}

static void
t2pd_worker_finalize (GObject *object)
{
  T2pdWorker *self = T2PD_WORKER (object);

  g_clear_object (&self->exited);
  g_ptr_array_unref (self->waiting_exit);
  t2pd_worker_filter_unref (self->filter);
  g_free (self->label);
  g_free (self->socket_path);
  G_OBJECT_CLASS (t2pd_worker_parent_class)->finalize (object);
}

static void
t2pd_worker_class_init (T2pdWorkerClass *klass)
{
  GType type = G_TYPE_FROM_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = t2pd_worker_dispose;
  G_OBJECT_CLASS (klass)->finalize = t2pd_worker_finalize;
  signals[EXITED] =
      g_signal_new ("exited", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[UPSTREAM_CHANGED] =
      g_signal_new ("upstream-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                    G_TYPE_NONE, 3, G_TYPE_BOOLEAN, G_TYPE_INT, G_TYPE_STRING);
  signals[ACTIVE_PROXY_CHANGED] =
      g_signal_new ("active-proxy-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                    G_TYPE_NONE, 3, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_STRING);
  signals[SOCKET_WANTED] =
      g_signal_new ("socket-wanted", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                    2, G_TYPE_UINT64, G_TYPE_STRING);
  signals[OWNER_WANTED] =
      g_signal_new ("owner-wanted", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                    4, G_TYPE_UINT64, G_TYPE_UINT, G_TYPE_STRING, G_TYPE_STRING);
  g_signal_new ("loop-seen", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 4,
                G_TYPE_STRING, G_TYPE_UINT, G_TYPE_STRING, G_TYPE_STRING);
}

static void
t2pd_worker_init (T2pdWorker *self)
{
  self->filter = t2pd_worker_filter_new ();
  self->exited = g_cancellable_new ();
  self->waiting_exit = g_ptr_array_new_with_free_func (g_object_unref);
}

/**
 * t2pd_worker_new:
 * @options: must outlive the worker
 * @label: [A-Za-z0-9-]+: what its socket is called after
 *
 * A worker that does not run yet. While it runs, it keeps itself alive: stop it.
 *
 * Since: 0.1
 */
T2pdWorker *
t2pd_worker_new (const T2pdOptions *options, const char *label)
{
  T2pdWorker *self = g_object_new (T2PD_TYPE_WORKER, NULL);

  self->options = options;
  self->label = g_strdup (label);
  self->socket_path = t2pd_worker_socket_make_path (options->runtime_dir, label);
  return self;
}

const char *
t2pd_worker_get_socket_path (T2pdWorker *self)
{
  return self->socket_path;
}

GPid
t2pd_worker_get_pid (T2pdWorker *self)
{
  const char *text = self->process != NULL ? g_subprocess_get_identifier (self->process) : NULL;

  return text != NULL ? (GPid) g_ascii_strtoll (text, NULL, 10) : 0;
}

gboolean
t2pd_worker_is_ready (T2pdWorker *self)
{
  return self->connection != NULL;
}

GDBusConnection *
t2pd_worker_get_connection (T2pdWorker *self)
{
  return self->connection;
}

void
t2pd_worker_socket_answered (T2pdWorker *self)
{
  t2pd_worker_filter_socket_answered (self->filter);
}

/* --- what it tells unasked */

static void
signal_cb (GDBusConnection *connection,
           const char *sender,
           const char *path,
           const char *interface,
           const char *name,
           GVariant *parameters,
           gpointer user_data)
{
  t2pd_worker_signals_take (T2PD_WORKER (user_data), name, parameters);
}

/* --- spawning */

static void
exited_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pdWorker) self = user_data;
  GSubprocess *process = G_SUBPROCESS (source);
  g_autoptr (GPtrArray) waiting = NULL;

  g_subprocess_wait_finish (process, result, NULL);
  if (self->process != process)
    return;
  if (g_subprocess_get_if_signaled (process))
    t2p_log_notice (NULL, NULL, "worker %s was ended by signal %d", self->label,
                    g_subprocess_get_term_sig (process));
  else
    t2p_log_info (NULL, NULL, "worker %s ended with status %d", self->label,
                  g_subprocess_get_exit_status (process));
  clear_deadline (self);
  close_connection (self);
  g_clear_object (&self->process);
  g_unlink (self->socket_path);
  g_cancellable_cancel (self->exited);
  waiting = g_steal_pointer (&self->waiting_exit);
  self->waiting_exit = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < waiting->len; i++)
    g_task_return_boolean (waiting->pdata[i], TRUE);
  g_signal_emit (self, signals[EXITED], 0);
}

static gboolean
too_late_cb (gpointer user_data)
{
  T2pdWorker *self = T2PD_WORKER (user_data);

  t2p_log_warning (NULL, NULL, "worker %s did not answer in time and is killed", self->label);
  clear_deadline (self);
  if (self->process != NULL)
    g_subprocess_force_exit (self->process);
  return G_SOURCE_REMOVE;
}

static void
set_deadline (T2pdWorker *self, guint ms)
{
  clear_deadline (self);
  self->deadline = g_timeout_source_new (ms);
  g_source_set_callback (self->deadline, too_late_cb, self, NULL);
  g_source_attach (self->deadline, NULL);
}

/* A session of its own: what is sent to the daemon's group is not meant for it. */
static void
child_setup (gpointer user_data)
{
  setsid ();
}

static gboolean
check_user (const T2pdOptions *options, GError **error)
{
  if (options->has_worker_user)
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_FAILED,
               "the workers' user '%s' did not exist when the service was started: "
               "systemd-sysusers makes it",
               options->worker_user);
  return FALSE;
}

static GSubprocess *
start_process (T2pdWorker *self, GError **error)
{
  const T2pdOptions *options = self->options;
  g_autoptr (GSubprocessLauncher) launcher =
      g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);
  g_autofree char *user = g_strdup_printf ("--user=%s", options->worker_user);
  g_autofree char *timeout = g_strdup_printf ("--adopt-timeout=%u", options->adopt_timeout_s);
  g_autofree char *level =
      g_strdup_printf ("--log-level=%s", t2p_log_level_to_string (t2p_log_get_level ()));
  int fd = t2pd_worker_socket_bind (self->socket_path, error);
  const char *argv[6] = { options->worker_program, timeout, level };
  GSubprocess *process;

  if (fd < 0)
    return NULL;
  if (options->worker_user[0] != '\0')
    argv[3] = user;
  g_subprocess_launcher_take_fd (launcher, fd, WORKER_FD);
  g_subprocess_launcher_set_child_setup (launcher, child_setup, NULL, NULL);
  process = g_subprocess_launcher_spawnv (launcher, argv, error);
  if (process == NULL)
    g_unlink (self->socket_path);
  return process;
}

static GError *
error_not_started (T2pdWorker *self, const GError *cause)
{
  if (g_cancellable_is_cancelled (self->exited) || self->process == NULL)
    return g_error_new (T2P_ERROR, T2P_ERROR_FAILED, "worker '%s' ended while it was started",
                        self->options->worker_program);
  return g_error_new (T2P_ERROR, T2P_ERROR_FAILED, "could not speak to worker '%s': %s",
                      self->options->worker_program, cause->message);
}

static void
authenticated_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  T2pdWorker *self = g_task_get_source_object (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GDBusConnection) connection = g_dbus_connection_new_finish (result, &error);

  clear_deadline (self);
  if (connection == NULL || self->process == NULL)
    {
      g_task_return_error (task, error_not_started (self, error));
      return;
    }
  self->connection = g_steal_pointer (&connection);
  g_dbus_connection_set_exit_on_close (self->connection, FALSE);
  g_dbus_connection_add_filter (self->connection, t2pd_worker_filter_cb,
                                t2pd_worker_filter_ref (self->filter),
                                (GDestroyNotify) t2pd_worker_filter_unref);
  self->subscription_id = g_dbus_connection_signal_subscribe (
      self->connection, NULL, T2P_WORKER_INTERFACE, NULL, T2P_WORKER_PATH, NULL,
      G_DBUS_SIGNAL_FLAGS_NONE, signal_cb, self, NULL);
  g_dbus_connection_start_message_processing (self->connection);
  g_task_return_boolean (task, TRUE);
}

static void
connected_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  T2pdWorker *self = g_task_get_source_object (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketConnection) stream =
      g_socket_client_connect_finish (G_SOCKET_CLIENT (source), result, &error);

  if (stream == NULL)
    {
      g_task_return_error (task, error_not_started (self, error));
      return;
    }
  g_dbus_connection_new (G_IO_STREAM (stream), NULL,
                         G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                             G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING,
                         NULL, self->exited, authenticated_cb, g_object_ref (task));
}

/**
 * t2pd_worker_spawn_async:
 *
 * Starts the process and connects to it. Once for each object.
 *
 * Since: 0.1
 */
void
t2pd_worker_spawn_async (T2pdWorker *self,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketAddress) address = g_unix_socket_address_new (self->socket_path);
  GError *error = NULL;

  if (!check_user (self->options, &error) ||
      (self->process = start_process (self, &error)) == NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  g_subprocess_wait_async (self->process, NULL, exited_cb, g_object_ref (self));
  set_deadline (self, SPAWN_TIMEOUT_MS);
  g_socket_client_connect_async (client, G_SOCKET_CONNECTABLE (address), self->exited,
                                 connected_cb, g_object_ref (task));
}

/**
 * t2pd_worker_spawn_finish:
 *
 * Returns: %FALSE with %T2P_ERROR_FAILED when the workers' user is missing, or the process
 * ended or did not answer
 *
 * Since: 0.1
 */
gboolean
t2pd_worker_spawn_finish (T2pdWorker *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* --- stopping */

/**
 * t2pd_worker_stop_async:
 * @drain_ms: for how long its connections may go on
 *
 * Tells the worker to stop, and kills it when it does not. Done when the process has gone.
 *
 * Since: 0.1
 */
void
t2pd_worker_stop_async (T2pdWorker *self,
                        guint drain_ms,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, NULL, callback, user_data);

  if (self->process == NULL)
    {
      g_task_return_boolean (task, TRUE);
      return;
    }
  g_ptr_array_add (self->waiting_exit, g_object_ref (task));
  if (self->connection == NULL)
    {
      g_subprocess_force_exit (self->process);
      return;
    }
  set_deadline (self, drain_ms + STOP_GRACE_MS);
  g_dbus_connection_call (self->connection, NULL, T2P_WORKER_PATH, T2P_WORKER_INTERFACE, "Stop",
                          g_variant_new ("(u)", drain_ms), NULL, G_DBUS_CALL_FLAGS_NONE,
                          STOP_GRACE_MS, NULL, NULL, NULL);
}

/**
 * t2pd_worker_kill:
 *
 * Ends the process at once, if there is one.
 *
 * Since: 0.1
 */
void
t2pd_worker_kill (T2pdWorker *self)
{
  if (self->process != NULL)
    g_subprocess_force_exit (self->process);
}

void
t2pd_worker_stop_finish (T2pdWorker *self, GAsyncResult *result)
{
  g_task_propagate_boolean (G_TASK (result), NULL);
}
