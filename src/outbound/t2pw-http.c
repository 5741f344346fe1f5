/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * The handshake is the codec's, what carries it is in t2pw-handshake.c, which connects again
 * when the proxy hangs up behind a challenge. How to log in is learnt once: it belongs to the
 * outbound, and so do the nonce and its count. Where the endpoint names a KDC, what connects to
 * the proxy waits for a ticket first, so that a token can be made by the time the request is
 * written, and no challenge has to be waited for. */
#include "config.h"

#include "t2pw-http.h"

#include "t2p-error.h"
#include "t2p-http-client.h"
#include "t2pw-handshake.h"
#include "t2pw-kerberos.h"
#include "t2pw-negotiate-lower.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

typedef struct
{
  T2pwOutbound base;
  T2pwHandshakeConfig config;
  T2pEndpoint *endpoint;
  T2pwKerberos *kerberos; /* NULL: no Negotiate */
  T2pHttpAuth *auth;      /* NULL: nobody logs in */
  const char *login;      /* that the proxy wanted the last time; "": not learnt */
} HttpOutbound;

typedef struct
{
  T2pHttpClient client;
  HttpOutbound *outbound;
} HttpState;

/* --- the handshake */

static gboolean
http_begin (gpointer data, gpointer closure, const T2pwDestination *destination, GError **error)
{
  HttpState *state = data;
  HttpOutbound *outbound = closure;
  T2pHttpRequest request = { .name = destination->name,
                             .address = destination->address,
                             .port = destination->port,
                             .auth = outbound->auth };

  state->outbound = outbound;
  return t2p_http_client_init (&state->client, &request, error);
}

static void
http_end (gpointer data)
{
  t2p_http_client_clear (&((HttpState *) data)->client);
}

static void
http_write (gpointer data, T2pWriter *writer)
{
  t2p_http_client_write (&((HttpState *) data)->client, writer);
}

static const char *
name_of_scheme (T2pHttpScheme scheme)
{
  switch (scheme)
    {
    case T2P_HTTP_SCHEME_NONE:
      break;
    case T2P_HTTP_SCHEME_BASIC:
      return "basic";
    case T2P_HTTP_SCHEME_DIGEST:
      return "digest";
    case T2P_HTTP_SCHEME_NEGOTIATE:
      return "negotiate";
    }
  return "none";
}

/* Who is told about the destination is in. */
static gboolean
was_let_in (const T2pHttpClient *client, T2pDecode result)
{
  return result == T2P_DECODE_DONE ||
         (result == T2P_DECODE_BAD && t2p_http_client_get_status (client) >= 400);
}

/* A ticket that the proxy does not take is of no use to the next connection, either. */
static void
note_outcome (HttpState *state, T2pDecode result)
{
  HttpOutbound *outbound = state->outbound;
  T2pHttpScheme scheme = t2p_http_client_get_scheme (&state->client);
  T2pHttpScheme wanted = t2p_http_client_get_wanted (&state->client);

  if (was_let_in (&state->client, result))
    outbound->login = name_of_scheme (scheme);
  else if (wanted != T2P_HTTP_SCHEME_NONE)
    outbound->login = name_of_scheme (wanted);
  if (scheme == T2P_HTTP_SCHEME_NEGOTIATE &&
      t2p_http_client_get_failure (&state->client) == T2P_HTTP_FAILURE_LOGIN)
    t2pw_kerberos_forget (outbound->kerberos);
}

static T2pDecode
http_feed (gpointer data, const guint8 *bytes, gsize length, gsize *out_used)
{
  HttpState *state = data;
  T2pDecode result = t2p_http_client_feed (&state->client, bytes, length, out_used);

  note_outcome (state, result);
  return result;
}

static T2pDecode
http_hang_up (gpointer data)
{
  return t2p_http_client_end (&((HttpState *) data)->client);
}

static gboolean
http_restart (gpointer data)
{
  return t2p_http_client_restart (&((HttpState *) data)->client);
}

static gboolean
http_was_asked (gconstpointer data)
{
  return t2p_http_client_awaits_answer (&((const HttpState *) data)->client);
}

/* What the proxy says about the destination is no fault of the proxy: another code. */
static void
http_explain (gconstpointer data, const char *label, T2pRefusal *out_refusal, GError **error)
{
  const T2pHttpClient *client = &((const HttpState *) data)->client;
  guint status = t2p_http_client_get_status (client);
  g_autofree char *text = NULL;

  *out_refusal = t2p_http_client_get_refusal (client);
  if (status < 400)
    {
      t2p_http_client_set_error (client, error);
      return;
    }
  text = t2p_http_client_describe_status (client);
  g_set_error (error, T2P_ERROR,
               status == 405 || status == 501 ? T2P_ERROR_NOT_SUPPORTED : T2P_ERROR_FAILED,
               "%s refused: %s", label, text);
}

#define HTTP_HANDSHAKE(most_bytes)                                                             \
  {                                                                                            \
    .state_bytes = sizeof (HttpState), .max_output_bytes = (most_bytes), .begin = http_begin,  \
    .end = http_end, .write = http_write, .feed = http_feed, .hang_up = http_hang_up,          \
    .restart = http_restart, .was_asked = http_was_asked, .explain = http_explain,             \
  }

