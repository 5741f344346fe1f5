/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * The handshake above is pure and cannot wait for a ticket. So what connects to the proxy waits
 * for it, and connects when a token can be made. */
#include "config.h"

#include "t2pw-negotiate-lower.h"

typedef struct
{
  T2pwOutbound base;
  T2pwKerberos *kerberos;
  T2pwOutbound *lower;
} NegotiateLower;

/* Until there is a ticket; then until the lower is open. */
typedef struct
{
  T2pwCarrier base;
  NegotiateLower *negotiate;
  T2pwKerberosWait *wait;
  T2pwCarrier *inner;
} Waiting;

static void
waiting_close (T2pwCarrier *base, gboolean reset)
{
  Waiting *waiting = (Waiting *) base;

  g_clear_pointer (&waiting->wait, t2pw_kerberos_wait_cancel);
  if (waiting->inner != NULL)
    t2pw_carrier_close (waiting->inner, reset);
  g_free (waiting);
}

static const T2pwCarrierClass waiting_class = {
  .send = t2pw_unopened_transfer,
  .receive = t2pw_unopened_transfer,
  .unread = t2pw_unopened_unread,
  .shutdown = t2pw_unopened_shutdown,
  .close = waiting_close,
  .is_stalled = t2pw_unopened_is_stalled,
};

static void
inner_opened_cb (T2pwCarrier *inner, gpointer user_data)
{
  g_autofree Waiting *waiting = user_data;
  T2pwCarrier base = waiting->base;

  t2pw_carrier_hand_over (inner, base.handler, base.user_data);
  base.handler->opened (inner, base.user_data);
}

static void
inner_failed_cb (T2pwCarrier *inner,
                 T2pRefusal refusal,
                 const GError *error,
                 gpointer user_data)
{
  g_autofree Waiting *waiting = user_data;
  T2pwCarrier base = waiting->base;

  base.handler->failed (&waiting->base, refusal, error, base.user_data);
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

/* No lower needs to know whom the proxy is to connect to. */
static void
connect_lower (Waiting *waiting)
{
  T2pwDestination nowhere = { 0 };

  waiting->inner =
      t2pw_outbound_open (waiting->negotiate->lower, &nowhere, &inner_handler, waiting);
}

static void
ticket_cb (const GError *error, gpointer user_data)
{
  Waiting *waiting = user_data;
  T2pwCarrier base = waiting->base;

  waiting->wait = NULL;
  if (error == NULL)
    {
      connect_lower (waiting);
      return;
    }
  base.handler->failed (&waiting->base, t2pw_refusal_of_fault (error), error, base.user_data);
  g_free (waiting);
}

static T2pwCarrier *
negotiate_open (T2pwOutbound *base,
                const T2pwDestination *destination,
                const T2pwCarrierHandler *handler,
                gpointer user_data)
{
  NegotiateLower *negotiate = (NegotiateLower *) base;
  Waiting *waiting;

  if (t2pw_kerberos_is_ready (negotiate->kerberos))
    return t2pw_outbound_open (negotiate->lower, destination, handler, user_data);
  waiting = g_new0 (Waiting, 1);
  waiting->base = (T2pwCarrier){ &waiting_class, handler, user_data, "" };
  waiting->negotiate = negotiate;
  waiting->wait = t2pw_kerberos_wait (negotiate->kerberos, ticket_cb, waiting);
  return &waiting->base;
}

static gint64
negotiate_get_rtt_us (T2pwOutbound *base)
{
  return t2pw_outbound_get_rtt_us (((NegotiateLower *) base)->lower);
}

static void
negotiate_free (T2pwOutbound *base)
{
  NegotiateLower *negotiate = (NegotiateLower *) base;

  t2pw_outbound_free (negotiate->lower);
  g_free (negotiate);
}

static const T2pwOutboundClass negotiate_class = {
  .kind = "negotiate",
  .open = negotiate_open,
  .get_rtt_us = negotiate_get_rtt_us,
  .free = negotiate_free,
};

/**
 * t2pw_negotiate_lower_new:
 * @kerberos: (transfer none): outlives the outbound
 * @lower: (transfer full): connects to the proxy
 *
 * Connects once there is a ticket. A carrier fails with what @lower fails with, with
 * PROXY_AUTHENTICATION_FAILED, and with PROXY_UNREACHABLE when the key distribution centre is
 * not reached.
 */
T2pwOutbound *
t2pw_negotiate_lower_new (T2pwKerberos *kerberos, T2pwOutbound *lower)
{
  NegotiateLower *negotiate = g_new0 (NegotiateLower, 1);

  negotiate->base.klass = &negotiate_class;
  negotiate->kerberos = kerberos;
  negotiate->lower = lower;
  return &negotiate->base;
}
