/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-http-auth.h"

#include "t2p-error.h"

struct _T2pHttpAuth
{
  T2pHttpLogin login;
  guint usable; /* schemes that can say who we are */
  guint64 n_nonces;
  T2pHttpScheme scheme; /* NONE: not learnt yet */
  T2pHttpDigest *digest;
};

static gboolean
has_control_character (const char *text)
{
  for (; *text != '\0'; text++)
    if (g_ascii_iscntrl (*text))
      return TRUE;
  return FALSE;
}

/**
 * t2p_http_auth_new:
 * @login: copied; what it points to outlives the result
 *
 * Basic cannot say a user name with a colon (RFC 7617 section 2), Digest none with a control
 * character.
 */
T2pHttpAuth *
t2p_http_auth_new (const T2pHttpLogin *login)
{
  T2pHttpAuth *auth = g_new0 (T2pHttpAuth, 1);

  auth->login = *login;
  auth->usable = login->schemes;
  if (strchr (login->user, ':') != NULL)
    auth->usable &= ~(guint) T2P_HTTP_SCHEME_BASIC;
  if (has_control_character (login->user))
    auth->usable &= ~(guint) T2P_HTTP_SCHEME_DIGEST;
  if (login->make_token == NULL)
    auth->usable &= ~(guint) T2P_HTTP_SCHEME_NEGOTIATE;
  return auth;
}

void
t2p_http_auth_free (T2pHttpAuth *auth)
{
  g_clear_pointer (&auth->digest, t2p_http_digest_unref);
  g_free (auth);
}

/**
 * t2p_http_auth_choose:
 *
 * Returns: the best way that @offer has and we can go
 */
T2pHttpScheme
t2p_http_auth_choose (const T2pHttpAuth *auth, const T2pHttpOffer *offer)
{
  return t2p_http_offer_get_best (offer, auth->usable);
}

static void
choose_cnonce (T2pHttpAuth *auth, T2pHttpDigest *digest)
{
  GChecksum *sum = g_checksum_new (G_CHECKSUM_SHA256);

  auth->n_nonces++;
  g_checksum_update (sum, auth->login.seed, sizeof auth->login.seed);
  g_checksum_update (sum, (const guchar *) &auth->n_nonces, sizeof auth->n_nonces);
  t2p_http_digest_set_cnonce (digest, g_checksum_get_string (sum));
  g_checksum_free (sum);
}

/**
 * t2p_http_auth_learn:
 * @digest: (nullable): a fresh challenge, when @scheme is Digest
 *
 * From now on this is how we log in, without being asked.
 */
void
t2p_http_auth_learn (T2pHttpAuth *auth, T2pHttpScheme scheme, T2pHttpDigest *digest)
{
  g_clear_pointer (&auth->digest, t2p_http_digest_unref);
  auth->scheme = scheme;
  if (scheme != T2P_HTTP_SCHEME_DIGEST)
    return;
  auth->digest = t2p_http_digest_ref (digest);
  choose_cnonce (auth, digest);
}

T2pHttpScheme
t2p_http_auth_get_scheme (const T2pHttpAuth *auth)
{
  return auth->scheme;
}

/* (transfer none) (nullable) */
T2pHttpDigest *
t2p_http_auth_get_digest (const T2pHttpAuth *auth)
{
  return auth->digest;
}

/**
 * t2p_http_auth_make_token:
 *
 * Returns: (transfer full) (nullable): a fresh token for Negotiate, that fits into a request
 */
char *
t2p_http_auth_make_token (T2pHttpAuth *auth, GError **error)
{
  g_autofree char *token = NULL;

  g_return_val_if_fail (auth->login.make_token != NULL, NULL);
  token = auth->login.make_token (auth->login.token_data, error);
  if (token == NULL || strlen (token) <= T2P_HTTP_MAX_TOKEN_BYTES)
    return g_steal_pointer (&token);
  g_set_error (error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
               "the ticket has %" G_GSIZE_FORMAT " bytes, expected at most %d", strlen (token),
               T2P_HTTP_MAX_TOKEN_BYTES);
  return NULL;
}

/**
 * t2p_http_auth_write_basic:
 *
 * Writes the value of a Proxy-Authorization field.
 *
 * Returns: %FALSE when it does not fit
 */
gboolean
t2p_http_auth_write_basic (const T2pHttpAuth *auth, T2pWriter *writer)
{
  const T2pHttpLogin *login = &auth->login;
  char encoded[1024];
  guint8 plain[2 * 255 + 1];
  T2pWriter pair;
  gsize length = 0;
  int state = 0;
  int save = 0;

  t2p_writer_init (&pair, plain, sizeof plain);
  t2p_writer_bytes (&pair, (const guint8 *) login->user, strlen (login->user));
  t2p_writer_u8 (&pair, ':');
  t2p_writer_bytes (&pair, (const guint8 *) login->password, login->password_bytes);
  if (!pair.overflowed)
    {
      length = g_base64_encode_step (plain, t2p_writer_length (&pair), FALSE, encoded, &state,
                                     &save);
      length += g_base64_encode_close (FALSE, encoded + length, &state, &save);
      t2p_writer_bytes (writer, (const guint8 *) "Basic ", 6);
      t2p_writer_bytes (writer, (const guint8 *) encoded, length);
    }
  explicit_bzero (plain, sizeof plain);
  explicit_bzero (encoded, sizeof encoded);
  return !pair.overflowed && !writer->overflowed;
}

/**
 * t2p_http_auth_write_digest:
 *
 * As t2p_http_digest_write(), with our name and password.
 */
gboolean
t2p_http_auth_write_digest (const T2pHttpAuth *auth,
                            T2pWriter *writer,
                            T2pHttpDigest *digest,
                            const char *method,
                            const char *uri)
{
  const T2pHttpLogin *login = &auth->login;

  return t2p_http_digest_write (digest, writer, login->user, login->password,
                                login->password_bytes, method, uri);
}
