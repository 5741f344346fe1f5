/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-cursor.h"

/**
 * t2p_cursor_copy:
 * @cursor: a cursor
 * @length: bytes to read
 * @out_bytes: (out caller-allocates): at least @length bytes
 *
 * Returns: %FALSE when fewer than @length bytes remain
 */
gboolean
t2p_cursor_copy (T2pCursor *cursor, gsize length, guint8 *out_bytes)
{
  const guint8 *bytes;

  if (!t2p_cursor_read_bytes (cursor, length, &bytes))
    return FALSE;
  if (length > 0)
    memcpy (out_bytes, bytes, length);
  return TRUE;
}

/**
 * t2p_cursor_sub:
 * @cursor: a cursor
 * @length: bytes that the part has
 * @out_sub: (out caller-allocates): reads that part and no further; may be @cursor's neighbour,
 *   not @cursor itself
 *
 * Moves @cursor behind the part.
 *
 * Returns: %FALSE when fewer than @length bytes remain
 */
gboolean
t2p_cursor_sub (T2pCursor *cursor, gsize length, T2pCursor *out_sub)
{
  const guint8 *bytes;

  if (!t2p_cursor_read_bytes (cursor, length, &bytes))
    return FALSE;
  t2p_cursor_init (out_sub, bytes, length);
  return TRUE;
}

/**
 * t2p_cursor_seek:
 * @cursor: a cursor
 * @position: counted from its start; its end is allowed
 *
 * Returns: %FALSE when @position lies behind the end
 */
gboolean
t2p_cursor_seek (T2pCursor *cursor, gsize position)
{
  if (position > (gsize) (cursor->end - cursor->start))
    return FALSE;
  cursor->at = cursor->start + position;
  return TRUE;
}

/**
 * t2p_writer_bytes:
 * @writer: a writer
 * @bytes: (array length=length) (nullable): what to write; may be %NULL when @length is 0
 * @length: how many
 *
 * Returns: %FALSE when they do not fit
 */
gboolean
t2p_writer_bytes (T2pWriter *writer, const guint8 *bytes, gsize length)
{
  guint8 *place = t2p_writer_reserve (writer, length);

  if (place == NULL)
    return FALSE;
  if (length > 0)
    memcpy (place, bytes, length);
  return TRUE;
}

/**
 * t2p_writer_zeros:
 * @writer: a writer
 * @length: how many zero bytes to write
 *
 * Returns: %FALSE when they do not fit
 */
gboolean
t2p_writer_zeros (T2pWriter *writer, gsize length)
{
  guint8 *place = t2p_writer_reserve (writer, length);

  if (place == NULL)
    return FALSE;
  if (length > 0)
    memset (place, 0, length);
  return TRUE;
}

/**
 * t2p_writer_patch_be16:
 * @writer: a writer
 * @position: counted from the start of the buffer; both bytes must have been written before
 * @value: the new value, host order
 *
 * For lengths, counts and checksums, which are known last.
 *
 * Returns: %FALSE when the place was not written yet, or the writer has overflowed
 */
gboolean
t2p_writer_patch_be16 (T2pWriter *writer, gsize position, guint16 value)
{
  gsize length = t2p_writer_length (writer);

  if (writer->overflowed || length < 2 || position > length - 2)
    return FALSE;
  t2p_store_be16 (writer->start + position, value);
  return TRUE;
}

/**
 * t2p_writer_rewind:
 * @writer: a writer
 * @position: what t2p_writer_length() returned before
 *
 * Forgets what was written after @position, an overflow included.
 *
 * Returns: %FALSE when that much was not written yet
 */
gboolean
t2p_writer_rewind (T2pWriter *writer, gsize position)
{
  if (position > t2p_writer_length (writer))
    return FALSE;
  writer->at = writer->start + position;
  writer->overflowed = FALSE;
  return TRUE;
}
