/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * An outbound over a list of upstreams (members). What a flow does with them is in
 * t2pw-group-carrier.c, this file knows how they are. Which one worked last is the active
 * one.
 *
 * A member is unknown, up or down. What the proxy says about a destination proves that it is
 * up, and so does silence behind the request: greeting and login have worked, and the
 * destination, be it the harmless one, may be what is silent. No connection or a failed login
 * makes it down; a hang-up could be the destination's fault and only has the member checked at
 * once. What we lack ourselves (ports, descriptors) says nothing of a member. A member that is
 * down gets no flow, so that a dead proxy is not stormed; a check of its own, a CONNECT to a
 * harmless destination, asks again after a back-off that doubles to MAX_BACKOFF_MS. A failure
 * of an attempt that began before the last success says nothing new and is not counted.
 *
 * The whole is down when every member is. The owner is told by a task, never from inside. */
#include "config.h"

#include "t2pw-group-private.h"

#include "t2p-error.h"
#include "t2p-limits.h"

#define MIN_BACKOFF_MS 500
#define MAX_BACKOFF_MS 5000

G_STATIC_ASSERT (T2P_MAX_PROXIES <= 32);

/**
 * t2pw_state_reason_from_error:
 *
 * Which of the public reasons stands for what went wrong with an upstream.
 */
T2pStateReason
t2pw_state_reason_from_error (const GError *error)
{
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED))
    return T2P_STATE_REASON_PROXY_AUTH;
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL) ||
      g_error_matches (error, T2P_ERROR, T2P_ERROR_TLS_FAILED))
    return T2P_STATE_REASON_PROXY_PROTOCOL;
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_RESOLVE_FAILED))
    return T2P_STATE_REASON_RESOLVE_FAILED;
  return T2P_STATE_REASON_PROXY_UNREACHABLE;
}

/* The upstream cannot be used, whatever the destination. */
gboolean
t2pw_error_is_upstream_fault (const GError *error)
{
  return g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE) ||
         g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED) ||
         g_error_matches (error, T2P_ERROR, T2P_ERROR_TLS_FAILED) ||
         g_error_matches (error, T2P_ERROR, T2P_ERROR_RESOLVE_FAILED);
}

typedef enum
{
  EVIDENCE_NONE,
  EVIDENCE_UP,      /* it answered, if only to say no */
  EVIDENCE_GREETED, /* it took the request and then said nothing */
  EVIDENCE_DOWN,
  EVIDENCE_DOUBTFUL, /* some proxies hang up instead of answering */
} Evidence;

static Evidence
evidence_of (const GError *error)
{
  if (t2pw_error_is_upstream_fault (error))
    return EVIDENCE_DOWN;
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED))
    return EVIDENCE_NONE;
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_TIMED_OUT))
    return EVIDENCE_GREETED;
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL))
    return EVIDENCE_DOUBTFUL;
  return EVIDENCE_UP;
}

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

static void
group_changed (T2pwGroup *group)
{
  t2p_reactor_defer (group->reactor, &group->task, tell_cb);
}

/* --- what is known of a member */

static void member_check_cb (T2pTimer *timer);

static void
member_was_up (T2pwMember *member, gint64 when_us)
{
  T2pwGroup *group = member->group;

  member->last_success_us = MAX (member->last_success_us, when_us);
  member->backoff_ms = MIN_BACKOFF_MS;
  if (member->state == T2PW_MEMBER_UP)
    return;
  member->state = T2PW_MEMBER_UP;
  g_clear_error (&member->error);
  t2p_reactor_disarm (group->reactor, &member->timer);
  if (t2pw_group_member_at (group, group->active)->state == T2PW_MEMBER_DOWN)
    group->active = member->index;
  group_changed (group);
}

void
t2pw_member_is_up (T2pwMember *member)
{
  member_was_up (member, t2p_reactor_get_now_us (member->group->reactor));
}

static void
group_choose_active (T2pwGroup *group)
{
  for (guint i = 1; i < group->members->len; i++)
    {
      guint index = (group->active + i) % group->members->len;

      if (t2pw_group_member_at (group, index)->state != T2PW_MEMBER_DOWN)
        {
          group->active = index;
          return;
        }
    }
}

static void
member_is_down (T2pwMember *member, const GError *error)
{
  T2pwGroup *group = member->group;

  member->state = T2PW_MEMBER_DOWN;
  g_clear_error (&member->error);
  member->error = g_error_copy (error);
  if (t2pw_group_member_at (group, group->active) == member)
    {
      group->switch_reason = t2pw_state_reason_from_error (error);
      group_choose_active (group);
    }
  t2p_reactor_arm (group->reactor, &member->timer, member->backoff_ms, member_check_cb);
  group_changed (group);
}

