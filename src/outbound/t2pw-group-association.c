/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * An association by a member of a group that carries datagrams (t2pw-group-attempts.c). It
 * stays with that member: its mapping at the far side is the member's. When the member goes
 * down the association fails, and its owner may open another. That its own end says little of
 * the member is why the member is only checked then. */
#include "config.h"

#include "t2pw-group-private.h"

#include "t2p-error.h"

typedef struct
{
  T2pwAssociation base;
  T2pwAttempts attempts;
  T2pwAssociation *inner;
  gboolean is_open;
} GroupAssociation;

static GroupAssociation *
association_of (T2pwAttempts *attempts)
{
  return T2P_OWNER_OF (attempts, GroupAssociation, attempts);
}

static void
group_association_free (GroupAssociation *association)
{
  t2pw_attempts_clear (&association->attempts);
  g_free (association);
}

static void
association_fail (T2pwAttempts *attempts, T2pRefusal refusal, const GError *error)
{
  GroupAssociation *association = association_of (attempts);
  T2pwAssociation base = association->base;

  base.handler->failed (&association->base, refusal, error, base.user_data);
  group_association_free (association);
}

/* --- the member's association */

static void
inner_opened_cb (T2pwAssociation *inner, gpointer user_data)
{
  GroupAssociation *association = user_data;

  association->inner = inner; /* perhaps another than the one that was returned */
  association->is_open = TRUE;
  t2pw_attempts_settle (&association->attempts);
  association->base.handler->opened (&association->base, association->base.user_data);
}

static void
inner_failed_cb (T2pwAssociation *inner,
                 T2pRefusal refusal,
                 const GError *error,
                 gpointer user_data)
{
  GroupAssociation *association = user_data;

  association->inner = NULL;
  if (!association->is_open)
    {
      t2pw_attempts_failed (&association->attempts, refusal, error);
      return;
    }
  t2pw_member_doubt (t2pw_attempts_get_member (&association->attempts));
  association_fail (&association->attempts, refusal, error);
}

static void
inner_received_cb (T2pwAssociation *inner,
                   const T2pwDestination *from,
                   const guint8 *data,
                   gsize length,
                   gpointer user_data)
{
  T2pwAssociation *base = &((GroupAssociation *) user_data)->base;

  base->handler->received (base, from, data, length, base->user_data);
}

static void
inner_too_big_cb (T2pwAssociation *inner,
                  const T2pwDestination *to,
                  gsize most_bytes,
                  gpointer user_data)
{
  T2pwAssociation *base = &((GroupAssociation *) user_data)->base;

  base->handler->too_big (base, to, most_bytes, base->user_data);
}

static const T2pwAssociationHandler inner_handler = {
  .opened = inner_opened_cb,
  .failed = inner_failed_cb,
  .received = inner_received_cb,
  .too_big = inner_too_big_cb,
};

/* --- attempts */

static gboolean
association_may_use (const T2pwMember *member)
{
  return member->outbound->klass->associate != NULL &&
         t2pw_outbound_get_udp_mode (member->outbound) != T2PW_UDP_NONE;
}

/* Another may carry what this one does not. */
static gboolean
association_may_go_on (const GError *error)
{
  T2pwEvidence evidence = t2pw_evidence_of (error);

  return evidence == T2PW_EVIDENCE_DOWN || evidence == T2PW_EVIDENCE_DOUBTFUL ||
         g_error_matches (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED);
}

static gboolean
association_begin (T2pwAttempts *attempts, T2pwMember *member)
{
  GroupAssociation *association = association_of (attempts);

  association->base.label = member->label;
  association->inner = t2pw_outbound_associate (member->outbound, &inner_handler, association);
  return association->inner != NULL;
}

static void
association_cancel (T2pwAttempts *attempts)
{
  GroupAssociation *association = association_of (attempts);

  if (association->inner != NULL)
    t2pw_association_close (g_steal_pointer (&association->inner));
}

static const T2pwAttemptsClass association_attempts_class = {
  .may_use = association_may_use,
  .inability = "no upstream carries UDP",
  .may_go_on = association_may_go_on,
  .begin = association_begin,
  .cancel = association_cancel,
  .fail = association_fail,
};

/* --- the association of an application's socket */

static gboolean
group_association_send (T2pwAssociation *base,
                        const T2pwDestination *to,
                        const guint8 *data,
                        gsize length,
                        gsize datagram_bytes)
{
  GroupAssociation *association = (GroupAssociation *) base;

  return association->is_open && association->inner != NULL &&
         t2pw_association_send (association->inner, to, data, length, datagram_bytes);
}

static void
group_association_close (T2pwAssociation *base)
{
  GroupAssociation *association = (GroupAssociation *) base;

  if (association->inner != NULL)
    t2pw_attempts_given_up (&association->attempts);
  association_cancel (&association->attempts);
  group_association_free (association);
}

static const T2pwAssociationClass group_association_class = {
  .send = group_association_send,
  .close = group_association_close,
};

static T2pwAssociation *
group_association_new (T2pwGroup *group,
                       guint begin,
                       guint32 excluded,
                       const T2pwAssociationHandler *handler,
                       gpointer user_data)
{
  GroupAssociation *association = g_new0 (GroupAssociation, 1);

  association->base = (T2pwAssociation){ &group_association_class, handler, user_data, "" };
  t2pw_attempts_init (&association->attempts, &association_attempts_class, group, begin,
                      excluded);
  t2pw_attempts_start (&association->attempts);
  return &association->base;
}

T2pwAssociation *
t2pw_group_associate (T2pwOutbound *base,
                      const T2pwAssociationHandler *handler,
                      gpointer user_data)
{
  T2pwGroup *group = (T2pwGroup *) base;
  gboolean is_possible = FALSE;
  guint begin;

  for (guint i = 0; i < group->members->len; i++)
    is_possible |= association_may_use (t2pw_group_member_at (group, i));
  if (!is_possible)
    return NULL;
  begin = group->turns != NULL ? t2pw_group_take_turn (group) : group->active;
  return group_association_new (group, begin, 0, handler, user_data);
}

/* By this member and no other. */
T2pwAssociation *
t2pw_member_associate (T2pwMember *member,
                       const T2pwAssociationHandler *handler,
                       gpointer user_data)
{
  if (!association_may_use (member))
    return NULL;
  return group_association_new (member->group, member->index, ~(1u << member->index), handler,
                                user_data);
}
