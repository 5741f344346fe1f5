/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-endpoint.h"

#include "t2p-error.h"
#include "t2p-host-name.h"
#include "t2p-limits.h"
#include "t2p-percent.h"
#include "t2p-quote.h"

#include <string.h>

/* Theory of operation. The text is cut into scheme, userinfo, host, port and query before
 * anything is judged. No message shows a piece that could be a part of a password: whoever
 * forgets to encode a '/' or an '@' in it gets a message about the encoding, not one about the
 * "port" that his password has become. */

#define MAX_CREDENTIAL_BYTES 255 /* RFC 1929 section 2 */
#define MAX_OPTIONS 16

struct _T2pEndpoint
{
  gatomicrefcount ref_count;
  T2pScheme scheme;
  char *host;
  guint16 port;
  T2pIpAddress address; /* AF_UNSPEC: the host is a name */
  T2pSecret *user;      /* often a token */
  T2pSecret *password;
  GPtrArray *options; /* name, value, name, value, …; shared by copies */
  char *display;
};

static const struct
{
  const char *name;
  guint16 default_port;
  gboolean has_host;
} schemes[] = {
  [T2P_SCHEME_SOCKS5] = { "socks5", 1080, TRUE },
  [T2P_SCHEME_SOCKS5H] = { "socks5h", 1080, TRUE },
  [T2P_SCHEME_SOCKS4] = { "socks4", 1080, TRUE },
  [T2P_SCHEME_SOCKS4A] = { "socks4a", 1080, TRUE },
  [T2P_SCHEME_HTTP] = { "http", 8080, TRUE },
  [T2P_SCHEME_HTTPS] = { "https", 443, TRUE },
  [T2P_SCHEME_SOCKS5_TLS] = { "socks5+tls", 443, TRUE },
  [T2P_SCHEME_DIRECT] = { "direct", 0, FALSE },
  [T2P_SCHEME_REJECT] = { "reject", 0, FALSE },
};
G_STATIC_ASSERT (G_N_ELEMENTS (schemes) == T2P_SCHEME_REJECT + 1);

#define KNOWN_SCHEMES                                                                          \
  "socks5, socks5h, socks4, socks4a, http, https, socks5+tls, direct or reject"

const char *
t2p_scheme_to_string (T2pScheme scheme)
{
  g_return_val_if_fail ((guint) scheme < G_N_ELEMENTS (schemes), "unknown");
  return schemes[scheme].name;
}

static gboolean G_GNUC_PRINTF (2, 3) refuse (GError **error, const char *format, ...)
{
  g_autofree char *message = NULL;
  va_list args;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT, message);
  return FALSE;
}

/* --- scheme */

static gboolean
find_scheme (const char *name, T2pScheme *out_scheme)
{
  for (guint i = 0; i < G_N_ELEMENTS (schemes); i++)
    if (g_ascii_strcasecmp (schemes[i].name, name) == 0)
      {
        *out_scheme = (T2pScheme) i;
        return TRUE;
      }
  return FALSE;
}

