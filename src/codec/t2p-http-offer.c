/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-http-offer.h"

void
t2p_http_offer_clear (T2pHttpOffer *offer)
{
  g_clear_pointer (&offer->digest, t2p_http_digest_unref);
  memset (offer, 0, sizeof *offer);
}

/* A name is a token: nothing in it has to be escaped. */
static void
note_name (T2pHttpOffer *offer, const T2pHttpText *scheme)
{
  g_autofree char *name = g_strndup (scheme->at, MIN (scheme->length, sizeof offer->text));

  if (offer->text[0] != '\0')
    g_strlcat (offer->text, ", ", sizeof offer->text);
  g_strlcat (offer->text, name, sizeof offer->text);
}

static void
take_digest (T2pHttpOffer *offer, const T2pHttpChallenge *challenge)
{
  g_autoptr (T2pHttpDigest) digest = t2p_http_digest_new (challenge);

  if (digest == NULL)
    return;
  offer->schemes |= T2P_HTTP_SCHEME_DIGEST;
  if (offer->digest != NULL &&
      t2p_http_digest_get_strength (offer->digest) >= t2p_http_digest_get_strength (digest))
    return;
  g_clear_pointer (&offer->digest, t2p_http_digest_unref);
  offer->digest = g_steal_pointer (&digest);
}

/**
 * t2p_http_offer_add:
 * @field_value: of a Proxy-Authenticate field; there may be several
 *
 * A challenge that we cannot answer is known by name only.
 */
void
t2p_http_offer_add (T2pHttpOffer *offer, const T2pHttpText *field_value)
{
  T2pHttpChallenge challenge;
  T2pCursor cursor;

  t2p_cursor_init (&cursor, (const guint8 *) field_value->at, field_value->length);
  while (t2p_http_challenge_next (&cursor, &challenge))
    {
      note_name (offer, &challenge.scheme);
      if (t2p_http_text_is (&challenge.scheme, "Basic"))
        offer->schemes |= T2P_HTTP_SCHEME_BASIC;
      else if (t2p_http_text_is (&challenge.scheme, "Negotiate"))
        offer->schemes |= T2P_HTTP_SCHEME_NEGOTIATE;
      else if (t2p_http_text_is (&challenge.scheme, "Digest"))
        take_digest (offer, &challenge);
    }
}

/**
 * t2p_http_offer_get_best:
 * @schemes: bits of those that come into question
 */
T2pHttpScheme
t2p_http_offer_get_best (const T2pHttpOffer *offer, guint schemes)
{
  guint both = offer->schemes & schemes;

  if (both & T2P_HTTP_SCHEME_NEGOTIATE)
    return T2P_HTTP_SCHEME_NEGOTIATE;
  if (both & T2P_HTTP_SCHEME_DIGEST)
    return T2P_HTTP_SCHEME_DIGEST;
  return both & T2P_HTTP_SCHEME_BASIC ? T2P_HTTP_SCHEME_BASIC : T2P_HTTP_SCHEME_NONE;
}
