/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 *   response = H (H (A1) ":" nonce ":" nc ":" cnonce ":" qop ":" H (A2))       RFC 7616 3.4.1
 *   A1 = user ":" realm ":" password, in the -sess variants H (that) ":" nonce ":" cnonce
 *   A2 = method ":" uri
 *
 * A proxy older than RFC 2617 offers no qop; then nc, cnonce and qop are left out of the sum.
 * One cnonce goes with one nonce, so that the key of a -sess variant stays the same for it, and
 * nc counts its uses: a nonce that was learnt on one connection is good for the next.
 */
#include "config.h"

#include "t2p-http-digest.h"

#define MAX_HEX_BYTES 65 /* of SHA-256, and a NUL */

typedef struct
{
  const char *name;
  GChecksumType hash;
  gboolean is_session;
  guint strength;
} Algorithm;

static const Algorithm algorithms[] = {
  { "MD5", G_CHECKSUM_MD5, FALSE, 2 },
  { "MD5-sess", G_CHECKSUM_MD5, TRUE, 2 },
  { "SHA-256", G_CHECKSUM_SHA256, FALSE, 4 },
  { "SHA-256-sess", G_CHECKSUM_SHA256, TRUE, 4 },
};

struct _T2pHttpDigest
{
  grefcount ref_count;
  const Algorithm *algorithm;
  gboolean says_algorithm; /* it was named in the challenge: we name it, too */
  gboolean has_qop;
  gboolean has_userhash;
  gboolean is_stale;
  char *realm;
  char *nonce;
  char *opaque; /* NULL: none */
  guint32 n_uses;
  char cnonce[T2P_HTTP_MAX_CNONCE_BYTES + 1];
};

static gboolean
param_is_true (const T2pHttpChallenge *challenge, const char *name)
{
  const T2pHttpParam *param = t2p_http_challenge_find (challenge, name);

  return param != NULL && t2p_http_text_is (&param->value, "true");
}

static const Algorithm *
find_algorithm (const T2pHttpParam *param)
{
  for (guint i = 0; i < G_N_ELEMENTS (algorithms); i++)
    if (param == NULL || t2p_http_text_is (&param->value, algorithms[i].name))
      return &algorithms[i];
  return NULL;
}

/* FALSE when it is there and we cannot send it back. */
static gboolean
take_text (const T2pHttpChallenge *challenge, const char *name, char **out_text)
{
  const T2pHttpParam *param = t2p_http_challenge_find (challenge, name);

  if (param == NULL)
    return TRUE;
  *out_text = t2p_http_param_dup (param);
  return *out_text != NULL;
}

/**
 * t2p_http_digest_new:
 * @challenge: a challenge of scheme Digest
 *
 * Returns: (transfer full) (nullable): what it takes to answer; %NULL when it lacks realm or
 * nonce, or wants an algorithm or a protection that we have not
 */
T2pHttpDigest *
t2p_http_digest_new (const T2pHttpChallenge *challenge)
{
  const T2pHttpParam *algorithm = t2p_http_challenge_find (challenge, "algorithm");
  const T2pHttpParam *qop = t2p_http_challenge_find (challenge, "qop");
  g_autoptr (T2pHttpDigest) digest = g_new0 (T2pHttpDigest, 1);

  g_ref_count_init (&digest->ref_count);
  digest->algorithm = find_algorithm (algorithm);
  digest->says_algorithm = algorithm != NULL;
  digest->has_qop = qop != NULL && t2p_http_param_has_word (qop, "auth");
  digest->has_userhash = param_is_true (challenge, "userhash");
  digest->is_stale = param_is_true (challenge, "stale");
  if (digest->algorithm == NULL || (qop != NULL && !digest->has_qop) ||
      !take_text (challenge, "realm", &digest->realm) ||
      !take_text (challenge, "nonce", &digest->nonce) ||
      !take_text (challenge, "opaque", &digest->opaque) || digest->realm == NULL ||
      digest->nonce == NULL)
    return NULL;
  return g_steal_pointer (&digest);
}

T2pHttpDigest *
t2p_http_digest_ref (T2pHttpDigest *digest)
{
  g_ref_count_inc (&digest->ref_count);
  return digest;
}

void
t2p_http_digest_unref (T2pHttpDigest *digest)
{
  if (digest == NULL || !g_ref_count_dec (&digest->ref_count))
    return;
  g_free (digest->realm);
  g_free (digest->nonce);
  g_free (digest->opaque);
  g_free (digest);
}

guint
t2p_http_digest_get_strength (const T2pHttpDigest *digest)
{
  return digest->algorithm->strength + (digest->has_qop ? 1 : 0);
}

gboolean
t2p_http_digest_is_stale (const T2pHttpDigest *digest)
{
  return digest->is_stale;
}

const char *
t2p_http_digest_get_realm (const T2pHttpDigest *digest)
{
  return digest->realm;
}

/**
 * t2p_http_digest_set_cnonce:
 * @cnonce: what nobody else can guess; copied
 *
 * Once for each nonce, before the first use.
 */
void
t2p_http_digest_set_cnonce (T2pHttpDigest *digest, const char *cnonce)
{
  g_strlcpy (digest->cnonce, cnonce, sizeof digest->cnonce);
}