static const T2pwHandshakeClass http_handshake = HTTP_HANDSHAKE (T2P_HTTP_MAX_REQUEST_BYTES);
static const T2pwHandshakeClass negotiate_handshake =
    HTTP_HANDSHAKE (T2P_HTTP_MAX_NEGOTIATE_BYTES);

/* --- logging in */

static char *
make_token (gpointer user_data, GError **error)
{
  return t2pw_kerberos_make_token (((HttpOutbound *) user_data)->kerberos, error);
}

/* What is worth a try without being asked, since nothing else will do: @out_known. */
static guint
schemes_of (const HttpOutbound *outbound, T2pHttpScheme *out_known)
{
  const char *option = t2p_endpoint_get_option (outbound->endpoint, "auth");

  *out_known = T2P_HTTP_SCHEME_NONE;
  if (outbound->kerberos != NULL)
    *out_known = T2P_HTTP_SCHEME_NEGOTIATE;
  if (g_strcmp0 (option, "negotiate") == 0)
    return T2P_HTTP_SCHEME_NEGOTIATE;
  if (g_strcmp0 (option, "basic") == 0)
    return *out_known = T2P_HTTP_SCHEME_BASIC;
  if (g_strcmp0 (option, "digest") == 0)
    return T2P_HTTP_SCHEME_DIGEST;
  return T2P_HTTP_SCHEME_NEGOTIATE | T2P_HTTP_SCHEME_DIGEST | T2P_HTTP_SCHEME_BASIC;
}

static gboolean
prepare_login (HttpOutbound *outbound, GError **error)
{
  T2pSecret *password = t2p_endpoint_get_password (outbound->endpoint);
  T2pHttpLogin login = { .user = t2p_endpoint_get_user (outbound->endpoint) };
  T2pHttpScheme known;

  if (login.user == NULL)
    return TRUE;
  if (password != NULL)
    login.password = t2p_secret_peek (password, &login.password_bytes);
  login.schemes = schemes_of (outbound, &known);
  login.make_token = outbound->kerberos != NULL ? make_token : NULL;
  login.token_data = outbound;
  if (getrandom (login.seed, sizeof login.seed, 0) != sizeof login.seed)
    {
      int saved_errno = errno;

      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno),
                   "no random bytes for nonces: %s", g_strerror (saved_errno));
      return FALSE;
    }
  outbound->auth = t2p_http_auth_new (&login);
  t2p_http_auth_learn (outbound->auth, known, NULL);
  return TRUE;
}

static gboolean
prepare_kerberos (HttpOutbound *outbound, GError **error)
{
  T2pwHandshakeConfig *config = &outbound->config;

  if (!t2pw_kerberos_is_wanted (outbound->endpoint))
    return TRUE;
  outbound->kerberos = t2pw_kerberos_new (config->context, outbound->endpoint, error);
  if (outbound->kerberos == NULL)
    return FALSE;
  config->lower = t2pw_negotiate_lower_new (outbound->kerberos, config->lower);
  config->klass = &negotiate_handshake;
  return TRUE;
}

/* --- the outbound */

static T2pwCarrier *
http_open (T2pwOutbound *base,
           const T2pwDestination *destination,
           const T2pwCarrierHandler *handler,
           gpointer user_data)
{
  HttpOutbound *outbound = (HttpOutbound *) base;

  return t2pw_handshake_open (&outbound->config, outbound, destination, handler, user_data);
}

static gint64
http_get_rtt_us (T2pwOutbound *base)
{
  return t2pw_outbound_get_rtt_us (((HttpOutbound *) base)->config.lower);
}

static const char *
http_get_auth (T2pwOutbound *base)
{
  return ((HttpOutbound *) base)->login;
}

static void
http_free (T2pwOutbound *base)
{
  HttpOutbound *outbound = (HttpOutbound *) base;

  t2pw_outbound_free (outbound->config.lower);
  g_clear_pointer (&outbound->auth, t2p_http_auth_free);
  g_clear_pointer (&outbound->kerberos, t2pw_kerberos_free);
  t2p_endpoint_unref (outbound->endpoint);
  g_free (outbound);
}

static const T2pwOutboundClass http_class = {
  .kind = "http",
  .open = http_open,
  .get_rtt_us = http_get_rtt_us,
  .get_auth = http_get_auth,
  .free = http_free,
};

/**
 * t2pw_http_new:
 * @context: outlives the outbound
 * @endpoint: (transfer none): its userinfo logs us in, `auth` and `kdc` say how
 * @lower: (transfer full): connects to the proxy; taken on failure, too
 *
 * CONNECT by an HTTP proxy. For what may fail see t2pw_handshake_open().
 */
T2pwOutbound *
t2pw_http_new (const T2pwOutboundContext *context,
               T2pEndpoint *endpoint,
               T2pwOutbound *lower,
               GError **error)
{
  HttpOutbound *outbound = g_new0 (HttpOutbound, 1);

  outbound->base.klass = &http_class;
  outbound->endpoint = t2p_endpoint_ref (endpoint);
  outbound->login = "";
  outbound->config = (T2pwHandshakeConfig){ .klass = &http_handshake,
                                            .context = context,
                                            .lower = lower,
                                            .label = t2p_endpoint_get_hop_display (endpoint) };
  if (prepare_kerberos (outbound, error) && prepare_login (outbound, error))
    return &outbound->base;
  http_free (&outbound->base);
  return NULL;
}
