/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-endpoint-private.h"

#include "t2p-error.h"
#include "t2p-limits.h"
#include "t2p-percent.h"

#include <string.h>

/* Theory of operation. Each hop of a chain is an endpoint and owns a reference to the one
 * behind it; nothing is changed once t2p_endpoint_complete() was called, so hops may be shared.
 */

#define CHAIN_SEPARATOR " | "

gboolean
t2p_endpoint_refuse (GError **error, const char *format, ...)
{
  g_autofree char *message = NULL;
  va_list args;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT, message);
  return FALSE;
}

/* --- life */

T2pEndpoint *
t2p_endpoint_new_empty (void)
{
  T2pEndpoint *self = g_new0 (T2pEndpoint, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->options = g_ptr_array_new_with_free_func (g_free);
  return self;
}

static void
append_place (const T2pEndpoint *self, GString *out)
{
  if (self->host != NULL)
    g_string_append_printf (out, self->address.family == AF_INET6 ? "[%s]:%u" : "%s:%u",
                            self->host, (guint) self->port);
  if (self->unix_path != NULL)
    {
      g_string_append (out, "unix:");
      t2p_percent_append (out, self->unix_path, strlen (self->unix_path),
                          T2P_PERCENT_UNRESERVED "/");
    }
  t2p_endpoint_append_options (self, out);
}

void
t2p_endpoint_complete (T2pEndpoint *self, T2pEndpoint *next)
{
  GString *out = g_string_new (t2p_scheme_to_string (self->scheme));

  g_string_append (out, "://");
  append_place (self, out);
  self->hop_display = g_string_free (out, FALSE);
  self->next = next;
  self->display = next == NULL
                      ? g_strdup (self->hop_display)
                      : g_strconcat (self->hop_display, CHAIN_SEPARATOR, next->display, NULL);
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
  g_free (endpoint->unix_path);
  g_free (endpoint->hop_display);
  g_free (endpoint->display);
  g_clear_pointer (&endpoint->user, t2p_secret_unref);
  g_clear_pointer (&endpoint->password, t2p_secret_unref);
  g_clear_pointer (&endpoint->next, t2p_endpoint_unref); /* as deep as a chain is long */
  g_ptr_array_unref (endpoint->options);
  g_free (endpoint);
}

/* --- questions */

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
t2p_endpoint_get_unix_path (const T2pEndpoint *endpoint)
{
  return endpoint->unix_path;
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

T2pEndpoint *
t2p_endpoint_get_next (const T2pEndpoint *endpoint)
{
  return endpoint->next;
}

guint
t2p_endpoint_get_n_hops (const T2pEndpoint *endpoint)
{
  guint n = 1;

  for (; endpoint->next != NULL; endpoint = endpoint->next)
    n++;
  return n;
}

gboolean
t2p_endpoint_has_credentials (const T2pEndpoint *endpoint)
{
  for (; endpoint != NULL; endpoint = endpoint->next)
    if (endpoint->user != NULL)
      return TRUE;
  return FALSE;
}

const char *
t2p_endpoint_get_display (const T2pEndpoint *endpoint)
{
  return endpoint->display;
}

const char *
t2p_endpoint_get_hop_display (const T2pEndpoint *endpoint)
{
  return endpoint->hop_display;
}

/* --- with the credentials */

static void
append_secret (GString *out, const T2pSecret *secret)
{
  gsize length = 0;
  const char *bytes = t2p_secret_peek (secret, &length);

  t2p_percent_append (out, bytes, length, T2P_PERCENT_UNRESERVED);
}

static void
append_private_hop (const T2pEndpoint *hop, GString *out)
{
  g_string_append_printf (out, "%s://", t2p_scheme_to_string (hop->scheme));
  if (hop->user != NULL)
    append_secret (out, hop->user);
  if (hop->password != NULL)
    {
      g_string_append_c (out, ':');
      append_secret (out, hop->password);
    }
  if (hop->user != NULL)
    g_string_append_c (out, '@');
  append_place (hop, out);
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
  const gsize most =
      strlen (endpoint->display) + T2P_MAX_CHAIN_HOPS * (6 * T2P_MAX_CREDENTIAL_BYTES + 2) + 1;
  GString *out = g_string_sized_new (most);

  for (const T2pEndpoint *hop = endpoint; hop != NULL; hop = hop->next)
    {
      if (hop != endpoint)
        g_string_append (out, CHAIN_SEPARATOR);
      append_private_hop (hop, out);
    }
  return g_string_free (out, FALSE);
}

/* --- copies */

static T2pEndpoint *
copy_hop (const T2pEndpoint *hop, const char *user, T2pSecret *password)
{
  T2pEndpoint *copy = g_new0 (T2pEndpoint, 1);

  g_atomic_ref_count_init (&copy->ref_count);
  copy->scheme = hop->scheme;
  copy->host = g_strdup (hop->host);
  copy->unix_path = g_strdup (hop->unix_path);
  copy->port = hop->port;
  copy->address = hop->address;
  copy->options = g_ptr_array_ref (hop->options);
  copy->user = user != NULL ? t2p_secret_new (user, strlen (user)) : NULL;
  copy->password = password != NULL ? t2p_secret_ref (password) : NULL;
  return copy;
}

static T2pEndpoint *
copy_chain (const T2pEndpoint *hop, guint n, const char *user, T2pSecret *password)
{
  T2pEndpoint *next = hop->next;
  T2pEndpoint *copy;

  if (n == 0)
    {
      copy = copy_hop (hop, user, password);
      t2p_endpoint_complete (copy, next != NULL ? t2p_endpoint_ref (next) : NULL);
      return copy;
    }
  copy = copy_hop (hop, t2p_endpoint_get_user (hop), hop->password);
  t2p_endpoint_complete (copy, copy_chain (next, n - 1, user, password));
  return copy;
}

/**
 * t2p_endpoint_with_credentials:
 * @endpoint: an upstream
 * @hop: which hop of it, from 0
 * @user: (nullable): user name, 1 to 255 bytes; %NULL takes the credentials away
 * @password: (nullable): password, 1 to 255 bytes
 *
 * Returns: (transfer full): the same upstream with these credentials
 *
 * Since: 0.1
 */
T2pEndpoint *
t2p_endpoint_with_credentials (const T2pEndpoint *endpoint,
                               guint hop,
                               const char *user,
                               T2pSecret *password)
{
  gsize length = 1;

  g_return_val_if_fail (hop < t2p_endpoint_get_n_hops (endpoint), NULL);
  g_return_val_if_fail (user != NULL || password == NULL, NULL);
  g_return_val_if_fail (
      user == NULL || (user[0] != '\0' && strlen (user) <= T2P_MAX_CREDENTIAL_BYTES), NULL);
  if (password != NULL)
    t2p_secret_peek (password, &length);
  g_return_val_if_fail (length >= 1 && length <= T2P_MAX_CREDENTIAL_BYTES, NULL);

  return copy_chain (endpoint, hop, user, password);
}
