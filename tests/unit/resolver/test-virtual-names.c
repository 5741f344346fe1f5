/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-limits.h"
#include "t2pw-virtual-names.h"

#include <string.h>

#define QUARANTINE_US ((gint64) T2P_VIRTUAL_NAME_QUARANTINE_S * G_USEC_PER_SEC)

static T2pIpPrefix
prefix (const char *text)
{
  T2pIpPrefix result;
  g_autoptr (GError) error = NULL;

  t2p_ip_prefix_parse (text, &result, &error);
  g_assert_no_error (error);
  return result;
}

static T2pwVirtualNames *
names_new (const char *pool4)
{
  T2pIpPrefix four = prefix (pool4);
  T2pIpPrefix six = prefix ("fd00:1:2:3::/64");

  return t2pw_virtual_names_new (&four, &six);
}

static void
test_both_ways (void)
{
  g_autoptr (T2pwVirtualNames) names = names_new ("198.18.64.0/18");
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);

  for (guint i = 0; i < 16384 - 5; i++)
    {
      g_autofree char *name = g_strdup_printf ("host-%u.example", i);
      guint32 index = t2pw_virtual_names_assign (names, name, 1);
      T2pIpAddress four, six;

      g_assert_cmpuint (index, >=, T2PW_VIRTUAL_RESERVED);
      g_assert_true (g_hash_table_add (seen, GUINT_TO_POINTER (index)));
      g_assert_true (t2pw_virtual_names_get_address (names, index, AF_INET, &four));
      g_assert_true (t2pw_virtual_names_get_address (names, index, AF_INET6, &six));
      g_assert_cmpuint (t2pw_virtual_names_find (names, &four), ==, index);
      g_assert_cmpuint (t2pw_virtual_names_find (names, &six), ==, index);
      g_assert_cmpstr (t2pw_virtual_names_get_name (names, index), ==, name);
      g_assert_cmpuint (t2pw_virtual_names_assign (names, name, 2), ==, index);
    }
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "one.too.many", 3), ==,
                    T2PW_VIRTUAL_NONE);
  g_assert_cmpuint (t2pw_virtual_names_get_n_used (names), ==, 16384 - 5);
}

static void
test_strangers (void)
{
  g_autoptr (T2pwVirtualNames) names = names_new ("198.18.0.0/18");
  static const char *const strangers[] = {
    "198.18.0.0", "198.18.0.2",    "198.18.0.5",      "198.18.63.255", "198.18.64.4",
    "192.0.2.1",  "fd00:1:2:3::2", "fd00:1:2:3:1::4", "fd00:1:2:4::4", "::4"
  };
  T2pIpAddress address;

  t2pw_virtual_names_assign (names, "known.example", 1);
  for (guint i = 0; i < G_N_ELEMENTS (strangers); i++)
    {
      g_assert_true (t2p_ip_address_parse (strangers[i], &address));
      g_assert_cmpuint (t2pw_virtual_names_find (names, &address), ==, T2PW_VIRTUAL_NONE);
    }
  g_assert_true (t2p_ip_address_parse ("198.18.0.4", &address));
  g_assert_cmpuint (t2pw_virtual_names_find (names, &address), ==, 4);
  g_assert_true (t2p_ip_address_parse ("198.18.0.0", &address));
  g_assert_true (t2pw_virtual_names_covers (names, &address));
}

