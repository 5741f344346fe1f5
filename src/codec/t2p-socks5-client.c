/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 *   METHOD ──▶ CREDENTIALS ──▶ REPLY ──▶ DONE        each may go to FAILED
 *      └───────────────────────▲
 *
 * The client is fed whatever the upstream sends, in any pieces, and holds at most one message
 * (T2P_SOCKS5_MAX_REPLY_BYTES) until it is whole. What it wants to send next is a set of bits;
 * t2p_socks5_client_write() turns them into bytes. It owns nothing: the request is the caller's
 * and must live as long as the client.
 *
 * An upstream that answers before it was asked is let through: the outcome then depends on the
 * bytes alone and never on how they were split. The caller must send all output before the
 * first byte of the stream, even when the handshake is done already.
 */
#include "config.h"

#include "t2p-socks5-client.h"

#include "t2p-error.h"

#define METHOD_NONE 0x00
#define METHOD_CREDENTIALS 0x02
#define METHOD_NOT_ACCEPTABLE 0xff
#define CREDENTIALS_VERSION 1

#define UNSENT_GREETING 1u
#define UNSENT_CREDENTIALS 2u
#define UNSENT_REQUEST 4u

static gboolean
check_destination (const T2pSocks5Address *destination, GError **error)
{
  if (destination->name == NULL)
    {
      if (destination->address.family == AF_INET || destination->address.family == AF_INET6)
        return TRUE;
      g_set_error_literal (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                           "the destination is neither a name nor an address");
      return FALSE;
    }
  if (destination->name_bytes >= 1 && destination->name_bytes <= T2P_SOCKS5_MAX_TEXT_BYTES)
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
               "the destination's name has %" G_GSIZE_FORMAT " bytes, expected 1 to %d",
               destination->name_bytes, T2P_SOCKS5_MAX_TEXT_BYTES);
  return FALSE;
}

static gboolean
check_credentials (const T2pSocks5Request *request, GError **error)
{
  if (request->username == NULL)
    return TRUE;
  if (request->username_bytes < 1 || request->username_bytes > T2P_SOCKS5_MAX_TEXT_BYTES)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                   "the user name has %" G_GSIZE_FORMAT " bytes, SOCKS expects 1 to %d",
                   request->username_bytes, T2P_SOCKS5_MAX_TEXT_BYTES);
      return FALSE;
    }
  if (request->password_bytes > T2P_SOCKS5_MAX_TEXT_BYTES)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                   "the password has %" G_GSIZE_FORMAT " bytes, SOCKS expects at most %d",
                   request->password_bytes, T2P_SOCKS5_MAX_TEXT_BYTES);
      return FALSE;
    }
  return TRUE;
}

/**
 * t2p_socks5_client_init:
 * @client: (out caller-allocates): the client
 * @request: what we want; must live, unchanged, as long as @client
 * @error: return location
 *
 * Nothing has to be freed afterwards.
 *
 * Returns: %FALSE with %T2P_ERROR_INVALID_ARGUMENT when SOCKS cannot say the request
 */
gboolean
t2p_socks5_client_init (T2pSocks5Client *client,
                        const T2pSocks5Request *request,
                        GError **error)
{
  if (!check_destination (&request->destination, error) || !check_credentials (request, error))
    return FALSE;
  memset (client, 0, sizeof *client);
  client->request = request;
  client->stage = T2P_SOCKS5_STAGE_METHOD;
  client->unsent = UNSENT_GREETING;
  if (request->is_pipelined)
    client->unsent |= UNSENT_REQUEST | (request->username != NULL ? UNSENT_CREDENTIALS : 0);
  return TRUE;
}

/**
 * t2p_socks5_client_has_output:
 * @client: a client
 *
 * Returns: whether t2p_socks5_client_write() would write something
 */
gboolean
t2p_socks5_client_has_output (const T2pSocks5Client *client)
{
  return client->unsent != 0;
}

static gboolean
write_greeting (const T2pSocks5Request *request, T2pWriter *writer)
{
  static const guint8 either[] = { METHOD_NONE, METHOD_CREDENTIALS };

  if (request->username == NULL)
    return t2p_socks5_write_greeting (writer, either, 1);
  if (request->is_pipelined)
    return t2p_socks5_write_greeting (writer, either + 1, 1);
  return t2p_socks5_write_greeting (writer, either, 2);
}

/**
 * t2p_socks5_client_write:
 * @client: a client
 * @writer: where to; %T2P_SOCKS5_MAX_OUTPUT_BYTES are always enough
 *
 * Writes what is to be sent now, nothing when the upstream has to speak first. May contain the
 * password: the caller wipes the buffer after sending.
 *
 * Returns: %FALSE when it does not fit; @writer is then as it was and may be tried again
 */
