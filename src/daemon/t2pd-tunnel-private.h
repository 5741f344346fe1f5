/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-tunnel.h"

G_BEGIN_DECLS

/* What the files of the tunnel share. Nothing else includes this. */

struct _T2pdTunnel
{
  GObject parent;
  guint64 id;
  char *name;
  char *path;
  guint32 owner;
  T2pSettings *settings;
  gboolean is_elsewhere;
  char *keeper;
  T2pdActivation *activation;
  GObject *context; /* of the activation */

  T2pTunnelState state;
  T2pStateReason reason;
  gint64 active_since_us;
  GCancellable *bringing_up;
  GError *failure;
  gboolean is_being_deleted;                      /* for good */
  T2pStateReason impairments[T2PD_N_IMPAIRMENTS]; /* T2P_STATE_REASON_NONE: not impaired */

  GPtrArray *waiting_up;   /* GTask */
  GPtrArray *waiting_down; /* GTask */

  guint rollback_s; /* 0: never had one */
  GSource *rollback;
  gint64 rollback_deadline_us;

  T2pdTunnelFacts facts; /* its strings are ours */
  char *message;
};

void t2pd_tunnel_clear_facts (T2pdTunnel *self);
/* The one place that changes the state: looks at the transition table, notifies, logs. */
void t2pd_tunnel_change_state (T2pdTunnel *self, T2pTunnelState state, T2pStateReason reason);
/* `active` or `degraded`, whichever the impairments say. */
void t2pd_tunnel_settle_up (T2pdTunnel *self);
void t2pd_tunnel_forget_impairments (T2pdTunnel *self);

G_END_DECLS
