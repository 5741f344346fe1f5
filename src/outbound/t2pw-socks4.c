/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The handshake is the codec's, what carries it is in t2pw-handshake.c. A name is never looked
 * up here, to be said to a proxy of plain SOCKS 4 as an address: whoever asked for the name to
 * be hidden from the uplink's resolvers would be betrayed. It is refused. */
#include "config.h"

#include "t2pw-socks4.h"

#include "t2p-error.h"
#include "t2p-socks4-client.h"
#include "t2pw-handshake.h"

#include <string.h>

typedef struct
{
  T2pwOutbound base;
  T2pwHandshakeConfig config;
  T2pEndpoint *endpoint;
  gboolean has_spoken; /* SOCKS 4, to some connection of ours */
} Socks4Outbound;

typedef struct
{
  T2pSocks4Client client;
  T2pSocks4Request request;
  Socks4Outbound *outbound;
} Socks4State;

static gboolean
socks4_begin (gpointer data,
              gpointer closure,
              const T2pwDestination *destination,
              GError **error)
{
  Socks4State *state = data;
  Socks4Outbound *outbound = closure;
  T2pSocks4Request *request = &state->request;

  state->outbound = outbound;
  request->says_names = t2p_endpoint_get_scheme (outbound->endpoint) == T2P_SCHEME_SOCKS4A;
  request->name = destination->name;
  request->name_bytes = destination->name != NULL ? strlen (destination->name) : 0;
  request->address = destination->address;
  request->port = destination->port;
  request->user = t2p_endpoint_get_user (outbound->endpoint);
  return t2p_socks4_client_init (&state->client, request, error);
}

static void
socks4_write (gpointer data, T2pWriter *writer)
{
  t2p_socks4_client_write (&((Socks4State *) data)->client, writer);
}

static T2pDecode
socks4_feed (gpointer data, const guint8 *bytes, gsize length, gsize *out_used)
{
  Socks4State *state = data;
  T2pDecode result = t2p_socks4_client_feed (&state->client, bytes, length, out_used);

  state->outbound->has_spoken |=
      result == T2P_DECODE_DONE || t2p_socks4_client_get_reply_code (&state->client) != 0;
  return result;
}

static T2pDecode
socks4_hang_up (gpointer data)
{
  return t2p_socks4_client_end (&((Socks4State *) data)->client);
}

static gboolean
socks4_was_asked (gconstpointer data)
{
  return !t2p_socks4_client_has_output (&((const Socks4State *) data)->client);
}

/* ssh -D says no by hanging up, without a word. From a proxy that nobody has heard yet, that
 * means that it speaks something else. */
static gboolean
is_silent_no (const Socks4State *state)
{
  return state->outbound->has_spoken &&
         t2p_socks4_client_get_failure (&state->client) == T2P_SOCKS4_FAILURE_CLOSED;
}

/* What the proxy says about the destination is no fault of the proxy: another code. */
static void
socks4_explain (gconstpointer data, const char *label, T2pRefusal *out_refusal, GError **error)
{
  const Socks4State *state = data;
  guint8 reply = t2p_socks4_client_get_reply_code (&state->client);
  g_autoptr (GError) seen = NULL;

  *out_refusal = t2p_socks4_client_get_refusal (&state->client);
  t2p_socks4_client_set_error (&state->client, &seen);
  if (is_silent_no (state))
    g_set_error (error, T2P_ERROR, T2P_ERROR_FAILED, "%s hung up on the request", label);
  else if (g_error_matches (seen, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE))
    g_set_error (error, T2P_ERROR, T2P_ERROR_FAILED, "%s refused: %s", label,
                 t2p_socks4_reply_to_string (reply));
  else
    g_propagate_error (error, g_steal_pointer (&seen));
}

static const T2pwHandshakeClass socks4_handshake = {
  .state_bytes = sizeof (Socks4State),
  .max_output_bytes = T2P_SOCKS4_MAX_OUTPUT_BYTES,
  .begin = socks4_begin,
  .write = socks4_write,
  .feed = socks4_feed,
  .hang_up = socks4_hang_up,
  .was_asked = socks4_was_asked,
  .explain = socks4_explain,
};

/* --- the outbound */

static T2pwCarrier *
socks4_open (T2pwOutbound *base,
             const T2pwDestination *destination,
             const T2pwCarrierHandler *handler,
             gpointer user_data)
{
  Socks4Outbound *outbound = (Socks4Outbound *) base;

  return t2pw_handshake_open (&outbound->config, outbound, destination, handler, user_data);
}

static gint64
socks4_get_rtt_us (T2pwOutbound *base)
{
  return t2pw_outbound_get_rtt_us (((Socks4Outbound *) base)->config.lower);
}

/* A name that is said and that nobody proves, or nothing. */
static const char *
socks4_get_auth (T2pwOutbound *base)
{
  const T2pEndpoint *endpoint = ((Socks4Outbound *) base)->endpoint;

  return t2p_endpoint_get_user (endpoint) != NULL ? "userid" : "none";
}

static void
socks4_free (T2pwOutbound *base)
{
  Socks4Outbound *outbound = (Socks4Outbound *) base;

  t2pw_outbound_free (outbound->config.lower);
  t2p_endpoint_unref (outbound->endpoint);
  g_free (outbound);
}

static const T2pwOutboundClass socks4_class = {
  .kind = "socks4",
  .open = socks4_open,
  .get_rtt_us = socks4_get_rtt_us,
  .get_auth = socks4_get_auth,
  .free = socks4_free,
};

/**
 * t2pw_socks4_new:
 * @context: outlives the outbound
 * @endpoint: (transfer none): its scheme says whether names may be said, its user who we are
 * @lower: (transfer full): connects to the proxy
 *
 * CONNECT by a SOCKS 4 or 4a proxy. For what may fail see t2pw_handshake_open(); a destination
 * that the protocol cannot say fails with T2P_ERROR_NOT_SUPPORTED.
 */
T2pwOutbound *
t2pw_socks4_new (const T2pwOutboundContext *context, T2pEndpoint *endpoint, T2pwOutbound *lower)
{
  Socks4Outbound *outbound = g_new0 (Socks4Outbound, 1);

  outbound->base.klass = &socks4_class;
  outbound->endpoint = t2p_endpoint_ref (endpoint);
  outbound->config = (T2pwHandshakeConfig){ .klass = &socks4_handshake,
                                            .context = context,
                                            .lower = lower,
                                            .label = t2p_endpoint_get_hop_display (endpoint) };
  return &outbound->base;
}
