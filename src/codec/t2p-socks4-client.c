/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 *   REPLY ──▶ DONE        or FAILED
 *
 * One request, one reply of eight bytes (Ying-Da Lee, "SOCKS: A protocol for TCP proxy across
 * firewalls", and its extension 4A). 4a marks a name by the impossible address 0.0.0.1, so an
 * address of that kind cannot be said in either. Who we are is a bare assertion: there is no
 * password, and a proxy that checks it asks an ident server that we do not have.
 *
 * The client owns nothing: the request is the caller's and must live as long as the client.
 */
#include "config.h"

#include "t2p-socks4-client.h"

#include "t2p-error.h"

#define SOCKS4_VERSION 4
#define COMMAND_CONNECT 1
#define REPLY_VERSION 0
#define REPLY_GRANTED 90
#define REPLY_REJECTED 91
#define REPLY_NO_IDENT 92
#define REPLY_OTHER_USER 93
#define NAME_MARK 0x00000001u /* 0.0.0.1: a name follows */
#define LAST_NAME_MARK 0x000000ffu

static gboolean
check_text (const char *what, const char *text, gsize length, GError **error)
{
  if (length >= 1 && length <= T2P_SOCKS4_MAX_TEXT_BYTES && memchr (text, 0, length) == NULL)
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
               "the %s has %" G_GSIZE_FORMAT " bytes, SOCKS expects 1 to %d and no NUL", what,
               length, T2P_SOCKS4_MAX_TEXT_BYTES);
  return FALSE;
}

static gboolean
check_name (const T2pSocks4Request *request, GError **error)
{
  if (request->says_names)
    return check_text ("destination's name", request->name, request->name_bytes, error);
  g_set_error_literal (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED,
                       "SOCKS version 4 cannot say a name, expected an IPv4 address or a proxy "
                       "of scheme socks4a");
  return FALSE;
}

static gboolean
check_address (const T2pSocks4Request *request, GError **error)
{
  guint32 address;

  if (request->address.family != AF_INET)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED,
                   "SOCKS version 4 cannot say %s, expected an IPv4 address",
                   request->address.family == AF_INET6 ? "an IPv6 address" : "no address");
      return FALSE;
    }
  address = t2p_ip_address_to_v4 (&request->address);
  if (address >= NAME_MARK && address <= LAST_NAME_MARK)
    {
      g_set_error_literal (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED,
                           "SOCKS version 4 cannot say an address of 0.0.0.0/24, which marks a "
                           "name");
      return FALSE;
    }
  return TRUE;
}

/**
 * t2p_socks4_client_init:
 * @client: (out caller-allocates): the client
 * @request: what we want; must live, unchanged, as long as @client
 * @error: return location
 *
 * Nothing has to be freed afterwards.
 *
 * Returns: %FALSE when SOCKS 4 cannot say the request: %T2P_ERROR_NOT_SUPPORTED for a kind of
 * destination, %T2P_ERROR_INVALID_ARGUMENT for a text that is too long
 */
gboolean
t2p_socks4_client_init (T2pSocks4Client *client,
                        const T2pSocks4Request *request,
                        GError **error)
{
  if (request->name != NULL ? !check_name (request, error) : !check_address (request, error))
    return FALSE;
  if (request->user != NULL &&
      !check_text ("user name", request->user, strlen (request->user), error))
    return FALSE;
  memset (client, 0, sizeof *client);
  client->request = request;
  client->is_unsent = TRUE;
  return TRUE;
}

gboolean
t2p_socks4_client_has_output (const T2pSocks4Client *client)
{
  return client->is_unsent;
}

/* And the NUL that ends it. */
static gboolean
write_text (T2pWriter *writer, const char *text, gsize length)
{
  t2p_writer_bytes (writer, (const guint8 *) text, length);
  return t2p_writer_u8 (writer, 0);
}

