/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-tcp-lower.h"

#include "t2p-error.h"
#include "t2pw-tcp-carrier.h"

typedef struct
{
  T2pwOutbound base;
  const T2pwOutboundContext *context;
  T2pwUpstream *upstream;
} TcpLower;

/* Until it is connected. */
typedef struct
{
  T2pwCarrier base;
  TcpLower *lower;
  T2pwUpstreamDial *dial;
} Dialing;

static void
dialing_close (T2pwCarrier *base, gboolean reset)
{
  Dialing *dialing = (Dialing *) base;

  t2pw_upstream_dial_cancel (dialing->dial);
  g_free (dialing);
}

static const T2pwCarrierClass dialing_class = {
  .send = t2pw_unopened_transfer,
  .receive = t2pw_unopened_transfer,
  .unread = t2pw_unopened_unread,
  .shutdown = t2pw_unopened_shutdown,
  .close = dialing_close,
  .is_stalled = t2pw_unopened_is_stalled,
};

static void
dialed_cb (T2pWatch *watch,
           const T2pIpEndpoint *peer,
           gint64 rtt_us,
           T2pRefusal refusal,
           const GError *error,
           gpointer user_data)
{
  g_autofree Dialing *dialing = user_data;
  T2pwCarrier base = dialing->base;
  g_autoptr (GError) shortage = NULL;
  T2pwCarrier *open = NULL;

  if (watch != NULL)
    open = t2pw_tcp_carrier_new (dialing->lower->context->reactor, watch, base.handler,
                                 base.user_data);
  if (open != NULL)
    {
      base.handler->opened (open, base.user_data);
      return;
    }
  if (error == NULL)
    error = shortage = g_error_new_literal (T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED,
                                            "the connection cannot be watched");
  base.handler->failed (&dialing->base, t2pw_refusal_of_fault (error), error, base.user_data);
}

static T2pwCarrier *
tcp_lower_open (T2pwOutbound *base,
                const T2pwDestination *destination,
                const T2pwCarrierHandler *handler,
                gpointer user_data)
{
  TcpLower *lower = (TcpLower *) base;
  Dialing *dialing = g_new0 (Dialing, 1);

  dialing->base = (T2pwCarrier){ &dialing_class, handler, user_data, "" };
  dialing->lower = lower;
  dialing->dial = t2pw_upstream_dial (lower->upstream, dialed_cb, dialing);
  return &dialing->base;
}

static gint64
tcp_lower_get_rtt_us (T2pwOutbound *base)
{
  return t2pw_upstream_get_rtt_us (((TcpLower *) base)->upstream);
}

static void
tcp_lower_free (T2pwOutbound *base)
{
  TcpLower *lower = (TcpLower *) base;

  t2pw_upstream_free (lower->upstream);
  g_free (lower);
}

static const T2pwOutboundClass tcp_lower_class = {
  .kind = "tcp",
  .open = tcp_lower_open,
  .get_rtt_us = tcp_lower_get_rtt_us,
  .free = tcp_lower_free,
};

/**
 * t2pw_tcp_lower_new:
 * @context: outlives the outbound
 * @upstream: (transfer full): the proxy
 *
 * Connects to the proxy itself, whatever the destination. A carrier fails with T2P_ERROR:
 * PROXY_UNREACHABLE, RESOLVE_FAILED, LIMIT_EXCEEDED.
 */
T2pwOutbound *
t2pw_tcp_lower_new (const T2pwOutboundContext *context, T2pwUpstream *upstream)
{
  TcpLower *lower = g_new0 (TcpLower, 1);

  lower->base.klass = &tcp_lower_class;
  lower->context = context;
  lower->upstream = upstream;
  return &lower->base;
}
