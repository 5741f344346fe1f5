/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * What a flow does with the members of a group: it tries one, as the policy says; if that is at
 * fault, another, at most MAX_ATTEMPTS in all. Each outcome is told to the member.
 *
 *   WAITING ──▶ UNDER_WAY ──▶ ASKED ──▶ the member's carrier takes the place of this one
 *      └────────────┴───── the member went down: on to the next
 *
 * While nothing proves that the member lives it may let only some through; the others wait, no
 * longer than a connection may take. Once the proxy has the request, the flow stays with it. */
#include "config.h"

#include "t2pw-group-private.h"

#include "t2p-error.h"

#include <string.h>

#define MAX_ATTEMPTS 3 /* per flow: an application waits for no more */

struct _T2pwAttempts
{
  T2pwCarrier base;
  T2pwGroup *group;
  T2pwCarrier *inner;
  guint begin;   /* where the policy begins */
  guint member;  /* of @inner, or whose error is told when none can be tried */
  guint32 tried; /* bits of members */
  guint n_attempts;
  gint64 began_us;
  gint64 deadline_us;
  guint64 turn_key;
  GList link;    /* in one of the member's queues */
  GQueue *queue; /* (nullable): which */
  T2pTimer timer;
  T2pwDestination destination;
  T2pTask task; /* when no member could be tried */
  char name[];  /* of @destination */
};

static T2pwMember *
attempts_get_member (T2pwAttempts *attempts)
{
  return t2pw_group_member_at (attempts->group, attempts->member);
}

static void
attempts_enter (T2pwAttempts *attempts, GQueue *queue)
{
  attempts->queue = queue;
  g_queue_push_tail_link (queue, &attempts->link);
}

static void
attempts_leave (T2pwAttempts *attempts)
{
  GQueue *queue = g_steal_pointer (&attempts->queue);

  if (queue != NULL)
    g_queue_unlink (queue, &attempts->link);
}

static void
attempts_free (T2pwAttempts *attempts)
{
  attempts_leave (attempts);
  t2p_reactor_cancel (attempts->group->reactor, &attempts->task);
  t2p_reactor_disarm (attempts->group->reactor, &attempts->timer);
  g_free (attempts);
}

static void
attempts_fail (T2pwAttempts *attempts, T2pRefusal refusal, const GError *error)
{
  T2pwCarrier base = attempts->base;

  attempts_leave (attempts);
  base.handler->failed (&attempts->base, refusal, error, base.user_data);
  attempts_free (attempts);
}

static void
attempts_remember_turn (T2pwAttempts *attempts)
{
  T2pwGroup *group = attempts->group;

  if (group->turns != NULL)
    t2pw_group_turns_remember (group->turns, attempts->turn_key,
                               t2p_reactor_get_now_us (group->reactor), attempts->member);
}

/* --- the member's carrier */

static void
inner_opened_cb (T2pwCarrier *inner, gpointer user_data)
{
  T2pwAttempts *attempts = user_data;
  T2pwCarrier base = attempts->base;
  T2pwMember *member = attempts_get_member (attempts);

  inner->label = member->label;
  attempts_leave (attempts);
  attempts_remember_turn (attempts);
  t2pw_member_is_up (member);
  attempts_free (attempts);
  t2pw_carrier_hand_over (inner, base.handler, base.user_data);
  base.handler->opened (inner, base.user_data);
}

static gboolean attempts_try_next (T2pwAttempts *attempts);

static void
inner_failed_cb (T2pwCarrier *inner,
                 T2pRefusal refusal,
                 const GError *error,
                 gpointer user_data)
{
  T2pwAttempts *attempts = user_data;
  T2pwEvidence evidence = t2pw_evidence_of (error);
  gboolean may_go_on = evidence == T2PW_EVIDENCE_DOWN || evidence == T2PW_EVIDENCE_DOUBTFUL;

  attempts->inner = NULL;
  attempts_leave (attempts);
  t2pw_member_take_failure (attempts_get_member (attempts), attempts->began_us, error);
  if (!may_go_on || !attempts_try_next (attempts))
    attempts_fail (attempts, refusal, error);
}

