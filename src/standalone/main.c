/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2p-limits.h"
#include "t2pn-tun-device.h"
#include "t2ps-options.h"
#include "t2pw-isolation.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct
{
  GMainLoop *loop;
  int status;
} Program;

static void
state_changed_cb (gboolean is_up, T2pStateReason reason, const char *message, gpointer data)
{
  if (is_up)
    t2p_log_notice (NULL, NULL, "the upstream is back: %s", message);
  else
    t2p_log_warning (NULL, NULL, "no upstream answers (%s): %s",
                     t2p_state_reason_to_string (reason), message);
}

static void
active_changed_cb (const char *old_label,
                   const char *new_label,
                   T2pStateReason reason,
                   gpointer data)
{
  t2p_log_notice (NULL, NULL, "%s is in use now, not %s (%s)", new_label, old_label,
                  t2p_state_reason_to_string (reason));
}

static void
device_lost_cb (const GError *error, gpointer data)
{
  Program *program = data;

  t2p_log_error (NULL, error, "the device is gone");
  program->status = EXIT_FAILURE;
  g_main_loop_quit (program->loop);
}

static void
ran_short_cb (const char *message, gpointer data)
{
  t2p_log_warning (NULL, NULL, "%s: refusing connections while that lasts", message);
}

static void
udp_mode_learnt_cb (const char *label, T2pwUdpMode mode, const GError *error, gpointer data)
{
  if (mode == T2PW_UDP_NONE)
    t2p_log_notice (NULL, error, "%s carries no UDP", label);
}

static const T2pwPlaneHandler handler = {
  .udp_mode_learnt = udp_mode_learnt_cb,
  .ran_short = ran_short_cb,
  .upstreams = { .state_changed = state_changed_cb, .active_changed = active_changed_cb },
  .device_lost = device_lost_cb,
};

static gboolean
signal_cb (gpointer data)
{
  g_main_loop_quit (((Program *) data)->loop);
  return G_SOURCE_CONTINUE;
}

static T2pnTunDevice *
open_device (const T2psOptions *options, GError **error)
{
  g_autoptr (T2pnTunDevice) device = NULL;

  if (options->tun_name != NULL)
    return t2pn_tun_device_attach (options->tun_name, error);
  device = t2pn_tun_device_adopt (&options->tun_fd, 1, error);
  if (device == NULL || !t2pn_tun_device_enable_offloads (device, error))
    return NULL;
  return g_steal_pointer (&device);
}

/* The device keeps its own descriptor: the link lives as long as the program. */
static int
dup_queue (T2pnTunDevice *device, GError **error)
{
  int fd = fcntl (t2pn_tun_device_peek_fd (device, 0), F_DUPFD_CLOEXEC, 3);
  int saved_errno = errno;

  if (fd < 0)
    g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno), "no queue: %s",
                 g_strerror (saved_errno));
  else
    (void) g_unix_set_fd_nonblocking (fd, TRUE, NULL);
  return fd;
}

static gboolean
limit_sessions (T2psOptions *options, GError **error)
{
  guint max_descriptors;

  if (!t2pw_isolation_set_limits (&max_descriptors, error))
    return FALSE;
  if (max_descriptors > T2P_RESERVED_FDS)
    options->plane->max_connections =
        MIN (options->plane->max_connections, max_descriptors - T2P_RESERVED_FDS);
  return TRUE;
}

static guint64
counter (GVariant *statistics, const char *name)
{
  guint64 value = 0;

  g_variant_lookup (statistics, name, "t", &value);
  return value;
}

static void
report (T2pwDataPlane *plane)
{
  g_autoptr (GVariant) statistics = g_variant_ref_sink (t2pw_data_plane_get_statistics (plane));

  printf ("%" G_GUINT64_FORMAT " connections (%" G_GUINT64_FORMAT " refused, %" G_GUINT64_FORMAT
          " failed), %" G_GUINT64_FORMAT " bytes from applications, %" G_GUINT64_FORMAT
          " bytes to them, %" G_GUINT64_FORMAT " DNS queries\n",
          counter (statistics, "connections-opened"),
          counter (statistics, "connections-refused"),
          counter (statistics, "connections-failed"), counter (statistics, "rx-bytes"),
          counter (statistics, "tx-bytes"), counter (statistics, "dns-queries"));
}

static void
announce (T2pnTunDevice *device, const T2psOptions *options, T2pwDataPlane *plane)
{
  const T2pwPlaneProxy *proxy = g_ptr_array_index (options->plane->proxies, 0);
  g_autofree char *accelerators = t2pw_data_plane_describe (plane);

  printf ("%s carries to %s (%s). No address, route or resolver was configured.\n",
          t2pn_tun_device_get_name (device), t2p_endpoint_get_display (proxy->endpoint),
          accelerators);
  fflush (stdout);
}

static gboolean
run (Program *program, T2psOptions *options, GError **error)
{
  g_autoptr (T2pReactor) reactor = NULL;
  g_autoptr (T2pnTunDevice) device = open_device (options, error);
  g_autoptr (T2pwDataPlane) plane = NULL;
  int fd = device != NULL && limit_sessions (options, error) ? dup_queue (device, error) : -1;

  if (fd < 0)
    return FALSE;
  options->plane->has_vnet_header = t2pn_tun_device_get_header_bytes (device) > 0;
  options->plane->offloads = t2pn_tun_device_get_offloads (device);
  reactor = t2p_reactor_new (NULL, error);
  if (reactor == NULL)
    return FALSE;
  plane = t2pw_data_plane_new (reactor, fd, options->plane, &handler, program, error);
  if (plane == NULL)
    return FALSE;
  if (options->plane->mark != 0 && !t2pw_data_plane_mark_works (plane))
    t2p_log_warning (NULL, NULL, "the kernel refuses the mark (no CAP_NET_RAW), ignoring it");
  announce (device, options, plane);
  g_unix_signal_add (SIGINT, signal_cb, program);
  g_unix_signal_add (SIGTERM, signal_cb, program);
  g_main_loop_run (program->loop);
  report (plane);
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_auto (T2psOptions) options = { .tun_fd = -1 };
  g_autoptr (GError) error = NULL;
  Program program = { .status = EXIT_SUCCESS };

  if (!t2ps_options_parse (&options, &argc, &argv, &error))
    {
      fprintf (stderr, "tun2proxy: %s\n", error->message);
      return 2;
    }
  t2p_log_init (options.level);
  (void) signal (SIGPIPE, SIG_IGN);
  program.loop = g_main_loop_new (NULL, FALSE);
  if (!run (&program, &options, &error))
    {
      fprintf (stderr, "tun2proxy: %s\n", error->message);
      program.status = EXIT_FAILURE;
    }
  g_main_loop_unref (program.loop);
  return program.status;
}
