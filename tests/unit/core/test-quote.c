/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-quote.h"

#include <string.h>

static void
check (const char *text, const char *expected)
{
  g_autofree char *quoted = t2p_quote (text);

  g_assert_cmpstr (quoted, ==, expected);
  g_assert_true (g_utf8_validate (quoted, -1, NULL));
}

static void
test_plain (void)
{
  check ("abc", "'abc'");
  check ("größe", "'größe'");
  check ("", "''");
  check (NULL, "''");
}

static void
test_hostile (void)
{
  check ("a\nb\033[2J", "'a\\u000ab\\u001b[2J'");
  check ("a\xff\xfe", "'a\\xff\\xfe'");
  check ("a\xe2\x82", "'a\\xe2\\x82'");
  check ("\xe2\x80\xae", "'\\u202e'");
}

static void
test_long (void)
{
  g_autofree char *text = g_strnfill (5000, 'x');
  g_autofree char *quoted = t2p_quote (text);

  g_assert_cmpuint (strlen (quoted), ==, 64 + 2 + strlen ("…"));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/quote/keeps-what-can-be-printed", test_plain);
  g_test_add_func ("/quote/escapes-controls-and-broken-utf8", test_hostile);
  g_test_add_func ("/quote/cuts-long-text", test_long);
  return g_test_run ();
}
