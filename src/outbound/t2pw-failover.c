/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * An outbound over a list of upstreams (members). A flow goes to the active member; when that
 * one does not answer, the flow tries the others that are not known to be down, at most
 * MAX_ATTEMPTS in all, and the one that worked is remembered as the active one.
 *
 * A member is unknown, up or down. What the proxy says about a destination proves that it is
 * up. No connection or a failed login makes it down; silence or a hang-up behind the request
 * could be the destination's fault and only has the member checked at once. A member that is
 * down gets no flow, so that a dead proxy is not stormed; a check of its own, a CONNECT to a
 * harmless destination, asks again after a back-off that doubles to MAX_BACKOFF_MS. A failure
 * of an attempt that began before the last success says nothing new and is not counted.
 *
 * The whole is down when every member is. The owner is told by a task, never from inside. */
#include "config.h"

#include "t2pw-failover.h"

#include "t2p-error.h"
#include "t2p-limits.h"

#include <errno.h>

#define MAX_ATTEMPTS 3 /* per flow: an application waits for no more */
#define MIN_BACKOFF_MS 500
#define MAX_BACKOFF_MS 5000

typedef struct _Failover Failover;

typedef struct
{
  Failover *failover;
  T2pwOutbound *outbound;
  char *label;
  char *harmless_name;
  T2pwDestination harmless;
  T2pwMemberState state;
  GError *error;
  gint64 last_success_us;
  guint backoff_ms;
  T2pTimer timer;     /* the next check */
  T2pwCarrier *check; /* that runs */
} Member;

struct _Failover
{
  T2pwOutbound base;
  T2pReactor *reactor;
  const T2pwFailoverHandler *handler;
  gpointer user_data;
  GPtrArray *members;
  guint active;
  T2pTask task;
  gboolean told_up;
  guint told_active;
  T2pStateReason switch_reason;
};

typedef struct
{
  T2pwCarrier base;
  Failover *failover;
  T2pwCarrier *inner;
  guint member; /* of @inner */
  guint tried;  /* bits of members */
  guint n_attempts;
  gint64 began_us;
  char *name;
  T2pwDestination destination;
  T2pTask task; /* when no member could be tried */
} FailoverCarrier;

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
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL))
    return T2P_STATE_REASON_PROXY_PROTOCOL;
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_RESOLVE_FAILED))
    return T2P_STATE_REASON_RESOLVE_FAILED;
  return T2P_STATE_REASON_PROXY_UNREACHABLE;
}

/* The upstream cannot be used, whatever the destination. */
static gboolean
is_fault (const GError *error)
{
  return g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE) ||
         g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED) ||
         g_error_matches (error, T2P_ERROR, T2P_ERROR_TLS_FAILED) ||
         g_error_matches (error, T2P_ERROR, T2P_ERROR_RESOLVE_FAILED);
}

/* It may be the upstream's fault or come from the destination: some proxies hang up instead of
 * answering. A check tells. */
static gboolean
is_suspicion (const GError *error)
{
  return g_error_matches (error, T2P_ERROR, T2P_ERROR_TIMED_OUT) ||
         g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL);
}

static Member *
member_at (Failover *failover, guint index)
{
  return g_ptr_array_index (failover->members, index);
}

/* --- telling the owner */

static gboolean
failover_is_up (Failover *failover)
{
  for (guint i = 0; i < failover->members->len; i++)
    if (member_at (failover, i)->state != T2PW_MEMBER_DOWN)
      return TRUE;
  return FALSE;
}

static void
tell_active (Failover *failover)
{
  guint old = failover->told_active;

  failover->told_active = failover->active;
  failover->handler->active_changed (member_at (failover, old)->label,
                                     member_at (failover, failover->active)->label,
                                     failover->switch_reason, failover->user_data);
}

static void
tell_state (Failover *failover, gboolean is_up)
{
  Member *member = member_at (failover, failover->active);
  T2pStateReason reason =
      is_up ? T2P_STATE_REASON_NONE : t2pw_state_reason_from_error (member->error);
  g_autofree char *message =
      is_up ? g_strdup_printf ("%s answers", member->label)
            : g_strdup (member->error != NULL ? member->error->message : "no upstream answers");

  failover->told_up = is_up;
  failover->handler->state_changed (is_up, reason, message, failover->user_data);
}

