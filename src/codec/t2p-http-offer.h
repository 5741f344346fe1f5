/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-http-digest.h"

G_BEGIN_DECLS

#define T2P_HTTP_MAX_OFFER_TEXT_BYTES 128

/** T2pHttpScheme: ways to log in, as bits; the higher, the better. */
typedef enum
{
  T2P_HTTP_SCHEME_NONE = 0,
  T2P_HTTP_SCHEME_BASIC = 1,
  T2P_HTTP_SCHEME_DIGEST = 2,
  T2P_HTTP_SCHEME_NEGOTIATE = 4,
} T2pHttpScheme;

/**
 * T2pHttpOffer:
 * @schemes: bits of #T2pHttpScheme that we can answer
 * @digest: (nullable): the strongest that was offered
 * @text: names of all that were offered, for people; cut
 *
 * How a proxy lets itself be convinced. All zero is none; has to be cleared.
 */
typedef struct
{
  guint schemes;
  T2pHttpDigest *digest;
  char text[T2P_HTTP_MAX_OFFER_TEXT_BYTES];
} T2pHttpOffer;

void t2p_http_offer_clear (T2pHttpOffer *offer);
void t2p_http_offer_add (T2pHttpOffer *offer, const T2pHttpText *field_value);
T2pHttpScheme t2p_http_offer_get_best (const T2pHttpOffer *offer, guint schemes);

G_END_DECLS