void
t2pw_member_take_failure (T2pwMember *member, gint64 began_us, const GError *error)
{
  gboolean is_news = began_us > member->last_success_us && member->state != T2PW_MEMBER_DOWN;

  switch (evidence_of (error))
    {
    case EVIDENCE_NONE:
      return;
    case EVIDENCE_UP:
      t2pw_member_is_up (member);
      return;
    case EVIDENCE_GREETED: /* soon after the attempt began: it may have gone down since */
      if (member->state != T2PW_MEMBER_DOWN)
        member_was_up (member, began_us);
      return;
    case EVIDENCE_DOWN:
      if (is_news)
        member_is_down (member, error);
      return;
    case EVIDENCE_DOUBTFUL:
      if (is_news && member->check == NULL)
        t2p_reactor_arm (member->group->reactor, &member->timer, 0, member_check_cb);
      return;
    }
}

/* --- checks */

static void
check_opened_cb (T2pwCarrier *carrier, gpointer user_data)
{
  T2pwMember *member = user_data;

  member->check = NULL;
  t2pw_carrier_close (carrier, TRUE);
  t2pw_member_is_up (member);
}

static void
check_failed_cb (T2pwCarrier *carrier,
                 T2pRefusal refusal,
                 const GError *error,
                 gpointer user_data)
{
  T2pwMember *member = user_data;

  member->check = NULL;
  switch (evidence_of (error))
    {
    case EVIDENCE_NONE:
      t2p_reactor_arm (member->group->reactor, &member->timer, member->backoff_ms,
                       member_check_cb);
      return;
    case EVIDENCE_UP:
    case EVIDENCE_GREETED:
      t2pw_member_is_up (member);
      return;
    case EVIDENCE_DOWN:
    case EVIDENCE_DOUBTFUL:
      member->backoff_ms = MIN (member->backoff_ms * 2, MAX_BACKOFF_MS);
      member_is_down (member, error);
      return;
    }
}

static void
check_ignore_cb (T2pwCarrier *carrier, gpointer user_data)
{
}

static const T2pwCarrierHandler check_handler = {
  .opened = check_opened_cb,
  .failed = check_failed_cb,
  .readable = check_ignore_cb,
  .writable = check_ignore_cb,
};

static void
member_check_cb (T2pTimer *timer)
{
  T2pwMember *member = T2P_OWNER_OF (timer, T2pwMember, timer);

  if (member->check == NULL)
    member->check =
        t2pw_outbound_open (member->outbound, &member->harmless, &check_handler, member);
}

static void
member_free (gpointer data)
{
  T2pwMember *member = data;

  if (member->check != NULL)
    t2pw_carrier_close (member->check, TRUE);
  t2p_reactor_disarm (member->group->reactor, &member->timer);
  t2pw_outbound_free (member->outbound);
  g_clear_error (&member->error);
  g_free (member->harmless_name);
  g_free (member->label);
  g_free (member);
}

static void
group_free (T2pwOutbound *base)
{
  T2pwGroup *group = (T2pwGroup *) base;

  g_ptr_array_unref (group->members);
  t2p_reactor_cancel (group->reactor, &group->task);
  g_free (group);
}

static const T2pwOutboundClass group_class = {
  .kind = "group",
  .open = t2pw_group_open,
  .free = group_free,
};

/**
 * t2pw_group_new:
 *
 * Returns: (transfer full): an outbound over no upstream yet. Carriers are closed before it
 * goes.
 */
T2pwOutbound *
t2pw_group_new (T2pReactor *reactor, const T2pwGroupHandler *handler, gpointer user_data)
{
  T2pwGroup *group = g_new0 (T2pwGroup, 1);

  group->base.klass = &group_class;
  group->reactor = reactor;
  group->handler = handler;
  group->user_data = user_data;
  group->told_up = TRUE;
  group->members = g_ptr_array_new_with_free_func (member_free);
  return &group->base;
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

  member = g_new0 (T2pwMember, 1);
  t2pw_member_init_view (member);
  member->group = group;
  member->index = group->members->len;
  member->outbound = outbound;
  member->label = g_strdup (label);
  member->harmless_name = g_strdup (harmless->name);
  member->harmless = *harmless;
  member->harmless.name = member->harmless_name;
  member->backoff_ms = MIN_BACKOFF_MS;
  g_ptr_array_add (group->members, member);
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
    {
      T2pwMember *member = t2pw_group_member_at (group, i);

      member->backoff_ms = MIN_BACKOFF_MS;
      if (member->check != NULL)
        t2pw_carrier_close (g_steal_pointer (&member->check), TRUE);
      t2p_reactor_arm (group->reactor, &member->timer, 0, member_check_cb);
    }
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