static gboolean
write_request (const T2pSocks4Request *request, T2pWriter *writer)
{
  const char *user = request->user != NULL ? request->user : "";
  gboolean fits;

  t2p_writer_u8 (writer, SOCKS4_VERSION);
  t2p_writer_u8 (writer, COMMAND_CONNECT);
  t2p_writer_be16 (writer, request->port);
  if (request->name != NULL)
    t2p_writer_be32 (writer, NAME_MARK);
  else
    t2p_writer_bytes (writer, request->address.bytes, 4);
  fits = write_text (writer, user, strlen (user));
  if (request->name != NULL)
    fits = write_text (writer, request->name, request->name_bytes);
  return fits;
}

/**
 * t2p_socks4_client_write:
 * @client: a client
 * @writer: where to; %T2P_SOCKS4_MAX_OUTPUT_BYTES are always enough
 *
 * Writes what is to be sent now: the request, once.
 *
 * Returns: %FALSE when it does not fit; @writer is then as it was and may be tried again
 */
gboolean
t2p_socks4_client_write (T2pSocks4Client *client, T2pWriter *writer)
{
  gsize before = t2p_writer_length (writer);

  if (!client->is_unsent)
    return TRUE;
  if (writer->overflowed || !write_request (client->request, writer))
    {
      t2p_writer_rewind (writer, before);
      return FALSE;
    }
  client->is_unsent = FALSE;
  return TRUE;
}

static void
fail (T2pSocks4Client *client, T2pSocks4Failure failure, guint8 seen)
{
  client->stage = T2P_SOCKS4_STAGE_FAILED;
  client->failure = failure;
  client->seen = seen;
  client->is_unsent = FALSE;
}

/* A refusal is one as soon as its code is there: servers close early, the rest means nothing.
 */
static void
take_reply (T2pSocks4Client *client)
{
  T2pCursor cursor;
  guint8 version;
  guint8 code;

  t2p_cursor_init (&cursor, client->held, client->n_held);
  if (!t2p_cursor_read_u8 (&cursor, &version))
    return;
  if (version != REPLY_VERSION)
    fail (client, T2P_SOCKS4_FAILURE_VERSION, version);
  else if (t2p_cursor_read_u8 (&cursor, &code) && code != REPLY_GRANTED)
    fail (client, T2P_SOCKS4_FAILURE_REPLY, code);
  else if (client->n_held == sizeof client->held)
    client->stage = T2P_SOCKS4_STAGE_DONE;
}

/**
 * t2p_socks4_client_feed:
 * @client: a client
 * @bytes: (array length=length): what the upstream sent
 * @length: how much
 * @out_used: (out): how much of it belonged to the handshake; with %T2P_DECODE_DONE the rest is
 *   the beginning of the stream
 *
 * Returns: %T2P_DECODE_MORE while the handshake goes on, %T2P_DECODE_DONE when the upstream
 * said yes, %T2P_DECODE_BAD when it failed (see t2p_socks4_client_set_error())
 */
T2pDecode
t2p_socks4_client_feed (T2pSocks4Client *client,
                        const guint8 *bytes,
                        gsize length,
                        gsize *out_used)
{
  T2pCursor cursor;
  guint8 byte;

  t2p_cursor_init (&cursor, bytes, length);
  while (client->stage == T2P_SOCKS4_STAGE_REPLY && t2p_cursor_read_u8 (&cursor, &byte))
    {
      client->held[client->n_held++] = byte;
      take_reply (client);
    }
  *out_used = t2p_cursor_position (&cursor);
  if (client->stage == T2P_SOCKS4_STAGE_DONE)
    return T2P_DECODE_DONE;
  return client->stage == T2P_SOCKS4_STAGE_FAILED ? T2P_DECODE_BAD : T2P_DECODE_MORE;
}

/**
 * t2p_socks4_client_end:
 * @client: a client
 *
 * The upstream closed, or reset, the connection.
 *
 * Returns: %T2P_DECODE_DONE when the handshake was over already, else %T2P_DECODE_BAD
 */