static void
tell_cb (T2pTask *task)
{
  Failover *failover = T2P_OWNER_OF (task, Failover, task);
  gboolean is_up = failover_is_up (failover);

  if (failover->told_active != failover->active)
    tell_active (failover);
  if (is_up != failover->told_up)
    tell_state (failover, is_up);
}

static void
failover_changed (Failover *failover)
{
  t2p_reactor_defer (failover->reactor, &failover->task, tell_cb);
}

/* --- what is known of a member */

static void member_check_cb (T2pTimer *timer);

static void
member_is_up (Member *member)
{
  Failover *failover = member->failover;

  member->last_success_us = t2p_reactor_get_now_us (failover->reactor);
  member->backoff_ms = MIN_BACKOFF_MS;
  if (member->state == T2PW_MEMBER_UP)
    return;
  member->state = T2PW_MEMBER_UP;
  g_clear_error (&member->error);
  t2p_reactor_disarm (failover->reactor, &member->timer);
  if (member_at (failover, failover->active)->state == T2PW_MEMBER_DOWN)
    for (guint i = 0; i < failover->members->len; i++)
      if (member_at (failover, i) == member)
        failover->active = i;
  failover_changed (failover);
}

static void
failover_choose_active (Failover *failover)
{
  for (guint i = 1; i < failover->members->len; i++)
    {
      guint index = (failover->active + i) % failover->members->len;

      if (member_at (failover, index)->state != T2PW_MEMBER_DOWN)
        {
          failover->active = index;
          return;
        }
    }
}

static void
member_is_down (Member *member, const GError *error)
{
  Failover *failover = member->failover;

  member->state = T2PW_MEMBER_DOWN;
  g_clear_error (&member->error);
  member->error = g_error_copy (error);
  if (member_at (failover, failover->active) == member)
    {
      failover->switch_reason = t2pw_state_reason_from_error (error);
      failover_choose_active (failover);
    }
  t2p_reactor_arm (failover->reactor, &member->timer, member->backoff_ms, member_check_cb);
  failover_changed (failover);
}

static void
member_take_failure (Member *member, gint64 began_us, const GError *error)
{
  if (!is_fault (error) && !is_suspicion (error))
    member_is_up (member); /* it answered, if only to say no */
  else if (began_us <= member->last_success_us || member->state == T2PW_MEMBER_DOWN)
    return;
  else if (is_fault (error))
    member_is_down (member, error);
  else if (member->check == NULL)
    t2p_reactor_arm (member->failover->reactor, &member->timer, 0, member_check_cb);
}

/* --- checks */

static void
check_opened_cb (T2pwCarrier *carrier, gpointer user_data)
{
  Member *member = user_data;

  member->check = NULL;
  t2pw_carrier_close (carrier, TRUE);
  member_is_up (member);
}

static void
check_failed_cb (T2pwCarrier *carrier,
                 T2pRefusal refusal,
                 const GError *error,
                 gpointer user_data)
{
  Member *member = user_data;

  member->check = NULL;
  if (!is_fault (error) && !is_suspicion (error))
    {
      member_is_up (member);
      return;
    }
  member->backoff_ms = MIN (member->backoff_ms * 2, MAX_BACKOFF_MS);
  member_is_down (member, error);
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
  Member *member = T2P_OWNER_OF (timer, Member, timer);

  if (member->check == NULL)
    member->check =
        t2pw_outbound_open (member->outbound, &member->harmless, &check_handler, member);
}

static void
member_free (gpointer data)
{
  Member *member = data;

  if (member->check != NULL)
    t2pw_carrier_close (member->check, TRUE);
  t2p_reactor_disarm (member->failover->reactor, &member->timer);
  t2pw_outbound_free (member->outbound);
  g_clear_error (&member->error);
  g_free (member->harmless_name);
  g_free (member->label);
  g_free (member);
}

/* --- carriers */

static void
carrier_forget_destination (FailoverCarrier *carrier)
{
  g_clear_pointer (&carrier->name, g_free);
  carrier->destination.name = NULL;
}

static void
carrier_fail (FailoverCarrier *carrier, T2pRefusal refusal, const GError *error)
{
  T2pwCarrier base = carrier->base;

  t2p_reactor_cancel (carrier->failover->reactor, &carrier->task);
  base.handler->failed (&carrier->base, refusal, error, base.user_data);
  carrier_forget_destination (carrier);
  g_free (carrier);
}

