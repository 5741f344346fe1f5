/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2p-limits.h"
#include "t2pw-domain-table.h"

#define MANY 100000

static T2pwDomainTable *
table_of (const char *text)
{
  g_autoptr (GBytes) content = g_bytes_new_static (text, strlen (text));
  g_autoptr (GError) error = NULL;
  guint left = T2P_MAX_RULE_FILE_ENTRIES;
  T2pwDomainTable *table = t2pw_domain_table_parse (content, &left, &error);

  g_assert_no_error (error);
  return table;
}

static void
test_contains (void)
{
  g_autoptr (T2pwDomainTable) table = table_of ("corp.example\r\n"
                                                "=www.other.example # alone\n"
                                                ".dotted.example\n"
                                                "*.starred.example.\n"
                                                "UPPER.example\n");

  g_assert_cmpuint (t2pw_domain_table_get_size (table), ==, 5);
  g_assert_true (t2pw_domain_table_contains (table, "corp.example"));
  g_assert_true (t2pw_domain_table_contains (table, "a.b.corp.example"));
  g_assert_true (t2pw_domain_table_contains (table, "A.Corp.EXAMPLE."));
  g_assert_true (t2pw_domain_table_contains (table, "www.other.example"));
  g_assert_true (t2pw_domain_table_contains (table, "dotted.example"));
  g_assert_true (t2pw_domain_table_contains (table, "x.starred.example"));
  g_assert_true (t2pw_domain_table_contains (table, "upper.example"));
  g_assert_false (t2pw_domain_table_contains (table, "xcorp.example"));
  g_assert_false (t2pw_domain_table_contains (table, "corp.example.org"));
  g_assert_false (t2pw_domain_table_contains (table, "example"));
  g_assert_false (t2pw_domain_table_contains (table, "a.www.other.example"));
  g_assert_false (t2pw_domain_table_contains (table, "other.example"));
  g_assert_false (t2pw_domain_table_contains (table, ""));
  g_assert_false (t2pw_domain_table_contains (table, "."));
}

static void
test_empty (void)
{
  g_autoptr (T2pwDomainTable) table = table_of ("# nothing\n");

  g_assert_cmpuint (t2pw_domain_table_get_size (table), ==, 0);
  g_assert_false (t2pw_domain_table_contains (table, "a.example"));
}

/* What stands between a domain and a name below it must not hide it. */
static void
test_nested (void)
{
  g_autoptr (T2pwDomainTable) table =
      table_of ("example\nb.example\na.b.example\nb.example\n=c.example\nexample-2\n");

  g_assert_cmpuint (t2pw_domain_table_get_size (table), ==, 3);
  g_assert_true (t2pw_domain_table_contains (table, "z.b.example"));
  g_assert_true (t2pw_domain_table_contains (table, "c.example"));
  g_assert_true (t2pw_domain_table_contains (table, "example"));
  g_assert_true (t2pw_domain_table_contains (table, "x.example-2"));
  g_assert_false (t2pw_domain_table_contains (table, "x.example-3"));
}

static void
test_long_names (void)
{
  g_autofree char *label = g_strnfill (63, 'a');
  g_autofree char *longest = g_strdup_printf ("%s.%s.%s.%.61s", label, label, label, label);
  g_autofree char *longer = g_strnfill (1000, 'a');
  g_autoptr (T2pwDomainTable) table = table_of (longest);

  g_assert_cmpuint (strlen (longest), ==, 253);
  g_assert_true (t2pw_domain_table_contains (table, longest));
  g_assert_false (t2pw_domain_table_contains (table, longer));
}

static void
refused (const char *text, guint most, T2pError code, const char *message)
{
  g_autoptr (GBytes) content = g_bytes_new_static (text, strlen (text));
  g_autoptr (GError) error = NULL;
  guint left = most;

  g_assert_null (t2pw_domain_table_parse (content, &left, &error));
  g_assert_error (error, T2P_ERROR, (gint) code);
  g_assert_cmpstr (error->message, ==, message);
}

static void
test_refused (void)
{
#define NO_NAME "is no domain name, expected such as corp.example or =www.corp.example"
  refused ("a.example\nb example\n", 9, T2P_ERROR_INVALID_SETTINGS, "line 2: " NO_NAME);
  refused ("192.0.2.1", 9, T2P_ERROR_INVALID_SETTINGS, "line 1: " NO_NAME);
  refused ("a.*.example", 9, T2P_ERROR_INVALID_SETTINGS, "line 1: " NO_NAME);
  refused ("=", 9, T2P_ERROR_INVALID_SETTINGS, "line 1: " NO_NAME);
  refused (".", 9, T2P_ERROR_INVALID_SETTINGS, "line 1: " NO_NAME);
  refused ("a.example\nb.example", 1, T2P_ERROR_LIMIT_EXCEEDED,
           "line 2: is one entry too many");
}

/* As the test of the prefixes. */
static void
test_many (void)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (T2pwDomainTable) table = NULL;
  guint found = 0;
  gint64 started_us;

  for (guint i = 0; i < MANY; i++)
    g_string_append_printf (text, "%shost-%u.zone-%u.example\n", i % 10 == 0 ? "=" : "", i,
                            i % 977);
  started_us = g_get_monotonic_time ();
  table = table_of (text->str);
  g_assert_cmpuint (t2pw_domain_table_get_size (table), ==, MANY);
  for (guint i = 0; i < 10 * MANY; i++)
    {
      char name[64];

      g_snprintf (name, sizeof name, "www.host-%u.zone-%u.example", i % MANY, i % MANY % 977);
      found += t2pw_domain_table_contains (table, name);
    }
  g_assert_cmpuint (found, ==, 9 * MANY);
  g_assert_cmpint (g_get_monotonic_time () - started_us, <, 30 * G_USEC_PER_SEC);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/domain-table/contains", test_contains);
  g_test_add_func ("/domain-table/empty", test_empty);
  g_test_add_func ("/domain-table/nested-ones-are-dropped", test_nested);
  g_test_add_func ("/domain-table/long-names", test_long_names);
  g_test_add_func ("/domain-table/refused-by-line-and-reason", test_refused);
  g_test_add_func ("/domain-table/many", test_many);
  return g_test_run ();
}
