/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-name-record.h"

#include <string.h>

static void
write_name (guint8 *slot, guint32 index, const char *name)
{
  T2pNameRecord record = { .used_us = 12345678901, .was_pinned = TRUE };

  g_strlcpy (record.name, name, sizeof record.name);
  t2p_name_record_write (slot, index, &record);
}

static void
test_round_trip (void)
{
  guint8 slot[T2P_NAME_RECORD_BYTES] = { 0 };
  T2pNameRecord record;
  char longest[256] = "";

  g_assert_cmpint (t2p_name_record_read (slot, 7, &record), ==, T2P_NAME_RECORD_EMPTY);
  write_name (slot, 7, "_a-1.b2.example");
  g_assert_cmpint (t2p_name_record_read (slot, 7, &record), ==, T2P_NAME_RECORD_GOOD);
  g_assert_cmpstr (record.name, ==, "_a-1.b2.example");
  g_assert_cmpint (record.used_us, ==, 12345678901);
  g_assert_true (record.was_pinned && !record.is_pinned);
  record.used_us = 99;
  record.is_pinned = TRUE;
  t2p_name_record_touch (slot, &record);
  g_assert_cmpint (t2p_name_record_read (slot, 7, &record), ==, T2P_NAME_RECORD_GOOD);
  g_assert_cmpint (record.used_us, ==, 99);
  g_assert_true (record.is_pinned);

  for (guint i = 0; i < 255; i++)
    longest[i] = i % 64 == 63 ? '.' : 'x';
  write_name (slot, 8, longest);
  g_assert_cmpint (t2p_name_record_read (slot, 8, &record), ==, T2P_NAME_RECORD_GOOD);
  g_assert_cmpstr (record.name, ==, longest);
}

static void
test_elsewhere_it_is_nothing (void)
{
  guint8 slot[T2P_NAME_RECORD_BYTES] = { 0 };
  T2pNameRecord record;

  write_name (slot, 7, "a.example");
  g_assert_cmpint (t2p_name_record_read (slot, 8, &record), ==, T2P_NAME_RECORD_BAD);
}

/* A writer that is killed leaves the new bytes up to some place, in whatever order. */
static void
test_half_written (void)
{
  guint8 before[T2P_NAME_RECORD_BYTES] = { 0 };
  guint8 after[T2P_NAME_RECORD_BYTES] = { 0 };
  T2pNameRecord record;

  write_name (before, 7, "before.example");
  write_name (after, 7, "after-wards.example.org");
  for (guint cut = 1; cut < 16 + 23; cut++)
    for (guint backwards = 0; backwards < 2; backwards++)
      {
        guint8 slot[T2P_NAME_RECORD_BYTES];
        T2pNameRecordState state;

        memcpy (slot, backwards ? after : before, sizeof slot);
        memcpy (slot, backwards ? before : after, cut);
        state = t2p_name_record_read (slot, 7, &record);
        g_assert_cmpint (state, !=, T2P_NAME_RECORD_EMPTY);
        if (state == T2P_NAME_RECORD_GOOD)
          g_assert_true (strcmp (record.name, "before.example") == 0 ||
                         strcmp (record.name, "after-wards.example.org") == 0);
      }
}

static void
test_only_plain_names (void)
{
  static const char *const bad[] = {
    "A.example", ".",
    "a..b",      ".a",
    "a.",        "a b",
    "a/b",       "\xc3\xa4",
    "a\\.b",     "x123456789x123456789x123456789x123456789x123456789x123456789x123",
  };
  guint8 slot[T2P_NAME_RECORD_BYTES] = { 0 };
  T2pNameRecord record;

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      write_name (slot, 7, bad[i]);
      g_assert_cmpint (t2p_name_record_read (slot, 7, &record), ==, T2P_NAME_RECORD_BAD);
    }
}

static void
test_sizes (void)
{
  T2pIpPrefix pool;

  g_assert_true (t2p_ip_prefix_parse ("198.18.0.0/18", &pool, NULL));
  g_assert_cmpuint (t2p_name_map_end (&pool), ==, 16383);
  g_assert_cmpuint (t2p_name_map_bytes (&pool), ==, 16383 * T2P_NAME_RECORD_BYTES);
  g_assert_true (t2p_ip_prefix_parse ("10.0.0.0/8", &pool, NULL));
  g_assert_cmpuint (t2p_name_map_end (&pool), ==,
                    T2P_NAME_MAP_RESERVED + T2P_NAME_MAP_MAX_NAMES);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/name-record/round-trip", test_round_trip);
  g_test_add_func ("/name-record/of-another-index-is-bad", test_elsewhere_it_is_nothing);
  g_test_add_func ("/name-record/half-written-is-never-another-name", test_half_written);
  g_test_add_func ("/name-record/plain-names-only", test_only_plain_names);
  g_test_add_func ("/name-record/sizes", test_sizes);
  return g_test_run ();
}
