/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-bring-up-private.h"
#include "t2pd-capture-parts.h"

#include "t2p-log.h"
#include "t2pd-bypass.h"
#include "t2pd-loop-watch.h"

/* --- what happens while it is up */

static void
updated_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pdBringUp) self = user_data;
  g_autoptr (GError) error = NULL;
  UpdateState state = self->update;
  gboolean was_out_of_date = self->is_out_of_date;

  self->update = UPDATE_IDLE;
  self->is_out_of_date = !t2pn_backend_update_finish (T2PN_BACKEND (source), result, &error);
  /* Also when the routes could not be brought up to date. */
  if (!t2pd_capture_parts_update (self, error == NULL ? &error : NULL))
    self->is_out_of_date = TRUE;
  if (self->is_out_of_date && !was_out_of_date)
    t2p_log_warning (
        t2pd_tunnel_get_name (self->tunnel), error,
        "routes, or what goes with them, could not all be brought up to date, ignoring");
  if (state == UPDATE_RUNNING_STALE)
    t2pd_bring_up_update_plan (self);
}

/* What another program does in our place is worth a line, and no reason to stop. */
static T2pnRoutePlan *
renew_plan (T2pdBringUp *self)
{
  const char *name = t2pd_tunnel_get_name (self->tunnel);
  g_autoptr (GError) conflict = NULL;
  g_autoptr (GError) error = NULL;
  T2pnRoutePlan *plan = t2pd_bring_up_renew_plan (self, &conflict, &error);

  if (plan == NULL)
    t2p_log_warning (name, error, "could not look at the machine's network, ignoring");
  else if (conflict != NULL && !self->is_in_conflict)
    t2p_log_warning (name, conflict, "something is in the way of the tunnel, ignoring");
  self->is_in_conflict = conflict != NULL;
  return plan;
}

void
t2pd_bring_up_update_plan (T2pdBringUp *self)
{
  T2pnRoutePlan *plan;

  if (!t2pd_tunnel_is_up (self->tunnel) || t2pd_bring_up_get_netns (self) >= 0)
    return;
  if (self->update != UPDATE_IDLE)
    {
      self->update = UPDATE_RUNNING_STALE;
      return;
    }
  plan = self->backend != NULL ? renew_plan (self) : NULL;
  if (plan == NULL)
    return;
  self->update = UPDATE_RUNNING;
  t2pn_backend_update_async (self->backend, plan, NULL, updated_cb, g_object_ref (self));
}

/* Our own bypass rules make the upstream connections fail at once when there is no way out. */
static void
look_at_uplink (T2pdBringUp *self)
{
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_take_around_tunnels (0, NULL);
  gboolean is_cut = !t2pd_uplink_has_default (self->service->uplink) && snapshot != NULL &&
                    self->upstreams != NULL &&
                    t2pd_upstreams_need_default (self->upstreams, snapshot);

  t2pd_tunnel_set_impaired (self->tunnel, T2PD_IMPAIRMENT_UPLINK, is_cut,
                            T2P_STATE_REASON_PROXY_UNREACHABLE,
                            is_cut ? "this machine has no default route" : NULL);
}

static void
tell_worker (T2pdBringUp *self)
{
  T2pdUplink *uplink = self->service->uplink;
  T2pdWorker *worker = t2pd_carrier_get_worker (self->carrier);
  g_auto (GStrv) servers = t2pd_uplink_get_server_texts (uplink);
  g_auto (GStrv) exclude = t2pd_uplink_make_dns_exclude (uplink, self->settings);

  if (worker != NULL)
    t2pd_worker_call_async (
        worker, "Uplink",
        g_variant_new ("(^as^as@a{sv})", servers, exclude, t2pd_bypass_make_sockets (self)),
        NULL, NULL, 5000, NULL, NULL, NULL);
}

void
t2pd_bring_up_tell_ipv6 (T2pdBringUp *self)
{
  T2pdWorker *worker = t2pd_carrier_get_worker (self->carrier);
  T2pIpv6Mode mode = t2p_settings_get_ipv6 (self->settings);

  self->had_ipv6 = t2pd_upstreams_have_ipv6 (self->upstreams);
  if (worker != NULL && mode == T2P_IPV6_MODE_AUTO)
    t2pd_worker_call_async (worker, "SetIpv6", g_variant_new ("(b)", self->had_ipv6), NULL,
                            NULL, 5000, NULL, NULL, NULL);
}

