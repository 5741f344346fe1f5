/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-worker-private.h"

#include "t2p-error.h"
#include "t2p-log.h"
#include "t2pw-connection-list.h"
#include "t2pw-explain.h"
#include "t2pw-upstream-list.h"

#include <gio/gunixfdlist.h>

#define DRAIN_LOOK_MS 50

void
t2pw_worker_exit (T2pwWorker *worker, T2pWorkerExit status)
{
  worker->status = status;
  g_main_loop_quit (worker->loop);
}

static gboolean
handle_probe_cb (T2pBusWorker *skeleton,
                 GDBusMethodInvocation *invocation,
                 GUnixFDList *fd_list,
                 const char *uri,
                 GVariant *options,
                 gpointer data)
{
  t2pw_errands_probe (((T2pwWorker *) data)->errands, invocation, fd_list, uri, options);
  return TRUE;
}

static gboolean
handle_resolve_cb (T2pBusWorker *skeleton,
                   GDBusMethodInvocation *invocation,
                   const char *name,
                   GVariant *options,
                   gpointer data)
{
  t2pw_errands_resolve (((T2pwWorker *) data)->errands, invocation, name, options);
  return TRUE;
}

static gboolean
handle_socket_cb (T2pBusWorker *skeleton,
                  GDBusMethodInvocation *invocation,
                  GUnixFDList *fd_list,
                  guint64 id,
                  GVariant *handles,
                  const char *reason,
                  gpointer data)
{
  t2pw_socket_broker_take (((T2pwWorker *) data)->sockets, id, handles, fd_list, reason);
  t2p_bus_worker_complete_socket (skeleton, invocation, NULL);
  return TRUE;
}

static gboolean
handle_owner_cb (T2pBusWorker *skeleton,
                 GDBusMethodInvocation *invocation,
                 guint64 id,
                 gboolean is_known,
                 guint uid,
                 gpointer data)
{
  T2pwWorker *worker = data;

  if (worker->plane != NULL)
    t2pw_data_plane_take_owner (worker->plane, id, is_known, uid);
  t2p_bus_worker_complete_owner (skeleton, invocation);
  return TRUE;
}

static gboolean
handle_loop_cb (T2pBusWorker *skeleton,
                GDBusMethodInvocation *invocation,
                const char *text,
                gpointer data)
{
  T2pwWorker *worker = data;
  T2pIpEndpoint destination;

  if (worker->plane != NULL && t2p_ip_endpoint_parse (text, &destination))
    t2pw_data_plane_block_loop (worker->plane, &destination);
  t2p_bus_worker_complete_loop (skeleton, invocation);
  return TRUE;
}

/* A tunnel learns from the probe that comes before its first flow. */
static void
probed_cb (T2pEndpoint *endpoint, const T2pwProbeResult *result, gpointer data)
{
  T2pwWorker *worker = data;

  if (worker->plane != NULL)
    t2pw_data_plane_take_probe (worker->plane, endpoint, result);
}

/* --- a running tunnel */

/* FALSE when there is none: the call was answered. */
static gboolean
check_started (T2pwWorker *worker, GDBusMethodInvocation *invocation)
{
  if (worker->plane != NULL)
    return TRUE;
  g_dbus_method_invocation_return_error_literal (invocation, T2P_ERROR, T2P_ERROR_NOT_FOUND,
                                                 "Start was not called");
  return FALSE;
}

static gboolean
handle_uplink_cb (T2pBusWorker *skeleton,
                  GDBusMethodInvocation *invocation,
                  const char *const *servers,
                  const char *const *dns_exclude,
                  GVariant *sockets,
                  gpointer data)
{
  T2pwWorker *worker = data;
  g_autoptr (GError) error = NULL;

  if (!check_started (worker, invocation))
    return TRUE;
  if (t2pw_data_plane_set_uplink (worker->plane, servers, dns_exclude, sockets, &error))
    t2p_bus_worker_complete_uplink (skeleton, invocation);
  else
    g_dbus_method_invocation_return_gerror (invocation, error);
  return TRUE;
}

