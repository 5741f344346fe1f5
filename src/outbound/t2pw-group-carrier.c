/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A flow goes to the active member; when that one does not answer, the flow tries the others
 * that are not known to be down, at most MAX_ATTEMPTS in all. Each outcome is told to the
 * member. Once a member has connected, its carrier takes the place of this one. */
#include "config.h"

#include "t2pw-group-private.h"

#include "t2p-error.h"

#include <string.h>

#define MAX_ATTEMPTS 3 /* per flow: an application waits for no more */

typedef struct
{
  T2pwCarrier base;
  T2pwGroup *group;
  T2pwCarrier *inner;
  guint member; /* of @inner; before the first: whose error is told when none can be tried */
  guint tried;  /* bits of members */
  guint n_attempts;
  gint64 began_us;
  T2pwDestination destination;
  T2pTask task; /* when no member could be tried */
  char name[];  /* of @destination */
} Attempts;

static void
attempts_free (Attempts *attempts)
{
  t2p_reactor_cancel (attempts->group->reactor, &attempts->task);
  g_free (attempts);
}

static void
attempts_fail (Attempts *attempts, T2pRefusal refusal, const GError *error)
{
  T2pwCarrier base = attempts->base;

  base.handler->failed (&attempts->base, refusal, error, base.user_data);
  attempts_free (attempts);
}

static void
inner_opened_cb (T2pwCarrier *inner, gpointer user_data)
{
  Attempts *attempts = user_data;
  T2pwCarrier base = attempts->base;
  T2pwMember *member = t2pw_group_member_at (attempts->group, attempts->member);

  inner->label = member->label;
  t2pw_member_is_up (member);
  attempts_free (attempts);
  t2pw_carrier_hand_over (inner, base.handler, base.user_data);
  base.handler->opened (inner, base.user_data);
}

static gboolean attempts_try_next (Attempts *attempts);

static void
inner_failed_cb (T2pwCarrier *inner,
                 T2pRefusal refusal,
                 const GError *error,
                 gpointer user_data)
{
  Attempts *attempts = user_data;
  T2pwMember *member = t2pw_group_member_at (attempts->group, attempts->member);
  gboolean may_go_on = t2pw_error_is_upstream_fault (error) ||
                       g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL);

  attempts->inner = NULL;
  t2pw_member_take_failure (member, attempts->began_us, error);
  if (!may_go_on || !attempts_try_next (attempts))
    attempts_fail (attempts, refusal, error);
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
};

static gboolean
attempts_try_next (Attempts *attempts)
{
  T2pwGroup *group = attempts->group;

  for (guint i = 0; i < group->members->len && attempts->n_attempts < MAX_ATTEMPTS; i++)
    {
      guint index = (group->active + i) % group->members->len;
      T2pwMember *member = t2pw_group_member_at (group, index);

      if ((attempts->tried & (1u << index)) != 0 || member->state == T2PW_MEMBER_DOWN)
        continue;
      attempts->tried |= 1u << index;
      attempts->n_attempts++;
      attempts->member = index;
      attempts->base.label = member->label;
      attempts->began_us = t2p_reactor_get_now_us (group->reactor);
      attempts->inner = t2pw_outbound_open (member->outbound, &attempts->destination,
                                            &inner_handler, attempts);
      return TRUE;
    }
  return FALSE;
}

static void
none_cb (T2pTask *task)
{
  Attempts *attempts = T2P_OWNER_OF (task, Attempts, task);
  T2pwGroup *group = attempts->group;
  g_autoptr (GError) error = NULL;

  if (group->members->len > 0 && t2pw_group_member_at (group, attempts->member)->error != NULL)
    error = g_error_copy (t2pw_group_member_at (group, attempts->member)->error);
  else
    error = g_error_new_literal (T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE, "no upstream answers");
  attempts_fail (attempts, T2P_REFUSAL_NET_UNREACHABLE, error);
}

static void
attempts_close (T2pwCarrier *base, gboolean reset)
{
  Attempts *attempts = (Attempts *) base;

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

static Attempts *
attempts_new (const T2pwDestination *destination)
{
  gsize name_bytes = destination->name != NULL ? strlen (destination->name) + 1 : 0;
  Attempts *attempts = g_malloc0 (sizeof *attempts + name_bytes);

  attempts->destination = *destination;
  if (name_bytes > 0)
    attempts->destination.name = memcpy (attempts->name, destination->name, name_bytes);
  return attempts;
}

static T2pwCarrier *
attempts_start (Attempts *attempts,
                T2pwGroup *group,
                const T2pwCarrierHandler *handler,
                gpointer user_data)
{
  attempts->base = (T2pwCarrier){ &attempts_class, handler, user_data, "" };
  attempts->group = group;
  if (!attempts_try_next (attempts))
    t2p_reactor_defer (group->reactor, &attempts->task, none_cb);
  return &attempts->base;
}

T2pwCarrier *
t2pw_group_open (T2pwOutbound *base,
                 const T2pwDestination *destination,
                 const T2pwCarrierHandler *handler,
                 gpointer user_data)
{
  T2pwGroup *group = (T2pwGroup *) base;
  Attempts *attempts = attempts_new (destination);

  attempts->member = group->active;
  return attempts_start (attempts, group, handler, user_data);
}

/* By this member and no other. */
T2pwCarrier *
t2pw_member_open (T2pwMember *member,
                  const T2pwDestination *destination,
                  const T2pwCarrierHandler *handler,
                  gpointer user_data)
{
  Attempts *attempts = attempts_new (destination);

  attempts->member = member->index;
  attempts->tried = ~(1u << member->index);
  return attempts_start (attempts, member->group, handler, user_data);
}
