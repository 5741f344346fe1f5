/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * What a flow, or an association, does with the members of a group: it tries one, as the policy
 * says; if that is at fault, another, at most MAX_MEMBERS in all. Each outcome is told to the
 * member.
 *
 *   WAITING ──▶ UNDER_WAY ──▶ ASKED ──▶ over; an association is SETTLED until its end
 *      └────────────┴───── the member went down: on to the next
 *
 * While nothing proves that the member lives it may let only some through; the others wait, no
 * longer than a connection may take. Once the proxy has the request, the flow stays with it. */
#include "config.h"

#include "t2pw-group-private.h"

#include "t2p-error.h"

#define MAX_MEMBERS 3 /* per flow: an application waits for no more */
/* Those who are waited for began before and have their outcome by then. */
#define WAIT_GRACE_MS 500

static T2pReactor *
reactor_of (const T2pwAttempts *attempts)
{
  return attempts->group->reactor;
}

T2pwMember *
t2pw_attempts_get_member (const T2pwAttempts *attempts)
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

  t2p_reactor_disarm (reactor_of (attempts), &attempts->timer);
  if (queue != NULL)
    g_queue_unlink (queue, &attempts->link);
}

static gboolean
could_use (const T2pwAttempts *attempts, guint index)
{
  return (attempts->excluded & (1u << index)) == 0 &&
         (attempts->klass->may_use == NULL ||
          attempts->klass->may_use (t2pw_group_member_at (attempts->group, index)));
}

static guint32
unusable_members (const T2pwAttempts *attempts)
{
  guint32 bits = attempts->tried;

  for (guint i = 0; i < attempts->group->members->len; i++)
    if (!could_use (attempts, i))
      bits |= 1u << i;
  return bits;
}

/* FALSE when the member cannot do it. */
static gboolean
attempts_begin (T2pwAttempts *attempts)
{
  T2pwMember *member = t2pw_attempts_get_member (attempts);

  attempts->began_us = t2p_reactor_get_now_us (reactor_of (attempts));
  attempts->has_spoken = FALSE;
  if (!attempts->klass->begin (attempts, member))
    {
      t2pw_member_take_back (member);
      return FALSE;
    }
  attempts_enter (attempts, &member->under_way);
  return TRUE;
}

static void
waited_cb (T2pTimer *timer)
{
  T2pwAttempts *attempts = T2P_OWNER_OF (timer, T2pwAttempts, timer);
  g_autoptr (GError) error = g_error_new (T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE,
                                          "%s did not answer those who came before",
                                          t2pw_attempts_get_member (attempts)->label);

  attempts_leave (attempts);
  attempts->klass->fail (attempts, t2pw_refusal_of_fault (error), error);
}

static void
attempts_wait (T2pwAttempts *attempts)
{
  guint timeout_ms = attempts->group->context->connect_timeout_ms + WAIT_GRACE_MS;

  attempts_enter (attempts, &t2pw_attempts_get_member (attempts)->waiting);
  t2p_reactor_arm (reactor_of (attempts), &attempts->timer, timeout_ms, waited_cb);
}

/* FALSE when there is none left. */
static gboolean
attempts_try_next (T2pwAttempts *attempts)
{
  while (attempts->n_members < MAX_MEMBERS)
    {
      guint index =
          t2pw_group_get_next (attempts->group, attempts->begin, unusable_members (attempts));
      T2pwMember *member;

      if (index == T2PW_NO_MEMBER)
        return FALSE;
      member = t2pw_group_member_at (attempts->group, index);
      attempts->tried |= 1u << index;
      attempts->n_members++;
      attempts->member = index;
      if (t2pw_member_admit (member))
        {
          if (attempts_begin (attempts))
            return TRUE;
        }
      else if (t2pw_member_has_room (member))
        {
          attempts_wait (attempts);
          return TRUE;
        }
    }
  return FALSE;
}

/* Why one of those that it could have used is down. */
static const GError *
find_fault (const T2pwAttempts *attempts)
{
  const T2pwGroup *group = attempts->group;

  for (guint i = 0; i < group->members->len; i++)
    {
      guint index = (attempts->member + i) % group->members->len;
      const T2pwMember *member = g_ptr_array_index (group->members, index);

      if (could_use (attempts, index) && member->error != NULL)
        return member->error;
    }
  return NULL;
}

static gboolean
could_use_any (const T2pwAttempts *attempts)
{
  for (guint i = 0; i < attempts->group->members->len; i++)
    if (could_use (attempts, i))
      return TRUE;
  return FALSE;
}

