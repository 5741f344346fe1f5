/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Who works on a machine from afar may lock himself out with a tunnel. A tunnel with a rollback
 * timer is taken down unless somebody confirms it in time, whether or not its caller is still
 * there: that he may not be is the point.
 *
 * The time begins with the bring-up, so that one which hangs is covered, and begins anew when
 * the tunnel is up. Any way down, or a confirmation, ends it. */
#include "config.h"

#include "t2p-log.h"
#include "t2pd-tunnel-private.h"

static void
show_deadline (T2pdTunnel *self, gint64 deadline_us)
{
  self->rollback_deadline_us = deadline_us;
  g_signal_emit_by_name (self, "changed");
}

static void
stop_timer (T2pdTunnel *self)
{
  if (self->rollback != NULL)
    g_source_destroy (self->rollback);
  g_clear_pointer (&self->rollback, g_source_unref);
}

static void
taken_down_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  t2pd_tunnel_deactivate_finish (T2PD_TUNNEL (source), result);
}

static gboolean
timed_out_cb (gpointer user_data)
{
  g_autoptr (T2pdTunnel) self = g_object_ref (T2PD_TUNNEL (user_data));

  t2p_log_notice (self->name, NULL, "nobody confirmed it within %u s, taking it down",
                  self->rollback_s);
  /* The way down ends the timer. */
  t2pd_tunnel_deactivate_async (self, T2P_STATE_REASON_ROLLBACK, 0, taken_down_cb, NULL);
  return G_SOURCE_REMOVE;
}

static void
start_timer (T2pdTunnel *self)
{
  stop_timer (self);
  self->rollback = g_timeout_source_new_seconds (self->rollback_s);
  g_source_set_callback (self->rollback, timed_out_cb, self, NULL);
  g_source_attach (self->rollback, NULL);
  show_deadline (self, g_get_real_time () + self->rollback_s * G_USEC_PER_SEC);
}

static void
state_changed_cb (T2pdTunnel *self, int old, int new, int reason, gpointer user_data)
{
  if (!t2pd_tunnel_is_engaged (self) || new == T2P_TUNNEL_STATE_DEACTIVATING)
    t2pd_tunnel_end_rollback (self);
  else if (old == T2P_TUNNEL_STATE_CONFIGURING && new == T2P_TUNNEL_STATE_ACTIVE)
    start_timer (self);
}

/**
 * t2pd_tunnel_begin_rollback:
 * @timeout_s: at least 1
 *
 * The tunnel, which is up or about to be brought up, is taken down with the reason `rollback`
 * unless t2pd_tunnel_confirm() comes in time. A timer that runs already begins anew.
 *
 * Since: 0.1
 */
void
t2pd_tunnel_begin_rollback (T2pdTunnel *self, guint timeout_s)
{
  if (self->rollback == NULL)
    g_signal_connect (self, "state-changed", G_CALLBACK (state_changed_cb), NULL);
  self->rollback_s = timeout_s;
  start_timer (self);
}

void
t2pd_tunnel_end_rollback (T2pdTunnel *self)
{
  if (self->rollback == NULL)
    return;
  g_signal_handlers_disconnect_by_func (self, state_changed_cb, NULL);
  stop_timer (self);
  show_deadline (self, 0);
}

/**
 * t2pd_tunnel_confirm:
 *
 * Ends the timer. Does nothing to a tunnel that is there to stay already.
 *
 * Returns: %FALSE with %T2P_ERROR_TIMED_OUT when the tunnel was, or is being, taken down for
 * want of a confirmation, and %T2P_ERROR_FAILED when it is not up for another reason
 *
 * Since: 0.1
 */
gboolean
t2pd_tunnel_confirm (T2pdTunnel *self, GError **error)
{
  if (t2pd_tunnel_is_engaged (self) && self->state != T2P_TUNNEL_STATE_DEACTIVATING)
    {
      t2pd_tunnel_end_rollback (self);
      return TRUE;
    }
  if (self->reason == T2P_STATE_REASON_ROLLBACK)
    g_set_error (error, T2P_ERROR, T2P_ERROR_TIMED_OUT,
                 "tunnel '%s' was not confirmed in time and is down again", self->name);
  else
    g_set_error (error, T2P_ERROR, T2P_ERROR_FAILED,
                 "tunnel '%s' is %s, only one that is up can be confirmed", self->name,
                 t2p_tunnel_state_to_string (self->state));
  return FALSE;
}

gint64
t2pd_tunnel_get_rollback_deadline_us (T2pdTunnel *self)
{
  return self->rollback_deadline_us;
}