static gboolean
handle_set_ipv6_cb (T2pBusWorker *skeleton,
                    GDBusMethodInvocation *invocation,
                    gboolean is_asked,
                    gpointer data)
{
  T2pwWorker *worker = data;

  if (!check_started (worker, invocation))
    return TRUE;
  t2pw_data_plane_set_ipv6 (worker->plane, is_asked);
  t2p_bus_worker_complete_set_ipv6 (skeleton, invocation);
  return TRUE;
}

static gboolean
handle_get_statistics_cb (T2pBusWorker *skeleton,
                          GDBusMethodInvocation *invocation,
                          gpointer data)
{
  T2pwWorker *worker = data;

  if (check_started (worker, invocation))
    t2p_bus_worker_complete_get_statistics (skeleton, invocation,
                                            t2pw_data_plane_get_statistics (worker->plane));
  return TRUE;
}

/* What is malformed is no destination that we know anything about. */
static gboolean
handle_explain_cb (T2pBusWorker *skeleton,
                   GDBusMethodInvocation *invocation,
                   const char *name,
                   const char *address_text,
                   guint16 port,
                   guchar protocol,
                   guint uid,
                   gpointer data)
{
  T2pwWorker *worker = data;
  T2pIpAddress address;
  gboolean has_address = t2p_ip_address_parse (address_text, &address);
  T2pwExplanation explanation;

  if (!check_started (worker, invocation))
    return TRUE;
  explanation =
      t2pw_explain (worker->plane, name, has_address ? &address : NULL, port, protocol, uid);
  t2p_bus_worker_complete_explain (skeleton, invocation, explanation.names, explanation.action,
                                   explanation.rule);
  return TRUE;
}

static gboolean
handle_get_upstreams_cb (T2pBusWorker *skeleton,
                         GDBusMethodInvocation *invocation,
                         gpointer data)
{
  T2pwWorker *worker = data;

  if (check_started (worker, invocation))
    t2p_bus_worker_complete_get_upstreams (
        skeleton, invocation,
        t2pw_upstream_list_new (t2pw_data_plane_get_group (worker->plane)));
  return TRUE;
}

static gboolean
handle_list_connections_cb (T2pBusWorker *skeleton,
                            GDBusMethodInvocation *invocation,
                            GVariant *filter,
                            guint64 after_id,
                            guint max,
                            gpointer data)
{
  T2pwWorker *worker = data;
  g_autoptr (GError) error = NULL;
  T2pwFlowFilter parsed;
  guint64 next_id = 0;
  GVariant *rows;

  if (!check_started (worker, invocation))
    return TRUE;
  if (!t2pw_flow_filter_parse (filter, &parsed, &error))
    {
      g_dbus_method_invocation_return_gerror (invocation, error);
      return TRUE;
    }
  rows = t2pw_connection_list_new (t2pw_data_plane_get_relay (worker->plane), &parsed, after_id,
                                   max, t2p_reactor_get_now_us (worker->reactor), &next_id);
  t2p_bus_worker_complete_list_connections (skeleton, invocation, rows, next_id);
  return TRUE;
}

static gboolean
handle_close_connections_cb (T2pBusWorker *skeleton,
                             GDBusMethodInvocation *invocation,
                             GVariant *filter,
                             gpointer data)
{
  T2pwWorker *worker = data;
  g_autoptr (GError) error = NULL;
  T2pwFlowFilter parsed;

  if (!check_started (worker, invocation))
    return TRUE;
  if (t2pw_flow_filter_parse (filter, &parsed, &error))
    t2p_bus_worker_complete_close_connections (
        skeleton, invocation,
        t2pw_relay_close_matching (t2pw_data_plane_get_relay (worker->plane), &parsed));
  else
    g_dbus_method_invocation_return_gerror (invocation, error);
  return TRUE;
}

/* --- the end */