static void
inner_opened_cb (T2pwCarrier *inner, gpointer user_data)
{
  FailoverCarrier *carrier = user_data;

  carrier_forget_destination (carrier);
  member_is_up (member_at (carrier->failover, carrier->member));
  carrier->base.handler->opened (&carrier->base, carrier->base.user_data);
}

static gboolean carrier_try_next (FailoverCarrier *carrier);

static void
inner_failed_cb (T2pwCarrier *inner,
                 T2pRefusal refusal,
                 const GError *error,
                 gpointer user_data)
{
  FailoverCarrier *carrier = user_data;
  Member *member = member_at (carrier->failover, carrier->member);
  gboolean may_go_on =
      is_fault (error) || g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL);

  carrier->inner = NULL;
  member_take_failure (member, carrier->began_us, error);
  if (!may_go_on || !carrier_try_next (carrier))
    carrier_fail (carrier, refusal, error);
}

static void
inner_readable_cb (T2pwCarrier *inner, gpointer user_data)
{
  FailoverCarrier *carrier = user_data;

  carrier->base.handler->readable (&carrier->base, carrier->base.user_data);
}

static void
inner_writable_cb (T2pwCarrier *inner, gpointer user_data)
{
  FailoverCarrier *carrier = user_data;

  carrier->base.handler->writable (&carrier->base, carrier->base.user_data);
}

static const T2pwCarrierHandler inner_handler = {
  .opened = inner_opened_cb,
  .failed = inner_failed_cb,
  .readable = inner_readable_cb,
  .writable = inner_writable_cb,
};

static gboolean
carrier_try_next (FailoverCarrier *carrier)
{
  Failover *failover = carrier->failover;

  for (guint i = 0; i < failover->members->len && carrier->n_attempts < MAX_ATTEMPTS; i++)
    {
      guint index = (failover->active + i) % failover->members->len;
      Member *member = member_at (failover, index);

      if ((carrier->tried & (1u << index)) != 0 || member->state == T2PW_MEMBER_DOWN)
        continue;
      carrier->tried |= 1u << index;
      carrier->n_attempts++;
      carrier->member = index;
      carrier->began_us = t2p_reactor_get_now_us (failover->reactor);
      carrier->inner =
          t2pw_outbound_open (member->outbound, &carrier->destination, &inner_handler, carrier);
      return TRUE;
    }
  return FALSE;
}

static void
carrier_none_cb (T2pTask *task)
{
  FailoverCarrier *carrier = T2P_OWNER_OF (task, FailoverCarrier, task);
  Failover *failover = carrier->failover;
  g_autoptr (GError) error = NULL;

  if (failover->members->len > 0 && member_at (failover, failover->active)->error != NULL)
    error = g_error_copy (member_at (failover, failover->active)->error);
  else
    error = g_error_new_literal (T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE, "no upstream answers");
  carrier_fail (carrier, T2P_REFUSAL_NET_UNREACHABLE, error);
}

static gssize
failover_send (T2pwCarrier *base, const struct iovec *iov, guint n)
{
  return t2pw_carrier_send (((FailoverCarrier *) base)->inner, iov, n);
}

static gssize
failover_receive (T2pwCarrier *base, const struct iovec *iov, guint n)
{
  return t2pw_carrier_receive (((FailoverCarrier *) base)->inner, iov, n);
}

static void
failover_shutdown (T2pwCarrier *base)
{
  t2pw_carrier_shutdown (((FailoverCarrier *) base)->inner);
}

static void
failover_close (T2pwCarrier *base, gboolean reset)
{
  FailoverCarrier *carrier = (FailoverCarrier *) base;

  t2p_reactor_cancel (carrier->failover->reactor, &carrier->task);
  if (carrier->inner != NULL)
    t2pw_carrier_close (carrier->inner, reset);
  carrier_forget_destination (carrier);
  g_free (carrier);
}

static const char *
failover_describe (T2pwCarrier *base)
{
  FailoverCarrier *carrier = (FailoverCarrier *) base;

  return carrier->inner != NULL ? member_at (carrier->failover, carrier->member)->label : "";
}

