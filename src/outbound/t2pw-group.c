/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * An outbound over a list of upstreams, its members. How each of them is, and what it is let
 * have, is in t2pw-group-member.c; which one a flow is to try, in t2pw-group-policy.c; what a
 * flow or an association does with that, in t2pw-group-attempts.c.
 *
 * The active member stands for the whole: the one in use, or in a rotation the first that takes
 * part. It is chosen anew whenever something was learnt of a member; flows that are open stay
 * where they are. The whole is down when every member is. The owner is told by a task, never
 * from inside. */
#include "config.h"

#include "t2pw-group-private.h"

#include "t2p-error.h"
#include "t2p-limits.h"

#define CHECK_INTERVAL_MS 30000
#define STEADY_CHECK_MS 5000

G_STATIC_ASSERT (T2P_MAX_PROXIES <= 32);

T2pwMember *
t2pw_group_member_at (T2pwGroup *group, guint index)
{
  return g_ptr_array_index (group->members, index);
}

/* --- telling the owner */

static gboolean
group_is_up (T2pwGroup *group)
{
  for (guint i = 0; i < group->members->len; i++)
    if (t2pw_group_member_at (group, i)->state != T2PW_MEMBER_DOWN)
      return TRUE;
  return FALSE;
}

static void
tell_active (T2pwGroup *group)
{
  guint old = group->told_active;

  group->told_active = group->active;
  group->handler->active_changed (t2pw_group_member_at (group, old)->label,
                                  t2pw_group_member_at (group, group->active)->label,
                                  group->switch_reason, group->user_data);
}

static T2pStateReason
group_get_reason (T2pwGroup *group, gboolean is_up)
{
  T2pwMember *member = t2pw_group_member_at (group, group->active);

  return is_up ? T2P_STATE_REASON_NONE : t2pw_state_reason_from_error (member->error);
}

static void
tell_state (T2pwGroup *group, gboolean is_up, T2pStateReason reason)
{
  T2pwMember *member = t2pw_group_member_at (group, group->active);
  g_autofree char *message =
      is_up ? g_strdup_printf ("%s answers", member->label)
            : g_strdup (member->error != NULL ? member->error->message : "no upstream answers");

  group->told_up = is_up;
  group->told_reason = reason;
  group->handler->state_changed (is_up, reason, message, group->user_data);
}

static void
tell_cb (T2pTask *task)
{
  T2pwGroup *group = T2P_OWNER_OF (task, T2pwGroup, task);
  gboolean is_up = group_is_up (group);
  T2pStateReason reason = group_get_reason (group, is_up);

  if (group->told_active != group->active)
    tell_active (group);
  /* What is wrong may change: a proxy that was gone comes back and wants a password. */
  if (is_up != group->told_up || reason != group->told_reason)
    tell_state (group, is_up, reason);
}

/* --- which member */

static guint
group_get_views (T2pwGroup *group, T2pwMemberView out_views[T2P_MAX_PROXIES])
{
  for (guint i = 0; i < group->members->len; i++)
    {
      const T2pwMember *member = t2pw_group_member_at (group, i);

      out_views[i] = (T2pwMemberView){ .state = member->state,
                                       .on_probation = member->checks_to_pass > 0,
                                       .latency_us = member->latency_us };
    }
  return group->members->len;
}

/* @begin, @tried: as in t2pw_group_policy_get_next() */
guint
t2pw_group_get_next (T2pwGroup *group, guint begin, guint32 tried)
{
  T2pwMemberView views[T2P_MAX_PROXIES];
  guint n = group_get_views (group, views);

  return t2pw_group_policy_get_next (group->config.policy, views, n, begin, tried);
}

/* Whose turn it is; then it is the next one's. */
guint
t2pw_group_take_turn (T2pwGroup *group)
{
  guint member = t2pw_group_get_next (group, group->turn, 0);

  if (member == T2PW_NO_MEMBER)
    return group->active;
  group->turn = (member + 1) % group->members->len;
  return member;
}

static void
group_choose_active (T2pwGroup *group)
{
  T2pwMemberView views[T2P_MAX_PROXIES];
  guint n = group_get_views (group, views);
  guint active = t2pw_group_policy_get_active (group->config.policy, views, n, group->active);
  const T2pwMember *old = t2pw_group_member_at (group, group->active);

  if (active == group->active)
    return;
  group->switch_reason = old->state == T2PW_MEMBER_DOWN
                             ? t2pw_state_reason_from_error (old->error)
                             : T2P_STATE_REASON_NONE; /* the other is better */
  group->active = active;
}

/* Something was learnt of a member. */
void
t2pw_group_members_changed (T2pwGroup *group)
{
  group_choose_active (group);
  t2p_reactor_defer (group->reactor, &group->task, tell_cb);
}

static void
group_free (T2pwOutbound *base)
{
  T2pwGroup *group = (T2pwGroup *) base;

  g_ptr_array_unref (group->members);
  t2p_reactor_cancel (group->reactor, &group->task);
  g_clear_pointer (&group->turns, t2pw_group_turns_free);
  g_free (group);
}

