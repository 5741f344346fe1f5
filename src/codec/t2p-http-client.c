/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 *   HEAD ──▶ DONE                     each may go to FAILED
 *    ▲ └──▶ BODY ──┐
 *    └─────────────┘
 *
 * CONNECT of RFC 9110 section 9.3.6. Any 2xx opens the tunnel, whatever its head says about a
 * body; 1xx is passed over. A 407 is answered with the best way to log in that it offers and we
 * have: on the same connection, when that is kept and the page behind the head is not too long
 * to be skipped, else on the next one (NEEDS_RECONNECT, which is a failure that
 * t2p_http_client_restart() mends). What was learnt is kept in T2pHttpAuth, so that the next
 * client logs in without being asked; so a first refusal of a Digest may mean no more than that
 * its nonce has grown old. A proxy that never has enough is left after T2P_HTTP_MAX_REQUESTS.
 *
 * Bytes that come before they were asked for are let through: the outcome depends on the bytes
 * alone and never on how they were split.
 */
#include "config.h"

#include "t2p-http-client.h"

#include "t2p-error.h"

#define METHOD "CONNECT"

/* --- what we want */

/* reg-name of RFC 3986 section 3.2.2 without its escapes: nothing that could end the line. */
static gboolean
is_name_byte (char byte)
{
  return g_ascii_isalnum (byte) || (byte != '\0' && strchr ("-._~!$&'()*+,;=", byte) != NULL);
}

static gboolean
check_name (const char *name, GError **error)
{
  gsize length = strlen (name);

  if (length < 1 || length > T2P_HTTP_MAX_NAME_BYTES)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                   "the destination's name has %" G_GSIZE_FORMAT " bytes, expected 1 to %d",
                   length, T2P_HTTP_MAX_NAME_BYTES);
      return FALSE;
    }
  for (gsize i = 0; i < length; i++)
    if (!is_name_byte (name[i]))
      {
        g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                     "the destination's name has byte 0x%02x in it, HTTP expects letters, "
                     "digits and a few marks",
                     (guint8) name[i]);
        return FALSE;
      }
  return TRUE;
}

static gboolean
take_destination (T2pHttpClient *client, const T2pHttpRequest *request, GError **error)
{
  const T2pIpEndpoint endpoint = { request->address, request->port };

  if (request->name != NULL)
    {
      if (!check_name (request->name, error))
        return FALSE;
      g_snprintf (client->authority, sizeof client->authority, "%s:%u", request->name,
                  (guint) request->port);
      return TRUE;
    }
  if (request->address.family != AF_INET && request->address.family != AF_INET6)
    {
      g_set_error_literal (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                           "the destination is neither a name nor an address");
      return FALSE;
    }
  t2p_ip_endpoint_format (&endpoint, client->authority);
  return TRUE;
}

static void
fail (T2pHttpClient *client, T2pHttpFailure failure)
{
  client->stage = T2P_HTTP_STAGE_FAILED;
  client->failure = failure;
  client->is_unsent = FALSE;
}

static void
begin_request (T2pHttpClient *client)
{
  g_clear_pointer (&client->digest, t2p_http_digest_unref);
  client->scheme = T2P_HTTP_SCHEME_NONE;
  client->n_requests++;
  client->is_unsent = TRUE;
  if (client->auth == NULL)
    return;
  client->scheme = t2p_http_auth_get_scheme (client->auth);
  if (client->scheme == T2P_HTTP_SCHEME_DIGEST)
    client->digest = t2p_http_digest_ref (t2p_http_auth_get_digest (client->auth));
}

/**
 * t2p_http_client_init:
 * @client: (out caller-allocates): the client, to be cleared when this succeeded
 * @request: what we want; its auth must live as long as @client
 * @error: return location
 *
 * Returns: %FALSE with %T2P_ERROR_INVALID_ARGUMENT when HTTP cannot say the destination
 */
gboolean
t2p_http_client_init (T2pHttpClient *client, const T2pHttpRequest *request, GError **error)
{
  memset (client, 0, sizeof *client);
  if (!take_destination (client, request, error))
    return FALSE;
  client->auth = request->auth;
  begin_request (client);
  return TRUE;
}

void
t2p_http_client_clear (T2pHttpClient *client)
{
  t2p_http_head_clear (&client->head);
  g_clear_pointer (&client->digest, t2p_http_digest_unref);
  g_clear_error (&client->token_error);
}

/* --- the request */

/* Nothing behind a challenge before its page is through: who sends one may hang up instead. */
gboolean
t2p_http_client_has_output (const T2pHttpClient *client)
{
  return client->is_unsent && client->stage != T2P_HTTP_STAGE_BODY;
}

static void
write_text (T2pWriter *writer, const char *text)
{
  t2p_writer_bytes (writer, (const guint8 *) text, strlen (text));
}

/* A token is good for one request. Without one we ask as nobody, and keep the reason for when
 * that is refused. */
static void
write_token (T2pHttpClient *client, T2pWriter *writer)
{
  g_autofree char *token = NULL;

  g_clear_error (&client->token_error);
  token = t2p_http_auth_make_token (client->auth, &client->token_error);
  if (token == NULL)
    return;
  write_text (writer, "Proxy-Authorization: Negotiate ");
  write_text (writer, token);
  write_text (writer, "\r\n");
}

