/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-settings.h"
#include "t2pd-activation.h"

G_BEGIN_DECLS

/**
 * T2pdImpairment: why a tunnel that is up may be `degraded`; the first one is the reason told.
 */
typedef enum
{
  T2PD_IMPAIRMENT_WORKER,   /* it is being restarted */
  T2PD_IMPAIRMENT_UPLINK,   /* the machine has no default route */
  T2PD_IMPAIRMENT_LOOP,     /* connections go round */
  T2PD_IMPAIRMENT_UPSTREAM, /* no proxy answers */
  T2PD_N_IMPAIRMENTS,
} T2pdImpairment;

/** T2pdTunnelFacts: what a tunnel shows about its device; empty while it has none. */
typedef struct
{
  const char *interface;
  int ifindex;
  const char *network_backend;
  const char *resolver_backend;
} T2pdTunnelFacts;

#define T2PD_TYPE_TUNNEL (t2pd_tunnel_get_type ())
/* Name, owner, settings and the state machine. Signals:
 *
 * `state-changed (int old, int new, int reason)`
 * `changed ()`: anything else that is shown
 * `message (string)`: for a person */
G_DECLARE_FINAL_TYPE (T2pdTunnel, t2pd_tunnel, T2PD, TUNNEL, GObject)

T2pdTunnel *
t2pd_tunnel_new (guint64 id, const char *name, guint32 owner, T2pSettings *settings);
/* What brings it up, and the object behind it (nullable), which the tunnel keeps alive; set
 * once, before anything else. */
void
t2pd_tunnel_set_activation (T2pdTunnel *self, T2pdActivation *activation, GObject *context);
GObject *t2pd_tunnel_get_context (T2pdTunnel *self);

guint64 t2pd_tunnel_get_id (T2pdTunnel *self);
const char *t2pd_tunnel_get_name (T2pdTunnel *self);
guint32 t2pd_tunnel_get_owner (T2pdTunnel *self);
T2pSettings *t2pd_tunnel_get_settings (T2pdTunnel *self);
const char *t2pd_tunnel_get_path (T2pdTunnel *self);
T2pTunnelState t2pd_tunnel_get_state (T2pdTunnel *self);
T2pStateReason t2pd_tunnel_get_reason (T2pdTunnel *self);
gint64 t2pd_tunnel_get_active_since_us (T2pdTunnel *self);
const T2pdTunnelFacts *t2pd_tunnel_get_facts (T2pdTunnel *self);
const char *t2pd_tunnel_get_message (T2pdTunnel *self);
/* Whether it has, or is about to have, something installed. */
gboolean t2pd_tunnel_is_engaged (T2pdTunnel *self);
/* Whether everything is installed: `active`, `degraded` or `suspended`. */
gboolean t2pd_tunnel_is_up (T2pdTunnel *self);
/* Whether its network is not the service's own, so that it is in nobody's way there. */
gboolean t2pd_tunnel_is_elsewhere (T2pdTunnel *self);
void t2pd_tunnel_set_is_elsewhere (T2pdTunnel *self, gboolean is_elsewhere);
/* Unique name of the caller that it lives as long as, or NULL. */
const char *t2pd_tunnel_get_keeper (T2pdTunnel *self);
void t2pd_tunnel_set_keeper (T2pdTunnel *self, const char *sender);

void
t2pd_tunnel_activate_async (T2pdTunnel *self, GAsyncReadyCallback callback, gpointer user_data);
gboolean t2pd_tunnel_activate_finish (T2pdTunnel *self, GAsyncResult *result, GError **error);
void t2pd_tunnel_deactivate_async (T2pdTunnel *self,
                                   T2pStateReason reason,
                                   guint drain_ms,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data);
void t2pd_tunnel_deactivate_finish (T2pdTunnel *self, GAsyncResult *result);
/* For calls from outside, before they wait: T2P_ERROR_BUSY. */
gboolean t2pd_tunnel_check_waiting_down (T2pdTunnel *self, GError **error);
/* Down for good. */
void t2pd_tunnel_delete_async (T2pdTunnel *self,
                               T2pStateReason reason,
                               GAsyncReadyCallback callback,
                               gpointer user_data);
gboolean t2pd_tunnel_is_being_deleted (T2pdTunnel *self);

/* Down again unless confirmed in time: t2pd-tunnel-rollback.c. */
void t2pd_tunnel_begin_rollback (T2pdTunnel *self, guint timeout_s);
void t2pd_tunnel_end_rollback (T2pdTunnel *self);
gboolean t2pd_tunnel_confirm (T2pdTunnel *self, GError **error);
/* CLOCK_REALTIME; 0: no timer runs. */
gint64 t2pd_tunnel_get_rollback_deadline_us (T2pdTunnel *self);

/* --- for what brings it up */
void t2pd_tunnel_set_facts (T2pdTunnel *self, const T2pdTunnelFacts *facts);
void t2pd_tunnel_set_impaired (T2pdTunnel *self,
                               T2pdImpairment impairment,
                               gboolean is_impaired,
                               T2pStateReason reason,
                               const char *message);
/* The machine goes to sleep, and is awake again: meanwhile a tunnel that is up is `suspended`.
 */
void t2pd_tunnel_suspend (T2pdTunnel *self);
void t2pd_tunnel_resume (T2pdTunnel *self);
/* Takes everything down; then the state is `failed`. */
void t2pd_tunnel_fail (T2pdTunnel *self, const GError *error);
void t2pd_tunnel_tell (T2pdTunnel *self, const char *message);

G_END_DECLS