/* What an association is likely to meet: none only when no member carries datagrams. */
static T2pwUdpMode
group_get_udp_mode (T2pwOutbound *base)
{
  T2pwGroup *group = (T2pwGroup *) base;
  T2pwUdpMode mode = T2PW_UDP_NONE;

  for (guint i = 0; i < group->members->len && mode == T2PW_UDP_NONE; i++)
    {
      guint index = (group->active + i) % group->members->len;

      mode = t2pw_outbound_get_udp_mode (t2pw_group_member_at (group, index)->outbound);
    }
  return mode;
}

static const T2pwOutboundClass group_class = {
  .kind = "group",
  .open = t2pw_group_open,
  .associate = t2pw_group_associate,
  .get_udp_mode = group_get_udp_mode,
  .free = group_free,
};

/**
 * t2pw_group_new:
 * @context: outlives the group
 * @config: copied
 *
 * Returns: (transfer full): an outbound over no upstream yet. Carriers are closed before it
 * goes.
 */
T2pwOutbound *
t2pw_group_new (const T2pwOutboundContext *context,
                const T2pwGroupConfig *config,
                const T2pwGroupHandler *handler,
                gpointer user_data)
{
  T2pwGroup *group = g_new0 (T2pwGroup, 1);

  group->base.klass = &group_class;
  group->context = context;
  group->reactor = context->reactor;
  group->config = *config;
  if (config->check_interval_ms == 0)
    group->config.check_interval_ms = CHECK_INTERVAL_MS;
  if (config->steady_check_ms == 0)
    group->config.steady_check_ms = STEADY_CHECK_MS;
  if (config->policy == T2PW_GROUP_ROUND_ROBIN)
    group->turns = t2pw_group_turns_new ();
  group->handler = handler;
  group->user_data = user_data;
  group->told_up = TRUE;
  group->members = g_ptr_array_new_with_free_func ((GDestroyNotify) t2pw_member_free);
  return &group->base;
}

/* A lone upstream is not checked without need; of several, the nearest is to be found soon. */
static void
group_begin_checks (T2pwGroup *group, T2pwMember *member)
{
  if (group->config.policy == T2PW_GROUP_LEAST_LATENCY)
    t2pw_member_check_now (member);
  else
    t2pw_member_schedule (member);
}

/**
 * t2pw_group_add:
 * @outbound: (transfer full): how to reach the upstream
 * @label: for people; without userinfo
 * @harmless: where a check asks to be connected to
 *
 * Adds an upstream behind those that are there; at most T2P_MAX_PROXIES.
 */
void
t2pw_group_add (T2pwOutbound *base,
                T2pwOutbound *outbound,
                const char *label,
                const T2pwDestination *harmless)
{
  T2pwGroup *group = (T2pwGroup *) base;
  T2pwMember *member;

  g_return_if_fail (group->members->len < T2P_MAX_PROXIES);

  member = t2pw_member_new (group, outbound, label, harmless);
  g_ptr_array_add (group->members, member);
  if (group->members->len == 2)
    group_begin_checks (group, t2pw_group_member_at (group, 0));
  if (group->members->len >= 2)
    group_begin_checks (group, member);
}

/**
 * t2pw_group_take_probe:
 * @rtt_us: of its handshake, 0 for none
 * @error: (nullable): why the upstream cannot be used
 *
 * Learns what a probe has shown of upstream @index just now.
 */
void
t2pw_group_take_probe (T2pwOutbound *base, guint index, gint64 rtt_us, const GError *error)
{
  T2pwGroup *group = (T2pwGroup *) base;
  T2pwMember *member = t2pw_group_member_at (group, index);

  member->probe_rtt_us = rtt_us;
  if (error == NULL)
    t2pw_member_is_up (member);
  else
    t2pw_member_take_failure (member, t2p_reactor_get_now_us (group->reactor), error);
}

/**
 * t2pw_group_uplink_changed:
 *
 * What was known of the upstreams may be wrong: each is checked now, without a back-off.
 */
void
t2pw_group_uplink_changed (T2pwOutbound *base)
{
  T2pwGroup *group = (T2pwGroup *) base;

  for (guint i = 0; i < group->members->len; i++)
    t2pw_member_forget (t2pw_group_member_at (group, i));
}

guint
t2pw_group_get_n_members (T2pwOutbound *base)
{
  return ((T2pwGroup *) base)->members->len;
}

/**
 * t2pw_group_get_member:
 *
 * Returns: (transfer none): a way out by upstream @index and no other; its health is the
 * group's: what flows on this way meet is learnt, and they are refused at once while it is down
 */
T2pwOutbound *
t2pw_group_get_member (T2pwOutbound *base, guint index)
{
  return &t2pw_group_member_at ((T2pwGroup *) base, index)->view;
}

void
t2pw_group_get_status (T2pwOutbound *base, guint index, T2pwMemberStatus *out_status)
{
  T2pwGroup *group = (T2pwGroup *) base;
  T2pwMember *member = t2pw_group_member_at (group, index);
  gint64 rtt_us = t2pw_outbound_get_rtt_us (member->outbound);

  *out_status = (T2pwMemberStatus){
    .label = member->label,
    .state = member->state,
    .is_active = index == group->active,
    .rtt_us = rtt_us > 0 ? rtt_us : member->probe_rtt_us,
    .error = member->error,
    .outbound = member->outbound,
  };
}
