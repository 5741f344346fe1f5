/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Skips what stands between a 407 and the next answer on the same connection: by its length, or
 * by chunks (RFC 9112 section 7.1). Past T2P_HTTP_MAX_BODY_BYTES it gives up. */
#include "config.h"

#include "t2p-http-body.h"

/**
 * t2p_http_body_init:
 * @length: when it is not chunked; not negative
 */
void
t2p_http_body_init (T2pHttpBody *body, gboolean is_chunked, gint64 length)
{
  *body = (T2pHttpBody){ .is_chunked = is_chunked, .left = is_chunked ? 0 : (guint64) length };
  if (is_chunked)
    body->stage = T2P_HTTP_BODY_SIZE;
  else
    body->stage = length > 0 ? T2P_HTTP_BODY_DATA : T2P_HTTP_BODY_END;
}

static gboolean
end_size_line (T2pHttpBody *body)
{
  if (!body->has_digits)
    return FALSE;
  body->has_digits = FALSE;
  body->stage = body->left > 0 ? T2P_HTTP_BODY_DATA : T2P_HTTP_BODY_TRAILER;
  return TRUE;
}

static gboolean
take_size (T2pHttpBody *body, guint8 byte)
{
  int digit = g_ascii_xdigit_value ((char) byte);

  if (digit >= 0)
    {
      body->has_digits = TRUE;
      body->left = body->left * 16 + (guint64) digit;
      return body->left <= T2P_HTTP_MAX_BODY_BYTES;
    }
  if (byte == '\n')
    return end_size_line (body);
  if (byte != '\r' && byte != ';' && byte != ' ' && byte != '\t')
    return FALSE;
  body->stage = T2P_HTTP_BODY_EXTENSION;
  return TRUE;
}

static gboolean
take_after_data (T2pHttpBody *body, guint8 byte)
{
  if (byte == '\n')
    body->stage = T2P_HTTP_BODY_SIZE;
  return byte == '\n' || byte == '\r';
}

static gboolean
take_trailer (T2pHttpBody *body, guint8 byte)
{
  if (byte == '\n' && body->line_bytes == 0)
    body->stage = T2P_HTTP_BODY_END;
  else if (byte == '\n')
    body->line_bytes = 0;
  else if (byte != '\r')
    body->line_bytes++;
  return TRUE;
}

static void
take_data (T2pHttpBody *body, gsize length)
{
  body->left -= length;
  if (body->left == 0)
    body->stage = body->is_chunked ? T2P_HTTP_BODY_AFTER_DATA : T2P_HTTP_BODY_END;
}

static gboolean
take_byte (T2pHttpBody *body, guint8 byte)
{
  switch (body->stage)
    {
    case T2P_HTTP_BODY_DATA:
      take_data (body, 1);
      return TRUE;
    case T2P_HTTP_BODY_SIZE:
      return take_size (body, byte);
    case T2P_HTTP_BODY_EXTENSION:
      return byte != '\n' || end_size_line (body);
    case T2P_HTTP_BODY_AFTER_DATA:
      return take_after_data (body, byte);
    case T2P_HTTP_BODY_TRAILER:
      return take_trailer (body, byte);
    case T2P_HTTP_BODY_END:
      break;
    }
  return TRUE;
}

/**
 * t2p_http_body_feed:
 * @out_used: (out): how much of it belonged to the body
 *
 * Returns: %T2P_DECODE_BAD when it is malformed or too long
 */
T2pDecode
t2p_http_body_feed (T2pHttpBody *body, const guint8 *bytes, gsize length, gsize *out_used)
{
  gboolean is_right = TRUE;
  T2pCursor cursor;
  guint8 byte;

  t2p_cursor_init (&cursor, bytes, length);
  while (is_right && body->stage != T2P_HTTP_BODY_END && t2p_cursor_read_u8 (&cursor, &byte))
    is_right = ++body->n_bytes <= T2P_HTTP_MAX_BODY_BYTES && take_byte (body, byte);
  *out_used = t2p_cursor_position (&cursor);
  if (!is_right)
    return T2P_DECODE_BAD;
  return body->stage == T2P_HTTP_BODY_END ? T2P_DECODE_DONE : T2P_DECODE_MORE;
}
