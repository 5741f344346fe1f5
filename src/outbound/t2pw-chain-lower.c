/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-chain-lower.h"

#include "t2p-error.h"

typedef struct
{
  T2pwOutbound base;
  T2pwOutbound *before;
  T2pEndpoint *endpoint;
} ChainLower;

/* Until the proxy before has connected. */
typedef struct
{
  T2pwCarrier base;
  T2pwCarrier *inner;
} Connecting;

static void
connecting_close (T2pwCarrier *base, gboolean reset)
{
  Connecting *connecting = (Connecting *) base;

  t2pw_carrier_close (connecting->inner, reset);
  g_free (connecting);
}

static const T2pwCarrierClass connecting_class = {
  .send = t2pw_unopened_transfer,
  .receive = t2pw_unopened_transfer,
  .unread = t2pw_unopened_unread,
  .shutdown = t2pw_unopened_shutdown,
  .close = connecting_close,
  .is_stalled = t2pw_unopened_is_stalled,
};

static void
inner_opened_cb (T2pwCarrier *inner, gpointer user_data)
{
  g_autofree Connecting *connecting = user_data;
  T2pwCarrier base = connecting->base;

  t2pw_carrier_hand_over (inner, base.handler, base.user_data);
  base.handler->opened (inner, base.user_data);
}

/* The destination of the proxy before is the next proxy: what was said of a destination is said
 * of an upstream now. */
static gboolean
is_about_destination (const GError *error)
{
  return g_error_matches (error, T2P_ERROR, T2P_ERROR_FAILED) ||
         g_error_matches (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED) ||
         g_error_matches (error, T2P_ERROR, T2P_ERROR_TIMED_OUT);
}

static void
inner_failed_cb (T2pwCarrier *inner,
                 T2pRefusal refusal,
                 const GError *error,
                 gpointer user_data)
{
  g_autofree Connecting *connecting = user_data;
  T2pwCarrier base = connecting->base;
  g_autoptr (GError) fault = NULL;

  if (is_about_destination (error))
    {
      g_set_error (&fault, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE,
                   "no connection to the next proxy of the chain: %s", error->message);
      refusal = t2pw_refusal_of_fault (fault);
      error = fault;
    }
  base.handler->failed (&connecting->base, refusal, error, base.user_data);
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

static T2pwCarrier *
chain_open (T2pwOutbound *base,
            const T2pwDestination *destination,
            const T2pwCarrierHandler *handler,
            gpointer user_data)
{
  ChainLower *chain = (ChainLower *) base;
  Connecting *connecting = g_new0 (Connecting, 1);
  T2pwDestination next = { .port = t2p_endpoint_get_port (chain->endpoint) };

  connecting->base = (T2pwCarrier){ &connecting_class, handler, user_data, "" };
  if (!t2p_endpoint_get_address (chain->endpoint, &next.address))
    next.name = t2p_endpoint_get_host (chain->endpoint);
  connecting->inner = t2pw_outbound_open (chain->before, &next, &inner_handler, connecting);
  return &connecting->base;
}

static gint64
chain_get_rtt_us (T2pwOutbound *base)
{
  return t2pw_outbound_get_rtt_us (((ChainLower *) base)->before);
}

static void
chain_free (T2pwOutbound *base)
{
  ChainLower *chain = (ChainLower *) base;

  t2pw_outbound_free (chain->before);
  t2p_endpoint_unref (chain->endpoint);
  g_free (chain);
}

static const T2pwOutboundClass chain_class = {
  .kind = "chain",
  .open = chain_open,
  .get_rtt_us = chain_get_rtt_us,
  .free = chain_free,
};

/**
 * t2pw_chain_lower_new:
 * @before: (transfer full): the way to the proxy before
 * @endpoint: (transfer none): the next proxy: a host, by name or address
 *
 * Connects to a proxy by another one, which looks its name up. A carrier fails with what
 * @before fails with, and with PROXY_UNREACHABLE for what @before says of the next proxy.
 */
T2pwOutbound *
t2pw_chain_lower_new (T2pwOutbound *before, T2pEndpoint *endpoint)
{
  ChainLower *chain = g_new0 (ChainLower, 1);

  chain->base.klass = &chain_class;
  chain->before = before;
  chain->endpoint = t2p_endpoint_ref (endpoint);
  return &chain->base;
}
