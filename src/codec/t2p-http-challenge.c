/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * The value of a Proxy-Authenticate field (RFC 9110 section 11.6.1) is a list of challenges,
 * each of which has a list of parameters, and one comma separates both:
 *
 *   Negotiate, Digest realm="a, b", nonce="x", Basic realm="c"
 *
 * A word that '=' follows is a parameter of the challenge that is being read; one that a blank,
 * a comma or the end follows begins the next. What does not fit ends the field: challenges that
 * were read before stay good. Nothing is copied until somebody wants a value.
 */
#include "config.h"

#include "t2p-http-challenge.h"

/**
 * t2p_http_text_is:
 *
 * Returns: whether @text is @word, in whatever case
 */
gboolean
t2p_http_text_is (const T2pHttpText *text, const char *word)
{
  return strlen (word) == text->length &&
         g_ascii_strncasecmp (text->at, word, text->length) == 0;
}

static gboolean
peek (const T2pCursor *cursor, guint8 *out_byte)
{
  T2pCursor ahead = *cursor;

  return t2p_cursor_read_u8 (&ahead, out_byte);
}

static gboolean
is_token_byte (guint8 byte)
{
  return g_ascii_isalnum (byte) || (byte != 0 && strchr ("!#$%&'*+-.^_`|~", byte) != NULL);
}

static gboolean
is_token68_byte (guint8 byte)
{
  return g_ascii_isalnum (byte) || (byte != 0 && strchr ("-._~+/", byte) != NULL);
}

static void
skip_bytes (T2pCursor *cursor, const char *bytes)
{
  guint8 byte;

  while (peek (cursor, &byte) && byte != 0 && strchr (bytes, byte) != NULL)
    t2p_cursor_skip (cursor, 1);
}

void
t2p_http_skip_blanks (T2pCursor *cursor)
{
  skip_bytes (cursor, " \t");
}

static gboolean
read_while (T2pCursor *cursor, gboolean (*is_part) (guint8 byte), T2pHttpText *out_text)
{
  const char *from = (const char *) cursor->at;
  gsize before = t2p_cursor_position (cursor);
  guint8 byte;

  while (peek (cursor, &byte) && is_part (byte))
    t2p_cursor_skip (cursor, 1);
  *out_text = (T2pHttpText){ from, t2p_cursor_position (cursor) - before };
  return out_text->length > 0;
}

/**
 * t2p_http_read_token:
 * @out_token: (out): a token of RFC 9110 section 5.6.2
 *
 * Returns: %FALSE when there is none here
 */
gboolean
t2p_http_read_token (T2pCursor *cursor, T2pHttpText *out_token)
{
  return read_while (cursor, is_token_byte, out_token);
}

/* Moves nothing unless all up to a comma or the end is a token68. */
static void
read_token68 (T2pCursor *cursor, T2pHttpText *out_token)
{
  T2pCursor ahead = *cursor;
  T2pHttpText token;
  guint8 byte;

  if (!read_while (&ahead, is_token68_byte, &token))
    return;
  skip_bytes (&ahead, "=");
  token.length = (gsize) ((const char *) ahead.at - token.at);
  t2p_http_skip_blanks (&ahead);
  if (peek (&ahead, &byte) && byte != ',')
    return;
  *out_token = token;
  *cursor = ahead;
}

static gboolean
read_quoted (T2pCursor *cursor, T2pHttpText *out_text)
{
  const char *from = (const char *) cursor->at;
  guint8 byte;

  while (t2p_cursor_read_u8 (cursor, &byte))
    {
      if (byte == '"')
        {
          *out_text = (T2pHttpText){ from, (gsize) ((const char *) cursor->at - from) - 1 };
          return TRUE;
        }
      if (byte == '\\' && !t2p_cursor_skip (cursor, 1))
        return FALSE;
    }
  return FALSE;
}

