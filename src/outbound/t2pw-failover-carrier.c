/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A flow goes to the active member; when that one does not answer, the flow tries the others
 * that are not known to be down, at most MAX_ATTEMPTS in all. Each outcome is told to the
 * member. Once a member has connected, the carrier only passes on, and what was kept for more
 * attempts is freed. */
#include "config.h"

#include "t2pw-failover-private.h"

#include "t2p-error.h"

#define MAX_ATTEMPTS 3 /* per flow: an application waits for no more */

typedef struct _FailoverCarrier FailoverCarrier;

typedef struct
{
  FailoverCarrier *carrier;
  guint tried; /* bits of members */
  guint n_attempts;
  gint64 began_us;
  T2pwDestination destination; /* the name is our own */
  T2pTask task;                /* when no member could be tried */
} Attempts;

struct _FailoverCarrier
{
  T2pwCarrier base;
  T2pwFailover *failover;
  T2pwCarrier *inner;
  Attempts *attempts; /* NULL: a member has connected */
  guint member;       /* of @inner */
};

static Attempts *
attempts_new (FailoverCarrier *carrier, const T2pwDestination *destination)
{
  Attempts *attempts = g_new0 (Attempts, 1);

  attempts->carrier = carrier;
  attempts->destination = *destination;
  attempts->destination.name = g_strdup (destination->name);
  return attempts;
}

static void
carrier_end_attempts (FailoverCarrier *carrier)
{
  Attempts *attempts = g_steal_pointer (&carrier->attempts);

  if (attempts == NULL)
    return;
  t2p_reactor_cancel (carrier->failover->reactor, &attempts->task);
  g_free ((char *) attempts->destination.name);
  g_free (attempts);
}

static void
carrier_fail (FailoverCarrier *carrier, T2pRefusal refusal, const GError *error)
{
  T2pwCarrier base = carrier->base;

  carrier_end_attempts (carrier);
  base.handler->failed (&carrier->base, refusal, error, base.user_data);
  g_free (carrier);
}

static void
inner_opened_cb (T2pwCarrier *inner, gpointer user_data)
{
  FailoverCarrier *carrier = user_data;

  carrier_end_attempts (carrier);
  t2pw_member_is_up (t2pw_failover_member_at (carrier->failover, carrier->member));
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
  T2pwMember *member = t2pw_failover_member_at (carrier->failover, carrier->member);
  gboolean may_go_on = t2pw_error_is_upstream_fault (error) ||
                       g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL);

  carrier->inner = NULL;
  t2pw_member_take_failure (member, carrier->attempts->began_us, error);
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
  T2pwFailover *failover = carrier->failover;
  Attempts *attempts = carrier->attempts;

  for (guint i = 0; i < failover->members->len && attempts->n_attempts < MAX_ATTEMPTS; i++)
    {
      guint index = (failover->active + i) % failover->members->len;
      T2pwMember *member = t2pw_failover_member_at (failover, index);

      if ((attempts->tried & (1u << index)) != 0 || member->state == T2PW_MEMBER_DOWN)
        continue;
      attempts->tried |= 1u << index;
      attempts->n_attempts++;
      carrier->member = index;
      attempts->began_us = t2p_reactor_get_now_us (failover->reactor);
      carrier->inner = t2pw_outbound_open (member->outbound, &attempts->destination,
                                           &inner_handler, carrier);
      return TRUE;
    }
  return FALSE;
}

static void
carrier_none_cb (T2pTask *task)
{
  FailoverCarrier *carrier = T2P_OWNER_OF (task, Attempts, task)->carrier;
  T2pwFailover *failover = carrier->failover;
  g_autoptr (GError) error = NULL;

  if (failover->members->len > 0 &&
      t2pw_failover_member_at (failover, failover->active)->error != NULL)
    error = g_error_copy (t2pw_failover_member_at (failover, failover->active)->error);
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

  if (carrier->inner != NULL)
    t2pw_carrier_close (carrier->inner, reset);
  carrier_end_attempts (carrier);
  g_free (carrier);
}

static const char *
failover_describe (T2pwCarrier *base)
{
  FailoverCarrier *carrier = (FailoverCarrier *) base;

  return carrier->inner != NULL
             ? t2pw_failover_member_at (carrier->failover, carrier->member)->label
             : "";
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

T2pwCarrier *
t2pw_failover_open (T2pwOutbound *base,
                    const T2pwDestination *destination,
                    const T2pwCarrierHandler *handler,
                    gpointer user_data)
{
  T2pwFailover *failover = (T2pwFailover *) base;
  FailoverCarrier *carrier = g_new0 (FailoverCarrier, 1);

  carrier->base = (T2pwCarrier){ &failover_carrier_class, handler, user_data };
  carrier->failover = failover;
  carrier->attempts = attempts_new (carrier, destination);
  if (!carrier_try_next (carrier))
    t2p_reactor_defer (failover->reactor, &carrier->attempts->task, carrier_none_cb);
  return &carrier->base;
}
