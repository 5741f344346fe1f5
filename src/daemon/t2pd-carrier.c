/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-carrier.h"

#include "t2p-error.h"
#include "t2p-log.h"
#include "t2pd-worker-owners.h"
#include "t2pd-worker-sockets.h"
#include "t2pd-worker-start.h"

#define START_TIMEOUT_MS 10000
#define FIRST_DELAY_MS 100
#define LAST_DELAY_MS 10000
#define STEADY_US (30 * G_USEC_PER_SEC) /* who worked so long begins with the first delay */
#define UNATTENDED_MS 1000

struct _T2pdCarrier
{
  GObject parent;
  const T2pdOptions *options;
  char *label;
  T2pdWorker *worker;
  guint32 socket_uid;
  char **socket_paths;    /* NULL: none */
  int owners_ifindex;     /* 0: no question is answered */
  char **warnings;        /* of the last Start */
  T2pdWorkerStart *start; /* NULL: nothing is to be carried, so nobody is replaced */
  T2pdFdStore *store;
  char *names_key; /* there */
  guint delay_ms;
  gint64 working_since_us;
  GSource *restart;
  GSource *unattended;
};

G_DEFINE_FINAL_TYPE (T2pdCarrier, t2pd_carrier, G_TYPE_OBJECT)

enum
{
  SPAWNED,
  LOST,
  UNATTENDED,
  BACK,
  UPSTREAM_CHANGED,
  ACTIVE_PROXY_CHANGED,
  N_SIGNALS,
};
static guint signals[N_SIGNALS];

static void
drop_source (GSource **source)
{
  if (*source != NULL)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void
drop_worker (T2pdCarrier *self)
{
  if (self->worker != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->worker, self);
      t2pd_worker_kill (self->worker);
    }
  g_clear_object (&self->worker);
}

static void
t2pd_carrier_dispose (GObject *object)
{
  T2pdCarrier *self = T2PD_CARRIER (object);

  drop_source (&self->restart);
  drop_source (&self->unattended);
  drop_worker (self);
  g_clear_pointer (&self->start, t2pd_worker_start_free);
  G_OBJECT_CLASS (t2pd_carrier_parent_class)->dispose (object);
}

static void
t2pd_carrier_finalize (GObject *object)
{
  T2pdCarrier *self = T2PD_CARRIER (object);

  g_strfreev (self->socket_paths);
  g_strfreev (self->warnings);
  g_free (self->label);
  g_free (self->names_key);
  G_OBJECT_CLASS (t2pd_carrier_parent_class)->finalize (object);
}

