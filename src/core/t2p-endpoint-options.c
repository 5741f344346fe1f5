/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-endpoint-private.h"

#include "t2p-host-name.h"
#include "t2p-limits.h"
#include "t2p-percent.h"
#include "t2p-quote.h"
#include "t2p-setting-error.h"

#include <gio/gio.h>
#include <string.h>

/* Theory of operation. One table says which options there are, which schemes take them, and
 * what their values look like; an option that it lacks is refused by its name, so that nobody
 * believes in one that does nothing. A value may be a part of a password that somebody forgot
 * to encode: it is shown only in what a rule about characters has already passed. */

#define MAX_FD_NAME_BYTES 64

typedef enum
{
  VALUE_CHOICE,
  VALUE_HOST,
  VALUE_HOST_PORT,
  VALUE_FILE,
} ValueKind;

#define BIT(scheme) (1u << T2P_SCHEME_##scheme)
#define SOCKS5_FAMILY (BIT (SOCKS5) | BIT (SOCKS5H) | BIT (SOCKS5_TLS))
#define HTTP_FAMILY (BIT (HTTP) | BIT (HTTPS))
#define TLS_FAMILY (BIT (HTTPS) | BIT (SOCKS5_TLS))
#define SOCKS4_FAMILY (BIT (SOCKS4) | BIT (SOCKS4A))
#define PROXIES (SOCKS5_FAMILY | SOCKS4_FAMILY | HTTP_FAMILY)

typedef struct
{
  const char *name;
  guint schemes;
  ValueKind kind;
  const char *choices;
} OptionRow;

/* A name may have several rows, each with schemes of its own. */
static const OptionRow rows[] = {
  { "udp", SOCKS5_FAMILY, VALUE_CHOICE, "auto|associate|udpgw|udp-in-tcp|reject" },
  { "udp", SOCKS4_FAMILY | HTTP_FAMILY, VALUE_CHOICE, "auto|udpgw|reject" },
  { "udp", BIT (DIRECT), VALUE_CHOICE, "auto|reject" },
  { "tls-ca", TLS_FAMILY, VALUE_FILE, NULL },
  { "tls-name", TLS_FAMILY, VALUE_HOST, NULL },
  { "tls-verify", TLS_FAMILY, VALUE_CHOICE, "yes|no" },
  { "tls-cert", TLS_FAMILY, VALUE_FILE, NULL },
  { "tls-key", TLS_FAMILY, VALUE_FILE, NULL },
  { "tfo", PROXIES, VALUE_CHOICE, "yes|no" },
  { "pipeline", SOCKS5_FAMILY, VALUE_CHOICE, "yes|no" },
  { "auth", HTTP_FAMILY, VALUE_CHOICE, "auto|basic|digest|negotiate" },
  { "kdc", HTTP_FAMILY, VALUE_HOST_PORT, NULL },
};

#define KNOWN_OPTIONS                                                                          \
  "udp, tls-ca, tls-name, tls-verify, tls-cert, tls-key, tfo, pipeline, auth or kdc"

/* --- names */

static gboolean
is_known (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    if (strcmp (rows[i].name, name) == 0)
      return TRUE;
  return FALSE;
}

static char *
schemes_of (const char *name)
{
  GString *list = g_string_new (NULL);
  char *words;

  for (guint scheme = 0; scheme < T2P_N_SCHEMES; scheme++)
    for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
      if (strcmp (rows[i].name, name) == 0 && (rows[i].schemes & 1u << scheme) != 0)
        g_string_append_printf (list, "%s%s", list->len > 0 ? "|" : "",
                                t2p_scheme_to_string ((T2pScheme) scheme));
  words = t2p_setting_choices_to_words (list->str);
  g_string_free (list, TRUE);
  return words;
}

static const OptionRow *
find_row (T2pScheme scheme, const char *name, GError **error)
{
  g_autofree char *fitting = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    if (strcmp (rows[i].name, name) == 0 && (rows[i].schemes & 1u << scheme) != 0)
      return &rows[i];
  if (!is_known (name))
    t2p_endpoint_refuse (error, "option '%s' is unknown, expected %s", name, KNOWN_OPTIONS);
  else
    {
      fitting = schemes_of (name);
      t2p_endpoint_refuse (error, "option '%s' does not fit scheme '%s', expected %s", name,
                           t2p_scheme_to_string (scheme), fitting);
    }
  return NULL;
}

