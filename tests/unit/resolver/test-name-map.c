/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Virtual names that outlive their worker. */
#include "config.h"

#include "t2p-error.h"
#include "t2pw-virtual-names.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define S ((gint64) G_USEC_PER_SEC)
#define QUARANTINE_US (T2P_VIRTUAL_NAME_QUARANTINE_S * S)

static T2pIpPrefix
prefix (const char *text)
{
  T2pIpPrefix result;

  g_assert_true (t2p_ip_prefix_parse (text, &result, NULL));
  return result;
}

static int
memory_new (const char *pool4, int seals)
{
  T2pIpPrefix pool = prefix (pool4);
  int fd = memfd_create ("names", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  g_assert_cmpint (ftruncate (fd, (off_t) t2p_name_map_bytes (&pool)), ==, 0);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, seals), ==, 0);
  return fd;
}

/* What a worker does when it starts. */
static T2pwVirtualNames *
names_new (int memory, const char *pool4, gint64 now_us)
{
  T2pIpPrefix pool = prefix (pool4);
  T2pwVirtualNames *names = t2pw_virtual_names_new (&pool, NULL);
  g_autoptr (GError) error = NULL;
  T2pwNameMap *map =
      t2pw_name_map_open (fcntl (memory, F_DUPFD_CLOEXEC, 0), &pool, NULL, &error);

  g_assert_no_error (error);
  t2pw_virtual_names_shuffle (names);
  t2pw_virtual_names_adopt (names, map, now_us);
  return names;
}

static void
test_goes_on (void)
{
  int memory = memory_new ("198.18.0.0/18", F_SEAL_GROW | F_SEAL_SHRINK);
  guint32 indexes[500];

  for (guint round = 0; round < 3; round++)
    {
      g_autoptr (T2pwVirtualNames) names = names_new (memory, "198.18.0.0/18", 1000 * S);

      g_assert_cmpuint (t2pw_virtual_names_get_n_used (names), ==,
                        round == 0 ? 0 : G_N_ELEMENTS (indexes));
      for (guint i = 0; i < G_N_ELEMENTS (indexes); i++)
        {
          g_autofree char *name = g_strdup_printf ("h%u.example", i);
          guint32 index = t2pw_virtual_names_assign (names, name, 1000 * S);

          if (round > 0)
            g_assert_cmpuint (index, ==, indexes[i]);
          indexes[i] = index;
          g_assert_cmpstr (t2pw_virtual_names_get_name (names, index), ==, name);
        }
    }
  close (memory);
}

/* Also that of an address that a flow used when its worker died. */
static void
test_quarantines_last (void)
{
  const char *pool = "198.18.0.0/29"; /* three addresses */
  int memory = memory_new (pool, F_SEAL_GROW | F_SEAL_SHRINK);
  T2pwVirtualNames *names = names_new (memory, pool, 0);
  guint32 old = t2pw_virtual_names_assign (names, "old.example", 10 * S);
  guint32 busy = t2pw_virtual_names_assign (names, "busy.example", 20 * S);
  guint32 late = t2pw_virtual_names_assign (names, "late.example", 30 * S);

  t2pw_virtual_names_pin (names, old);
  t2pw_virtual_names_unpin (names, old, 15 * S);
  t2pw_virtual_names_pin (names, busy);
  t2pw_virtual_names_pin (names, late);
  t2pw_virtual_names_unpin (names, late, 300 * S);
  t2pw_virtual_names_free (names); /* `busy` is pinned still */

  names = names_new (memory, pool, 400 * S);
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "a.example", 15 * S + QUARANTINE_US - 1),
                    ==, T2PW_VIRTUAL_NONE);
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "a.example", 15 * S + QUARANTINE_US), ==,
                    old);
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "b.example", 300 * S + QUARANTINE_US), ==,
                    late);
  g_assert_cmpstr (t2pw_virtual_names_get_name (names, busy), ==, "busy.example");
  t2pw_virtual_names_free (names);

  names = names_new (memory, pool, 2000 * S);
  g_assert_cmpstr (t2pw_virtual_names_get_name (names, old), ==, "a.example");
  g_assert_cmpstr (t2pw_virtual_names_get_name (names, late), ==, "b.example");
  t2pw_virtual_names_free (names);
  close (memory);
}

static void
test_another_pool (void)
{
  int memory = memory_new ("198.18.0.0/24", F_SEAL_GROW | F_SEAL_SHRINK);
  T2pwVirtualNames *names = names_new (memory, "198.18.0.0/24", 0);

  t2pw_virtual_names_assign (names, "a.example", 1);
  t2pw_virtual_names_free (names);
  names = names_new (memory, "198.18.1.0/24", 2);
  g_assert_cmpuint (t2pw_virtual_names_get_n_used (names), ==, 0);
  t2pw_virtual_names_free (names);
  close (memory);
}