static void
inner_asked_cb (T2pwCarrier *inner, gboolean has_spoken, gpointer user_data)
{
  T2pwAttempts *attempts = user_data;
  T2pwMember *member = attempts_get_member (attempts);

  attempts_leave (attempts);
  t2pw_member_take_latency (member, t2p_reactor_get_now_us (attempts->group->reactor) -
                                        attempts->began_us);
  if (has_spoken)
    t2pw_member_lives (member);
}

/* Edges before `opened` are the inner layers' own. */
static void
inner_edge_cb (T2pwCarrier *inner, gpointer user_data)
{
}

static const T2pwCarrierHandler inner_handler = {
  .opened = inner_opened_cb,
  .failed = inner_failed_cb,
  .readable = inner_edge_cb,
  .writable = inner_edge_cb,
  .asked = inner_asked_cb,
};

/* --- trying */

/* The member has let it through. */
void
t2pw_attempts_begin (T2pwAttempts *attempts)
{
  T2pwMember *member = attempts_get_member (attempts);
  T2pReactor *reactor = attempts->group->reactor;

  attempts_leave (attempts);
  t2p_reactor_disarm (reactor, &attempts->timer);
  attempts_enter (attempts, &member->under_way);
  attempts->n_attempts++;
  attempts->began_us = t2p_reactor_get_now_us (reactor);
  attempts->inner =
      t2pw_outbound_open (member->outbound, &attempts->destination, &inner_handler, attempts);
}

static void
waited_cb (T2pTimer *timer)
{
  T2pwAttempts *attempts = T2P_OWNER_OF (timer, T2pwAttempts, timer);
  g_autoptr (GError) error =
      g_error_new (T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE,
                   "%s did not answer those who came before", attempts->base.label);

  attempts_fail (attempts, t2pw_refusal_of_fault (error), error);
}

static void
attempts_wait (T2pwAttempts *attempts)
{
  T2pReactor *reactor = attempts->group->reactor;
  gint64 left_ms = (attempts->deadline_us - t2p_reactor_get_now_us (reactor)) / 1000;

  attempts_enter (attempts, &attempts_get_member (attempts)->waiting);
  t2p_reactor_arm (reactor, &attempts->timer, (guint) CLAMP (left_ms, 0, G_MAXINT), waited_cb);
}

/* FALSE when there is none left. */
static gboolean
attempts_try_next (T2pwAttempts *attempts)
{
  while (attempts->n_attempts < MAX_ATTEMPTS)
    {
      guint index = t2pw_group_get_next (attempts->group, attempts->begin, attempts->tried);
      T2pwMember *member;

      if (index == T2PW_NO_MEMBER)
        return FALSE;
      member = t2pw_group_member_at (attempts->group, index);
      attempts->tried |= 1u << index;
      attempts->member = index;
      attempts->base.label = member->label;
      if (t2pw_member_admit (member))
        t2pw_attempts_begin (attempts);
      else if (t2pw_member_has_room (member))
        attempts_wait (attempts);
      else
        continue;
      return TRUE;
    }
  return FALSE;
}

static GError *
none_left_error (T2pwAttempts *attempts)
{
  const T2pwMember *member =
      attempts->group->members->len > 0 ? attempts_get_member (attempts) : NULL;

  if (member == NULL)
    return g_error_new_literal (T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE, "no upstream answers");
  if (member->error != NULL)
    return g_error_copy (member->error);
  return g_error_new (T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED,
                      "too many connections wait for %s to answer", member->label);
}

static void
attempts_give_up (T2pwAttempts *attempts)
{
  g_autoptr (GError) error = none_left_error (attempts);

  attempts_fail (attempts, t2pw_refusal_of_fault (error), error);
}

static void
none_cb (T2pTask *task)
{
  attempts_give_up (T2P_OWNER_OF (task, T2pwAttempts, task));
}

