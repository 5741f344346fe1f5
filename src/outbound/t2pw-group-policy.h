/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/** T2pwGroupPolicy: which member of a group gets the next flow. */
typedef enum
{
  T2PW_GROUP_FAILOVER,
  T2PW_GROUP_ROUND_ROBIN,
  T2PW_GROUP_LEAST_LATENCY,
} T2pwGroupPolicy;

/** T2pwMemberState: what is known of one upstream. */
typedef enum
{
  T2PW_MEMBER_UNKNOWN,
  T2PW_MEMBER_UP,
  T2PW_MEMBER_DOWN,
} T2pwMemberState;

/**
 * T2pwMemberView:
 * @on_probation: it was down, and has not proven itself for long enough since
 * @latency_us: smoothed; 0: not measured
 *
 * What a policy sees of a member.
 */
typedef struct
{
  T2pwMemberState state;
  gboolean on_probation;
  gint64 latency_us;
} T2pwMemberView;

#define T2PW_NO_MEMBER G_MAXUINT

gboolean t2pw_group_policy_from_string (const char *text, T2pwGroupPolicy *out_policy);
guint t2pw_group_policy_get_active (T2pwGroupPolicy policy,
                                    const T2pwMemberView *views,
                                    guint n_views,
                                    guint active);
guint t2pw_group_policy_get_next (T2pwGroupPolicy policy,
                                  const T2pwMemberView *views,
                                  guint n_views,
                                  guint begin,
                                  guint32 tried);

G_END_DECLS