/* --- what the upstreams in use can */

static void learn (T2pdBringUp *self);

static void
take_ipv6 (T2pdBringUp *self)
{
  gboolean has_ipv6 = t2pd_upstreams_have_ipv6 (self->upstreams);

  if (has_ipv6 == self->had_ipv6)
    return;
  t2p_log_notice (t2pd_tunnel_get_name (self->tunnel), NULL, "the proxy in use connects to %s",
                  has_ipv6 ? "IPv6, too" : "IPv4 only");
  t2pd_bring_up_tell_ipv6 (self);
  t2pd_bring_up_update_plan (self);
}

static void
learnt_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (T2pdBringUp) self = user_data;
  g_autoptr (GError) error = NULL;

  self->is_learning = FALSE;
  if (!t2pd_upstreams_finish (T2PD_UPSTREAMS (source), result, &error) ||
      self->upstreams != T2PD_UPSTREAMS (source))
    return;
  take_ipv6 (self);
  learn (self);
}

/* One at a time; each is asked once, unless it was away. */
static void
learn (T2pdBringUp *self)
{
  if (self->is_learning || self->upstreams == NULL || self->carrier == NULL ||
      !t2pd_tunnel_is_engaged (self->tunnel) ||
      !t2pd_upstreams_has_more_to_learn (self->upstreams))
    return;
  self->is_learning = TRUE;
  t2pd_upstreams_learn_async (self->upstreams, self->carrier, t2pd_bring_up_make_ask (self),
                              learnt_cb, g_object_ref (self));
}

static void
catch_up (T2pdBringUp *self)
{
  look_at_uplink (self);
  t2pd_bring_up_update_plan (self);
  tell_worker (self);
  learn (self);
}

static void
uplink_changed_cb (T2pdUplink *uplink, gpointer user_data)
{
  T2pdBringUp *self = T2PD_BRING_UP (user_data);

  if (t2pd_tunnel_is_engaged (self->tunnel))
    catch_up (self);
}

/* What changed, or who ended, since the plan was made: a tunnel that is still being configured
 * is not updated, and a resolver may have kept it there for long. */
static void
state_changed_cb (T2pdTunnel *tunnel, int old, int new, int reason, gpointer user_data)
{
  if (old == T2P_TUNNEL_STATE_CONFIGURING && new == T2P_TUNNEL_STATE_ACTIVE)
    catch_up (user_data);
}

static void
plan_changed_cb (T2pdUplink *uplink, gpointer user_data)
{
  t2pd_bring_up_update_plan (user_data);
}

/* Without its routes a tunnel lets out what it captured: they are put back. */
static void
own_removed_cb (T2pdUplink *uplink, gpointer user_data)
{
  T2pdBringUp *self = T2PD_BRING_UP (user_data);

  if (self->backend != NULL)
    t2pn_backend_doubt (self->backend);
  t2pd_bring_up_update_plan (self);
}

static void
link_removed_cb (T2pdUplink *uplink, int ifindex, gpointer user_data)
{
  T2pdBringUp *self = T2PD_BRING_UP (user_data);
  g_autoptr (GError) error = NULL;

  if (self->device == NULL || t2pd_bring_up_get_ifindex (self) != ifindex)
    return;
  error = g_error_new (T2P_ERROR, T2P_ERROR_DEVICE_UNAVAILABLE,
                       "device '%s' was removed by somebody else",
                       t2pn_tun_device_get_name (self->device));
  t2pd_tunnel_fail (self->tunnel, error);
}

static void
worker_spawned_cb (T2pdCarrier *carrier, int pid, gpointer user_data)
{
  T2pdBringUp *self = T2PD_BRING_UP (user_data);
  g_autoptr (GError) error = NULL;

  t2pd_loop_watch_attach (self, t2pd_carrier_peek_worker (carrier));
  if (!t2pn_journal_add_worker (self->journal, pid, &error))
    t2p_log_warning (t2pd_tunnel_get_name (self->tunnel), error,
                     "the worker could not be written to the journal, ignoring");
}