static void
attempts_give_up (T2pwAttempts *attempts)
{
  const GError *fault = find_fault (attempts);
  g_autoptr (GError) error = NULL;

  if (fault != NULL)
    error = g_error_copy (fault);
  else if (attempts->group->members->len == 0)
    error =
        g_error_new_literal (T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE, "there is no upstream");
  else if (!could_use_any (attempts))
    error =
        g_error_new_literal (T2P_ERROR, T2P_ERROR_NOT_SUPPORTED, attempts->klass->inability);
  else
    error = g_error_new (T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED,
                         "too many connections wait for %s to answer",
                         t2pw_attempts_get_member (attempts)->label);
  attempts->klass->fail (attempts, t2pw_refusal_of_fault (error), error);
}

static void
none_cb (T2pTask *task)
{
  attempts_give_up (T2P_OWNER_OF (task, T2pwAttempts, task));
}

/* --- its life */

/* @excluded: members that it may not try */
void
t2pw_attempts_init (T2pwAttempts *attempts,
                    const T2pwAttemptsClass *klass,
                    T2pwGroup *group,
                    guint begin,
                    guint32 excluded)
{
  *attempts = (T2pwAttempts){
    .klass = klass,
    .group = group,
    .begin = begin,
    .member = begin,
    .excluded = excluded,
    .link.data = attempts,
  };
}

/* It may be freed now. */
void
t2pw_attempts_clear (T2pwAttempts *attempts)
{
  attempts_leave (attempts);
  t2p_reactor_cancel (reactor_of (attempts), &attempts->task);
}

/* Nobody is called before the caller has returned. */
void
t2pw_attempts_start (T2pwAttempts *attempts)
{
  if (!attempts_try_next (attempts))
    t2p_reactor_defer (reactor_of (attempts), &attempts->task, none_cb);
}

/* --- what becomes of the one under way */

/* As T2pwCarrierHandler has it. */
void
t2pw_attempts_asked (T2pwAttempts *attempts, gboolean has_spoken)
{
  T2pwMember *member = t2pw_attempts_get_member (attempts);

  attempts_leave (attempts);
  attempts->has_spoken = has_spoken;
  t2pw_member_take_latency (member, t2p_reactor_get_now_us (reactor_of (attempts)) -
                                        attempts->began_us);
  if (has_spoken)
    t2pw_member_lives (member);
}

void
t2pw_attempts_succeeded (T2pwAttempts *attempts)
{
  attempts_leave (attempts);
  t2pw_member_is_up (t2pw_attempts_get_member (attempts));
}

/* What it has lasts as long as the member is up. */
void
t2pw_attempts_settle (T2pwAttempts *attempts)
{
  t2pw_attempts_succeeded (attempts);
  attempts_enter (attempts, &t2pw_attempts_get_member (attempts)->settled);
}

/* Goes on to another member, or fails with this. Silence of one that has not said a word yet
 * may be its own or the destination's. */
void
t2pw_attempts_failed (T2pwAttempts *attempts, T2pRefusal refusal, const GError *error)
{
  T2pwMember *member = t2pw_attempts_get_member (attempts);

  attempts_leave (attempts);
  if (t2pw_evidence_of (error) == T2PW_EVIDENCE_GREETED && !attempts->has_spoken)
    t2pw_member_doubt (member);
  else
    t2pw_member_take_failure (member, attempts->began_us, error);
  if (!attempts->klass->may_go_on (error) || !attempts_try_next (attempts))
    attempts->klass->fail (attempts, refusal, error);
}

/* The application does not want it any more; to be told before what is under way is closed. */
void
t2pw_attempts_given_up (T2pwAttempts *attempts)
{
  T2pwMember *member = t2pw_attempts_get_member (attempts);

  if (attempts->queue == &member->under_way)
    t2pw_member_take_silence (member, attempts->began_us);
}

/* The member has let it through that it waited for. */
void
t2pw_attempts_let_through (T2pwAttempts *attempts)
{
  attempts_leave (attempts);
  if (!attempts_begin (attempts) && !attempts_try_next (attempts))
    attempts_give_up (attempts);
}

/* The member that it waited for, or tried, or had settled with, is down. */
void
t2pw_attempts_move_on (T2pwAttempts *attempts)
{
  const T2pwMember *member = t2pw_attempts_get_member (attempts);
  gboolean was_settled = attempts->queue == &member->settled;

  attempts_leave (attempts);
  attempts->klass->cancel (attempts);
  if (was_settled || !attempts_try_next (attempts))
    attempts_give_up (attempts);
}