static gboolean
failover_is_stalled (T2pwCarrier *base)
{
  FailoverCarrier *carrier = (FailoverCarrier *) base;

  return carrier->inner != NULL && t2pw_carrier_is_stalled (carrier->inner);
}

static const T2pwCarrierClass failover_carrier_class = {
  .send = failover_send,
  .receive = failover_receive,
  .shutdown = failover_shutdown,
  .close = failover_close,
  .describe = failover_describe,
  .is_stalled = failover_is_stalled,
};

static T2pwCarrier *
failover_open (T2pwOutbound *base,
               const T2pwDestination *destination,
               const T2pwCarrierHandler *handler,
               gpointer user_data)
{
  Failover *failover = (Failover *) base;
  FailoverCarrier *carrier = g_new0 (FailoverCarrier, 1);

  carrier->base = (T2pwCarrier){ &failover_carrier_class, handler, user_data };
  carrier->failover = failover;
  carrier->name = g_strdup (destination->name);
  carrier->destination = *destination;
  carrier->destination.name = carrier->name;
  if (!carrier_try_next (carrier))
    t2p_reactor_defer (failover->reactor, &carrier->task, carrier_none_cb);
  return &carrier->base;
}

static void
failover_free (T2pwOutbound *base)
{
  Failover *failover = (Failover *) base;

  g_ptr_array_unref (failover->members);
  t2p_reactor_cancel (failover->reactor, &failover->task);
  g_free (failover);
}

static const T2pwOutboundClass failover_class = {
  .kind = "failover",
  .open = failover_open,
  .free = failover_free,
};

/**
 * t2pw_failover_new:
 *
 * Returns: (transfer full): an outbound over no upstream yet. Carriers are closed before it
 * goes.
 */
T2pwOutbound *
t2pw_failover_new (T2pReactor *reactor, const T2pwFailoverHandler *handler, gpointer user_data)
{
  Failover *failover = g_new0 (Failover, 1);

  failover->base.klass = &failover_class;
  failover->reactor = reactor;
  failover->handler = handler;
  failover->user_data = user_data;
  failover->told_up = TRUE;
  failover->members = g_ptr_array_new_with_free_func (member_free);
  return &failover->base;
}

/**
 * t2pw_failover_add:
 * @outbound: (transfer full): how to reach the upstream
 * @label: for people; without userinfo
 * @harmless: where a check asks to be connected to
 *
 * Adds an upstream behind those that are there; at most T2P_MAX_PROXIES.
 */
void
t2pw_failover_add (T2pwOutbound *base,
                   T2pwOutbound *outbound,
                   const char *label,
                   const T2pwDestination *harmless)
{
  Failover *failover = (Failover *) base;
  Member *member;

  g_return_if_fail (failover->members->len < T2P_MAX_PROXIES);

  member = g_new0 (Member, 1);
  member->failover = failover;
  member->outbound = outbound;
  member->label = g_strdup (label);
  member->harmless_name = g_strdup (harmless->name);
  member->harmless = *harmless;
  member->harmless.name = member->harmless_name;
  member->backoff_ms = MIN_BACKOFF_MS;
  g_ptr_array_add (failover->members, member);
}

/**
 * t2pw_failover_uplink_changed:
 *
 * What was known of the upstreams may be wrong: each is checked now, without a back-off.
 */
void
t2pw_failover_uplink_changed (T2pwOutbound *base)
{
  Failover *failover = (Failover *) base;

  for (guint i = 0; i < failover->members->len; i++)
    {
      Member *member = member_at (failover, i);

      member->backoff_ms = MIN_BACKOFF_MS;
      if (member->check != NULL)
        t2pw_carrier_close (g_steal_pointer (&member->check), TRUE);
      t2p_reactor_arm (failover->reactor, &member->timer, 0, member_check_cb);
    }
}

guint
t2pw_failover_get_n_members (T2pwOutbound *base)
{
  return ((Failover *) base)->members->len;
}

void
t2pw_failover_get_status (T2pwOutbound *base, guint index, T2pwMemberStatus *out_status)
{
  Failover *failover = (Failover *) base;
  Member *member = member_at (failover, index);

  *out_status = (T2pwMemberStatus){
    .label = member->label,
    .state = member->state,
    .is_active = index == failover->active,
    .error = member->error,
    .outbound = member->outbound,
  };
}