gboolean
t2p_socks5_client_write (T2pSocks5Client *client, T2pWriter *writer)
{
  const T2pSocks5Request *request = client->request;
  gsize before = t2p_writer_length (writer);
  gboolean fits = !writer->overflowed;

  if (client->unsent & UNSENT_GREETING)
    fits = fits && write_greeting (request, writer);
  if (client->unsent & UNSENT_CREDENTIALS)
    fits = fits &&
           t2p_socks5_write_credentials (writer, request->username, request->username_bytes,
                                         request->password, request->password_bytes);
  if (client->unsent & UNSENT_REQUEST)
    fits = fits && t2p_socks5_write_request (writer, request->command, &request->destination);
  if (!fits)
    {
      t2p_writer_rewind (writer, before);
      return FALSE;
    }
  client->unsent = 0;
  return TRUE;
}

static T2pDecode
fail (T2pSocks5Client *client, T2pSocks5Failure failure, guint8 seen)
{
  client->failure = failure;
  client->failed_stage = client->stage;
  client->seen = seen;
  client->stage = T2P_SOCKS5_STAGE_FAILED;
  client->unsent = 0;
  return T2P_DECODE_BAD;
}

/* The first byte already tells a stranger. */
static T2pDecode
read_pair (T2pSocks5Client *client, guint8 version, T2pSocks5Failure failure, guint8 *out_value)
{
  guint8 seen;
  T2pCursor cursor;

  t2p_cursor_init (&cursor, client->held, client->n_held);
  if (!t2p_cursor_read_u8 (&cursor, &seen))
    return T2P_DECODE_MORE;
  if (seen != version)
    return fail (client, failure, seen);
  return t2p_cursor_read_u8 (&cursor, out_value) ? T2P_DECODE_DONE : T2P_DECODE_MORE;
}

static T2pDecode
take_method (T2pSocks5Client *client)
{
  const T2pSocks5Request *request = client->request;
  gboolean has_credentials = request->username != NULL;
  guint8 method;
  T2pDecode result =
      read_pair (client, T2P_SOCKS5_VERSION, T2P_SOCKS5_FAILURE_VERSION, &method);

  if (result != T2P_DECODE_DONE)
    return result;
  if (method == METHOD_NOT_ACCEPTABLE)
    return fail (client, T2P_SOCKS5_FAILURE_NO_METHOD, method);
  if (method == METHOD_CREDENTIALS && has_credentials)
    {
      client->stage = T2P_SOCKS5_STAGE_CREDENTIALS;
      client->unsent |= request->is_pipelined ? 0 : UNSENT_CREDENTIALS;
      return T2P_DECODE_DONE;
    }
  if (method == METHOD_NONE && !(has_credentials && request->is_pipelined))
    {
      client->stage = T2P_SOCKS5_STAGE_REPLY;
      client->unsent |= request->is_pipelined ? 0 : UNSENT_REQUEST;
      return T2P_DECODE_DONE;
    }
  return fail (client, T2P_SOCKS5_FAILURE_UNOFFERED_METHOD, method);
}

static T2pDecode
take_credentials_answer (T2pSocks5Client *client)
{
  guint8 status;
  T2pDecode result =
      read_pair (client, CREDENTIALS_VERSION, T2P_SOCKS5_FAILURE_CREDENTIALS_VERSION, &status);

  if (result != T2P_DECODE_DONE)
    return result;
  if (status != 0)
    return fail (client, T2P_SOCKS5_FAILURE_CREDENTIALS, status);
  client->stage = T2P_SOCKS5_STAGE_REPLY;
  client->unsent |= client->request->is_pipelined ? 0 : UNSENT_REQUEST;
  return T2P_DECODE_DONE;
}

static T2pDecode
take_reply (T2pSocks5Client *client)
{
  gsize used;
  T2pDecode result =
      t2p_socks5_decode_reply (client->held, client->n_held, &client->reply, &used);

  if (result == T2P_DECODE_BAD && client->reply.version != T2P_SOCKS5_VERSION)
    return fail (client, T2P_SOCKS5_FAILURE_VERSION, client->reply.version);
  if (result == T2P_DECODE_BAD)
    return fail (client, T2P_SOCKS5_FAILURE_ADDRESS_TYPE, client->reply.address_type);
  if (result == T2P_DECODE_DONE && client->reply.code != 0)
    return fail (client, T2P_SOCKS5_FAILURE_REPLY, client->reply.code);
  if (result == T2P_DECODE_DONE)
    client->stage = T2P_SOCKS5_STAGE_DONE;
  return result;
}