static void
write_login (T2pHttpClient *client, T2pWriter *writer)
{
  switch (client->scheme)
    {
    case T2P_HTTP_SCHEME_NONE:
      return;
    case T2P_HTTP_SCHEME_BASIC:
      write_text (writer, "Proxy-Authorization: ");
      t2p_http_auth_write_basic (client->auth, writer);
      write_text (writer, "\r\n");
      return;
    case T2P_HTTP_SCHEME_DIGEST:
      write_text (writer, "Proxy-Authorization: ");
      t2p_http_auth_write_digest (client->auth, writer, client->digest, METHOD,
                                  client->authority);
      write_text (writer, "\r\n");
      return;
    case T2P_HTTP_SCHEME_NEGOTIATE:
      write_token (client, writer);
      return;
    }
}

/**
 * t2p_http_client_write:
 * @client: a client
 * @writer: where to; %T2P_HTTP_MAX_REQUEST_BYTES are always enough, with Negotiate
 *   %T2P_HTTP_MAX_NEGOTIATE_BYTES
 *
 * Writes what is to be sent now, nothing when the upstream has to speak first. Contains the
 * password, or what stands for it: the caller wipes the buffer after sending.
 *
 * Returns: %FALSE when it does not fit; @writer is then as it was and may be tried again
 */
gboolean
t2p_http_client_write (T2pHttpClient *client, T2pWriter *writer)
{
  gsize before = t2p_writer_length (writer);

  if (!t2p_http_client_has_output (client))
    return TRUE;
  write_text (writer, METHOD " ");
  write_text (writer, client->authority);
  write_text (writer, " HTTP/1.1\r\nHost: ");
  write_text (writer, client->authority);
  write_text (writer, "\r\n");
  write_login (client, writer);
  write_text (writer, "\r\n");
  if (writer->overflowed)
    {
      t2p_writer_rewind (writer, before);
      return FALSE;
    }
  client->is_unsent = FALSE;
  return TRUE;
}

/* --- the answer */

/* Whether the same request with that login may succeed where this one did not. */
static gboolean
is_worth_a_try (const T2pHttpClient *client, T2pHttpScheme scheme)
{
  if (client->n_requests >= T2P_HTTP_MAX_REQUESTS)
    return FALSE;
  if (scheme != client->scheme)
    return TRUE;
  return scheme == T2P_HTTP_SCHEME_DIGEST &&
         (!client->was_told || t2p_http_digest_is_stale (client->head.offer.digest));
}

/* The same connection again, when that can be told from what follows. */
static void
reuse_connection (T2pHttpClient *client)
{
  const T2pHttpHead *head = &client->head;

  if (!head->keeps_alive || head->body_bytes > T2P_HTTP_MAX_BODY_BYTES)
    {
      fail (client, T2P_HTTP_FAILURE_NEEDS_RECONNECT);
      return;
    }
  t2p_http_body_init (&client->body, head->is_chunked, head->body_bytes);
  client->stage = T2P_HTTP_STAGE_BODY;
}

static T2pHttpFailure
failure_of_login (const T2pHttpClient *client, T2pHttpScheme scheme)
{
  if (client->token_error != NULL)
    return T2P_HTTP_FAILURE_TOKEN;
  if (scheme == T2P_HTTP_SCHEME_NONE)
    return T2P_HTTP_FAILURE_NO_SCHEME;
  return T2P_HTTP_FAILURE_LOGIN;
}

static void
take_challenge (T2pHttpClient *client)
{
  const T2pHttpOffer *offer = &client->head.offer;
  T2pHttpScheme scheme = T2P_HTTP_SCHEME_NONE;

  if (client->auth == NULL)
    {
      fail (client, T2P_HTTP_FAILURE_NO_LOGIN);
      return;
    }
  scheme = t2p_http_auth_choose (client->auth, offer);
  if (scheme == T2P_HTTP_SCHEME_NONE || !is_worth_a_try (client, scheme))
    {
      fail (client, failure_of_login (client, scheme));
      return;
    }
  t2p_http_auth_learn (client->auth, scheme, offer->digest);
  client->was_told = TRUE;
  begin_request (client);
  reuse_connection (client);
}

static void
take_head (T2pHttpClient *client)
{
  guint status = client->head.status;

  if (status < 200)
    t2p_http_head_next (&client->head, TRUE);
  else if (status < 300)
    client->stage = T2P_HTTP_STAGE_DONE;
  else if (status == 407)
    take_challenge (client);
  else if (status == 401) /* tinyproxy's word for a wrong password */
    fail (client, client->auth == NULL ? T2P_HTTP_FAILURE_NO_LOGIN : T2P_HTTP_FAILURE_LOGIN);
  else
    fail (client, T2P_HTTP_FAILURE_STATUS);
}

