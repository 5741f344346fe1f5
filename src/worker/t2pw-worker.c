/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-worker.h"

#include "t2p-bus-worker.h"
#include "t2p-error.h"
#include "t2p-limits.h"
#include "t2p-log.h"
#include "t2pw-association.h"
#include "t2pw-connection-list.h"
#include "t2pw-control.h"
#include "t2pw-data-plane.h"
#include "t2pw-errands.h"
#include "t2pw-explain.h"
#include "t2pw-socket-broker.h"
#include "t2pw-start-queue.h"
#include "t2pw-start-settings.h"
#include "t2pw-upstream-list.h"

#include <gio/gunixfdlist.h>
#include <unistd.h>

#define DRAIN_LOOK_MS 50

typedef struct
{
  const T2pwWorkerOptions *options;
  GMainLoop *loop;
  T2pReactor *reactor;
  T2pBusWorker *skeleton;
  T2pwControl *control;
  T2pwSocketBroker *sockets;
  T2pwErrands *errands;
  T2pwDataPlane *plane; /* NULL until Start */
  gint64 drain_until_us;
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
                 GUnixFDList *fd_list,
                 const char *uri,
                 GVariant *options,
                 gpointer data)
{
  t2pw_errands_probe (((Worker *) data)->errands, invocation, fd_list, uri, options);
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
handle_socket_cb (T2pBusWorker *skeleton,
                  GDBusMethodInvocation *invocation,
                  GUnixFDList *fd_list,
                  guint64 id,
                  GVariant *handles,
                  const char *reason,
                  gpointer data)
{
  t2pw_socket_broker_take (((Worker *) data)->sockets, id, handles, fd_list, reason);
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
  Worker *worker = data;

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
  Worker *worker = data;
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
  Worker *worker = data;

  if (worker->plane != NULL)
    t2pw_data_plane_take_probe (worker->plane, endpoint, result);
}

/* --- Start */

static void
state_changed_cb (gboolean is_up, T2pStateReason reason, const char *message, gpointer data)
{
  Worker *worker = data;

  t2p_bus_worker_emit_upstream_changed (worker->skeleton, is_up ? "up" : "down",
                                        t2p_state_reason_to_string (reason), message);
}

static void
active_changed_cb (const char *old_label,
                   const char *new_label,
                   T2pStateReason reason,
                   gpointer data)
{
  Worker *worker = data;

  t2p_bus_worker_emit_active_proxy_changed (worker->skeleton, old_label, new_label,
                                            t2p_state_reason_to_string (reason));
}

static void
device_lost_cb (const GError *error, gpointer data)
{
  t2p_log_notice (NULL, error, "the device is gone, the worker ends");
  worker_exit (data, T2P_WORKER_EXIT_DEVICE_LOST);
}

static void
owner_wanted_cb (guint64 id, guint8 protocol, const T2pwFlowKey *key, gpointer data)
{
  Worker *worker = data;
  char source[T2P_ENDPOINT_STRLEN];
  char destination[T2P_ENDPOINT_STRLEN];

  t2p_ip_endpoint_format (&key->source, source);
  t2p_ip_endpoint_format (&key->destination, destination);
  t2p_bus_worker_emit_owner_wanted (worker->skeleton, id, protocol, source, destination);
}

static void
loop_seen_cb (T2pwLoopKind kind,
              guint8 protocol,
              const T2pIpEndpoint *source,
              const T2pIpEndpoint *destination,
              gpointer data)
{
  Worker *worker = data;
  char from[T2P_ENDPOINT_STRLEN];
  char to[T2P_ENDPOINT_STRLEN];

  t2p_ip_endpoint_format (source, from);
  t2p_ip_endpoint_format (destination, to);
  t2p_bus_worker_emit_loop_seen (worker->skeleton, t2pw_loop_kind_to_string (kind), protocol,
                                 from, to);
}

static void
ran_short_cb (const char *message, gpointer data)
{
  t2p_log_warning (NULL, NULL, "%s: refusing connections while that lasts", message);
}

/* One line for each upstream, whatever the number of applications that try. */
static void
udp_mode_learnt_cb (const char *label, T2pwUdpMode mode, const GError *error, gpointer data)
{
  if (mode == T2PW_UDP_NONE)
    t2p_log_notice (NULL, error, "%s carries no UDP, applications are told so", label);
  else
    t2p_log_info (NULL, NULL, "%s carries UDP: %s", label, t2pw_udp_mode_to_string (mode));
}

static const T2pwPlaneHandler plane_handler = {
  .udp_mode_learnt = udp_mode_learnt_cb,
  .ran_short = ran_short_cb,
  .upstreams = { .state_changed = state_changed_cb, .active_changed = active_changed_cb },
  .owner_wanted = owner_wanted_cb,
  .loop_seen = loop_seen_cb,
  .device_lost = device_lost_cb,
};

/* Takes no more flows than descriptors are there. That is told when somebody asked for more:
 * few machines allow what the default would. */
static void
limit_connections (Worker *worker,
                   GVariant *settings,
                   T2pwPlaneConfig *config,
                   GStrvBuilder *warnings)
{
  guint most = worker->options->max_descriptors > T2P_RESERVED_FDS
                   ? worker->options->max_descriptors - T2P_RESERVED_FDS
                   : 1;
  g_autofree char *text = NULL;

  if (config->max_connections <= most)
    return;
  text = g_strdup_printf ("max-connections: %u, but the limit of descriptors allows %u",
                          config->max_connections, most);
  if (g_variant_lookup (settings, "max-connections", "u", NULL))
    g_strv_builder_add (warnings, text);
  else
    t2p_log_info (NULL, NULL, "%s", text);
  config->max_connections = most;
}

/* What the daemon is told, which knows no domain but ours: the settings are wrong, or it is the
 * descriptor that the system refuses. */
static GError *
start_error_new (const GError *error)
{
  int code = error->code;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT) ||
      g_error_matches (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT))
    code = T2P_ERROR_INVALID_SETTINGS;
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE) ||
           g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES))
    code = T2P_ERROR_LIMIT_EXCEEDED;
  else if (error->domain != T2P_ERROR)
    code = T2P_ERROR_INVALID_FD;
  return g_error_new_literal (T2P_ERROR, code, error->message);
}