/* The member that it waited for, or tried, is down. */
void
t2pw_attempts_move_on (T2pwAttempts *attempts)
{
  attempts_leave (attempts);
  t2p_reactor_disarm (attempts->group->reactor, &attempts->timer);
  if (attempts->inner != NULL)
    t2pw_carrier_close (g_steal_pointer (&attempts->inner), TRUE);
  if (!attempts_try_next (attempts))
    attempts_give_up (attempts);
}

/* --- the carrier of a flow */

static void
attempts_close (T2pwCarrier *base, gboolean reset)
{
  T2pwAttempts *attempts = (T2pwAttempts *) base;

  if (attempts->queue != NULL && attempts->inner != NULL)
    t2pw_member_take_silence (attempts_get_member (attempts), attempts->began_us);
  if (attempts->inner != NULL)
    t2pw_carrier_close (attempts->inner, reset);
  attempts_free (attempts);
}

static const T2pwCarrierClass attempts_class = {
  .send = t2pw_unopened_transfer,
  .receive = t2pw_unopened_transfer,
  .unread = t2pw_unopened_unread,
  .shutdown = t2pw_unopened_shutdown,
  .close = attempts_close,
  .is_stalled = t2pw_unopened_is_stalled,
};

static T2pwAttempts *
attempts_new (T2pwGroup *group,
              const T2pwDestination *destination,
              const T2pwCarrierHandler *handler,
              gpointer user_data)
{
  gsize name_bytes = destination->name != NULL ? strlen (destination->name) + 1 : 0;
  T2pwAttempts *attempts = g_malloc0 (sizeof *attempts + name_bytes);

  attempts->base = (T2pwCarrier){ &attempts_class, handler, user_data, "" };
  attempts->group = group;
  attempts->link.data = attempts;
  attempts->deadline_us = t2p_reactor_get_now_us (group->reactor) +
                          group->context->connect_timeout_ms * G_GINT64_CONSTANT (1000);
  attempts->destination = *destination;
  if (name_bytes > 0)
    attempts->destination.name = memcpy (attempts->name, destination->name, name_bytes);
  return attempts;
}

/* A flow of somebody who had no turn for a while takes the next. */
static guint
take_turn (T2pwGroup *group, guint64 key)
{
  gint64 now_us = t2p_reactor_get_now_us (group->reactor);
  guint member;

  if (t2pw_group_turns_recall (group->turns, key, now_us, &member))
    return member;
  member = t2pw_group_get_next (group, group->turn, 0);
  if (member == T2PW_NO_MEMBER)
    return group->active;
  group->turn = (member + 1) % group->members->len;
  t2pw_group_turns_remember (group->turns, key, now_us, member);
  return member;
}

static T2pwCarrier *
attempts_start (T2pwAttempts *attempts)
{
  if (!attempts_try_next (attempts))
    t2p_reactor_defer (attempts->group->reactor, &attempts->task, none_cb);
  return &attempts->base;
}

T2pwCarrier *
t2pw_group_open (T2pwOutbound *base,
                 const T2pwDestination *destination,
                 const T2pwCarrierHandler *handler,
                 gpointer user_data)
{
  T2pwGroup *group = (T2pwGroup *) base;
  T2pwAttempts *attempts = attempts_new (group, destination, handler, user_data);

  attempts->begin = group->active;
  attempts->member = group->active;
  if (group->turns != NULL)
    {
      attempts->turn_key = t2pw_group_turns_key (destination);
      attempts->begin = take_turn (group, attempts->turn_key);
    }
  return attempts_start (attempts);
}

/* By this member and no other. */
T2pwCarrier *
t2pw_member_open (T2pwMember *member,
                  const T2pwDestination *destination,
                  const T2pwCarrierHandler *handler,
                  gpointer user_data)
{
  T2pwAttempts *attempts = attempts_new (member->group, destination, handler, user_data);

  attempts->begin = attempts->member = member->index;
  attempts->tried = ~(1u << member->index);
  return attempts_start (attempts);
}