/* --- values */

static gboolean
check_choice (const OptionRow *row, const char *value, GError **error)
{
  g_auto (GStrv) choices = g_strsplit (row->choices, "|", -1);
  g_autofree char *words = NULL;
  g_autofree char *seen = NULL;

  if (g_strv_contains ((const char *const *) choices, value))
    return TRUE;
  words = t2p_setting_choices_to_words (row->choices);
  seen = t2p_quote (value);
  return t2p_endpoint_refuse (error, "option '%s' is %s, expected %s", row->name, seen, words);
}

static gboolean
check_host (const OptionRow *row, const char *value, GError **error)
{
  T2pIpAddress address;

  if (t2p_ip_address_parse (value, &address) || t2p_host_name_is_valid (value))
    return TRUE;
  return t2p_endpoint_refuse (
      error, "option '%s' is no name, expected that of the proxy's certificate", row->name);
}

static gboolean
check_host_port (const OptionRow *row, const char *value, GError **error)
{
  g_autoptr (GSocketConnectable) parsed = g_network_address_parse (value, 1, NULL);
  GNetworkAddress *address = G_NETWORK_ADDRESS (parsed);
  T2pIpAddress ignored;

  if (parsed != NULL && g_network_address_get_port (address) != 0 &&
      (t2p_ip_address_parse (g_network_address_get_hostname (address), &ignored) ||
       t2p_host_name_is_valid (g_network_address_get_hostname (address))))
    return TRUE;
  return t2p_endpoint_refuse (error, "option '%s' is no server, expected HOST or HOST:PORT",
                              row->name);
}

