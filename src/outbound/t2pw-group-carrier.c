/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A flow on its way through a group (t2pw-group-attempts.c). Once a member has connected, its
 * carrier takes the place of this one. */
#include "config.h"

#include "t2pw-group-private.h"

#include <string.h>

typedef struct
{
  T2pwCarrier base;
  T2pwAttempts attempts;
  T2pwCarrier *inner;
  guint64 turn_key;
  T2pwDestination destination;
  char name[]; /* of @destination */
} GroupCarrier;

static GroupCarrier *
carrier_of (T2pwAttempts *attempts)
{
  return T2P_OWNER_OF (attempts, GroupCarrier, attempts);
}

static void
group_carrier_free (GroupCarrier *carrier)
{
  t2pw_attempts_clear (&carrier->attempts);
  g_free (carrier);
}

/* --- the member's carrier */

static void
remember_turn (GroupCarrier *carrier)
{
  T2pwGroup *group = carrier->attempts.group;

  if (group->turns != NULL && carrier->attempts.excluded == 0)
    t2pw_group_turns_remember (group->turns, carrier->turn_key,
                               t2p_reactor_get_now_us (group->reactor),
                               carrier->attempts.member);
}

static void
inner_opened_cb (T2pwCarrier *inner, gpointer user_data)
{
  GroupCarrier *carrier = user_data;
  T2pwCarrier base = carrier->base;

  inner->label = t2pw_attempts_get_member (&carrier->attempts)->label;
  remember_turn (carrier);
  t2pw_attempts_succeeded (&carrier->attempts);
  group_carrier_free (carrier);
  t2pw_carrier_hand_over (inner, base.handler, base.user_data);
  base.handler->opened (inner, base.user_data);
}

static void
inner_failed_cb (T2pwCarrier *inner,
                 T2pRefusal refusal,
                 const GError *error,
                 gpointer user_data)
{
  GroupCarrier *carrier = user_data;

  carrier->inner = NULL;
  t2pw_attempts_failed (&carrier->attempts, refusal, error);
}

static void
inner_asked_cb (T2pwCarrier *inner, gboolean has_spoken, gpointer user_data)
{
  t2pw_attempts_asked (&((GroupCarrier *) user_data)->attempts, has_spoken);
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

/* --- attempts */

static gboolean
carrier_may_go_on (const GError *error)
{
  T2pwEvidence evidence = t2pw_evidence_of (error);

  return evidence == T2PW_EVIDENCE_DOWN || evidence == T2PW_EVIDENCE_DOUBTFUL;
}

static gboolean
carrier_begin (T2pwAttempts *attempts, T2pwMember *member)
{
  GroupCarrier *carrier = carrier_of (attempts);

  carrier->base.label = member->label;
  carrier->inner =
      t2pw_outbound_open (member->outbound, &carrier->destination, &inner_handler, carrier);
  return TRUE;
}

static void
carrier_cancel (T2pwAttempts *attempts)
{
  GroupCarrier *carrier = carrier_of (attempts);

  if (carrier->inner != NULL)
    t2pw_carrier_close (g_steal_pointer (&carrier->inner), TRUE);
}

static void
carrier_fail (T2pwAttempts *attempts, T2pRefusal refusal, const GError *error)
{
  GroupCarrier *carrier = carrier_of (attempts);
  T2pwCarrier base = carrier->base;

  base.handler->failed (&carrier->base, refusal, error, base.user_data);
  group_carrier_free (carrier);
}

static const T2pwAttemptsClass carrier_attempts_class = {
  .may_go_on = carrier_may_go_on,
  .begin = carrier_begin,
  .cancel = carrier_cancel,
  .fail = carrier_fail,
};

/* --- the carrier of a flow */

static void
group_carrier_close (T2pwCarrier *base, gboolean reset)
{
  GroupCarrier *carrier = (GroupCarrier *) base;

  if (carrier->inner != NULL)
    {
      t2pw_attempts_given_up (&carrier->attempts);
      t2pw_carrier_close (carrier->inner, reset);
    }
  group_carrier_free (carrier);
}

static const T2pwCarrierClass group_carrier_class = {
  .send = t2pw_unopened_transfer,
  .receive = t2pw_unopened_transfer,
  .unread = t2pw_unopened_unread,
  .shutdown = t2pw_unopened_shutdown,
  .close = group_carrier_close,
  .is_stalled = t2pw_unopened_is_stalled,
};

static GroupCarrier *
group_carrier_new (const T2pwDestination *destination,
                   const T2pwCarrierHandler *handler,
                   gpointer user_data)
{
  gsize name_bytes = destination->name != NULL ? strlen (destination->name) + 1 : 0;
  GroupCarrier *carrier = g_malloc0 (sizeof *carrier + name_bytes);

  carrier->base = (T2pwCarrier){ &group_carrier_class, handler, user_data, "" };
  carrier->destination = *destination;
  if (name_bytes > 0)
    carrier->destination.name = memcpy (carrier->name, destination->name, name_bytes);
  return carrier;
}

/* Whoever had no turn for a while takes the next. */
static guint
turn_of (T2pwGroup *group, guint64 key)
{
  gint64 now_us = t2p_reactor_get_now_us (group->reactor);
  guint member;

  if (t2pw_group_turns_recall (group->turns, key, now_us, &member))
    return member;
  member = t2pw_group_take_turn (group);
  t2pw_group_turns_remember (group->turns, key, now_us, member);
  return member;
}

T2pwCarrier *
t2pw_group_open (T2pwOutbound *base,
                 const T2pwDestination *destination,
                 const T2pwCarrierHandler *handler,
                 gpointer user_data)
{
  T2pwGroup *group = (T2pwGroup *) base;
  GroupCarrier *carrier = group_carrier_new (destination, handler, user_data);
  guint begin = group->active;

  if (group->turns != NULL)
    {
      carrier->turn_key = t2pw_group_turns_key (destination);
      begin = turn_of (group, carrier->turn_key);
    }
  t2pw_attempts_init (&carrier->attempts, &carrier_attempts_class, group, begin, 0);
  t2pw_attempts_start (&carrier->attempts);
  return &carrier->base;
}

/* By this member and no other. */
T2pwCarrier *
t2pw_member_open (T2pwMember *member,
                  const T2pwDestination *destination,
                  const T2pwCarrierHandler *handler,
                  gpointer user_data)
{
  GroupCarrier *carrier = group_carrier_new (destination, handler, user_data);

  t2pw_attempts_init (&carrier->attempts, &carrier_attempts_class, member->group, member->index,
                      ~(1u << member->index));
  t2pw_attempts_start (&carrier->attempts);
  return &carrier->base;
}
