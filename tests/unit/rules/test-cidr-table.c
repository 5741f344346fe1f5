/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2p-limits.h"
#include "t2pw-cidr-table.h"

#define MANY 100000

static T2pwCidrTable *
table_of (const char *text)
{
  g_autoptr (GBytes) content = g_bytes_new_static (text, strlen (text));
  g_autoptr (GError) error = NULL;
  guint left = T2P_MAX_RULE_FILE_ENTRIES;
  T2pwCidrTable *table = t2pw_cidr_table_parse (content, &left, &error);

  g_assert_no_error (error);
  return table;
}

static gboolean
contains (const T2pwCidrTable *table, const char *text)
{
  T2pIpAddress address;

  g_assert_true (t2p_ip_address_parse (text, &address));
  return t2pw_cidr_table_contains (table, &address);
}

static void
test_contains (void)
{
  g_autoptr (T2pwCidrTable) table = table_of ("192.0.2.0/24\n"
                                              "198.51.100.7\n"
                                              "2001:db8::/32\n"
                                              "10.0.0.0/8\n");

  g_assert_cmpuint (t2pw_cidr_table_get_size (table), ==, 4);
  g_assert_true (contains (table, "192.0.2.0"));
  g_assert_true (contains (table, "192.0.2.255"));
  g_assert_true (contains (table, "198.51.100.7"));
  g_assert_true (contains (table, "10.255.255.255"));
  g_assert_true (contains (table, "2001:db8:ffff::1"));
  g_assert_false (contains (table, "192.0.1.255"));
  g_assert_false (contains (table, "192.0.3.0"));
  g_assert_false (contains (table, "198.51.100.6"));
  g_assert_false (contains (table, "198.51.100.8"));
  g_assert_false (contains (table, "9.255.255.255"));
  g_assert_false (contains (table, "0.0.0.0"));
  g_assert_false (contains (table, "255.255.255.255"));
  g_assert_false (contains (table, "2001:db9::"));
  g_assert_false (contains (table, "::"));
  g_assert_false (contains (table, "c000:0200::"));
}

static void
test_empty (void)
{
  g_autoptr (T2pwCidrTable) table = table_of ("");

  g_assert_cmpuint (t2pw_cidr_table_get_size (table), ==, 0);
  g_assert_false (contains (table, "192.0.2.1"));
}

static void
test_all (void)
{
  g_autoptr (T2pwCidrTable) table = table_of ("0.0.0.0/0");

  g_assert_true (contains (table, "0.0.0.0"));
  g_assert_true (contains (table, "255.255.255.255"));
  g_assert_false (contains (table, "::"));
}

/* The narrow one between the wide one and the address must not hide the wide one. */
static void
test_nested (void)
{
  g_autoptr (T2pwCidrTable) table = table_of ("10.1.2.3\n10.1.0.0/16\n10.0.0.0/8\n10.0.0.0/8\n"
                                              "10.0.0.0/9\n10.0.0.0\n11.0.0.0/8\n");

  g_assert_cmpuint (t2pw_cidr_table_get_size (table), ==, 2);
  g_assert_true (contains (table, "10.0.0.0"));
  g_assert_true (contains (table, "10.1.2.4"));
  g_assert_true (contains (table, "10.200.0.1"));
  g_assert_true (contains (table, "11.0.0.1"));
  g_assert_false (contains (table, "12.0.0.0"));
}

static void
test_layout (void)
{
  g_autoptr (T2pwCidrTable) table = table_of ("\xef\xbb\xbf# head\r\n"
                                              "\r\n"
                                              "  192.0.2.0/24 \t # why\r\n"
                                              "\n"
                                              "198.51.100.0/24#no blank\n"
                                              "203.0.113.0/24");

  g_assert_cmpuint (t2pw_cidr_table_get_size (table), ==, 3);
  g_assert_true (contains (table, "203.0.113.9"));
}

static void
refused (const char *text, gsize length, guint most, T2pError code, const char *message)
{
  g_autoptr (GBytes) content = g_bytes_new_static (text, length);
  g_autoptr (GError) error = NULL;
  guint left = most;

  g_assert_null (t2pw_cidr_table_parse (content, &left, &error));
  g_assert_error (error, T2P_ERROR, (gint) code);
  g_assert_cmpstr (error->message, ==, message);
}

/* Line and reason, and nothing of what stands there. */
static void
test_refused (void)
{
  g_autofree char *wide = g_strnfill (300, 'x');

  refused ("192.0.2.0/24\nroot:$6$secret:\n", 29, 9, T2P_ERROR_INVALID_SETTINGS,
           "line 2: is no CIDR, expected such as 192.0.2.0/24 or 2001:db8::/32");
  refused ("\n\n192.0.2.0/33", 14, 9, T2P_ERROR_INVALID_SETTINGS,
           "line 3: is no CIDR, expected such as 192.0.2.0/24 or 2001:db8::/32");
  refused ("192.0.2.1/24", 12, 9, T2P_ERROR_INVALID_SETTINGS,
           "line 1: has bits set after its prefix of 24 bits, expected none");
  refused (wide, 300, 9, T2P_ERROR_INVALID_SETTINGS,
           "line 1: has 300 bytes or a zero byte, expected text of at most 255");
  refused ("192.0.2.1\0x", 11, 9, T2P_ERROR_INVALID_SETTINGS,
           "line 1: has 11 bytes or a zero byte, expected text of at most 255");
  refused ("192.0.2.1\n#\n192.0.2.2\n192.0.2.3", 31, 2, T2P_ERROR_LIMIT_EXCEEDED,
           "line 4: is one entry too many");
}

static void
test_entries_are_counted (void)
{
  g_autoptr (GBytes) content = g_bytes_new_static ("192.0.2.1\n192.0.2.1\n", 20);
  g_autoptr (T2pwCidrTable) table = NULL;
  guint left = 5;

  table = t2pw_cidr_table_parse (content, &left, NULL);
  g_assert_nonnull (table);
  g_assert_cmpuint (left, ==, 3);
}

/* A hundred thousand entries, a million questions: a search that is linear in the entries
 * would need a hundred thousand million comparisons, which is minutes, not seconds. */
static void
test_many (void)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (T2pwCidrTable) table = NULL;
  guint found = 0;
  gint64 started_us;

  for (guint i = 0; i < MANY; i++)
    g_string_append_printf (text, "%u.%u.%u.0/25\n", 11 + i / 65536, i / 256 % 256, i % 256);
  started_us = g_get_monotonic_time ();
  table = table_of (text->str);
  g_assert_cmpuint (t2pw_cidr_table_get_size (table), ==, MANY);
  for (guint i = 0; i < 10 * MANY; i++)
    {
      const T2pIpAddress address =
          t2p_ip_address_from_v4 ((11u << 24) + i * 128 % (MANY * 256));

      found += t2pw_cidr_table_contains (table, &address);
    }
  g_assert_cmpuint (found, ==, 5 * MANY);
  g_assert_cmpint (g_get_monotonic_time () - started_us, <, 30 * G_USEC_PER_SEC);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cidr-table/contains", test_contains);
  g_test_add_func ("/cidr-table/empty", test_empty);
  g_test_add_func ("/cidr-table/all", test_all);
  g_test_add_func ("/cidr-table/nested-ones-are-dropped", test_nested);
  g_test_add_func ("/cidr-table/comments-and-line-ends", test_layout);
  g_test_add_func ("/cidr-table/refused-by-line-and-reason", test_refused);
  g_test_add_func ("/cidr-table/entries-are-counted", test_entries_are_counted);
  g_test_add_func ("/cidr-table/many", test_many);
  return g_test_run ();
}
