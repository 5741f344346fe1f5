/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <string.h>

G_BEGIN_DECLS

/**
 * T2pDecode:
 * @T2P_DECODE_MORE: what is there is right so far, and the end has not come yet
 * @T2P_DECODE_DONE: decoded
 * @T2P_DECODE_BAD: more bytes would not help
 */
typedef enum
{
  T2P_DECODE_MORE,
  T2P_DECODE_DONE,
  T2P_DECODE_BAD,
} T2pDecode;

/* For a block whose length was checked once (t2p_cursor_read_bytes() with a constant), where
 * one check for each field would be paid for each packet. Any alignment. */

static inline guint16
t2p_load_be16 (const guint8 *at)
{
  guint16 value;

  memcpy (&value, at, sizeof value);
  return GUINT16_FROM_BE (value);
}

static inline guint32
t2p_load_be32 (const guint8 *at)
{
  guint32 value;

  memcpy (&value, at, sizeof value);
  return GUINT32_FROM_BE (value);
}

static inline void
t2p_store_be16 (guint8 *at, guint16 value)
{
  guint16 network = GUINT16_TO_BE (value);

  memcpy (at, &network, sizeof network);
}

static inline void
t2p_store_be32 (guint8 *at, guint32 value)
{
  guint32 network = GUINT32_TO_BE (value);

  memcpy (at, &network, sizeof network);
}

/**
 * T2pCursor:
 *
 * A reader that refuses to pass the end. Borrows the bytes. A read that returns FALSE has
 * moved nothing and left its out-parameters alone.
 */
typedef struct
{
  const guint8 *start;
  const guint8 *at;
  const guint8 *end;
} T2pCursor;

static inline void
t2p_cursor_init (T2pCursor *cursor, const guint8 *bytes, gsize length)
{
  cursor->start = bytes;
  cursor->at = bytes;
  cursor->end = length > 0 ? bytes + length : bytes;
}

static inline gsize
t2p_cursor_remaining (const T2pCursor *cursor)
{
  return (gsize) (cursor->end - cursor->at);
}

/* Bytes read so far. */
static inline gsize
t2p_cursor_position (const T2pCursor *cursor)
{
  return (gsize) (cursor->at - cursor->start);
}

/* @out_bytes points into the buffer. */
static inline gboolean
t2p_cursor_read_bytes (T2pCursor *cursor, gsize length, const guint8 **out_bytes)
{
  if (t2p_cursor_remaining (cursor) < length)
    return FALSE;
  *out_bytes = cursor->at;
  if (length > 0) /* C has no sum of NULL and 0 */
    cursor->at += length;
  return TRUE;
}

static inline gboolean
t2p_cursor_skip (T2pCursor *cursor, gsize length)
{
  const guint8 *ignored;

  return t2p_cursor_read_bytes (cursor, length, &ignored);
}

static inline gboolean
t2p_cursor_read_u8 (T2pCursor *cursor, guint8 *out_value)
{
  const guint8 *bytes;

  if (!t2p_cursor_read_bytes (cursor, 1, &bytes))
    return FALSE;
  *out_value = *bytes;
  return TRUE;
}

static inline gboolean
t2p_cursor_read_be16 (T2pCursor *cursor, guint16 *out_value)
{
  const guint8 *bytes;

  if (!t2p_cursor_read_bytes (cursor, 2, &bytes))
    return FALSE;
  *out_value = t2p_load_be16 (bytes);
  return TRUE;
}

static inline gboolean
t2p_cursor_read_be32 (T2pCursor *cursor, guint32 *out_value)
{
  const guint8 *bytes;

  if (!t2p_cursor_read_bytes (cursor, 4, &bytes))
    return FALSE;
  *out_value = t2p_load_be32 (bytes);
  return TRUE;
}

gboolean t2p_cursor_copy (T2pCursor *cursor, gsize length, guint8 *out_bytes);
gboolean t2p_cursor_sub (T2pCursor *cursor, gsize length, T2pCursor *out_sub);
gboolean t2p_cursor_seek (T2pCursor *cursor, gsize position);

/**
 * T2pWriter:
 * @overflowed: a write did not fit; every later write fails too, so that a builder may check
 *   once, at its end
 *
 * Writes into a fixed buffer of the caller.
 */
typedef struct
{
  guint8 *start;
  guint8 *at;
  guint8 *end;
  gboolean overflowed;
} T2pWriter;

static inline void
t2p_writer_init (T2pWriter *writer, guint8 *buffer, gsize capacity)
{
  writer->start = buffer;
  writer->at = buffer;
  writer->end = capacity > 0 ? buffer + capacity : buffer;
  writer->overflowed = FALSE;
}

static inline gsize
t2p_writer_length (const T2pWriter *writer)
{
  return (gsize) (writer->at - writer->start);
}

static inline gsize
t2p_writer_room (const T2pWriter *writer)
{
  return writer->overflowed ? 0 : (gsize) (writer->end - writer->at);
}

/* @length bytes for the caller to fill; NULL when they do not fit. */
static inline guint8 *
t2p_writer_reserve (T2pWriter *writer, gsize length)
{
  guint8 *place = writer->at;

  if (writer->overflowed || (gsize) (writer->end - writer->at) < length)
    {
      writer->overflowed = TRUE;
      return NULL;
    }
  writer->at += length;
  return place;
}

static inline gboolean
t2p_writer_u8 (T2pWriter *writer, guint8 value)
{
  guint8 *place = t2p_writer_reserve (writer, 1);

  if (place == NULL)
    return FALSE;
  *place = value;
  return TRUE;
}

static inline gboolean
t2p_writer_be16 (T2pWriter *writer, guint16 value)
{
  guint8 *place = t2p_writer_reserve (writer, 2);

  if (place == NULL)
    return FALSE;
  t2p_store_be16 (place, value);
  return TRUE;
}

static inline gboolean
t2p_writer_be32 (T2pWriter *writer, guint32 value)
{
  guint8 *place = t2p_writer_reserve (writer, 4);

  if (place == NULL)
    return FALSE;
  t2p_store_be32 (place, value);
  return TRUE;
}

gboolean t2p_writer_bytes (T2pWriter *writer, const guint8 *bytes, gsize length);
gboolean t2p_writer_zeros (T2pWriter *writer, gsize length);
gboolean t2p_writer_patch_be16 (T2pWriter *writer, gsize position, guint16 value);
gboolean t2p_writer_rewind (T2pWriter *writer, gsize position);

G_END_DECLS
