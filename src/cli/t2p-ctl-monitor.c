/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <gio/gio.h>
#include <glib-unix.h>
#include <glib/gi18n.h>
#include <signal.h>
#include <stdio.h>

#include "t2p-ctl-json.h"
#include "t2p-ctl-terminal.h"
#include "t2p-ctl-tunnel.h"
#include "t2p-ctl.h"

typedef struct
{
  T2pCtl *ctl;
  GMainLoop *loop;
} Monitor;

/* One line with the time, out at once: monitors are read through pipes, too. */
static void G_GNUC_PRINTF (1, 2) say (const char *format, ...)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree char *time = g_date_time_format (now, "%H:%M:%S");
  g_autofree char *text = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_print ("%s  %s\n", time, text);
  fflush (stdout);
}

static void
emit_event (const char *event, T2pTunnel *tunnel, GVariantDict *more)
{
  g_variant_dict_insert (more, "event", "s", event);
  g_variant_dict_insert (more, "time", "t", (guint64) g_get_real_time ());
  if (tunnel != NULL)
    {
      g_variant_dict_insert (more, "name", "s", t2p_tunnel_get_name (tunnel));
      g_variant_dict_insert (more, "tunnel", "s", t2p_tunnel_get_object_path (tunnel));
    }
  t2p_ctl_print_json_line (g_variant_dict_end (more));
}

static void
state_changed_cb (T2pTunnel *tunnel,
                  T2pTunnelState old_state,
                  T2pTunnelState new_state,
                  T2pStateReason reason,
                  Monitor *monitor)
{
  GVariantDict dict = G_VARIANT_DICT_INIT (NULL);
  g_autofree char *name = t2p_ctl_printable (t2p_tunnel_get_name (tunnel));
  g_autofree char *now = t2p_ctl_tunnel_describe_state (tunnel);

  if (!monitor->ctl->is_json)
    {
      g_variant_dict_clear (&dict);
      say ("%s: %s → %s", name, t2p_tunnel_state_to_label (old_state), now);
      return;
    }
  g_variant_dict_insert (&dict, "old", "s", t2p_tunnel_state_to_string (old_state));
  g_variant_dict_insert (&dict, "new", "s", t2p_tunnel_state_to_string (new_state));
  g_variant_dict_insert (&dict, "reason", "s", t2p_state_reason_to_string (reason));
  emit_event ("state-changed", tunnel, &dict);
}

static void
proxy_changed_cb (T2pTunnel *tunnel,
                  const char *old_proxy,
                  const char *new_proxy,
                  const char *reason,
                  Monitor *monitor)
{
  GVariantDict dict = G_VARIANT_DICT_INIT (NULL);
  g_autofree char *name = t2p_ctl_printable (t2p_tunnel_get_name (tunnel));
  g_autofree char *proxy = t2p_ctl_printable (new_proxy);

  if (!monitor->ctl->is_json)
    {
      g_variant_dict_clear (&dict);
      say (_ ("%s: now through %s"), name, proxy);
      return;
    }
  g_variant_dict_insert (&dict, "old", "s", old_proxy);
  g_variant_dict_insert (&dict, "new", "s", new_proxy);
  g_variant_dict_insert (&dict, "reason", "s", reason);
  emit_event ("proxy-changed", tunnel, &dict);
}

static void
message_cb (T2pTunnel *tunnel, const char *text, Monitor *monitor)
{
  GVariantDict dict = G_VARIANT_DICT_INIT (NULL);
  g_autofree char *name = t2p_ctl_printable (t2p_tunnel_get_name (tunnel));
  g_autofree char *safe = t2p_ctl_printable (text);

  if (!monitor->ctl->is_json)
    {
      g_variant_dict_clear (&dict);
      say ("%s: %s", name, safe);
      return;
    }
  g_variant_dict_insert (&dict, "text", "s", text);
  emit_event ("message", tunnel, &dict);
}

static void
loop_detected_cb (T2pTunnel *tunnel, GVariant *loop, Monitor *monitor)
{
  GVariantDict dict = G_VARIANT_DICT_INIT (loop);
  const char *destination = "?";
  const char *program = "?";
  g_autofree char *name = t2p_ctl_printable (t2p_tunnel_get_name (tunnel));
  g_autofree char *where = NULL;
  g_autofree char *who = NULL;

  if (monitor->ctl->is_json)
    {
      emit_event ("loop-detected", tunnel, &dict);
      return;
    }
  g_variant_dict_clear (&dict);
  g_variant_lookup (loop, "destination", "&s", &destination);
  g_variant_lookup (loop, "program", "&s", &program);
  where = t2p_ctl_printable (destination);
  who = t2p_ctl_printable (program);
  say (_ ("%s: a connection of '%s' to %s goes round, and was refused"), name, who, where);
}

