/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is said about a handshake that failed: to the application, and to people. */
#include "config.h"

#include "t2p-error.h"
#include "t2p-http-client.h"
#include "t2p-quote.h"

/**
 * t2p_http_client_get_refusal:
 * @client: a client that failed
 *
 * Returns: what the application is told
 */
T2pRefusal
t2p_http_client_get_refusal (const T2pHttpClient *client)
{
  switch (client->failure)
    {
    case T2P_HTTP_FAILURE_STATUS:
      return t2p_refusal_from_http_status (client->head.status);
    case T2P_HTTP_FAILURE_NO_LOGIN:
    case T2P_HTTP_FAILURE_NO_SCHEME:
    case T2P_HTTP_FAILURE_LOGIN:
    case T2P_HTTP_FAILURE_TOKEN:
      return T2P_REFUSAL_ADMIN_PROHIBITED;
    case T2P_HTTP_FAILURE_NONE:
    case T2P_HTTP_FAILURE_HEAD:
    case T2P_HTTP_FAILURE_NEEDS_RECONNECT:
    case T2P_HTTP_FAILURE_CLOSED:
      break;
    }
  return T2P_REFUSAL_RESET;
}

static void
set_stranger_error (guint8 seen, GError **error)
{
  if (seen == 0 || seen == 4 || seen == 5)
    g_set_error_literal (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
                         "upstream answers like a SOCKS server, expected HTTP");
  else if (seen == 0x15)
    g_set_error_literal (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
                         "upstream answers like a TLS server, expected HTTP without it");
  else
    g_set_error (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
                 "upstream's answer begins with byte 0x%02x and is not HTTP/1", seen);
}

static void
set_head_error (const T2pHttpHead *head, GError **error)
{
  switch (head->fault)
    {
    case T2P_HTTP_HEAD_OK:
      return;
    case T2P_HTTP_HEAD_STRANGER:
      set_stranger_error (head->seen, error);
      return;
    case T2P_HTTP_HEAD_MALFORMED:
      g_set_error_literal (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
                           "upstream's answer is malformed, expected the head of an HTTP/1 "
                           "answer");
      return;
    case T2P_HTTP_HEAD_TOO_LONG:
      g_set_error (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
                   "upstream's answer has a head of more than %d bytes",
                   T2P_HTTP_MAX_HEAD_BYTES);
      return;
    }
}

static T2pError
error_of_status (guint status)
{
  switch (status)
    {
    case 502:
    case 503:
    case 504:
      return T2P_ERROR_PROXY_UNREACHABLE;
    case 405:
    case 501:
      return T2P_ERROR_NOT_SUPPORTED;
    default:
      return status >= 400 ? T2P_ERROR_FAILED : T2P_ERROR_PROXY_PROTOCOL;
    }
}

/**
 * t2p_http_client_describe_status:
 * @client: a client that was refused
 *
 * Returns: (transfer full): what the upstream said, as a message may show it: `status 403
 * 'Forbidden'`
 */
char *
t2p_http_client_describe_status (const T2pHttpClient *client)
{
  g_autofree char *reason = t2p_quote (client->head.reason);

  return g_strdup_printf ("status %u %s", client->head.status, reason);
}

static void
set_status_error (const T2pHttpClient *client, GError **error)
{
  g_autofree char *status = t2p_http_client_describe_status (client);

  g_set_error (error, T2P_ERROR, error_of_status (client->head.status),
               "upstream refused the request: %s", status);
}

static void
set_login_error (const T2pHttpClient *client, GError **error)
{
  const char *offer = client->head.offer.text;
  g_autofree char *text =
      offer[0] != '\0' ? g_strdup (offer) : t2p_http_client_describe_status (client);

  if (client->failure == T2P_HTTP_FAILURE_NO_LOGIN)
    g_set_error (error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                 "upstream wants authentication (%s), and no user name is set", text);
  else if (client->failure == T2P_HTTP_FAILURE_NO_SCHEME)
    g_set_error (error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                 "upstream offers no authentication that can be used (%s)", text);
  else
    g_set_error (error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                 "upstream refused the user name or the password (%s)", text);
}

/**
 * t2p_http_client_set_error:
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
t2p_http_client_set_error (const T2pHttpClient *client, GError **error)
{
  switch (client->failure)
    {
    case T2P_HTTP_FAILURE_NONE:
      return;
    case T2P_HTTP_FAILURE_HEAD:
      set_head_error (&client->head, error);
      return;
    case T2P_HTTP_FAILURE_STATUS:
      set_status_error (client, error);
      return;
    case T2P_HTTP_FAILURE_NO_LOGIN:
    case T2P_HTTP_FAILURE_NO_SCHEME:
    case T2P_HTTP_FAILURE_LOGIN:
      set_login_error (client, error);
      return;
    case T2P_HTTP_FAILURE_TOKEN:
      g_propagate_error (error, g_error_copy (client->token_error));
      return;
    case T2P_HTTP_FAILURE_NEEDS_RECONNECT:
      g_set_error_literal (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
                           "upstream wants each answer to its challenge on a new connection, "
                           "again and again");
      return;
    case T2P_HTTP_FAILURE_CLOSED:
      g_set_error_literal (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
                           "upstream closed the connection after the request, expected an "
                           "answer");
      return;
    }
}
