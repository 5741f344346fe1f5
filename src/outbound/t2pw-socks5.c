/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * The handshake is the codec's, what carries it is in t2pw-handshake.c. Unless the upstream is
 * said to bear it (`pipeline=yes`), nothing is sent ahead of the answer that asks for it: RFC
 * 1928 lets a server throw such bytes away, and some do. */
#include "config.h"

#include "t2pw-socks5.h"

#include "t2p-error.h"
#include "t2p-socks5-client.h"
#include "t2pw-handshake.h"

#include <string.h>

typedef struct
{
  T2pwOutbound base;
  T2pwHandshakeConfig config;
  T2pEndpoint *endpoint;
  enum
  {
    AUTH_UNKNOWN,
    AUTH_NONE,
    AUTH_PASSWORD,
  } auth; /* what the upstream asked for the last time */
  gboolean is_pipelined;
} Socks5Outbound;

/** Wish: what a carrier asks for beside the destination; the closure of a handshake. */
typedef struct
{
  Socks5Outbound *outbound;
  T2pSocks5Command command;
  T2pwSocks5Bound *out_bound; /* (nullable) */
} Wish;

typedef struct
{
  T2pSocks5Client client;
  T2pSocks5Request request;
  Wish wish;
} Socks5State;

static void
fill_request (Socks5State *state, const T2pwDestination *destination)
{
  T2pSocks5Request *request = &state->request;
  const Socks5Outbound *outbound = state->wish.outbound;
  T2pSecret *password = t2p_endpoint_get_password (outbound->endpoint);

  request->command = state->wish.command;
  request->is_pipelined = outbound->is_pipelined;
  request->destination.port = destination->port;
  request->destination.address = destination->address;
  request->destination.name = destination->name;
  if (destination->name != NULL)
    request->destination.name_bytes = strlen (destination->name);
  request->username = t2p_endpoint_get_user (outbound->endpoint);
  if (request->username != NULL)
    request->username_bytes = strlen (request->username);
  if (request->username != NULL && password != NULL)
    request->password = t2p_secret_peek (password, &request->password_bytes);
}

static gboolean
socks5_begin (gpointer data,
              gpointer closure,
              const T2pwDestination *destination,
              GError **error)
{
  Socks5State *state = data;

  state->wish = *(const Wish *) closure;
  fill_request (state, destination);
  return t2p_socks5_client_init (&state->client, &state->request, error);
}

static void
socks5_write (gpointer data, T2pWriter *writer)
{
  t2p_socks5_client_write (&((Socks5State *) data)->client, writer);
}

static void
note_auth (Socks5State *state, T2pSocks5Stage before)
{
  T2pSocks5Stage stage = state->client.stage;

  if (stage == T2P_SOCKS5_STAGE_CREDENTIALS)
    state->wish.outbound->auth = AUTH_PASSWORD;
  else if (before == T2P_SOCKS5_STAGE_METHOD && stage == T2P_SOCKS5_STAGE_REPLY)
    state->wish.outbound->auth = AUTH_NONE;
}

static void
copy_bound (const T2pSocks5Address *bound, T2pwSocks5Bound *out_bound)
{
  *out_bound = (T2pwSocks5Bound){ .address = bound->address, .port = bound->port };
  if (bound->name != NULL)
    memcpy (out_bound->name, bound->name, MIN (bound->name_bytes, T2P_SOCKS5_MAX_TEXT_BYTES));
}

static T2pDecode
socks5_feed (gpointer data, const guint8 *bytes, gsize length, gsize *out_used)
{
  Socks5State *state = data;
  T2pSocks5Stage before = state->client.stage;
  T2pDecode result = t2p_socks5_client_feed (&state->client, bytes, length, out_used);

  note_auth (state, before);
  if (result == T2P_DECODE_DONE && state->wish.out_bound != NULL)
    copy_bound (t2p_socks5_client_get_bound (&state->client), state->wish.out_bound);
  return result;
}

static T2pDecode
socks5_hang_up (gpointer data)
{
  return t2p_socks5_client_end (&((Socks5State *) data)->client);
}

static gboolean
socks5_was_asked (gconstpointer data)
{
  return ((const Socks5State *) data)->client.stage == T2P_SOCKS5_STAGE_REPLY;
}

