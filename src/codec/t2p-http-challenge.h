/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-cursor.h"
#include "t2p-limits.h"

G_BEGIN_DECLS

/** T2pHttpText: a part of a header line; borrowed, not NUL-terminated. */
typedef struct
{
  const char *at;
  gsize length;
} T2pHttpText;

/** T2pHttpParam: `name=token` or `name="quoted \" text"`. */
typedef struct
{
  T2pHttpText name;
  T2pHttpText value; /* without the quotes, with the backslashes */
  gboolean is_quoted;
} T2pHttpParam;

/**
 * T2pHttpChallenge:
 * @scheme: `Basic`, in whatever case
 * @token: token68 of RFC 9110 section 11.2; empty: none
 * @params: its parameters; more than @n_params were thrown away
 */
typedef struct
{
  T2pHttpText scheme;
  T2pHttpText token;
  guint n_params;
  T2pHttpParam params[T2P_HTTP_MAX_PARAMS];
} T2pHttpChallenge;

gboolean t2p_http_text_is (const T2pHttpText *text, const char *word);
gboolean t2p_http_read_token (T2pCursor *cursor, T2pHttpText *out_token);
void t2p_http_skip_blanks (T2pCursor *cursor);

gboolean t2p_http_challenge_next (T2pCursor *cursor, T2pHttpChallenge *out_challenge);
const T2pHttpParam *t2p_http_challenge_find (const T2pHttpChallenge *challenge,
                                             const char *name);
char *t2p_http_param_dup (const T2pHttpParam *param);
gboolean t2p_http_param_has_word (const T2pHttpParam *param, const char *word);

G_END_DECLS
