/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-app-name.h"

#include "t2p-error.h"

static void
test_good (void)
{
  static const char *const names[] = {
    "firefox.service",
    "user.slice",
    "app.slice/foo.scope",
    "app-firefox-*.scope",
    "getty@tty1.service",
    "user.slice/user-1000.slice/session-3.scope",
    "dev\\x2dname.service",
    "app-?.scope",
    "user.slice/user-1000.slice/user@1000.service/app.slice/app-org.example.App.scope",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (GError) error = NULL;

      t2p_app_name_check (names[i], &error);
      g_assert_no_error (error);
    }
}

static void
test_bad (void)
{
  static const char *const names[] = {
    "",
    "firefox",
    ".service",
    "..",
    "a.slice/../b.service",
    "a.slice/./b.service",
    "/a.slice",
    "a.slice/",
    "a.slice//b.service",
    "a-*.slice/b.service",
    "a\".service",
    "a b.service",
    "a\n.service",
    "a;.service",
    "a.socket",
    "a.slice/b.slice/c.slice/d.slice/e.slice/f.slice/g.slice/h.slice/i.slice",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (t2p_app_name_check (names[i], &error));
      g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS);
    }
}

static void
test_too_long (void)
{
  g_autofree char *fits = g_strnfill (255 - 6, 'a');
  g_autofree char *good = g_strconcat (fits, ".scope", NULL);
  g_autofree char *bad = g_strconcat ("a", good, NULL);

  g_assert_true (t2p_app_name_check (good, NULL));
  g_assert_false (t2p_app_name_check (bad, NULL));
}

static void
test_component (void)
{
  g_assert_true (t2p_app_component_is_valid ("a.scope"));
  g_assert_false (t2p_app_component_is_valid ("a-*.scope"));
  g_assert_false (t2p_app_component_is_valid ("a/b.scope"));
  g_assert_false (t2p_app_component_is_valid ("\"; flush ruleset; \".scope"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/app-name/units-scopes-and-slices", test_good);
  g_test_add_func ("/app-name/nothing-else", test_bad);
  g_test_add_func ("/app-name/as-long-as-a-file-name", test_too_long);
  g_test_add_func ("/app-name/component-is-no-pattern", test_component);
  return g_test_run ();
}