/* What the proxy says about the destination is no fault of the proxy: another code. */
static void
socks5_explain (gconstpointer data, const char *label, T2pRefusal *out_refusal, GError **error)
{
  const T2pSocks5Client *client = &((const Socks5State *) data)->client;
  guint8 reply = t2p_socks5_client_get_reply_code (client);
  gboolean cannot = reply == 0x07 || reply == 0x08;

  if (t2p_socks5_client_get_failure (client) == T2P_SOCKS5_FAILURE_REPLY)
    {
      g_set_error (error, T2P_ERROR, cannot ? T2P_ERROR_NOT_SUPPORTED : T2P_ERROR_FAILED,
                   "%s refused: %s", label, t2p_socks5_reply_to_string (reply));
      *out_refusal = t2p_socks5_client_get_refusal (client);
      return;
    }
  t2p_socks5_client_set_error (client, error);
  *out_refusal = T2P_REFUSAL_RESET;
  if (t2p_socks5_client_get_failure (client) == T2P_SOCKS5_FAILURE_NO_METHOD ||
      t2p_socks5_client_get_failure (client) == T2P_SOCKS5_FAILURE_CREDENTIALS)
    *out_refusal = T2P_REFUSAL_ADMIN_PROHIBITED;
}

static const T2pwHandshakeClass socks5_handshake = {
  .state_bytes = sizeof (Socks5State),
  .max_output_bytes = T2P_SOCKS5_MAX_OUTPUT_BYTES,
  .begin = socks5_begin,
  .write = socks5_write,
  .feed = socks5_feed,
  .hang_up = socks5_hang_up,
  .was_asked = socks5_was_asked,
  .explain = socks5_explain,
};

/* --- the outbound */

/**
 * t2pw_socks5_open_command:
 * @outbound: of this kind
 * @destination: for %T2P_SOCKS5_UDP_ASSOCIATE, where datagrams will come from: 0.0.0.0:0
 * @out_bound: (nullable): set before `opened`: BND.ADDR and BND.PORT of RFC 1928 section 6;
 * must live until then
 *
 * Asks the proxy for something. What opens is the connection over which it was asked.
 */
T2pwCarrier *
t2pw_socks5_open_command (T2pwOutbound *base,
                          T2pSocks5Command command,
                          const T2pwDestination *destination,
                          T2pwSocks5Bound *out_bound,
                          const T2pwCarrierHandler *handler,
                          gpointer user_data)
{
  Socks5Outbound *outbound = (Socks5Outbound *) base;
  Wish wish = { outbound, command, out_bound };

  return t2pw_handshake_open (&outbound->config, &wish, destination, handler, user_data);
}

static T2pwCarrier *
socks5_open (T2pwOutbound *base,
             const T2pwDestination *destination,
             const T2pwCarrierHandler *handler,
             gpointer user_data)
{
  return t2pw_socks5_open_command (base, T2P_SOCKS5_CONNECT, destination, NULL, handler,
                                   user_data);
}

static gint64
socks5_get_rtt_us (T2pwOutbound *base)
{
  return t2pw_outbound_get_rtt_us (((Socks5Outbound *) base)->config.lower);
}

static const char *
socks5_get_auth (T2pwOutbound *base)
{
  switch (((Socks5Outbound *) base)->auth)
    {
    case AUTH_NONE:
      return "none";
    case AUTH_PASSWORD:
      return "password";
    case AUTH_UNKNOWN:
      break;
    }
  return "";
}

static void
socks5_free (T2pwOutbound *base)
{
  Socks5Outbound *outbound = (Socks5Outbound *) base;

  t2pw_outbound_free (outbound->config.lower);
  t2p_endpoint_unref (outbound->endpoint);
  g_free (outbound);
}

static const T2pwOutboundClass socks5_class = {
  .kind = "socks5",
  .open = socks5_open,
  .get_rtt_us = socks5_get_rtt_us,
  .get_auth = socks5_get_auth,
  .free = socks5_free,
};

/**
 * t2pw_socks5_new:
 * @context: outlives the outbound
 * @endpoint: (transfer none): its userinfo logs us in, `pipeline=yes` saves round trips
 * @lower: (transfer full): connects to the proxy
 *
 * CONNECT by a SOCKS 5 proxy (RFC 1928, RFC 1929). For what may fail see
 * t2pw_handshake_open().
 */
T2pwOutbound *
t2pw_socks5_new (const T2pwOutboundContext *context, T2pEndpoint *endpoint, T2pwOutbound *lower)
{
  Socks5Outbound *outbound = g_new0 (Socks5Outbound, 1);

  outbound->base.klass = &socks5_class;
  outbound->endpoint = t2p_endpoint_ref (endpoint);
  outbound->is_pipelined =
      g_strcmp0 (t2p_endpoint_get_option (endpoint, "pipeline"), "yes") == 0;
  outbound->config = (T2pwHandshakeConfig){ .klass = &socks5_handshake,
                                            .context = context,
                                            .lower = lower,
                                            .label = t2p_endpoint_get_hop_display (endpoint) };
  return &outbound->base;
}