static gboolean
drain_cb (gpointer data)
{
  T2pwWorker *worker = data;

  if (worker->plane != NULL &&
      t2pw_relay_get_n_flows (t2pw_data_plane_get_relay (worker->plane)) > 0 &&
      g_get_monotonic_time () < worker->drain_until_us)
    return G_SOURCE_CONTINUE;
  t2pw_worker_exit (worker, T2P_WORKER_EXIT_STOPPED);
  return G_SOURCE_REMOVE;
}

static gboolean
handle_stop_cb (T2pBusWorker *skeleton,
                GDBusMethodInvocation *invocation,
                guint drain_ms,
                gpointer data)
{
  T2pwWorker *worker = data;

  t2p_bus_worker_complete_stop (skeleton, invocation);
  if (worker->plane != NULL)
    t2pw_relay_refuse_new (t2pw_data_plane_get_relay (worker->plane));
  worker->drain_until_us = g_get_monotonic_time () + (gint64) drain_ms * 1000;
  g_timeout_add (drain_ms > 0 ? DRAIN_LOOK_MS : 0, drain_cb, worker);
  return TRUE;
}

static void
abandoned_cb (gpointer data)
{
  t2p_log_notice (NULL, NULL, "no daemon came, the worker ends");
  t2pw_worker_exit (data, T2P_WORKER_EXIT_NO_PEER);
}

static void
connect_handlers (T2pwWorker *worker)
{
  static const struct
  {
    const char *signal;
    GCallback handler;
  } handlers[] = {
    { "handle-probe", G_CALLBACK (handle_probe_cb) },
    { "handle-resolve", G_CALLBACK (handle_resolve_cb) },
    { "handle-socket", G_CALLBACK (handle_socket_cb) },
    { "handle-owner", G_CALLBACK (handle_owner_cb) },
    { "handle-loop", G_CALLBACK (handle_loop_cb) },
    { "handle-start", G_CALLBACK (t2pw_worker_handle_start_cb) },
    { "handle-uplink", G_CALLBACK (handle_uplink_cb) },
    { "handle-set-ipv6", G_CALLBACK (handle_set_ipv6_cb) },
    { "handle-get-statistics", G_CALLBACK (handle_get_statistics_cb) },
    { "handle-explain", G_CALLBACK (handle_explain_cb) },
    { "handle-get-upstreams", G_CALLBACK (handle_get_upstreams_cb) },
    { "handle-list-connections", G_CALLBACK (handle_list_connections_cb) },
    { "handle-close-connections", G_CALLBACK (handle_close_connections_cb) },
    { "handle-stop", G_CALLBACK (handle_stop_cb) },
  };

  for (guint i = 0; i < G_N_ELEMENTS (handlers); i++)
    g_signal_connect (worker->skeleton, handlers[i].signal, handlers[i].handler, worker);
}

static void
worker_clear (T2pwWorker *worker)
{
  g_clear_pointer (&worker->plane, t2pw_data_plane_free);
  g_clear_pointer (&worker->errands, t2pw_errands_free);
  g_clear_pointer (&worker->sockets, t2pw_socket_broker_free);
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
  T2pwWorker worker = { .options = options };
  g_autoptr (GError) error = NULL;

  worker.reactor = t2p_reactor_new (NULL, &error);
  if (worker.reactor == NULL)
    {
      t2p_log_error (NULL, error, "cannot start");
      return T2P_WORKER_EXIT_FAILED;
    }
  worker.loop = g_main_loop_new (NULL, FALSE);
  worker.skeleton = t2p_bus_worker_skeleton_new ();
  worker.sockets = t2pw_socket_broker_new (worker.skeleton);
  worker.errands = t2pw_errands_new (
      worker.reactor, t2pw_socket_broker_get_helper (worker.sockets), probed_cb, &worker);
  connect_handlers (&worker);
  worker.control =
      t2pw_control_new (options->listen_fd, options->peer_uid, options->adopt_timeout_ms,
                        G_DBUS_INTERFACE_SKELETON (worker.skeleton), abandoned_cb, &worker);
  g_main_loop_run (worker.loop);
  worker_clear (&worker);
  return worker.status;
}