static T2pDecode
take_message (T2pSocks5Client *client)
{
  switch (client->stage)
    {
    case T2P_SOCKS5_STAGE_METHOD:
      return take_method (client);
    case T2P_SOCKS5_STAGE_CREDENTIALS:
      return take_credentials_answer (client);
    case T2P_SOCKS5_STAGE_REPLY:
      return take_reply (client);
    case T2P_SOCKS5_STAGE_DONE:
      return T2P_DECODE_DONE;
    case T2P_SOCKS5_STAGE_FAILED:
      break;
    }
  return T2P_DECODE_BAD;
}

/* Byte by byte, so that not one byte of the stream is ever taken: a whole handshake has 266. */
static T2pDecode
take_byte (T2pSocks5Client *client, guint8 byte)
{
  T2pSocks5Stage before = client->stage;
  T2pDecode result;

  client->held[client->n_held++] = byte;
  result = take_message (client);
  if (client->stage != before && client->stage != T2P_SOCKS5_STAGE_DONE)
    client->n_held = 0;
  return result;
}

/**
 * t2p_socks5_client_feed:
 * @client: a client
 * @bytes: (array length=length): what the upstream sent
 * @length: how much
 * @out_used: (out): how much of it belonged to the handshake; with %T2P_DECODE_DONE the rest is
 *   the beginning of the stream
 *
 * Look with t2p_socks5_client_has_output() afterwards, whatever the result.
 *
 * Returns: %T2P_DECODE_MORE while the handshake goes on, %T2P_DECODE_DONE when the upstream
 * said yes, %T2P_DECODE_BAD when it failed (see t2p_socks5_client_set_error())
 */
T2pDecode
t2p_socks5_client_feed (T2pSocks5Client *client,
                        const guint8 *bytes,
                        gsize length,
                        gsize *out_used)
{
  T2pCursor cursor;
  guint8 byte;

  t2p_cursor_init (&cursor, bytes, length);
  while (client->stage != T2P_SOCKS5_STAGE_DONE && client->stage != T2P_SOCKS5_STAGE_FAILED &&
         client->n_held < sizeof client->held && t2p_cursor_read_u8 (&cursor, &byte))
    take_byte (client, byte);
  *out_used = t2p_cursor_position (&cursor);
  if (client->stage == T2P_SOCKS5_STAGE_DONE)
    return T2P_DECODE_DONE;
  return client->stage == T2P_SOCKS5_STAGE_FAILED ? T2P_DECODE_BAD : T2P_DECODE_MORE;
}

/**
 * t2p_socks5_client_end:
 * @client: a client
 *
 * The upstream closed, or reset, the connection.
 *
 * Returns: %T2P_DECODE_DONE when the handshake was over already, else %T2P_DECODE_BAD
 */
T2pDecode
t2p_socks5_client_end (T2pSocks5Client *client)
{
  if (client->stage == T2P_SOCKS5_STAGE_DONE)
    return T2P_DECODE_DONE;
  if (client->stage == T2P_SOCKS5_STAGE_FAILED)
    return T2P_DECODE_BAD;
  return fail (client, T2P_SOCKS5_FAILURE_CLOSED, 0);
}

/**
 * t2p_socks5_client_get_bound:
 * @client: a client
 *
 * Returns: (transfer none) (nullable): BND.ADDR and BND.PORT: for %T2P_SOCKS5_UDP_ASSOCIATE
 * where datagrams go; valid as long as @client stays where it is; %NULL before %T2P_DECODE_DONE
 */
const T2pSocks5Address *
t2p_socks5_client_get_bound (const T2pSocks5Client *client)
{
  return client->stage == T2P_SOCKS5_STAGE_DONE ? &client->reply.bound : NULL;
}

/**
 * t2p_socks5_client_get_failure:
 * @client: a client
 *
 * Returns: how it failed, %T2P_SOCKS5_FAILURE_NONE while it did not
 */
T2pSocks5Failure
t2p_socks5_client_get_failure (const T2pSocks5Client *client)
{
  return client->failure;
}

/**
 * t2p_socks5_client_get_reply_code:
 * @client: a client
 *
 * Returns: REP of RFC 1928 section 6; 0 unless the failure is %T2P_SOCKS5_FAILURE_REPLY
 */
guint8
t2p_socks5_client_get_reply_code (const T2pSocks5Client *client)
{
  return client->failure == T2P_SOCKS5_FAILURE_REPLY ? client->seen : 0;
}

