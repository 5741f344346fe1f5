/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-cursor.h"

static void
test_reads_in_order (void)
{
  static const guint8 bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
  const guint8 *block;
  T2pCursor cursor;
  guint8 u8;
  guint16 be16;
  guint32 be32;

  t2p_cursor_init (&cursor, bytes, sizeof bytes);
  g_assert_true (t2p_cursor_read_u8 (&cursor, &u8));
  g_assert_cmphex (u8, ==, 0x01);
  g_assert_true (t2p_cursor_read_be16 (&cursor, &be16));
  g_assert_cmphex (be16, ==, 0x0203);
  g_assert_true (t2p_cursor_read_be32 (&cursor, &be32));
  g_assert_cmphex (be32, ==, 0x04050607);
  g_assert_cmpuint (t2p_cursor_position (&cursor), ==, 7);
  g_assert_true (t2p_cursor_read_bytes (&cursor, 2, &block));
  g_assert_cmpmem (block, 2, bytes + 7, 2);
  g_assert_cmpuint (t2p_cursor_remaining (&cursor), ==, 0);
}

static void
test_short_read_moves_nothing (void)
{
  static const guint8 bytes[] = { 0xaa, 0xbb, 0xcc };
  const guint8 *block = bytes;
  guint8 copy[4] = { 0 };
  T2pCursor cursor;
  T2pCursor sub;
  guint32 be32 = 77;

  t2p_cursor_init (&cursor, bytes, sizeof bytes);
  g_assert_false (t2p_cursor_read_be32 (&cursor, &be32));
  g_assert_cmpuint (be32, ==, 77);
  g_assert_false (t2p_cursor_read_bytes (&cursor, G_MAXSIZE, &block));
  g_assert_false (t2p_cursor_copy (&cursor, 4, copy));
  g_assert_false (t2p_cursor_sub (&cursor, 4, &sub));
  g_assert_false (t2p_cursor_skip (&cursor, 4));
  g_assert_cmpuint (t2p_cursor_remaining (&cursor), ==, 3);
}

static void
test_empty_has_nothing (void)
{
  T2pCursor cursor;
  guint8 value;

  t2p_cursor_init (&cursor, NULL, 0);
  g_assert_cmpuint (t2p_cursor_remaining (&cursor), ==, 0);
  g_assert_false (t2p_cursor_read_u8 (&cursor, &value));
  g_assert_true (t2p_cursor_skip (&cursor, 0));
}

static void
test_sub_ends_where_it_should (void)
{
  static const guint8 bytes[] = { 1, 2, 3, 4 };
  T2pCursor cursor;
  T2pCursor sub;
  guint16 pair;
  guint8 value = 0;

  t2p_cursor_init (&cursor, bytes, sizeof bytes);
  g_assert_true (t2p_cursor_sub (&cursor, 2, &sub));
  g_assert_true (t2p_cursor_read_be16 (&sub, &pair));
  g_assert_false (t2p_cursor_read_u8 (&sub, &value));
  g_assert_true (t2p_cursor_read_u8 (&cursor, &value));
  g_assert_cmpuint (value, ==, 3);
}

static void
test_seek_stays_inside (void)
{
  static const guint8 bytes[] = { 1, 2, 3, 4 };
  T2pCursor cursor;

  t2p_cursor_init (&cursor, bytes, sizeof bytes);
  g_assert_true (t2p_cursor_seek (&cursor, 4));
  g_assert_false (t2p_cursor_seek (&cursor, 5));
  g_assert_cmpuint (t2p_cursor_position (&cursor), ==, 4);
  g_assert_true (t2p_cursor_seek (&cursor, 0));
  g_assert_cmpuint (t2p_cursor_remaining (&cursor), ==, 4);
}

static void
test_writer_stops_at_the_end (void)
{
  guint8 buffer[6] = { 0 };
  static const guint8 expected[] = { 0x12, 0x34, 0x56, 0x78, 0x9a };
  T2pWriter writer;

  t2p_writer_init (&writer, buffer, 5);
  g_assert_true (t2p_writer_be32 (&writer, 0x12345678));
  g_assert_cmpuint (t2p_writer_room (&writer), ==, 1);
  g_assert_true (t2p_writer_u8 (&writer, 0x9a));
  g_assert_cmpmem (buffer, 5, expected, 5);
  g_assert_false (t2p_writer_u8 (&writer, 0xff));
  g_assert_cmpuint (buffer[5], ==, 0);
  g_assert_true (writer.overflowed);
}

static void
test_overflow_is_remembered (void)
{
  guint8 buffer[4] = { 0 };
  T2pWriter writer;

  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_true (t2p_writer_u8 (&writer, 1));
  g_assert_false (t2p_writer_be32 (&writer, 2));
  g_assert_false (t2p_writer_u8 (&writer, 3));
  g_assert_false (t2p_writer_bytes (&writer, buffer, 1));
  g_assert_false (t2p_writer_zeros (&writer, 1));
  g_assert_false (t2p_writer_patch_be16 (&writer, 0, 1));
  g_assert_cmpuint (t2p_writer_room (&writer), ==, 0);
  g_assert_true (t2p_writer_rewind (&writer, 1));
  g_assert_true (t2p_writer_be16 (&writer, 4));
}

static void
test_patch_only_what_was_written (void)
{
  guint8 buffer[8] = { 0 };
  static const guint8 expected[] = { 0, 0xbe, 0xef };
  T2pWriter writer;

  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_false (t2p_writer_patch_be16 (&writer, 0, 1));
  g_assert_true (t2p_writer_zeros (&writer, 3));
  g_assert_true (t2p_writer_patch_be16 (&writer, 1, 0xbeef));
  g_assert_false (t2p_writer_patch_be16 (&writer, 2, 1));
  g_assert_false (t2p_writer_patch_be16 (&writer, G_MAXSIZE, 1));
  g_assert_cmpmem (buffer, 3, expected, 3);
  g_assert_false (t2p_writer_rewind (&writer, 4));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cursor/reads-in-order", test_reads_in_order);
  g_test_add_func ("/cursor/short-read-moves-nothing", test_short_read_moves_nothing);
  g_test_add_func ("/cursor/empty-has-nothing", test_empty_has_nothing);
  g_test_add_func ("/cursor/sub-ends-where-it-should", test_sub_ends_where_it_should);
  g_test_add_func ("/cursor/seek-stays-inside", test_seek_stays_inside);
  g_test_add_func ("/writer/stops-at-the-end", test_writer_stops_at_the_end);
  g_test_add_func ("/writer/overflow-is-remembered", test_overflow_is_remembered);
  g_test_add_func ("/writer/patch-only-what-was-written", test_patch_only_what_was_written);
  return g_test_run ();
}
