/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * How one upstream is: a circuit breaker.
 *
 *   unknown ──▶ up ◀──▶ down
 *
 * A member that is down gets no flow. A check of its own, a CONNECT to a harmless destination,
 * asks again after a back-off that doubles to MAX_BACKOFF_MS; there is never more than one
 * under way. The first that passes makes the member up; it is on probation until CHECKS_TO_PASS
 * have passed, steady_check_ms apart, and till then gets flows only when there is no other.
 *
 * A dead proxy is not stormed while it is not known to be dead, either. Without a sign of life
 * in between, only so many flows may begin: PROVEN_ATTEMPTS, or UNPROVEN_ATTEMPTS when there
 * never was one, or none by the uplink of today. The others wait in a queue, for a bounded
 * time, and a check is sent after those that went: whatever becomes of the flows, its outcome
 * comes. Each sign of life lets as many more through, so a proxy that answers does not feel the
 * limit. When a member goes down, those who wait and those whose attempts had no sign yet go on
 * to another member at once.
 *
 * Among several members, one of which nothing was heard for check_interval_ms is checked, so
 * that it is known what to turn to. A lone upstream is left in peace: nothing would be decided
 * by it.
 *
 * A failure of an attempt that began before the last success says nothing new and is not
 * counted. What is measured of a member is the time until its request is on its way: all that
 * comes later is the destination's. */
#include "config.h"

#include "t2pw-group-private.h"

#include "t2p-error.h"
#include "t2p-limits.h"

#define MIN_BACKOFF_MS 500
#define MAX_BACKOFF_MS 5000
/* Many tunnels may have lost the same proxy: the waits differ by up to a quarter. */
#define BACKOFF_SPREAD 4
#define PROVEN_ATTEMPTS 64
#define UNPROVEN_ATTEMPTS 4
#define CHECKS_TO_PASS 3
/* An application that gave up after this long, unanswered, may know something. */
#define SUSPICIOUS_MS 1000
/* A new measure counts as much as three old ones (as in RFC 6298, but measures are few). */
#define LATENCY_WEIGHT 4
#define QUEUE_BATCH 64 /* per turn */

static gint64
now_us (const T2pwMember *member)
{
  return t2p_reactor_get_now_us (member->group->reactor);
}

/* --- letting flows through */

/* Who has to go on now that it is down. */
static GList *
first_to_move_on (T2pwMember *member)
{
  if (member->under_way.head != NULL)
    return member->under_way.head;
  return member->waiting.head != NULL ? member->waiting.head : member->settled.head;
}

/* Those behind the first come later in this turn, or in one of the next. */
static void
member_queue_cb (T2pTask *task)
{
  T2pwMember *member = T2P_OWNER_OF (task, T2pwMember, queue_task);

  for (guint i = 0; i < QUEUE_BATCH; i++)
    {
      gboolean is_down = member->state == T2PW_MEMBER_DOWN;
      GList *link = is_down ? first_to_move_on (member) : member->waiting.head;

      if (link == NULL || (!is_down && !t2pw_member_admit (member)))
        return;
      if (is_down)
        t2pw_attempts_move_on (link->data);
      else
        t2pw_attempts_let_through (link->data);
    }
  t2p_reactor_defer (member->group->reactor, task, member_queue_cb);
}

static void
member_run_queue (T2pwMember *member)
{
  if (first_to_move_on (member) != NULL)
    t2p_reactor_defer (member->group->reactor, &member->queue_task, member_queue_cb);
}

/* Whether another flow may try it now; then it has to. If not, there is an answer soon. */
gboolean
t2pw_member_admit (T2pwMember *member)
{
  guint most = member->is_proven ? PROVEN_ATTEMPTS : UNPROVEN_ATTEMPTS;

  if (member->n_unanswered < most)
    {
      member->n_unanswered++;
      return TRUE;
    }
  t2pw_member_check_now (member);
  return FALSE;
}

/* It was let through, but made no attempt. */
void
t2pw_member_take_back (T2pwMember *member)
{
  if (member->n_unanswered > 0)
    member->n_unanswered--;
  member_run_queue (member);
}

gboolean
t2pw_member_has_room (const T2pwMember *member)
{
  return member->waiting.length < T2P_MAX_WAITING_FLOWS;
}

/* A sign of life: it has spoken as a proxy does. */
void
t2pw_member_lives (T2pwMember *member)
{
  if (member->state == T2PW_MEMBER_DOWN)
    return; /* its check decides */
  member->is_proven = TRUE;
  member->n_unanswered = 0;
  member_run_queue (member);
}

/* --- what attempts have shown */

