/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-manager.h"
#include "t2pd-options.h"

#include "t2pn-kill-switch.h"

G_BEGIN_DECLS

/**
 * T2pdKillSwitchState:
 * @T2PD_KILL_SWITCH_OFF: nothing is armed
 * @T2PD_KILL_SWITCH_ARMED: every tunnel that is armed works
 * @T2PD_KILL_SWITCH_BLOCKING: one is not there, or no upstream of it answers
 */
typedef enum
{
  T2PD_KILL_SWITCH_OFF,
  T2PD_KILL_SWITCH_ARMED,
  T2PD_KILL_SWITCH_BLOCKING,
} T2pdKillSwitchState;

#define T2PD_TYPE_KILL_SWITCH (t2pd_kill_switch_get_type ())
/* What must not leave by anything but its tunnel. Signal `changed ()`: the state. */
G_DECLARE_FINAL_TYPE (T2pdKillSwitch, t2pd_kill_switch, T2PD, KILL_SWITCH, GObject)

/* @options and @manager must outlive it. Nothing is touched yet. */
T2pdKillSwitch *t2pd_kill_switch_new (const T2pdOptions *options, T2pdManager *manager);
/* Takes up what an earlier instance, or an earlier boot, left armed. */
gboolean t2pd_kill_switch_restore (T2pdKillSwitch *self, GError **error);

T2pdKillSwitchState t2pd_kill_switch_get_state (T2pdKillSwitch *self);
const char *t2pd_kill_switch_state_to_string (T2pdKillSwitchState state);

/* A mark that passes; 0: none is known. */
guint32 t2pd_kill_switch_get_mark (T2pdKillSwitch *self);
/* Sockets of workers pass: before one is started that has this mark, or this uid without one;
 * 0: no matter. */
gboolean
t2pd_kill_switch_allow (T2pdKillSwitch *self, guint32 mark, guint32 worker_uid, GError **error);
/* NULL when @tunnel is not armed. (transfer none) */
const T2pnKillSwitchArm *t2pd_kill_switch_find (T2pdKillSwitch *self, T2pdTunnel *tunnel);
/* Because of which @flow is refused when it leaves by another link than a tunnel's; NULL: it
 * passes. (transfer none) */
const T2pnKillSwitchArm *t2pd_kill_switch_find_refusal (T2pdKillSwitch *self,
                                                        const T2pnFlow *flow);
/* @arm: (transfer full): of @tunnel, in place of the one that it has. On failure that stays. */
gboolean t2pd_kill_switch_arm (T2pdKillSwitch *self,
                               T2pdTunnel *tunnel,
                               T2pnKillSwitchArm *arm,
                               GError **error);
/* Of a tunnel that is not there. FALSE when it is not armed. */
gboolean t2pd_kill_switch_set_always (T2pdKillSwitch *self,
                                      guint32 owner_uid,
                                      const char *name,
                                      gboolean is_always,
                                      GError **error);
/* @name: (nullable): only this one of @owner_uid; NULL: everything. Succeeds when there is
 * nothing. */
gboolean t2pd_kill_switch_disarm (T2pdKillSwitch *self,
                                  guint32 owner_uid,
                                  const char *name,
                                  GError **error);
/* From now on a tunnel that goes down leaves it armed: the service does not end because
 * somebody wanted it to. */
void t2pd_kill_switch_hold (T2pdKillSwitch *self);

/* The way to a captive portal. */
void t2pd_kill_switch_set_portal_open (T2pdKillSwitch *self, gboolean is_open);
/* Of T2pIpAddress. (transfer none) */
void t2pd_kill_switch_set_check_hosts (T2pdKillSwitch *self, const GArray *hosts);

G_END_DECLS