static void
test_quarantine (void)
{
  /* indexes 4, 5 and 6 */
  g_autoptr (T2pwVirtualNames) names = names_new ("198.18.0.0/29");
  gint64 later = 10 + QUARANTINE_US;
  guint32 a = t2pw_virtual_names_assign (names, "a", 10);
  guint32 b = t2pw_virtual_names_assign (names, "b", 20);
  guint32 c = t2pw_virtual_names_assign (names, "c", 30);

  /* flows have used them all */
  for (guint32 i = a; i <= c; i++)
    {
      t2pw_virtual_names_pin (names, i);
      t2pw_virtual_names_unpin (names, i, 10 * (i - a + 1));
    }
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "d", 40), ==, T2PW_VIRTUAL_NONE);
  t2pw_virtual_names_assign (names, "a", 50); /* another answer: b is the oldest now */
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "d", later), ==, T2PW_VIRTUAL_NONE);
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "d", later + 10), ==, b);
  g_assert_cmpstr (t2pw_virtual_names_get_name (names, b), ==, "d");

  /* c is in use by two flows */
  t2pw_virtual_names_pin (names, c);
  t2pw_virtual_names_pin (names, c);
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "e", later + 100), ==, a);
  t2pw_virtual_names_unpin (names, c, later + 200);
  t2pw_virtual_names_pin (names, b);
  t2pw_virtual_names_unpin (names, b, later + 10);
  t2pw_virtual_names_pin (names, a);
  t2pw_virtual_names_unpin (names, a, later + 100);
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "f", 3 * later), ==, b);
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "g", 3 * later + 1), ==, a);
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "h", 3 * later + 2), ==,
                    T2PW_VIRTUAL_NONE);
  t2pw_virtual_names_unpin (names, c, 3 * later + 3);
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "h", 3 * later + 4), ==,
                    T2PW_VIRTUAL_NONE);
  g_assert_cmpstr (t2pw_virtual_names_get_name (names, c), ==, "c");
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "c", 3 * later + 5), ==, c);
}

/* Who only asks does not keep the pool from the others, who use their addresses. */
static void
test_unused_ones_go_first (void)
{
  const gint64 unused_us = (gint64) T2P_VIRTUAL_NAME_UNUSED_S * G_USEC_PER_SEC;
  g_autoptr (T2pwVirtualNames) names = names_new ("198.18.0.0/29");
  guint32 used = t2pw_virtual_names_assign (names, "used", 10);
  guint32 asked = t2pw_virtual_names_assign (names, "asked", 20);
  guint32 recent = t2pw_virtual_names_assign (names, "recent", 30);

  t2pw_virtual_names_pin (names, used);
  t2pw_virtual_names_unpin (names, used, 11);
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "x", 19 + unused_us), ==,
                    T2PW_VIRTUAL_NONE);
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "x", 20 + unused_us), ==, asked);
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "y", 30 + unused_us), ==, recent);
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "z", 30 + 2 * unused_us - 11), ==,
                    T2PW_VIRTUAL_NONE);
  g_assert_cmpstr (t2pw_virtual_names_get_name (names, used), ==, "used");
  g_assert_cmpuint (t2pw_virtual_names_assign (names, "z", 11 + QUARANTINE_US), ==, used);
}

/* Whatever is done: a name has one index, an index one name, and no pinned name is lost. */
static void
test_random_use (void)
{
  g_autoptr (T2pwVirtualNames) names = names_new ("198.18.0.0/27");
  guint pins[32] = { 0 };
  char pinned[32][16] = { "" };
  gint64 now = 0;

  for (guint i = 0; i < 20000; i++)
    {
      g_autofree char *name = g_strdup_printf ("n%d", g_test_rand_int_range (0, 60));
      guint32 index;

      now += g_test_rand_int_range (0, 60) * G_USEC_PER_SEC;
      index = t2pw_virtual_names_assign (names, name, now);
      if (index != T2PW_VIRTUAL_NONE)
        {
          g_assert_cmpstr (t2pw_virtual_names_get_name (names, index), ==, name);
          if (g_test_rand_int_range (0, 4) == 0)
            {
              t2pw_virtual_names_pin (names, index);
              pins[index]++;
              g_strlcpy (pinned[index], name, sizeof pinned[index]);
            }
        }
      index = (guint32) g_test_rand_int_range (4, 31);
      if (pins[index] > 0 && g_test_rand_int_range (0, 2) == 0)
        {
          t2pw_virtual_names_unpin (names, index, now);
          pins[index]--;
        }
      for (guint k = 4; k < 31; k++)
        if (pins[k] > 0)
          g_assert_cmpstr (t2pw_virtual_names_get_name (names, k), ==, pinned[k]);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/virtual-names/both-ways-over-the-whole-pool", test_both_ways);
  g_test_add_func ("/virtual-names/strangers-have-no-name", test_strangers);
  g_test_add_func ("/virtual-names/no-other-name-within-the-quarantine", test_quarantine);
  g_test_add_func ("/virtual-names/unused-ones-go-first", test_unused_ones_go_first);
  g_test_add_func ("/virtual-names/pinned-names-survive-random-use", test_random_use);
  return g_test_run ();
}