static void
member_was_up (T2pwMember *member, gint64 when_us)
{
  gboolean is_news = member->state != T2PW_MEMBER_UP;

  member->last_success_us = MAX (member->last_success_us, when_us);
  member->backoff_ms = MIN_BACKOFF_MS;
  member->state = T2PW_MEMBER_UP;
  t2pw_member_lives (member);
  if (!is_news)
    return;
  g_clear_error (&member->error);
  if (member->check == NULL)
    t2pw_member_schedule (member);
  t2pw_group_members_changed (member->group);
}

void
t2pw_member_is_up (T2pwMember *member)
{
  member_was_up (member, now_us (member));
}

static void member_check_cb (T2pTimer *timer);

static void
member_arm_backoff (T2pwMember *member)
{
  guint spread_ms = member->backoff_ms / BACKOFF_SPREAD;
  guint delay_ms = member->backoff_ms - (guint) g_random_int_range (0, (gint32) spread_ms + 1);

  t2p_reactor_arm (member->group->reactor, &member->timer, delay_ms, member_check_cb);
}

static void
member_is_down (T2pwMember *member, const GError *error)
{
  member->state = T2PW_MEMBER_DOWN;
  member->checks_to_pass = CHECKS_TO_PASS;
  member->n_unanswered = 0;
  g_clear_error (&member->error);
  member->error = g_error_copy (error);
  if (member->check == NULL)
    member_arm_backoff (member);
  member_run_queue (member);
  t2pw_group_members_changed (member->group);
}

/* What an attempt that began at @began_us has shown. */
void
t2pw_member_take_failure (T2pwMember *member, gint64 began_us, const GError *error)
{
  gboolean is_news = began_us > member->last_success_us && member->state != T2PW_MEMBER_DOWN;

  switch (t2pw_evidence_of (error))
    {
    case T2PW_EVIDENCE_NONE: /* no attempt, really */
      t2pw_member_take_back (member);
      return;
    case T2PW_EVIDENCE_UP:
      t2pw_member_is_up (member);
      return;
    case T2PW_EVIDENCE_GREETED: /* soon after the attempt began: it may have gone down since */
      if (member->state != T2PW_MEMBER_DOWN)
        member_was_up (member, began_us);
      return;
    case T2PW_EVIDENCE_DOWN:
      if (is_news)
        member_is_down (member, error);
      return;
    case T2PW_EVIDENCE_DOUBTFUL:
      if (is_news)
        t2pw_member_check_now (member);
      return;
    }
}

/* What came about by it has ended. */
void
t2pw_member_doubt (T2pwMember *member)
{
  if (member->state != T2PW_MEMBER_DOWN)
    t2pw_member_check_now (member);
}

/* An attempt that began at @began_us, and had no sign, was given up by its application. */
void
t2pw_member_take_silence (T2pwMember *member, gint64 began_us)
{
  gint64 waited_us = now_us (member) - began_us;

  if (member->n_unanswered > 0 && waited_us >= SUSPICIOUS_MS * G_GINT64_CONSTANT (1000))
    t2pw_member_check_now (member);
}

void
t2pw_member_take_latency (T2pwMember *member, gint64 latency_us)
{
  member->measured_us = now_us (member);
  if (member->latency_us == 0)
    member->latency_us = MAX (latency_us, 1);
  else
    member->latency_us += (latency_us - member->latency_us) / LATENCY_WEIGHT;
  t2pw_group_members_changed (member->group);
}

/* --- checks */

static void
check_passed (T2pwMember *member)
{
  member->check = NULL;
  if (member->measured_us < member->check_began_us) /* greeting and answer came in one */
    t2pw_member_take_latency (member, now_us (member) - member->check_began_us);
  if (member->checks_to_pass > 0)
    member->checks_to_pass--;
  t2pw_member_is_up (member);
  t2pw_member_schedule (member);
  t2pw_group_members_changed (member->group);
}

static void
check_opened_cb (T2pwCarrier *carrier, gpointer user_data)
{
  t2pw_carrier_close (carrier, TRUE);
  check_passed (user_data);
}

static void
check_was_bad (T2pwMember *member, const GError *error)
{
  if (member->state == T2PW_MEMBER_UP && member->check_began_us <= member->last_success_us)
    {
      member_arm_backoff (member); /* flows have shown better since: look again */
      return;
    }
  if (member->state == T2PW_MEMBER_DOWN)
    member->backoff_ms = MIN (member->backoff_ms * 2, MAX_BACKOFF_MS);
  member_is_down (member, error);
}

