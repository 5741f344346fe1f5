/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-worker.h"

#include "t2p-bus-worker.h"
#include "t2p-log.h"
#include "t2pw-control.h"
#include "t2pw-errands.h"

typedef struct
{
  const T2pwWorkerOptions *options;
  GMainLoop *loop;
  T2pReactor *reactor;
  T2pBusWorker *skeleton;
  T2pwControl *control;
  T2pwErrands *errands;
  T2pWorkerExit status;
} Worker;

static void
worker_exit (Worker *worker, T2pWorkerExit status)
{
  worker->status = status;
  g_main_loop_quit (worker->loop);
}

static gboolean
handle_probe_cb (T2pBusWorker *skeleton,
                 GDBusMethodInvocation *invocation,
                 const char *uri,
                 GVariant *options,
                 gpointer data)
{
  t2pw_errands_probe (((Worker *) data)->errands, invocation, uri, options);
  return TRUE;
}

static gboolean
handle_resolve_cb (T2pBusWorker *skeleton,
                   GDBusMethodInvocation *invocation,
                   const char *name,
                   GVariant *options,
                   gpointer data)
{
  t2pw_errands_resolve (((Worker *) data)->errands, invocation, name, options);
  return TRUE;
}

static gboolean
stopped_cb (gpointer data)
{
  worker_exit (data, T2P_WORKER_EXIT_STOPPED);
  return G_SOURCE_REMOVE;
}

static gboolean
handle_stop_cb (T2pBusWorker *skeleton,
                GDBusMethodInvocation *invocation,
                guint drain_ms,
                gpointer data)
{
  t2p_bus_worker_complete_stop (skeleton, invocation);
  g_idle_add (stopped_cb, data);
  return TRUE;
}

static void
abandoned_cb (gpointer data)
{
  t2p_log_notice (NULL, NULL, "no daemon came, the worker ends");
  worker_exit (data, T2P_WORKER_EXIT_NO_PEER);
}

static void
connect_handlers (Worker *worker)
{
  static const struct
  {
    const char *signal;
    GCallback handler;
  } handlers[] = {
    { "handle-probe", G_CALLBACK (handle_probe_cb) },
    { "handle-resolve", G_CALLBACK (handle_resolve_cb) },
    { "handle-stop", G_CALLBACK (handle_stop_cb) },
  };

  for (guint i = 0; i < G_N_ELEMENTS (handlers); i++)
    g_signal_connect (worker->skeleton, handlers[i].signal, handlers[i].handler, worker);
}

static void
worker_clear (Worker *worker)
{
  g_clear_pointer (&worker->errands, t2pw_errands_free);
  if (worker->control != NULL)
    t2pw_control_flush (worker->control);
  g_clear_pointer (&worker->control, t2pw_control_free);
  g_clear_object (&worker->skeleton);
  g_clear_pointer (&worker->reactor, t2p_reactor_free);
  g_clear_pointer (&worker->loop, g_main_loop_unref);
}

/**
 * t2pw_worker_run:
 *
 * Serves the control socket until the daemon says stop, nobody comes, or the device is lost.
 */
T2pWorkerExit
t2pw_worker_run (const T2pwWorkerOptions *options)
{
  Worker worker = { .options = options };
  g_autoptr (GError) error = NULL;

  worker.reactor = t2p_reactor_new (NULL, &error);
  if (worker.reactor == NULL)
    {
      t2p_log_error (NULL, error, "cannot start");
      return T2P_WORKER_EXIT_FAILED;
    }
  worker.loop = g_main_loop_new (NULL, FALSE);
  worker.errands = t2pw_errands_new (worker.reactor);
  worker.skeleton = t2p_bus_worker_skeleton_new ();
  connect_handlers (&worker);
  worker.control =
      t2pw_control_new (options->listen_fd, options->peer_uid, options->adopt_timeout_ms,
                        G_DBUS_INTERFACE_SKELETON (worker.skeleton), abandoned_cb, &worker);
  g_main_loop_run (worker.loop);
  worker_clear (&worker);
  return worker.status;
}