/**
 * t2p_socks5_client_get_refusal:
 * @client: a client that failed
 *
 * Returns: what the application is told
 */
T2pRefusal
t2p_socks5_client_get_refusal (const T2pSocks5Client *client)
{
  if (client->failure == T2P_SOCKS5_FAILURE_REPLY)
    return t2p_refusal_from_socks5_reply (client->seen);
  return T2P_REFUSAL_RESET;
}

static void
set_version_error (const T2pSocks5Client *client, GError **error)
{
  if (client->seen == 'H' && client->failed_stage == T2P_SOCKS5_STAGE_METHOD)
    g_set_error (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
                 "upstream answers like an HTTP server, expected SOCKS version %u",
                 T2P_SOCKS5_VERSION);
  else if (client->seen == 0 && client->failed_stage == T2P_SOCKS5_STAGE_METHOD)
    g_set_error (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
                 "upstream answers like SOCKS version 4, expected %u", T2P_SOCKS5_VERSION);
  else
    g_set_error (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
                 "upstream speaks SOCKS version %u, expected %u", client->seen,
                 T2P_SOCKS5_VERSION);
}

static void
set_no_method_error (const T2pSocks5Client *client, GError **error)
{
  if (client->request->username != NULL)
    g_set_error_literal (error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                         "upstream takes neither no authentication nor a user name and "
                         "password");
  else
    g_set_error_literal (error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                         "upstream wants authentication, and no user name is set");
}

/* What the upstream cannot do at all is no matter of reaching anything. */
static T2pError
error_of_reply (guint8 code)
{
  switch (code)
    {
    case 0x01:
    case 0x03:
    case 0x04:
    case 0x05:
    case 0x06:
      return T2P_ERROR_PROXY_UNREACHABLE;
    case 0x07:
    case 0x08:
      return T2P_ERROR_NOT_SUPPORTED;
    case 0x02:
      return T2P_ERROR_FAILED;
    default:
      return T2P_ERROR_PROXY_PROTOCOL;
    }
}

static void
set_closed_error (const T2pSocks5Client *client, GError **error)
{
  const char *after = "the greeting";

  if (client->failed_stage == T2P_SOCKS5_STAGE_CREDENTIALS)
    after = "user name and password";
  else if (client->failed_stage == T2P_SOCKS5_STAGE_REPLY)
    after = "the request";
  g_set_error (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
               "upstream closed the connection after %s, expected an answer", after);
}

/**
 * t2p_socks5_client_set_error:
 * @client: a client that failed
 * @error: return location
 *
 * Says what was seen and expected: %T2P_ERROR_PROXY_PROTOCOL when the upstream speaks something
 * else, %T2P_ERROR_PROXY_AUTHENTICATION_FAILED when it does not let us in,
 * %T2P_ERROR_PROXY_UNREACHABLE when it could not reach the destination,
 * %T2P_ERROR_NOT_SUPPORTED and %T2P_ERROR_FAILED for its other refusals. Sets nothing when
 * @client has not failed.
 */
void
t2p_socks5_client_set_error (const T2pSocks5Client *client, GError **error)
{
  switch (client->failure)
    {
    case T2P_SOCKS5_FAILURE_NONE:
      return;
    case T2P_SOCKS5_FAILURE_VERSION:
      set_version_error (client, error);
      return;
    case T2P_SOCKS5_FAILURE_NO_METHOD:
      set_no_method_error (client, error);
      return;
    case T2P_SOCKS5_FAILURE_UNOFFERED_METHOD:
      g_set_error (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
                   "upstream chose authentication method %u, expected one that was offered",
                   client->seen);
      return;
    case T2P_SOCKS5_FAILURE_CREDENTIALS_VERSION:
      g_set_error (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
                   "upstream answers user name and password with version %u, expected %u",
                   client->seen, CREDENTIALS_VERSION);
      return;
    case T2P_SOCKS5_FAILURE_CREDENTIALS:
      g_set_error (error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                   "upstream refused the user name or the password (status %u)", client->seen);
      return;
    case T2P_SOCKS5_FAILURE_REPLY:
      g_set_error (error, T2P_ERROR, error_of_reply (client->seen),
                   "upstream refused the request: %s (reply %u)",
                   t2p_socks5_reply_to_string (client->seen), client->seen);
      return;
    case T2P_SOCKS5_FAILURE_ADDRESS_TYPE:
      g_set_error (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
                   "upstream replied with address type %u, expected 1, 3 or 4", client->seen);
      return;
    case T2P_SOCKS5_FAILURE_CLOSED:
      set_closed_error (client, error);
      return;
    }
}