static gboolean
check_file (const OptionRow *row, const char *value, GError **error)
{
  const char *name = value + strlen ("fd:");
  gsize length;

  if (value[0] == '/' && value[strlen (value) - 1] != '/')
    return TRUE;
  if (g_str_has_prefix (value, "fd:"))
    {
      length = strspn (name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-");
      if (length > 0 && length <= MAX_FD_NAME_BYTES && name[length] == '\0')
        return TRUE;
    }
  return t2p_endpoint_refuse (error,
                              "option '%s' names no file, expected an absolute path or "
                              "fd:NAME",
                              row->name);
}

static gboolean
check_value (const OptionRow *row, const char *value, GError **error)
{
  switch (row->kind)
    {
    case VALUE_CHOICE:
      return check_choice (row, value, error);
    case VALUE_HOST:
      return check_host (row, value, error);
    case VALUE_HOST_PORT:
      return check_host_port (row, value, error);
    case VALUE_FILE:
      return check_file (row, value, error);
    }
  return FALSE;
}

/* --- the query */

static gboolean
name_is_valid (const char *name, gsize length)
{
  return length > 0 && strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789-") >= length;
}

static gboolean
parse_option (T2pEndpoint *self, const char *text, GError **error)
{
  const char *equals = strchr (text, '=');
  char value[T2P_MAX_STRING_BYTES] = "";
  g_autofree char *name = NULL;
  const OptionRow *row;
  gssize n;

  if (equals == NULL || !name_is_valid (text, (gsize) (equals - text)))
    return t2p_endpoint_refuse (error,
                                "query is malformed, expected OPTION=VALUE joined by '&'");
  name = g_strndup (text, (gsize) (equals - text));
  row = find_row (self->scheme, name, error);
  if (row == NULL)
    return FALSE;
  if (t2p_endpoint_get_option (self, name) != NULL)
    return t2p_endpoint_refuse (error, "option '%s' is given twice", name);
  n = t2p_percent_decode (equals + 1, strlen (equals + 1), value, sizeof value - 1);
  if (n < 0 || n > (gssize) sizeof value - 1)
    return t2p_endpoint_refuse (error, "option '%s' is not percent-encoded rightly", name);
  if (n == 0)
    return t2p_endpoint_refuse (error, "option '%s' is empty, expected a value", name);
  value[n] = '\0';
  if (!check_value (row, value, error))
    return FALSE;
  g_ptr_array_add (self->options, g_steal_pointer (&name));
  g_ptr_array_add (self->options, g_strdup (value));
  return TRUE;
}

gboolean
t2p_endpoint_parse_options (T2pEndpoint *self, const char *text, GError **error)
{
  /* One more than there are names: the last one is then given twice or unknown. */
  g_auto (GStrv) pairs = g_strsplit (text, "&", G_N_ELEMENTS (rows) + 1);

  if (pairs[0] == NULL)
    return t2p_endpoint_refuse (error, "query is empty, expected OPTION=VALUE joined by '&'");
  for (guint i = 0; pairs[i] != NULL; i++)
    if (!parse_option (self, pairs[i], error))
      return FALSE;
  return TRUE;
}

/* --- together */

/* The login itself may be added later: t2p_endpoint_check_login(). */
static gboolean
check_kerberos (const T2pEndpoint *self, GError **error)
{
  const char *auth = t2p_endpoint_get_option (self, "auth");
  const gboolean has_kdc = t2p_endpoint_get_option (self, "kdc") != NULL;

  if (g_strcmp0 (auth, "negotiate") == 0 && !has_kdc)
    return t2p_endpoint_refuse (error, "option 'auth' is 'negotiate', expected 'kdc' with the "
                                       "key distribution centre, too");
  if (has_kdc && (g_strcmp0 (auth, "basic") == 0 || g_strcmp0 (auth, "digest") == 0))
    return t2p_endpoint_refuse (error,
                                "option 'kdc' does not fit 'auth=%s', expected "
                                "'auth=negotiate' or no 'auth'",
                                auth);
  return TRUE;
}

gboolean
t2p_endpoint_check_options (const T2pEndpoint *self, gboolean is_first, GError **error)
{
  const gboolean has_tls = t2p_scheme_get_traits (self->scheme)->has_tls;
  const gboolean is_verified = g_strcmp0 (t2p_endpoint_get_option (self, "tls-verify"), "no");

  if (t2p_endpoint_get_option (self, "tls-key") != NULL &&
      t2p_endpoint_get_option (self, "tls-cert") == NULL)
    return t2p_endpoint_refuse (error, "option 'tls-key' has no certificate, expected "
                                       "'tls-cert', too");
  if (has_tls && is_verified && self->unix_path != NULL &&
      t2p_endpoint_get_option (self, "tls-name") == NULL)
    return t2p_endpoint_refuse (error, "has no name that the certificate could be verified "
                                       "for, expected option 'tls-name'");
  if (g_strcmp0 (t2p_endpoint_get_option (self, "tfo"), "yes") == 0 &&
      (self->unix_path != NULL || !is_first))
    return t2p_endpoint_refuse (error, "option 'tfo' is 'yes', expected it where a TCP "
                                       "connection to the proxy itself is made");
  return check_kerberos (self, error);
}

void
t2p_endpoint_append_options (const T2pEndpoint *self, GString *out)
{
  for (guint i = 0; i < self->options->len; i += 2)
    {
      const char *value = g_ptr_array_index (self->options, i + 1);

      g_string_append_printf (out, "%c%s=", i == 0 ? '?' : '&',
                              (const char *) g_ptr_array_index (self->options, i));
      t2p_percent_append (out, value, strlen (value), T2P_PERCENT_UNRESERVED "/:,");
    }
}

/**
 * t2p_endpoint_check_login:
 * @endpoint: one hop, with the credentials that it will have
 * @error: return location for %T2P_ERROR_INVALID_ARGUMENT
 *
 * Returns: whether the options have the login that they need: Kerberos a user of a realm and
 * the password
 *
 * Since: 0.1
 */
gboolean
t2p_endpoint_check_login (const T2pEndpoint *endpoint, GError **error)
{
  const char *user = t2p_endpoint_get_user (endpoint);

  if (t2p_endpoint_get_option (endpoint, "kdc") == NULL ||
      (user != NULL && strchr (user, '@') != NULL &&
       t2p_endpoint_get_password (endpoint) != NULL))
    return TRUE;
  return t2p_endpoint_refuse (error, "option 'kdc' lacks a login, expected "
                                     "USER%%40REALM:PASSWORD before the host");
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

static gboolean
names_file (const char *option)
{
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    if (strcmp (rows[i].name, option) == 0)
      return rows[i].kind == VALUE_FILE;
  return FALSE;
}

void
t2p_endpoint_list_files (const T2pEndpoint *endpoint, GPtrArray *names)
{
  for (; endpoint != NULL; endpoint = endpoint->next)
    for (guint i = 0; i < endpoint->options->len; i += 2)
      if (names_file (g_ptr_array_index (endpoint->options, i)))
        g_ptr_array_add (names, g_ptr_array_index (endpoint->options, i + 1));
}
