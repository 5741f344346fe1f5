/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-pace.h"

static void
test_short (void)
{
  g_assert_cmpint (t2pd_pace_next (1000, 1000, 500), ==, 1500);
  g_assert_cmpint (t2pd_pace_next (1000, 1025, 500), ==, 1500);
}

static void
test_long (void)
{
  g_assert_cmpint (t2pd_pace_next (1000, 1100, 500), ==, 3000);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pace/what-is-short-is-done-as-often-as-it-should", test_short);
  g_test_add_func ("/pace/what-is-long-takes-a-twentieth-of-the-time", test_long);
  return g_test_run ();
}