T2pDecode
t2p_socks4_client_end (T2pSocks4Client *client)
{
  if (client->stage == T2P_SOCKS4_STAGE_DONE)
    return T2P_DECODE_DONE;
  if (client->stage == T2P_SOCKS4_STAGE_REPLY)
    fail (client, T2P_SOCKS4_FAILURE_CLOSED, 0);
  return T2P_DECODE_BAD;
}

T2pSocks4Failure
t2p_socks4_client_get_failure (const T2pSocks4Client *client)
{
  return client->failure;
}

/**
 * t2p_socks4_client_get_reply_code:
 * @client: a client
 *
 * Returns: CD of the reply; 0 unless the failure is %T2P_SOCKS4_FAILURE_REPLY
 */
guint8
t2p_socks4_client_get_reply_code (const T2pSocks4Client *client)
{
  return client->failure == T2P_SOCKS4_FAILURE_REPLY ? client->seen : 0;
}

static gboolean
is_about_user (guint8 code)
{
  return code == REPLY_NO_IDENT || code == REPLY_OTHER_USER;
}

/**
 * t2p_socks4_client_get_refusal:
 * @client: a client that failed
 *
 * Returns: what the application is told. SOCKS 4 has one code for every reason.
 */
T2pRefusal
t2p_socks4_client_get_refusal (const T2pSocks4Client *client)
{
  if (client->failure == T2P_SOCKS4_FAILURE_REPLY && is_about_user (client->seen))
    return T2P_REFUSAL_ADMIN_PROHIBITED;
  return T2P_REFUSAL_RESET;
}

/**
 * t2p_socks4_reply_to_string:
 * @code: CD of a reply
 *
 * Returns: (transfer none): what it means, for messages
 */
const char *
t2p_socks4_reply_to_string (guint8 code)
{
  switch (code)
    {
    case REPLY_GRANTED:
      return "granted";
    case REPLY_REJECTED:
      return "rejected or failed";
    case REPLY_NO_IDENT:
      return "it cannot ask an ident server who we are";
    case REPLY_OTHER_USER:
      return "the ident server names another user";
    default:
      return "unassigned code";
    }
}

static void
set_version_error (guint8 seen, GError **error)
{
  if (seen == 'H')
    g_set_error_literal (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
                         "upstream answers like an HTTP server, expected SOCKS version 4");
  else if (seen == 5)
    g_set_error_literal (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
                         "upstream answers like SOCKS version 5, expected 4");
  else
    g_set_error (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
                 "upstream's reply begins with %u, SOCKS version 4 expects %u", seen,
                 REPLY_VERSION);
}

static T2pError
error_of_reply (guint8 code)
{
  if (is_about_user (code))
    return T2P_ERROR_PROXY_AUTHENTICATION_FAILED;
  return code == REPLY_REJECTED ? T2P_ERROR_PROXY_UNREACHABLE : T2P_ERROR_PROXY_PROTOCOL;
}

/**
 * t2p_socks4_client_set_error:
 * @client: a client that failed
 * @error: return location
 *
 * Says what was seen and expected: %T2P_ERROR_PROXY_PROTOCOL when the upstream speaks something
 * else, %T2P_ERROR_PROXY_AUTHENTICATION_FAILED when it does not let us in,
 * %T2P_ERROR_PROXY_UNREACHABLE when it refused. Sets nothing when @client has not failed.
 */
void
t2p_socks4_client_set_error (const T2pSocks4Client *client, GError **error)
{
  switch (client->failure)
    {
    case T2P_SOCKS4_FAILURE_NONE:
      return;
    case T2P_SOCKS4_FAILURE_VERSION:
      set_version_error (client->seen, error);
      return;
    case T2P_SOCKS4_FAILURE_REPLY:
      g_set_error (error, T2P_ERROR, error_of_reply (client->seen),
                   "upstream refused the request: %s (reply %u)",
                   t2p_socks4_reply_to_string (client->seen), client->seen);
      return;
    case T2P_SOCKS4_FAILURE_CLOSED:
      g_set_error_literal (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
                           "upstream closed the connection after the request, expected an "
                           "answer");
      return;
    }
}