static gboolean
worker_start (Worker *worker,
              GUnixFDList *fd_list,
              GVariant *settings,
              GVariant *handle,
              GStrvBuilder *warnings,
              GError **error)
{
  g_autoptr (T2pwPlaneConfig) config = t2pw_start_settings_parse (settings, fd_list, error);
  int fd = config != NULL
               ? t2pw_start_queue_take (fd_list, g_variant_get_handle (handle), error)
               : -1;

  if (fd < 0)
    return FALSE;
  limit_connections (worker, settings, config, warnings);
  config->socket_helper = t2pw_socket_broker_get_helper (worker->sockets);
  worker->plane =
      t2pw_data_plane_new (worker->reactor, fd, config, &plane_handler, worker, error);
  if (worker->plane == NULL)
    return FALSE;
  if (!t2pw_data_plane_mark_works (worker->plane))
    g_strv_builder_add (warnings, "mark: the kernel refuses it (no CAP_NET_RAW)");
  if (t2pw_data_plane_get_ping_error (worker->plane) != NULL)
    g_strv_builder_add (warnings, t2pw_data_plane_get_ping_error (worker->plane)->message);
  return TRUE;
}

static gboolean
handle_start_cb (T2pBusWorker *skeleton,
                 GDBusMethodInvocation *invocation,
                 GUnixFDList *fd_list,
                 GVariant *settings,
                 GVariant *handle,
                 gpointer data)
{
  Worker *worker = data;
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_auto (GStrv) warnings = NULL;
  g_autoptr (GError) error = NULL;

  if (worker->plane != NULL)
    {
      g_dbus_method_invocation_return_error_literal (
          invocation, T2P_ERROR, T2P_ERROR_ALREADY_EXISTS, "Start was called before");
      return TRUE;
    }
  if (!worker_start (worker, fd_list, settings, handle, builder, &error))
    {
      g_autoptr (GError) named = start_error_new (error);

      g_dbus_method_invocation_return_gerror (invocation, named);
      return TRUE;
    }
  warnings = g_strv_builder_end (builder);
  t2p_bus_worker_complete_start (skeleton, invocation, NULL, (const char *const *) warnings);
  return TRUE;
}

/* --- a running tunnel */

/* FALSE when there is none: the call was answered. */
static gboolean
check_started (Worker *worker, GDBusMethodInvocation *invocation)
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
  Worker *worker = data;
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
  Worker *worker = data;

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
  Worker *worker = data;

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
  Worker *worker = data;
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
  Worker *worker = data;

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
  Worker *worker = data;
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
  Worker *worker = data;
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
  Worker *worker = data;

  if (worker->plane != NULL &&
      t2pw_relay_get_n_flows (t2pw_data_plane_get_relay (worker->plane)) > 0 &&
      g_get_monotonic_time () < worker->drain_until_us)
    return G_SOURCE_CONTINUE;
  worker_exit (worker, T2P_WORKER_EXIT_STOPPED);
  return G_SOURCE_REMOVE;
}

static gboolean
handle_stop_cb (T2pBusWorker *skeleton,
                GDBusMethodInvocation *invocation,
                guint drain_ms,
                gpointer data)
{
  Worker *worker = data;

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
    { "handle-socket", G_CALLBACK (handle_socket_cb) },
    { "handle-owner", G_CALLBACK (handle_owner_cb) },
    { "handle-loop", G_CALLBACK (handle_loop_cb) },
    { "handle-start", G_CALLBACK (handle_start_cb) },
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
worker_clear (Worker *worker)
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
  Worker worker = { .options = options };
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