static gboolean
read_value (T2pCursor *cursor, T2pHttpParam *out_param)
{
  guint8 byte;

  out_param->is_quoted = peek (cursor, &byte) && byte == '"';
  if (!out_param->is_quoted)
    return t2p_http_read_token (cursor, &out_param->value);
  t2p_cursor_skip (cursor, 1);
  return read_quoted (cursor, &out_param->value);
}

/* Moves nothing when no parameter stands here. */
static gboolean
read_param (T2pCursor *cursor, T2pHttpParam *out_param)
{
  T2pCursor ahead = *cursor;
  guint8 byte;

  skip_bytes (&ahead, ", \t");
  if (!t2p_http_read_token (&ahead, &out_param->name))
    return FALSE;
  t2p_http_skip_blanks (&ahead);
  if (!t2p_cursor_read_u8 (&ahead, &byte) || byte != '=')
    return FALSE;
  t2p_http_skip_blanks (&ahead);
  if (!read_value (&ahead, out_param))
    return FALSE;
  *cursor = ahead;
  return TRUE;
}

/**
 * t2p_http_challenge_next:
 * @cursor: on the value of a field, unfolded
 * @out_challenge: (out caller-allocates): borrows from the value
 *
 * Returns: %FALSE when there is no further challenge that could be read
 */
gboolean
t2p_http_challenge_next (T2pCursor *cursor, T2pHttpChallenge *out_challenge)
{
  T2pHttpParam param;
  guint8 byte;

  out_challenge->n_params = 0;
  out_challenge->token = (T2pHttpText){ NULL, 0 };
  skip_bytes (cursor, ", \t");
  if (!t2p_http_read_token (cursor, &out_challenge->scheme))
    return FALSE;
  if (!peek (cursor, &byte) || byte == ',')
    return TRUE;
  if (byte != ' ' && byte != '\t')
    return FALSE;
  t2p_http_skip_blanks (cursor);
  read_token68 (cursor, &out_challenge->token);
  while (out_challenge->token.length == 0 && read_param (cursor, &param))
    if (out_challenge->n_params < T2P_HTTP_MAX_PARAMS)
      out_challenge->params[out_challenge->n_params++] = param;
  return TRUE;
}

/**
 * t2p_http_challenge_find:
 *
 * Returns: (nullable): the first parameter of that name
 */
const T2pHttpParam *
t2p_http_challenge_find (const T2pHttpChallenge *challenge, const char *name)
{
  for (guint i = 0; i < challenge->n_params; i++)
    if (t2p_http_text_is (&challenge->params[i].name, name))
      return &challenge->params[i];
  return NULL;
}

/**
 * t2p_http_param_dup:
 *
 * Returns: (transfer full) (nullable): the value as it is meant; %NULL when it is too long for
 * us, or has a control character in it, so that we could not send it back
 */
char *
t2p_http_param_dup (const T2pHttpParam *param)
{
  g_autoptr (GString) text = g_string_new (NULL);
  T2pCursor cursor;
  guint8 byte;

  if (param->value.length > T2P_HTTP_MAX_PARAM_BYTES)
    return NULL;
  t2p_cursor_init (&cursor, (const guint8 *) param->value.at, param->value.length);
  while (t2p_cursor_read_u8 (&cursor, &byte))
    {
      if (byte == '\\' && param->is_quoted && !t2p_cursor_read_u8 (&cursor, &byte))
        return NULL;
      if (g_ascii_iscntrl (byte))
        return NULL;
      g_string_append_c (text, (char) byte);
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/**
 * t2p_http_param_has_word:
 *
 * Returns: whether @word is in the comma-separated list that the value is
 */
gboolean
t2p_http_param_has_word (const T2pHttpParam *param, const char *word)
{
  T2pHttpText seen;
  T2pCursor cursor;

  t2p_cursor_init (&cursor, (const guint8 *) param->value.at, param->value.length);
  do
    {
      skip_bytes (&cursor, ", \t");
      if (!t2p_http_read_token (&cursor, &seen))
        return FALSE;
    }
  while (!t2p_http_text_is (&seen, word));
  return TRUE;
}
