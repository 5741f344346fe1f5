/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any text is refused with a message, or has a display and a private URI that name the same
 * upstream again. Neither a display nor a message shows a password.
 */
#include "config.h"

#include "fuzz.h"

#include "t2p-endpoint.h"
#include "t2p-limits.h"

#include <string.h>

static void
check_hops (const T2pEndpoint *endpoint)
{
  guint n = 0;

  for (const T2pEndpoint *hop = endpoint; hop != NULL; hop = t2p_endpoint_get_next (hop))
    {
      const char *path = t2p_endpoint_get_unix_path (hop);

      n++;
      g_assert_true (path == NULL || path[0] == '/');
      g_assert_false (path != NULL && t2p_endpoint_get_host (hop) != NULL);
      g_assert_null (strchr (t2p_endpoint_get_hop_display (hop), '@'));
    }
  g_assert_cmpuint (n, ==, t2p_endpoint_get_n_hops (endpoint));
  g_assert_cmpuint (n, <=, T2P_MAX_CHAIN_HOPS);
}

static void
check_same_secret (T2pSecret *a, T2pSecret *b)
{
  gsize a_bytes = 0;
  gsize b_bytes = 0;
  const char *a_text = a != NULL ? t2p_secret_peek (a, &a_bytes) : NULL;
  const char *b_text = b != NULL ? t2p_secret_peek (b, &b_bytes) : NULL;

  g_assert_cmpmem (a_text, a_bytes, b_text, b_bytes);
}

static void
check_comes_again (const T2pEndpoint *endpoint)
{
  g_autofree char *uri = t2p_endpoint_to_private_uri (endpoint);
  g_autoptr (T2pEndpoint) again = t2p_endpoint_parse (uri, NULL);
  const T2pEndpoint *other = again;

  if (strlen (uri) > T2P_MAX_STRING_BYTES) /* encoded, it is longer than it was */
    return;
  g_assert_nonnull (again);
  g_assert_cmpstr (t2p_endpoint_get_display (again), ==, t2p_endpoint_get_display (endpoint));
  for (; endpoint != NULL; endpoint = t2p_endpoint_get_next (endpoint))
    {
      g_assert_cmpstr (t2p_endpoint_get_user (endpoint), ==, t2p_endpoint_get_user (other));
      check_same_secret (t2p_endpoint_get_password (endpoint),
                         t2p_endpoint_get_password (other));
      other = t2p_endpoint_get_next (other);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *uri = g_strndup (size > 0 ? (const char *) data : "", size);
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pEndpoint) endpoint = t2p_endpoint_parse (uri, &error);

  g_assert_cmpint (endpoint == NULL, ==, error != NULL);
  if (endpoint == NULL)
    return 0;
  check_hops (endpoint);
  check_comes_again (endpoint);
  return 0;
}