/* --- sums */

/* A block of the sum may have the password in it, and is not wiped when it is freed. */
static void
finish_sum (GChecksum *sum, char out_hex[MAX_HEX_BYTES])
{
  static const guchar block[64];

  g_strlcpy (out_hex, g_checksum_get_string (sum), MAX_HEX_BYTES);
  g_checksum_reset (sum);
  g_checksum_update (sum, block, sizeof block);
  g_checksum_free (sum);
}

/* Of texts with a colon between each two; the last is NULL. */
static void G_GNUC_NULL_TERMINATED
sum_of (const T2pHttpDigest *digest, char out_hex[MAX_HEX_BYTES], const char *first, ...)
{
  GChecksum *sum = g_checksum_new (digest->algorithm->hash);
  va_list args;

  va_start (args, first);
  for (const char *text = first; text != NULL; text = va_arg (args, const char *))
    {
      if (text != first)
        g_checksum_update (sum, (const guchar *) ":", 1);
      g_checksum_update (sum, (const guchar *) text, -1);
    }
  va_end (args);
  finish_sum (sum, out_hex);
}

static void
sum_of_login (const T2pHttpDigest *digest,
              const char *user,
              const char *password,
              gsize password_bytes,
              char out_hex[MAX_HEX_BYTES])
{
  GChecksum *sum = g_checksum_new (digest->algorithm->hash);
  char session[MAX_HEX_BYTES];

  g_checksum_update (sum, (const guchar *) user, -1);
  g_checksum_update (sum, (const guchar *) ":", 1);
  g_checksum_update (sum, (const guchar *) digest->realm, -1);
  g_checksum_update (sum, (const guchar *) ":", 1);
  if (password_bytes > 0)
    g_checksum_update (sum, (const guchar *) password, (gssize) password_bytes);
  finish_sum (sum, session);
  if (digest->algorithm->is_session)
    sum_of (digest, out_hex, session, digest->nonce, digest->cnonce, NULL);
  else
    g_strlcpy (out_hex, session, MAX_HEX_BYTES);
  explicit_bzero (session, sizeof session);
}

/* --- the answer */

static void
write_text (T2pWriter *writer, const char *text)
{
  t2p_writer_bytes (writer, (const guint8 *) text, strlen (text));
}

static void
write_quoted (T2pWriter *writer, const char *name, const char *value)
{
  write_text (writer, name);
  write_text (writer, "=\"");
  for (const char *at = value; *at != '\0'; at++)
    {
      if (*at == '"' || *at == '\\')
        t2p_writer_u8 (writer, '\\');
      t2p_writer_u8 (writer, (guint8) *at);
    }
  write_text (writer, "\"");
}

static void
write_user (const T2pHttpDigest *digest, T2pWriter *writer, const char *user)
{
  char hash[MAX_HEX_BYTES];

  if (digest->has_userhash)
    {
      sum_of (digest, hash, user, digest->realm, NULL);
      write_quoted (writer, "Digest username", hash);
      write_text (writer, ", userhash=true");
    }
  else
    write_quoted (writer, "Digest username", user);
}

static void
write_rest (const T2pHttpDigest *digest, T2pWriter *writer, const char *uri, const char *count)
{
  write_quoted (writer, ", realm", digest->realm);
  write_quoted (writer, ", nonce", digest->nonce);
  write_quoted (writer, ", uri", uri);
  if (digest->says_algorithm)
    {
      write_text (writer, ", algorithm=");
      write_text (writer, digest->algorithm->name);
    }
  if (digest->has_qop)
    {
      write_text (writer, ", qop=auth, nc=");
      write_text (writer, count);
    }
  if (digest->has_qop || digest->algorithm->is_session)
    write_quoted (writer, ", cnonce", digest->cnonce);
  if (digest->opaque != NULL)
    write_quoted (writer, ", opaque", digest->opaque);
}

/**
 * t2p_http_digest_write:
 * @writer: where to
 * @user: no control characters
 * @method: of the request: `CONNECT`
 * @uri: of the request, as it stands there
 *
 * Writes the value of a Proxy-Authorization field, and counts one use of the nonce.
 *
 * Returns: %FALSE when it does not fit
 */
gboolean
t2p_http_digest_write (T2pHttpDigest *digest,
                       T2pWriter *writer,
                       const char *user,
                       const char *password,
                       gsize password_bytes,
                       const char *method,
                       const char *uri)
{
  char login[MAX_HEX_BYTES];
  char request[MAX_HEX_BYTES];
  char response[MAX_HEX_BYTES];
  char count[9];

  g_snprintf (count, sizeof count, "%08x", ++digest->n_uses);
  sum_of_login (digest, user, password, password_bytes, login);
  sum_of (digest, request, method, uri, NULL);
  if (digest->has_qop)
    sum_of (digest, response, login, digest->nonce, count, digest->cnonce, "auth", request,
            NULL);
  else
    sum_of (digest, response, login, digest->nonce, request, NULL);
  write_user (digest, writer, user);
  write_rest (digest, writer, uri, count);
  write_quoted (writer, ", response", response);
  explicit_bzero (login, sizeof login);
  return !writer->overflowed;
}