static guint
new_signal (GType type, const char *name)
{
  return g_signal_new (name, type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
t2pd_carrier_class_init (T2pdCarrierClass *klass)
{
  GType type = G_TYPE_FROM_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = t2pd_carrier_dispose;
  G_OBJECT_CLASS (klass)->finalize = t2pd_carrier_finalize;
  signals[SPAWNED] = g_signal_new ("spawned", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                   G_TYPE_NONE, 1, G_TYPE_INT);
  signals[LOST] = new_signal (type, "lost");
  signals[UNATTENDED] = new_signal (type, "unattended");
  signals[BACK] = new_signal (type, "back");
  signals[UPSTREAM_CHANGED] =
      g_signal_new ("upstream-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                    G_TYPE_NONE, 3, G_TYPE_BOOLEAN, G_TYPE_INT, G_TYPE_STRING);
  signals[ACTIVE_PROXY_CHANGED] =
      g_signal_new ("active-proxy-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                    G_TYPE_NONE, 3, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_STRING);
}

static void
t2pd_carrier_init (T2pdCarrier *self)
{
  self->delay_ms = FIRST_DELAY_MS;
}

T2pdCarrier *
t2pd_carrier_new (const T2pdOptions *options,
                  const char *label,
                  T2pdFdStore *store,
                  const char *names_key)
{
  T2pdCarrier *self = g_object_new (T2PD_TYPE_CARRIER, NULL);

  self->options = options;
  self->store = store;
  self->names_key = g_strdup (names_key);
  self->label = g_strdup (label);
  self->worker = t2pd_worker_new (options, label);
  return self;
}

const char *
t2pd_carrier_get_socket_path (T2pdCarrier *self)
{
  return t2pd_worker_get_socket_path (self->worker);
}

T2pdWorker *
t2pd_carrier_get_worker (T2pdCarrier *self)
{
  return t2pd_worker_is_ready (self->worker) ? self->worker : NULL;
}

T2pdWorker *
t2pd_carrier_peek_worker (T2pdCarrier *self)
{
  return self->worker;
}

void
t2pd_carrier_allow_sockets (T2pdCarrier *self, guint32 uid, const char *const *paths)
{
  g_strfreev (self->socket_paths);
  self->socket_paths = g_strdupv ((char **) paths);
  self->socket_uid = uid;
}

const char *const *
t2pd_carrier_get_warnings (T2pdCarrier *self)
{
  static const char *const none[] = { NULL };

  return self->warnings != NULL ? (const char *const *) self->warnings : none;
}

/* --- a process */

static void
upstream_changed_cb (
    T2pdWorker *worker, gboolean is_up, int reason, const char *message, gpointer user_data)
{
  g_signal_emit (user_data, signals[UPSTREAM_CHANGED], 0, is_up, reason, message);
}

static void
active_proxy_changed_cb (T2pdWorker *worker,
                         const char *old,
                         const char *new,
                         const char *reason,
                         gpointer user_data)
{
  g_signal_emit (user_data, signals[ACTIVE_PROXY_CHANGED], 0, old, new, reason);
}

static void exited_cb (T2pdWorker *worker, gpointer user_data);

static void
renew_worker (T2pdCarrier *self)
{
  drop_worker (self);
  self->worker = t2pd_worker_new (self->options, self->label);
  if (self->socket_paths != NULL)
    t2pd_worker_sockets_attach (self->worker, self->socket_uid,
                                (const char *const *) self->socket_paths);
}

static void
spawned_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  GError *error = NULL;

  if (t2pd_worker_spawn_finish (T2PD_WORKER (source), result, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

void
t2pd_carrier_ensure_async (T2pdCarrier *self,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);

  if (t2pd_worker_is_ready (self->worker))
    {
      g_task_return_boolean (task, TRUE);
      return;
    }
  renew_worker (self);
  g_signal_connect (self->worker, "exited", G_CALLBACK (exited_cb), self);
  g_signal_connect (self->worker, "upstream-changed", G_CALLBACK (upstream_changed_cb), self);
  g_signal_connect (self->worker, "active-proxy-changed", G_CALLBACK (active_proxy_changed_cb),
                    self);
  t2pd_worker_spawn_async (self->worker, cancellable, spawned_cb, g_object_ref (task));
  if (t2pd_worker_get_pid (self->worker) != 0)
    g_signal_emit (self, signals[SPAWNED], 0, (int) t2pd_worker_get_pid (self->worker));
}

void
t2pd_carrier_answer_owners (T2pdCarrier *self, int ifindex)
{
  self->owners_ifindex = ifindex;
}

/* --- carrying */

static void
start_answered_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  T2pdCarrier *self = g_task_get_source_object (task);
  GError *error = NULL;
  g_autoptr (GVariant) reply = t2pd_worker_call_finish (T2PD_WORKER (source), result, &error);

  if (reply == NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  g_strfreev (self->warnings);
  self->warnings = t2pd_worker_start_read_warnings (reply);
  for (guint i = 0; self->warnings[i] != NULL; i++)
    t2p_log_notice (NULL, NULL, "worker %s: %s", self->label, self->warnings[i]);
  self->working_since_us = g_get_monotonic_time ();
  g_task_return_boolean (task, TRUE);
}

static void
call_start (T2pdCarrier *self, GTask *task)
{
  g_autoptr (GUnixFDList) fds = g_unix_fd_list_new ();
  GError *error = NULL;
  GVariant *parameters = t2pd_worker_start_make (self->start, fds, &error);

  if (self->owners_ifindex > 0)
    t2pd_worker_owners_attach (self->worker, self->owners_ifindex);
  if (parameters == NULL)
    g_task_return_error (task, error);
  else
    t2pd_worker_call_async (self->worker, "Start", parameters, G_VARIANT_TYPE ("(as)"), fds,
                            START_TIMEOUT_MS, g_task_get_cancellable (task), start_answered_cb,
                            g_object_ref (task));
}

static void
ensured_for_start_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  T2pdCarrier *self = T2PD_CARRIER (source);
  g_autoptr (GTask) task = user_data;
  GError *error = NULL;

  if (!t2pd_carrier_finish (self, result, &error))
    g_task_return_error (task, error);
  else if (self->start == NULL)
    g_task_return_new_error (task, T2P_ERROR, T2P_ERROR_CANCELLED, "the worker was stopped");
  else
    call_start (self, task);
}

static void
start (T2pdCarrier *self, GTask *task)
{
  t2pd_carrier_ensure_async (self, g_task_get_cancellable (task), ensured_for_start_cb, task);
}

void
t2pd_carrier_start_async (T2pdCarrier *self,
                          GVariant *settings,
                          int queue_fd,
                          T2pdFiles *files,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_clear_pointer (&self->start, t2pd_worker_start_free);
  self->start = t2pd_worker_start_new (settings, queue_fd, files, self->store, self->names_key);
  start (self, g_task_new (self, cancellable, callback, user_data));
}

gboolean
t2pd_carrier_finish (T2pdCarrier *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* --- replacing */

static gboolean restart_cb (gpointer user_data);

static void
plan_restart (T2pdCarrier *self)
{
  drop_source (&self->restart);
  self->restart = g_timeout_source_new (self->delay_ms);
  g_source_set_callback (self->restart, restart_cb, self, NULL);
  g_source_attach (self->restart, NULL);
  self->delay_ms = MIN (self->delay_ms * 2, LAST_DELAY_MS);
}

static void
restarted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  T2pdCarrier *self = T2PD_CARRIER (source);
  g_autoptr (GError) error = NULL;

  if (t2pd_carrier_finish (self, result, &error))
    {
      drop_source (&self->unattended);
      g_signal_emit (self, signals[BACK], 0);
      return;
    }
  if (self->start == NULL)
    return;
  t2p_log_warning (NULL, error, "worker %s could not be replaced, trying again in %u ms",
                   self->label, self->delay_ms);
  /* One that was spawned and refused to start is no use; its end brings us here no more. */
  renew_worker (self);
  plan_restart (self);
}

static gboolean
restart_cb (gpointer user_data)
{
  T2pdCarrier *self = T2PD_CARRIER (user_data);

  g_clear_pointer (&self->restart, g_source_unref);
  start (self, g_task_new (self, NULL, restarted_cb, NULL));
  return G_SOURCE_REMOVE;
}

static gboolean
unattended_cb (gpointer user_data)
{
  T2pdCarrier *self = T2PD_CARRIER (user_data);

  g_clear_pointer (&self->unattended, g_source_unref);
  g_signal_emit (self, signals[UNATTENDED], 0);
  return G_SOURCE_REMOVE;
}

static void
exited_cb (T2pdWorker *worker, gpointer user_data)
{
  T2pdCarrier *self = T2PD_CARRIER (user_data);

  /* Before it worked, whoever waits for it is told by his own call. */
  if (self->start == NULL || self->working_since_us == 0)
    return;
  if (g_get_monotonic_time () - self->working_since_us > STEADY_US)
    self->delay_ms = FIRST_DELAY_MS;
  self->working_since_us = 0;
  if (self->unattended == NULL)
    {
      self->unattended = g_timeout_source_new (UNATTENDED_MS);
      g_source_set_callback (self->unattended, unattended_cb, self, NULL);
      g_source_attach (self->unattended, NULL);
    }
  plan_restart (self);
  g_signal_emit (self, signals[LOST], 0);
}

/* --- stopping */

static void
stopped_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;

  t2pd_worker_stop_finish (T2PD_WORKER (source), result);
  g_task_return_boolean (task, TRUE);
}

void
t2pd_carrier_stop_async (T2pdCarrier *self,
                         guint drain_ms,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  GTask *task = g_task_new (self, NULL, callback, user_data);

  drop_source (&self->restart);
  drop_source (&self->unattended);
  g_clear_pointer (&self->start, t2pd_worker_start_free);
  self->working_since_us = 0;
  self->delay_ms = FIRST_DELAY_MS;
  t2pd_worker_stop_async (self->worker, drain_ms, stopped_cb, task);
}
