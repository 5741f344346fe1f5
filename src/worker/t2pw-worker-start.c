/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The call that begins a tunnel, and what its data plane tells from then on. */
#include "config.h"

#include "t2pw-worker-private.h"

#include "t2p-error.h"
#include "t2p-limits.h"
#include "t2p-log.h"
#include "t2pw-association.h"
#include "t2pw-start-queue.h"
#include "t2pw-start-settings.h"

static void
state_changed_cb (gboolean is_up, T2pStateReason reason, const char *message, gpointer data)
{
  T2pwWorker *worker = data;

  t2p_bus_worker_emit_upstream_changed (worker->skeleton, is_up ? "up" : "down",
                                        t2p_state_reason_to_string (reason), message);
}

static void
active_changed_cb (const char *old_label,
                   const char *new_label,
                   T2pStateReason reason,
                   gpointer data)
{
  T2pwWorker *worker = data;

  t2p_bus_worker_emit_active_proxy_changed (worker->skeleton, old_label, new_label,
                                            t2p_state_reason_to_string (reason));
}

static void
device_lost_cb (const GError *error, gpointer data)
{
  t2p_log_notice (NULL, error, "the device is gone, the worker ends");
  t2pw_worker_exit (data, T2P_WORKER_EXIT_DEVICE_LOST);
}

static void
owner_wanted_cb (guint64 id, guint8 protocol, const T2pwFlowKey *key, gpointer data)
{
  T2pwWorker *worker = data;
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
  T2pwWorker *worker = data;
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
limit_connections (T2pwWorker *worker,
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
worker_start (T2pwWorker *worker,
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

gboolean
t2pw_worker_handle_start_cb (T2pBusWorker *skeleton,
                             GDBusMethodInvocation *invocation,
                             GUnixFDList *fd_list,
                             GVariant *settings,
                             GVariant *handle,
                             gpointer data)
{
  T2pwWorker *worker = data;
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