static gboolean
looks_like_a_scheme (const char *name)
{
  const gsize length = strspn (name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789+-.");

  return g_ascii_isalpha (name[0]) && name[length] == '\0' && length <= 16;
}

/* Leaves *out_rest after "://"; "direct" and "reject" may stand alone. */
static gboolean
parse_scheme (T2pEndpoint *self, const char *uri, const char **out_rest, GError **error)
{
  const char *separator = strstr (uri, "://");
  g_autofree char *name = NULL;

  if (separator == NULL && find_scheme (uri, &self->scheme) && !schemes[self->scheme].has_host)
    {
      *out_rest = uri + strlen (uri);
      return TRUE;
    }
  if (separator == NULL)
    return refuse (error, "has no scheme, expected such as socks5://HOST:PORT");
  name = g_strndup (uri, (gsize) (separator - uri));
  if (!looks_like_a_scheme (name))
    return refuse (error, "has no valid scheme, expected %s", KNOWN_SCHEMES);
  if (!find_scheme (name, &self->scheme))
    return refuse (error, "scheme '%s' is unknown, expected %s", name, KNOWN_SCHEMES);
  *out_rest = separator + strlen ("://");
  return TRUE;
}

/* --- userinfo */

static gboolean
parse_credential (
    const char *text, gsize length, const char *what, T2pSecret **out_secret, GError **error)
{
  char bytes[MAX_CREDENTIAL_BYTES] = "";
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
    return refuse (error, "%s is empty, expected 1 to %d bytes", what, MAX_CREDENTIAL_BYTES);
  if (n > MAX_CREDENTIAL_BYTES)
    return refuse (error, "%s is too long, expected 1 to %d bytes", what, MAX_CREDENTIAL_BYTES);
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

  self->port = schemes[self->scheme].default_port;
  if (text[0] == '[')
    return parse_bracketed (self, text + 1, error);
  if (colon != NULL && strchr (colon + 1, ':') != NULL)
    return refuse (error, "host has several colons, expected an IPv6 address in brackets");
  host = g_strndup (text, colon != NULL ? (gsize) (colon - text) : strlen (text));
  if (colon != NULL && !parse_port (self, colon + 1, error))
    return FALSE;
  return parse_host_name (self, host, error);
}

/* --- query */

static gboolean
option_name_is_valid (const char *name, gsize length)
{
  return length > 0 && strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789-") >= length;
}

static gboolean
parse_option (T2pEndpoint *self, const char *text, GError **error)
{
  const char *equals = strchr (text, '=');
  char value[T2P_MAX_STRING_BYTES] = "";
  g_autofree char *name = NULL;
  gssize n;

  if (equals == NULL || !option_name_is_valid (text, (gsize) (equals - text)))
    return refuse (error, "query is malformed, expected OPTION=VALUE joined by '&'");
  name = g_strndup (text, (gsize) (equals - text));
  if (t2p_endpoint_get_option (self, name) != NULL)
    return refuse (error, "option '%s' is given twice", name);
  n = t2p_percent_decode (equals + 1, strlen (equals + 1), value, sizeof value);
  if (n < 0 || n > (gssize) sizeof value)
    return refuse (error, "option '%s' is not percent-encoded rightly", name);
  g_ptr_array_add (self->options, g_steal_pointer (&name));
  g_ptr_array_add (self->options, g_strndup (value, (gsize) n));
  return TRUE;
}

static gboolean
parse_query (T2pEndpoint *self, const char *text, GError **error)
{
  g_auto (GStrv) pairs = g_strsplit (text, "&", MAX_OPTIONS + 1);

  if (pairs[0] == NULL)
    return refuse (error, "query is empty, expected OPTION=VALUE joined by '&'");
  if (g_strv_length (pairs) > MAX_OPTIONS)
    return refuse (error, "query has too many options, expected at most %d", MAX_OPTIONS);
  for (guint i = 0; pairs[i] != NULL; i++)
    if (!parse_option (self, pairs[i], error))
      return FALSE;
  return TRUE;
}

/* --- the whole */

static void
append_host_port_query (const T2pEndpoint *self, GString *out)
{
  if (self->host != NULL)
    g_string_append_printf (out, self->address.family == AF_INET6 ? "[%s]:%u" : "%s:%u",
                            self->host, (guint) self->port);
  for (guint i = 0; i < self->options->len; i += 2)
    {
      const char *value = g_ptr_array_index (self->options, i + 1);

      g_string_append_printf (out, "%c%s=", i == 0 ? '?' : '&',
                              (const char *) g_ptr_array_index (self->options, i));
      t2p_percent_append (out, value, strlen (value), T2P_PERCENT_UNRESERVED "/:,");
    }
}

static void
set_display (T2pEndpoint *self)
{
  GString *out = g_string_new (schemes[self->scheme].name);

  g_string_append (out, "://");
  append_host_port_query (self, out);
  self->display = g_string_free (out, FALSE);
}

/* @text: [USERINFO@]HOST[:PORT] of @length bytes; what is after it was looked at already. */
static gboolean
parse_authority (T2pEndpoint *self, const char *text, gsize length, GError **error)
{
  const char *at = memchr (text, '@', length);
  const char *host = at != NULL ? at + 1 : text;
  g_autofree char *host_port = g_strndup (host, length - (gsize) (host - text));

  if (!schemes[self->scheme].has_host)
    return length == 0 ||
           refuse (error, "%s takes no host and no user", t2p_scheme_to_string (self->scheme));
  if (at != NULL && !parse_userinfo (self, text, (gsize) (at - text), error))
    return FALSE;
  return parse_host_port (self, host_port, error);
}

static gboolean
parse_rest (T2pEndpoint *self, const char *rest, GError **error)
{
  const gsize length = strcspn (rest, "/?#");
  const char *tail = rest + length;
  const char *at = strchr (rest, '@');

  if (at != NULL && (at > tail || strchr (at + 1, '@') != NULL))
    return refuse (error, "user name or password has an '@', '/', '?' or '#' in it, expected "
                          "%%40, %%2F, %%3F or %%23");
  if (!parse_authority (self, rest, length, error))
    return FALSE;
  if (tail[0] == '/')
    tail++;
  if (tail[0] == '\0')
    return TRUE;
  if (tail[0] != '?')
    return refuse (error,
                   "has a path or a fragment, expected nothing or a query after the host");
  return parse_query (self, tail + 1, error);
}

/**
 * t2p_endpoint_parse:
 * @uri: a proxy URI
 * @error: return location for %T2P_ERROR_INVALID_ARGUMENT, whose message never shows userinfo
 *
 * Returns: (transfer full): the upstream that it names
 *
 * Since: 0.1
 */
T2pEndpoint *
t2p_endpoint_parse (const char *uri, GError **error)
{
  g_autoptr (T2pEndpoint) self = NULL;
  const char *rest = NULL;

  g_return_val_if_fail (uri != NULL, NULL);

  if (strlen (uri) > T2P_MAX_STRING_BYTES)
    {
      refuse (error, "is longer than %d bytes", T2P_MAX_STRING_BYTES);
      return NULL;
    }
  self = g_new0 (T2pEndpoint, 1);
  g_atomic_ref_count_init (&self->ref_count);
  self->options = g_ptr_array_new_with_free_func (g_free);
  if (!parse_scheme (self, uri, &rest, error) || !parse_rest (self, rest, error))
    return NULL;
  set_display (self);
  return g_steal_pointer (&self);
}

T2pEndpoint *
t2p_endpoint_ref (T2pEndpoint *endpoint)
{
  g_atomic_ref_count_inc (&endpoint->ref_count);
  return endpoint;
}

void
t2p_endpoint_unref (T2pEndpoint *endpoint)
{
  if (endpoint == NULL || !g_atomic_ref_count_dec (&endpoint->ref_count))
    return;
  g_free (endpoint->host);
  g_free (endpoint->display);
  g_clear_pointer (&endpoint->user, t2p_secret_unref);
  g_clear_pointer (&endpoint->password, t2p_secret_unref);
  g_ptr_array_unref (endpoint->options);
  g_free (endpoint);
}

T2pScheme
t2p_endpoint_get_scheme (const T2pEndpoint *endpoint)
{
  return endpoint->scheme;
}

const char *
t2p_endpoint_get_host (const T2pEndpoint *endpoint)
{
  return endpoint->host;
}

guint16
t2p_endpoint_get_port (const T2pEndpoint *endpoint)
{
  return endpoint->port;
}

gboolean
t2p_endpoint_get_address (const T2pEndpoint *endpoint, T2pIpAddress *out_address)
{
  if (endpoint->address.family == AF_UNSPEC)
    return FALSE;
  *out_address = endpoint->address;
  return TRUE;
}

const char *
t2p_endpoint_get_user (const T2pEndpoint *endpoint)
{
  return endpoint->user != NULL ? t2p_secret_peek (endpoint->user, NULL) : NULL;
}

T2pSecret *
t2p_endpoint_get_password (const T2pEndpoint *endpoint)
{
  return endpoint->password;
}

/**
 * t2p_endpoint_get_option:
 * @endpoint: an upstream
 * @name: name of a query option
 *
 * Returns: (transfer none) (nullable): its decoded value
 *
 * Since: 0.1
 */
const char *
t2p_endpoint_get_option (const T2pEndpoint *endpoint, const char *name)
{
  for (guint i = 0; i < endpoint->options->len; i += 2)
    if (g_strcmp0 (g_ptr_array_index (endpoint->options, i), name) == 0)
      return g_ptr_array_index (endpoint->options, i + 1);
  return NULL;
}

const char *
t2p_endpoint_get_display (const T2pEndpoint *endpoint)
{
  return endpoint->display;
}

static void
append_secret (GString *out, const T2pSecret *secret)
{
  gsize length = 0;
  const char *bytes = t2p_secret_peek (secret, &length);

  t2p_percent_append (out, bytes, length, T2P_PERCENT_UNRESERVED);
}

/**
 * t2p_endpoint_to_private_uri:
 * @endpoint: an upstream
 *
 * Returns: (transfer full): its URI with the credentials; the caller wipes it
 *
 * Since: 0.1
 */
char *
t2p_endpoint_to_private_uri (const T2pEndpoint *endpoint)
{
  /* Large enough at once: growing would leave a copy of the password in freed memory. */
  GString *out = g_string_sized_new (strlen (endpoint->display) + 6 * MAX_CREDENTIAL_BYTES + 8);

  g_string_append_printf (out, "%s://", schemes[endpoint->scheme].name);
  if (endpoint->user != NULL)
    append_secret (out, endpoint->user);
  if (endpoint->password != NULL)
    {
      g_string_append_c (out, ':');
      append_secret (out, endpoint->password);
    }
  if (endpoint->user != NULL)
    g_string_append_c (out, '@');
  append_host_port_query (endpoint, out);
  return g_string_free (out, FALSE);
}

/**
 * t2p_endpoint_with_credentials:
 * @endpoint: an upstream
 * @user: (nullable): user name, 1 to 255 bytes; %NULL takes the credentials away
 * @password: (nullable): password, 1 to 255 bytes
 *
 * Returns: (transfer full): the same upstream with these credentials
 *
 * Since: 0.1
 */
T2pEndpoint *
t2p_endpoint_with_credentials (const T2pEndpoint *endpoint,
                               const char *user,
                               T2pSecret *password)
{
  T2pEndpoint *copy;
  gsize length = 1;

  g_return_val_if_fail (user != NULL || password == NULL, NULL);
  g_return_val_if_fail (
      user == NULL || (user[0] != '\0' && strlen (user) <= MAX_CREDENTIAL_BYTES), NULL);
  if (password != NULL)
    t2p_secret_peek (password, &length);
  g_return_val_if_fail (length >= 1 && length <= MAX_CREDENTIAL_BYTES, NULL);

  copy = g_new0 (T2pEndpoint, 1);
  g_atomic_ref_count_init (&copy->ref_count);
  copy->scheme = endpoint->scheme;
  copy->host = g_strdup (endpoint->host);
  copy->port = endpoint->port;
  copy->address = endpoint->address;
  copy->options = g_ptr_array_ref (endpoint->options);
  copy->display = g_strdup (endpoint->display);
  copy->user = user != NULL ? t2p_secret_new (user, strlen (user)) : NULL;
  copy->password = password != NULL ? t2p_secret_ref (password) : NULL;
  return copy;
}