static void
feed_head (T2pHttpClient *client, const guint8 *bytes, gsize length, gsize *out_used)
{
  T2pDecode result = t2p_http_head_feed (&client->head, bytes, length, out_used);

  if (result == T2P_DECODE_BAD)
    fail (client, T2P_HTTP_FAILURE_HEAD);
  else if (result == T2P_DECODE_DONE)
    take_head (client);
}

static void
feed_body (T2pHttpClient *client, const guint8 *bytes, gsize length, gsize *out_used)
{
  T2pDecode result = t2p_http_body_feed (&client->body, bytes, length, out_used);

  if (result == T2P_DECODE_BAD)
    fail (client, T2P_HTTP_FAILURE_NEEDS_RECONNECT);
  if (result != T2P_DECODE_DONE)
    return;
  t2p_http_head_next (&client->head, FALSE);
  client->stage = T2P_HTTP_STAGE_HEAD;
  client->is_reused = TRUE;
}

static T2pDecode
result_of (const T2pHttpClient *client)
{
  if (client->stage == T2P_HTTP_STAGE_DONE)
    return T2P_DECODE_DONE;
  return client->stage == T2P_HTTP_STAGE_FAILED ? T2P_DECODE_BAD : T2P_DECODE_MORE;
}

/**
 * t2p_http_client_feed:
 * @client: a client
 * @bytes: (array length=length): what the upstream sent
 * @length: how much
 * @out_used: (out): how much of it belonged to the handshake; with %T2P_DECODE_DONE the rest is
 *   the beginning of the stream
 *
 * Look with t2p_http_client_has_output() afterwards, whatever the result.
 *
 * Returns: %T2P_DECODE_MORE while the handshake goes on, %T2P_DECODE_DONE when the upstream
 * said yes, %T2P_DECODE_BAD when it failed: try t2p_http_client_restart()
 */
T2pDecode
t2p_http_client_feed (T2pHttpClient *client, const guint8 *bytes, gsize length, gsize *out_used)
{
  gsize at = 0;

  while (result_of (client) == T2P_DECODE_MORE &&
         (at < length || client->stage == T2P_HTTP_STAGE_BODY))
    {
      gsize used = 0;

      if (client->stage == T2P_HTTP_STAGE_HEAD)
        feed_head (client, bytes + at, length - at, &used);
      else
        feed_body (client, bytes + at, length - at, &used);
      at += used;
      if (used == 0 && client->stage == T2P_HTTP_STAGE_BODY)
        break;
    }
  *out_used = at;
  return result_of (client);
}

/**
 * t2p_http_client_end:
 * @client: a client
 *
 * The upstream closed, or reset, the connection. When it had said before that it would keep it,
 * that is worth another one.
 *
 * Returns: %T2P_DECODE_DONE when the handshake was over already, else %T2P_DECODE_BAD
 */
T2pDecode
t2p_http_client_end (T2pHttpClient *client)
{
  gboolean is_between =
      client->stage == T2P_HTTP_STAGE_BODY || (client->is_reused && client->head.n_bytes == 0);

  if (result_of (client) == T2P_DECODE_MORE)
    fail (client, is_between ? T2P_HTTP_FAILURE_NEEDS_RECONNECT : T2P_HTTP_FAILURE_CLOSED);
  return result_of (client);
}

/**
 * t2p_http_client_restart:
 * @client: a client that failed
 *
 * Returns: whether it goes on, on a new connection, with t2p_http_client_write()
 */
gboolean
t2p_http_client_restart (T2pHttpClient *client)
{
  if (client->failure != T2P_HTTP_FAILURE_NEEDS_RECONNECT)
    return FALSE;
  client->failure = T2P_HTTP_FAILURE_NONE;
  client->stage = T2P_HTTP_STAGE_HEAD;
  client->is_reused = FALSE;
  client->is_unsent = TRUE;
  t2p_http_head_next (&client->head, FALSE);
  return TRUE;
}

/**
 * t2p_http_client_awaits_answer:
 *
 * Returns: whether the request was sent, and nothing is known against it
 */
gboolean
t2p_http_client_awaits_answer (const T2pHttpClient *client)
{
  return client->stage == T2P_HTTP_STAGE_HEAD && !client->is_unsent;
}

T2pHttpFailure
t2p_http_client_get_failure (const T2pHttpClient *client)
{
  return client->failure;
}

/**
 * t2p_http_client_get_scheme:
 *
 * Returns: how the last request said who we are
 */
T2pHttpScheme
t2p_http_client_get_scheme (const T2pHttpClient *client)
{
  return client->scheme;
}

/**
 * t2p_http_client_get_wanted:
 *
 * Returns: the best way to log in that a challenge has offered, be it one that we have not;
 * none when there was no challenge
 */
T2pHttpScheme
t2p_http_client_get_wanted (const T2pHttpClient *client)
{
  return t2p_http_offer_get_best (&client->head.offer, G_MAXUINT);
}

/**
 * t2p_http_client_get_status:
 *
 * Returns: the code with which the upstream said no; 0 unless the failure is
 * %T2P_HTTP_FAILURE_STATUS
 */
guint
t2p_http_client_get_status (const T2pHttpClient *client)
{
  return client->failure == T2P_HTTP_FAILURE_STATUS ? client->head.status : 0;
}
