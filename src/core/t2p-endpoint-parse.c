/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-endpoint-private.h"

#include "t2p-host-name.h"
#include "t2p-limits.h"
#include "t2p-percent.h"
#include "t2p-quote.h"

#include <string.h>

/* Theory of operation. The text is cut into hops at each '|', and a hop into scheme, userinfo,
 * host, port and query, before anything is judged. No message shows a piece that could be a
 * part of a password: whoever forgets to encode a '/', an '@' or a '|' in it gets a message
 * about the encoding, not one about the "port" that his password has become. */

#define UNIX_PREFIX "unix:"
#define BLANKS " \t"

/* The name that all the refusals of this file go by. */
#define refuse t2p_endpoint_refuse

/* --- scheme */

static gboolean
looks_like_a_scheme (const char *name)
{
  const gsize length = strspn (name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789+-.");

  return g_ascii_isalpha (name[0]) && name[length] == '\0' && length <= 16;
}

static gboolean
parse_scheme_name (T2pEndpoint *self, const char *name, gboolean is_first, GError **error)
{
  if (t2p_scheme_from_string (name, &self->scheme))
    return TRUE;
  if (!is_first || !looks_like_a_scheme (name))
    return refuse (error, "has no valid scheme, expected %s", t2p_scheme_get_known ());
  return refuse (error, "scheme '%s' is unknown, expected %s", name, t2p_scheme_get_known ());
}

/* Leaves *out_rest after "://"; "direct" and "reject" may stand alone. */
static gboolean
parse_scheme (T2pEndpoint *self,
              const char *uri,
              gboolean is_first,
              const char **out_rest,
              GError **error)
{
  const char *separator = strstr (uri, "://");
  g_autofree char *name = NULL;

  if (separator == NULL && t2p_scheme_from_string (uri, &self->scheme) &&
      !t2p_scheme_get_traits (self->scheme)->has_host)
    {
      *out_rest = uri + strlen (uri);
      return TRUE;
    }
  if (separator == NULL)
    return refuse (error, "has no scheme, expected such as socks5://HOST:PORT");
  name = g_strndup (uri, (gsize) (separator - uri));
  if (!parse_scheme_name (self, name, is_first, error))
    return FALSE;
  *out_rest = separator + strlen ("://");
  return TRUE;
}

/* --- userinfo */

static gboolean
parse_credential (
    const char *text, gsize length, const char *what, T2pSecret **out_secret, GError **error)
{
  char bytes[T2P_MAX_CREDENTIAL_BYTES] = "";
  gssize n = t2p_percent_decode (text, length, bytes, sizeof bytes);

  if (n > 0 && n <= (gssize) sizeof bytes)
    *out_secret = t2p_secret_new (bytes, (gsize) n);
  explicit_bzero (bytes, sizeof bytes);
  if (n < 0)
    return refuse (
        error,
        "%s is not percent-encoded rightly, expected %%XX for a special character and "
        "no NUL",
        what);
  if (n == 0)
    return refuse (error, "%s is empty, expected 1 to %d bytes", what,
                   T2P_MAX_CREDENTIAL_BYTES);
  if (n > T2P_MAX_CREDENTIAL_BYTES)
    return refuse (error, "%s is too long, expected 1 to %d bytes", what,
                   T2P_MAX_CREDENTIAL_BYTES);
  return TRUE;
}

static gboolean
parse_userinfo (T2pEndpoint *self, const char *text, gsize length, GError **error)
{
  const char *colon = memchr (text, ':', length);
  const gsize user_length = colon != NULL ? (gsize) (colon - text) : length;

  if (!parse_credential (text, user_length, "user name", &self->user, error))
    return FALSE;
  if (colon == NULL)
    return TRUE;
  if (!t2p_scheme_get_traits (self->scheme)->has_password)
    return refuse (error, "has a password, but %s knows a user name only",
                   t2p_scheme_to_string (self->scheme));
  return parse_credential (colon + 1, length - user_length - 1, "password", &self->password,
                           error);
}

/* --- host and port */

static gboolean
parse_port (T2pEndpoint *self, const char *text, GError **error)
{
  guint64 port = 0;
  const gsize length = strlen (text);

  /* Not shown unless it can hardly be anything else: "socks5://user:secret" lacks its host. */
  if (length == 0 || length > 5 || strspn (text, "0123456789") != length)
    return refuse (error, "port is no number, expected 1 to 65535");
  port = g_ascii_strtoull (text, NULL, 10);
  if (port == 0 || port > G_MAXUINT16)
    return refuse (error, "port is %u, expected 1 to 65535", (guint) port);
  self->port = (guint16) port;
  return TRUE;
}

static gboolean
parse_host_name (T2pEndpoint *self, const char *text, GError **error)
{
  g_autofree char *name = NULL;
  g_autofree char *seen = t2p_quote (text);

  if (t2p_ip_address_parse (text, &self->address))
    {
      self->host = g_strdup (text);
      return TRUE;
    }
  if (text[0] == '\0')
    return refuse (error,
                   "host is missing, expected a name, an IPv4 or a bracketed IPv6 address");
  name = g_hostname_is_non_ascii (text) && g_utf8_validate (text, -1, NULL)
             ? g_hostname_to_ascii (text)
             : g_ascii_strdown (text, -1);
  if (name == NULL || !t2p_host_name_is_valid (name))
    return refuse (error,
                   "host %s is invalid, expected a name, an IPv4 or a bracketed IPv6 address",
                   seen);
  self->host = g_steal_pointer (&name);
  return TRUE;
}

/* @text is what follows the opening bracket. */
static gboolean
parse_bracketed (T2pEndpoint *self, const char *text, GError **error)
{
  const char *closing = strchr (text, ']');
  g_autofree char *literal = NULL;
  g_autofree char *seen = NULL;
  char canonical[T2P_IP_STRLEN];

  if (closing == NULL)
    return refuse (error, "IPv6 address has no closing bracket");
  literal = g_strndup (text, (gsize) (closing - text));
  seen = t2p_quote (literal);
  if (strchr (literal, '%') != NULL)
    return refuse (error, "host %s has a zone, expected an IPv6 address without one", seen);
  if (strchr (literal, ':') == NULL || !t2p_ip_address_parse (literal, &self->address))
    return refuse (error, "host %s is no IPv6 address", seen);
  t2p_ip_address_format (&self->address, canonical);
  self->host = g_strdup (canonical);
  if (closing[1] == '\0')
    return TRUE;
  if (closing[1] != ':')
    return refuse (error, "bracket is not followed by ':' and a port");
  return parse_port (self, closing + 2, error);
}

static gboolean
parse_host_port (T2pEndpoint *self, const char *text, GError **error)
{
  const char *colon = strchr (text, ':');
  g_autofree char *host = NULL;

  self->port = t2p_scheme_get_traits (self->scheme)->default_port;
  if (text[0] == '[')
    return parse_bracketed (self, text + 1, error);
  if (colon != NULL && strchr (colon + 1, ':') != NULL)
    return refuse (error, "host has several colons, expected an IPv6 address in brackets");
  host = g_strndup (text, colon != NULL ? (gsize) (colon - text) : strlen (text));
  if (colon != NULL && !parse_port (self, colon + 1, error))
    return FALSE;
  return parse_host_name (self, host, error);
}

/* @text is what follows "unix:", up to the query. */
static gboolean
parse_unix_path (T2pEndpoint *self, const char *text, gsize length, GError **error)
{
  char path[T2P_MAX_UNIX_PATH_BYTES + 1] = "";
  const gssize n = t2p_percent_decode (text, length, path, T2P_MAX_UNIX_PATH_BYTES);

  if (n < 0)
    return refuse (error, "path of the socket is not percent-encoded rightly, expected %%XX "
                          "for a special character and no NUL");
  if (n > T2P_MAX_UNIX_PATH_BYTES)
    return refuse (error, "path of the socket is too long, expected at most %d bytes",
                   T2P_MAX_UNIX_PATH_BYTES);
  if (path[0] != '/' || path[n - 1] == '/')
    return refuse (error, "names no socket, expected such as unix:/run/proxy.socket");
  path[n] = '\0';
  self->unix_path = g_strdup (path);
  return TRUE;
}

/* --- one hop */

static gboolean
check_at_signs (const char *rest, const char *tail, GError **error)
{
  const char *at = strchr (rest, '@');

  if (at == NULL || (at < tail && strchr (at + 1, '@') == NULL))
    return TRUE;
  return refuse (error, "user name or password has an '@', '/', '?' or '#' in it, expected "
                        "%%40, %%2F, %%3F or %%23");
}

/* Takes the userinfo, and leaves *out_host behind it. */
static gboolean
parse_user (
    T2pEndpoint *self, const char *rest, gsize length, const char **out_host, GError **error)
{
  const char *at = memchr (rest, '@', length);

  *out_host = rest;
  if (!t2p_scheme_get_traits (self->scheme)->has_host)
    return length == 0 ||
           refuse (error, "%s takes no host and no user", t2p_scheme_to_string (self->scheme));
  if (at == NULL)
    return TRUE;
  *out_host = at + 1;
  return parse_userinfo (self, rest, (gsize) (at - rest), error);
}

/* *inout_tail is what follows the host and the port; behind a path, less the path. */
static gboolean
parse_place (T2pEndpoint *self, const char *host, const char **inout_tail, GError **error)
{
  g_autofree char *host_port = NULL;

  if (!t2p_scheme_get_traits (self->scheme)->has_host)
    return TRUE;
  if (g_str_has_prefix (host, UNIX_PREFIX "/"))
    {
      host += strlen (UNIX_PREFIX);
      *inout_tail = host + strcspn (host, "?#");
      return parse_unix_path (self, host, (gsize) (*inout_tail - host), error);
    }
  host_port = g_strndup (host, (gsize) (*inout_tail - host));
  return parse_host_port (self, host_port, error);
}

static gboolean
parse_rest (T2pEndpoint *self, const char *rest, GError **error)
{
  const gsize length = strcspn (rest, "/?#");
  const char *tail = rest + length;
  const char *host = NULL;

  if (!check_at_signs (rest, tail, error) || !parse_user (self, rest, length, &host, error) ||
      !parse_place (self, host, &tail, error))
    return FALSE;
  if (tail[0] == '/')
    tail++;
  if (tail[0] == '\0')
    return TRUE;
  if (tail[0] != '?')
    return refuse (error,
                   "has a path or a fragment, expected nothing or a query after the host");
  return t2p_endpoint_parse_options (self, tail + 1, error);
}

static T2pEndpoint *
parse_hop (const char *uri, gboolean is_first, GError **error)
{
  g_autoptr (T2pEndpoint) self = t2p_endpoint_new_empty ();
  const char *rest = NULL;

  if (!parse_scheme (self, uri, is_first, &rest, error) || !parse_rest (self, rest, error) ||
      !t2p_endpoint_check_options (self, is_first, error))
    return NULL;
  return g_steal_pointer (&self);
}

/* --- the chain */

static gboolean
check_hop (const T2pEndpoint *hop, gboolean is_first, GError **error)
{
  if (!t2p_scheme_get_traits (hop->scheme)->has_host)
    return refuse (error, "%s is no proxy, expected one in each hop of a chain",
                   t2p_scheme_to_string (hop->scheme));
  if (hop->unix_path != NULL && !is_first)
    return refuse (error, "is a socket of this machine, expected it in the first hop only");
  return TRUE;
}

/* One text of @length bytes between two bars, blanks around it taken away. */
static T2pEndpoint *
parse_piece (const char *text, gsize length, gboolean is_first, GError **error)
{
  const gsize blanks = strspn (text, BLANKS);
  g_autoptr (T2pEndpoint) hop = NULL;
  char *piece;

  while (length > blanks && strchr (BLANKS, text[length - 1]) != NULL)
    length--;
  piece = g_strndup (text + MIN (blanks, length), length - MIN (blanks, length));
  hop = parse_hop (piece, is_first, error);
  explicit_bzero (piece, strlen (piece));
  g_free (piece);
  if (hop == NULL || !check_hop (hop, is_first, error))
    return NULL;
  return g_steal_pointer (&hop);
}

static gboolean
parse_pieces (const char *uri, GPtrArray *hops, GError **error)
{
  for (const char *text = uri; text != NULL;)
    {
      const char *bar = strchr (text, '|');
      const gsize length = bar != NULL ? (gsize) (bar - text) : strlen (text);
      T2pEndpoint *hop;

      if (hops->len == T2P_MAX_CHAIN_HOPS)
        return refuse (error, "has more than %d hops, expected at most so many",
                       T2P_MAX_CHAIN_HOPS);
      hop = parse_piece (text, length, hops->len == 0, error);
      if (hop == NULL)
        {
          g_prefix_error (error, "hop %u: ", hops->len + 1);
          return FALSE;
        }
      g_ptr_array_add (hops, hop);
      text = bar != NULL ? bar + 1 : NULL;
    }
  return TRUE;
}

static T2pEndpoint *
parse_chain (const char *uri, GError **error)
{
  g_autoptr (GPtrArray) hops =
      g_ptr_array_new_with_free_func ((GDestroyNotify) t2p_endpoint_unref);
  T2pEndpoint *next = NULL;

  if (!parse_pieces (uri, hops, error))
    return NULL;
  for (guint i = hops->len; i > 0; i--)
    {
      T2pEndpoint *hop = t2p_endpoint_ref (g_ptr_array_index (hops, i - 1));

      t2p_endpoint_complete (hop, next);
      next = hop;
    }
  return next;
}

/**
 * t2p_endpoint_parse:
 * @uri: a proxy URI, or several of them joined by '|' to a chain
 * @error: return location for %T2P_ERROR_INVALID_ARGUMENT, whose message never shows userinfo
 *
 * Returns: (transfer full): the upstream that it names
 *
 * Since: 0.1
 */
T2pEndpoint *
t2p_endpoint_parse (const char *uri, GError **error)
{
  T2pEndpoint *self;

  g_return_val_if_fail (uri != NULL, NULL);

  if (strlen (uri) > T2P_MAX_STRING_BYTES)
    {
      refuse (error, "is longer than %d bytes", T2P_MAX_STRING_BYTES);
      return NULL;
    }
  if (strchr (uri, '|') != NULL)
    return parse_chain (uri, error);
  self = parse_hop (uri, TRUE, error);
  if (self != NULL)
    t2p_endpoint_complete (self, NULL);
  return self;
}