static void
worker_lost_cb (T2pdCarrier *carrier, gpointer user_data)
{
  T2pdBringUp *self = T2PD_BRING_UP (user_data);

  t2pd_tunnel_set_impaired (self->tunnel, T2PD_IMPAIRMENT_WORKER, TRUE,
                            T2P_STATE_REASON_WORKER_CRASHED,
                            "the worker ended and is being replaced");
}

static void
worker_unattended_cb (T2pdCarrier *carrier, gpointer user_data)
{
  T2pdBringUp *self = T2PD_BRING_UP (user_data);

  self->is_unattended = TRUE;
  t2pd_bring_up_update_plan (self);
}

static void
worker_back_cb (T2pdCarrier *carrier, gpointer user_data)
{
  T2pdBringUp *self = T2PD_BRING_UP (user_data);

  self->is_unattended = FALSE;
  t2pd_bring_up_update_plan (self);
  tell_worker (self); /* it was started with what was right at the bring-up */
  t2pd_bring_up_tell_ipv6 (self);
  t2pd_tunnel_set_impaired (self->tunnel, T2PD_IMPAIRMENT_UPSTREAM, FALSE,
                            T2P_STATE_REASON_NONE, NULL);
  t2pd_tunnel_set_impaired (self->tunnel, T2PD_IMPAIRMENT_WORKER, FALSE, T2P_STATE_REASON_NONE,
                            NULL);
}

static void
upstream_changed_cb (
    T2pdCarrier *carrier, gboolean is_up, int reason, const char *message, gpointer user_data)
{
  T2pdBringUp *self = T2PD_BRING_UP (user_data);

  t2pd_tunnel_set_impaired (self->tunnel, T2PD_IMPAIRMENT_UPSTREAM, !is_up,
                            (T2pStateReason) reason, message);
  if (!is_up || self->upstreams == NULL)
    return;
  t2pd_upstreams_forget_active (self->upstreams);
  learn (self);
}

static void
active_proxy_changed_cb (T2pdCarrier *carrier,
                         const char *old,
                         const char *new,
                         const char *reason,
                         gpointer user_data)
{
  T2pdBringUp *self = T2PD_BRING_UP (user_data);

  g_signal_emit_by_name (self, "proxy-changed", old, new, reason);
  if (self->upstreams == NULL)
    return;
  t2pd_upstreams_set_active (self->upstreams, new);
  take_ipv6 (self);
  learn (self);
}

void
t2pd_bring_up_watch (T2pdBringUp *self)
{
  T2pdUplink *uplink = self->service->uplink;

  g_signal_connect_object (uplink, "changed", G_CALLBACK (uplink_changed_cb), self, 0);
  g_signal_connect_object (uplink, "address-changed", G_CALLBACK (plan_changed_cb), self, 0);
  g_signal_connect_object (uplink, "rule-removed", G_CALLBACK (plan_changed_cb), self, 0);
  g_signal_connect_object (uplink, "routes-changed", G_CALLBACK (plan_changed_cb), self, 0);
  g_signal_connect_object (uplink, "own-removed", G_CALLBACK (own_removed_cb), self, 0);
  g_signal_connect_object (uplink, "udp-servers-changed", G_CALLBACK (plan_changed_cb), self,
                           0);
  g_signal_connect_object (uplink, "link-removed", G_CALLBACK (link_removed_cb), self, 0);
  /* After all others, who must not hear of `degraded` before they hear of `active`. */
  g_signal_connect_object (self->tunnel, "state-changed", G_CALLBACK (state_changed_cb), self,
                           G_CONNECT_AFTER);
  g_signal_connect_object (self->carrier, "spawned", G_CALLBACK (worker_spawned_cb), self, 0);
  g_signal_connect_object (self->carrier, "lost", G_CALLBACK (worker_lost_cb), self, 0);
  g_signal_connect_object (self->carrier, "unattended", G_CALLBACK (worker_unattended_cb), self,
                           0);
  g_signal_connect_object (self->carrier, "back", G_CALLBACK (worker_back_cb), self, 0);
  g_signal_connect_object (self->carrier, "upstream-changed", G_CALLBACK (upstream_changed_cb),
                           self, 0);
  g_signal_connect_object (self->carrier, "active-proxy-changed",
                           G_CALLBACK (active_proxy_changed_cb), self, 0);
}
