/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-group.h"

G_BEGIN_DECLS

/* What the files of the group share. Nothing else includes this. */

typedef struct _T2pwGroup T2pwGroup;

typedef struct
{
  T2pwOutbound view; /* by this member and no other */
  T2pwGroup *group;
  guint index; /* in the group */
  T2pwOutbound *outbound;
  char *label;
  char *harmless_name;
  T2pwDestination harmless;
  T2pwMemberState state;
  gint64 probe_rtt_us; /* until a connection of its own has shown one */
  GError *error;
  gint64 last_success_us;
  guint backoff_ms;
  T2pTimer timer;     /* the next check */
  T2pwCarrier *check; /* that runs */
} T2pwMember;

struct _T2pwGroup
{
  T2pwOutbound base;
  T2pReactor *reactor;
  const T2pwGroupHandler *handler;
  gpointer user_data;
  GPtrArray *members;
  guint active;
  T2pTask task;
  gboolean told_up;
  T2pStateReason told_reason;
  guint told_active;
  T2pStateReason switch_reason;
};

T2pwMember *t2pw_group_member_at (T2pwGroup *group, guint index);
/* The upstream cannot be used, whatever the destination. */
gboolean t2pw_error_is_upstream_fault (const GError *error);
/* What an attempt that began at @began_us has shown. */
void t2pw_member_is_up (T2pwMember *member);
void t2pw_member_take_failure (T2pwMember *member, gint64 began_us, const GError *error);

/* t2pw-group-carrier.c */
T2pwCarrier *t2pw_group_open (T2pwOutbound *base,
                              const T2pwDestination *destination,
                              const T2pwCarrierHandler *handler,
                              gpointer user_data);
T2pwCarrier *t2pw_member_open (T2pwMember *member,
                               const T2pwDestination *destination,
                               const T2pwCarrierHandler *handler,
                               gpointer user_data);

/* t2pw-group-view.c */
void t2pw_member_init_view (T2pwMember *member);

G_END_DECLS