static void
check_failed_cb (T2pwCarrier *carrier,
                 T2pRefusal refusal,
                 const GError *error,
                 gpointer user_data)
{
  T2pwMember *member = user_data;

  member->check = NULL;
  switch (t2pw_evidence_of (error))
    {
    case T2PW_EVIDENCE_NONE:
      member_arm_backoff (member);
      return;
    case T2PW_EVIDENCE_UP:
    case T2PW_EVIDENCE_GREETED:
      check_passed (member);
      return;
    case T2PW_EVIDENCE_DOWN:
    case T2PW_EVIDENCE_DOUBTFUL:
      check_was_bad (member, error);
      return;
    }
}

static void
check_asked_cb (T2pwCarrier *carrier, gboolean has_spoken, gpointer user_data)
{
  T2pwMember *member = user_data;

  t2pw_member_take_latency (member, now_us (member) - member->check_began_us);
  if (has_spoken)
    t2pw_member_lives (member);
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
  .asked = check_asked_cb,
};

/* When something was last heard of it, of the kind that the policy needs. */
static gint64
member_last_heard_us (const T2pwMember *member)
{
  if (member->group->config.policy == T2PW_GROUP_LEAST_LATENCY)
    return MIN (member->last_success_us, member->measured_us);
  return member->last_success_us;
}

static gint64
check_is_due_in_us (const T2pwMember *member)
{
  const T2pwGroupConfig *config = &member->group->config;

  if (member->state == T2PW_MEMBER_DOWN || member->checks_to_pass > 0 || !member->is_proven)
    return 0;
  return member_last_heard_us (member) + config->check_interval_ms * G_GINT64_CONSTANT (1000) -
         now_us (member);
}

static void
schedule_cb (T2pTimer *timer)
{
  T2pwMember *member = T2P_OWNER_OF (timer, T2pwMember, timer);
  gint64 left_us = check_is_due_in_us (member);

  if (left_us <= 0)
    member_check_cb (timer);
  else
    t2p_reactor_arm (member->group->reactor, timer, (guint) (left_us / 1000) + 1, schedule_cb);
}

/* Of a member that is not down: the next check, if there is anything to decide. */
void
t2pw_member_schedule (T2pwMember *member)
{
  const T2pwGroupConfig *config = &member->group->config;

  if (member->group->members->len > 1)
    t2p_reactor_arm (member->group->reactor, &member->timer,
                     member->checks_to_pass > 0 ? config->steady_check_ms
                                                : config->check_interval_ms,
                     schedule_cb);
  else
    t2p_reactor_disarm (member->group->reactor, &member->timer);
}

static void
member_check_cb (T2pTimer *timer)
{
  T2pwMember *member = T2P_OWNER_OF (timer, T2pwMember, timer);

  if (member->check != NULL)
    return;
  member->check_began_us = now_us (member);
  member->check =
      t2pw_outbound_open (member->outbound, &member->harmless, &check_handler, member);
}

/* The check is sent when the caller has returned. */
void
t2pw_member_check_now (T2pwMember *member)
{
  if (member->check == NULL)
    t2p_reactor_arm (member->group->reactor, &member->timer, 0, member_check_cb);
}

/* What was known of it may be wrong: it is to prove itself anew, without a back-off. */
void
t2pw_member_forget (T2pwMember *member)
{
  member->backoff_ms = MIN_BACKOFF_MS;
  member->checks_to_pass = 0;
  member->is_proven = FALSE;
  member->n_unanswered = 0;
  member->latency_us = 0;
  if (member->check != NULL)
    t2pw_carrier_close (g_steal_pointer (&member->check), TRUE);
  t2pw_member_check_now (member);
}

/* --- its life */

void
t2pw_member_free (T2pwMember *member)
{
  T2pReactor *reactor = member->group->reactor;

  if (member->check != NULL)
    t2pw_carrier_close (member->check, TRUE);
  t2p_reactor_disarm (reactor, &member->timer);
  t2p_reactor_cancel (reactor, &member->queue_task);
  t2pw_outbound_free (member->outbound);
  g_clear_error (&member->error);
  g_free (member->harmless_name);
  g_free (member->label);
  g_free (member);
}

/* @outbound: (transfer full) */
T2pwMember *
t2pw_member_new (T2pwGroup *group,
                 T2pwOutbound *outbound,
                 const char *label,
                 const T2pwDestination *harmless)
{
  T2pwMember *member = g_new0 (T2pwMember, 1);

  t2pw_member_init_view (member);
  member->group = group;
  member->index = group->members->len;
  member->outbound = outbound;
  member->label = g_strdup (label);
  member->harmless_name = g_strdup (harmless->name);
  member->harmless = *harmless;
  member->harmless.name = member->harmless_name;
  member->backoff_ms = MIN_BACKOFF_MS;
  return member;
}
