/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-enums.h"
#include "t2pw-group-policy.h"
#include "t2pw-outbound.h"
#include "t2pw-upstream.h"

G_BEGIN_DECLS

/** T2pwGroupHandler: changes of the whole, not of single flows. Never called from within a
 * function of the group that its owner called. */
typedef struct
{
  /* @is_up: some upstream answers (again); or none does, or for another reason than was told.
   * @message for people, without userinfo. */
  void (*state_changed) (gboolean is_up,
                         T2pStateReason reason,
                         const char *message,
                         gpointer user_data);
  /* Another upstream is in use: their labels; "" for none. @reason: what is wrong with the old
   * one, or nothing: the new one is better. */
  void (*active_changed) (const char *old_label,
                          const char *new_label,
                          T2pStateReason reason,
                          gpointer user_data);
} T2pwGroupHandler;

/**
 * T2pwGroupConfig:
 * @check_interval_ms: how long nothing may be heard of one of several upstreams before it is
 *   checked; 0: the default, half a minute
 * @steady_check_ms: between the checks that one has to pass that was down; 0: the default
 */
typedef struct
{
  T2pwGroupPolicy policy;
  guint check_interval_ms;
  guint steady_check_ms;
} T2pwGroupConfig;

/** T2pwMemberStatus: strings are valid until the group is touched again. */
typedef struct
{
  const char *label;
  T2pwMemberState state;
  gboolean is_active;
  gint64 rtt_us;       /* of the last connection; 0: none came about */
  const GError *error; /* (nullable): why it is down */
  T2pwOutbound *outbound;
} T2pwMemberStatus;

T2pwOutbound *t2pw_group_new (const T2pwOutboundContext *context,
                              const T2pwGroupConfig *config,
                              const T2pwGroupHandler *handler,
                              gpointer user_data);
void t2pw_group_add (T2pwOutbound *group,
                     T2pwOutbound *outbound,
                     const char *label,
                     const T2pwDestination *harmless);
void
t2pw_group_take_probe (T2pwOutbound *group, guint index, gint64 rtt_us, const GError *error);
void t2pw_group_uplink_changed (T2pwOutbound *group);
guint t2pw_group_get_n_members (T2pwOutbound *group);
void t2pw_group_get_status (T2pwOutbound *group, guint index, T2pwMemberStatus *out_status);
T2pwOutbound *t2pw_group_get_member (T2pwOutbound *group, guint index);

T2pStateReason t2pw_state_reason_from_error (const GError *error);

G_END_DECLS