static void
watch_tunnel (Monitor *monitor, T2pTunnel *tunnel)
{
  g_signal_connect (tunnel, "state-changed", G_CALLBACK (state_changed_cb), monitor);
  g_signal_connect (tunnel, "proxy-changed", G_CALLBACK (proxy_changed_cb), monitor);
  g_signal_connect (tunnel, "message", G_CALLBACK (message_cb), monitor);
  g_signal_connect (tunnel, "loop-detected", G_CALLBACK (loop_detected_cb), monitor);
}

static void
tell_tunnel (Monitor *monitor, T2pTunnel *tunnel, const char *event, const char *format)
{
  g_autofree char *name = t2p_ctl_printable (t2p_tunnel_get_name (tunnel));

  if (monitor->ctl->is_json)
    {
      GVariantDict dict = G_VARIANT_DICT_INIT (NULL);

      g_variant_dict_insert (&dict, "state", "s",
                             t2p_tunnel_state_to_string (t2p_tunnel_get_state (tunnel)));
      emit_event (event, tunnel, &dict);
    }
  else
    say ("%s: %s", name, format);
}

static void
added_cb (T2pClient *client, T2pTunnel *tunnel, Monitor *monitor)
{
  watch_tunnel (monitor, tunnel);
  tell_tunnel (monitor, tunnel, "tunnel-added", _ ("created"));
}

static void
removed_cb (T2pClient *client, T2pTunnel *tunnel, Monitor *monitor)
{
  g_signal_handlers_disconnect_by_data (tunnel, monitor);
  tell_tunnel (monitor, tunnel, "tunnel-removed", _ ("removed"));
}

static void
running_cb (T2pClient *client, GParamSpec *pspec, Monitor *monitor)
{
  const gboolean is_running = t2p_client_get_is_running (client);

  if (monitor->ctl->is_json)
    {
      GVariantDict dict = G_VARIANT_DICT_INIT (NULL);

      emit_event (is_running ? "service-started" : "service-stopped", NULL, &dict);
    }
  else
    say ("%s", is_running ? _ ("the service has started") : _ ("the service has stopped"));
}

/* What there is at the beginning. */
static void
tell_present (Monitor *monitor)
{
  g_autoptr (GPtrArray) tunnels = t2p_client_get_tunnels (monitor->ctl->client);

  if (!t2p_client_get_is_running (monitor->ctl->client) && !monitor->ctl->is_json)
    say ("%s", _ ("the service is not running"));
  for (guint i = 0; i < tunnels->len; i++)
    {
      T2pTunnel *tunnel = g_ptr_array_index (tunnels, i);
      g_autofree char *state = t2p_ctl_tunnel_describe_state (tunnel);

      watch_tunnel (monitor, tunnel);
      tell_tunnel (monitor, tunnel, "tunnel-present", state);
    }
}

static gboolean
quit_cb (gpointer data)
{
  g_main_loop_quit (data);
  return G_SOURCE_CONTINUE;
}

static void
watch (Monitor *monitor)
{
  T2pClient *client = monitor->ctl->client;
  const guint interrupt = g_unix_signal_add (SIGINT, quit_cb, monitor->loop);
  const guint terminate = g_unix_signal_add (SIGTERM, quit_cb, monitor->loop);

  g_signal_connect (client, "tunnel-added", G_CALLBACK (added_cb), monitor);
  g_signal_connect (client, "tunnel-removed", G_CALLBACK (removed_cb), monitor);
  g_signal_connect (client, "notify::is-running", G_CALLBACK (running_cb), monitor);
  tell_present (monitor);
  g_main_loop_run (monitor->loop);
  g_source_remove (interrupt);
  g_source_remove (terminate);
  g_signal_handlers_disconnect_by_data (client, monitor);
}

static gboolean
run (T2pCtl *ctl, char **arguments, GError **error)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Monitor monitor = { ctl, loop };

  if (arguments[0] != NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, _ ("unexpected argument “%s”"),
                   arguments[0]);
      return FALSE;
    }
  if (!t2p_ctl_connect (ctl, error))
    return FALSE;
  watch (&monitor);
  return TRUE;
}

const T2pCtlVerb t2p_ctl_monitor_verb = {
  .name = "monitor",
  .summary = N_ ("Tell what happens to the tunnels until interrupted"),
  .run = run,
};