/* Whatever it holds: names are plain and differ, and what is no name rests. */
static void
test_spoilt (void)
{
  const char *pool = "198.18.0.0/26";
  T2pIpPrefix prefix4 = prefix (pool);
  gsize size = t2p_name_map_bytes (&prefix4);

  for (guint round = 0; round < 200; round++)
    {
      int memory = memory_new (pool, F_SEAL_GROW | F_SEAL_SHRINK);
      T2pwVirtualNames *names = names_new (memory, pool, 0);
      g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
      guint8 *bytes = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);

      for (guint i = 0; i < 40; i++)
        {
          g_autofree char *name = g_strdup_printf ("h%u.example", i);

          t2pw_virtual_names_assign (names, name, 5 * S);
        }
      t2pw_virtual_names_free (names);
      for (guint i = 0; i < 60; i++)
        bytes[g_test_rand_int_range (T2P_NAME_RECORD_BYTES, (gint32) size)] =
            (guint8) g_test_rand_int ();
      names = names_new (memory, pool, 10 * S);
      for (guint32 i = 0; i < 64; i++)
        {
          const char *name = t2pw_virtual_names_get_name (names, i);

          if (name != NULL)
            g_assert_true (g_hash_table_add (seen, (gpointer) name));
        }
      g_assert_cmpuint (t2pw_virtual_names_get_n_used (names), ==, g_hash_table_size (seen));
      for (guint i = 0; i < 100; i++)
        {
          g_autofree char *name = g_strdup_printf ("new%u.example", i);

          t2pw_virtual_names_assign (names, name, 10 * S);
        }
      g_assert_cmpuint (t2pw_virtual_names_get_n_used (names), <=, 63 - 4);
      t2pw_virtual_names_free (names);
      munmap (bytes, size);
      close (memory);
    }
}

/* Of two places with the same name one counts; a time to come is no reason to wait for it. */
static void
test_lies (void)
{
  const char *pool = "198.18.0.0/29";
  T2pIpPrefix prefix4 = prefix (pool);
  int memory = memory_new (pool, F_SEAL_GROW | F_SEAL_SHRINK);
  T2pwNameMap *map =
      t2pw_name_map_open (fcntl (memory, F_DUPFD_CLOEXEC, 0), &prefix4, NULL, NULL);
  T2pNameRecord record = { .name = "twice.example", .used_us = G_MAXINT64 };
  g_autoptr (T2pwVirtualNames) names = NULL;

  for (guint32 i = 4; i < 7; i++)
    t2pw_name_map_write (map, i, &record);
  t2pw_name_map_free (map);
  names = names_new (memory, pool, 10 * S);
  g_assert_cmpuint (t2pw_virtual_names_get_n_used (names), ==, 1);
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "a.example", 10 * S + QUARANTINE_US - 1),
                    ==, 4); /* unused for a minute */
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "b.example", 10 * S + QUARANTINE_US - 1),
                    ==, T2PW_VIRTUAL_NONE);
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "b.example", 10 * S + QUARANTINE_US), !=,
                    T2PW_VIRTUAL_NONE);
  close (memory);
}

static void
test_what_is_refused (void)
{
  T2pIpPrefix pool = prefix ("198.18.0.0/24");
  int bad[] = { memory_new ("198.18.0.0/24", F_SEAL_GROW),
                memory_new ("198.18.0.0/25", F_SEAL_GROW | F_SEAL_SHRINK),
                open ("/dev/zero", O_RDWR | O_CLOEXEC), -1 };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (t2pw_name_map_open (bad[i], &pool, NULL, &error));
      g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD);
    }
}

/* A fresh map begins anywhere, and all of the pool is given out all the same. */
static void
test_begins_anywhere (void)
{
  T2pIpPrefix pool = prefix ("198.18.0.0/18");
  g_autoptr (GHashTable) firsts = g_hash_table_new (NULL, NULL);

  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (T2pwVirtualNames) names = t2pw_virtual_names_new (&pool, NULL);

      t2pw_virtual_names_shuffle (names);
      g_hash_table_add (firsts,
                        GUINT_TO_POINTER (t2pw_virtual_names_assign (names, "a.example", 1)));
      for (guint k = 1; k < 16384 - 5; k++)
        {
          g_autofree char *name = g_strdup_printf ("h%u", k);

          g_assert_cmpuint (t2pw_virtual_names_assign (names, name, 1), !=, T2PW_VIRTUAL_NONE);
        }
    }
  g_assert_cmpuint (g_hash_table_size (firsts), >, 10);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/name-map/same-addresses-for-the-same-names", test_goes_on);
  g_test_add_func ("/name-map/quarantines-last", test_quarantines_last);
  g_test_add_func ("/name-map/another-pool-begins-anew", test_another_pool);
  g_test_add_func ("/name-map/spoilt-bytes-do-no-harm", test_spoilt);
  g_test_add_func ("/name-map/lies-do-no-harm", test_lies);
  g_test_add_func ("/name-map/what-could-be-cut-is-refused", test_what_is_refused);
  g_test_add_func ("/name-map/a-fresh-one-begins-anywhere", test_begins_anywhere);
  return g_test_run ();
}
