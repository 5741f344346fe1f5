/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-users.h"

static T2pSettings *
make_settings (const char *users)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text =
      g_strdup_printf ("{'proxies': <['socks5://192.0.2.1']>, 'capture': <'default'>%s%s}",
                       users != NULL ? ", 'users': " : "", users != NULL ? users : "");
  g_autoptr (GVariant) vardict =
      g_variant_parse (G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);
  T2pSettings *settings;

  g_assert_no_error (error);
  settings = t2p_settings_new (vardict, TRUE, &error);
  g_assert_no_error (error);
  return settings;
}

static void
test_ranges (void)
{
  g_autoptr (T2pSettings) settings = make_settings ("<['1000-1999', '42', 'root']>");
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) ranges = t2pd_users_look_up (settings, &error);
  static const T2pnUidRange expected[] = { { 1000, 1999 }, { 42, 42 }, { 0, 0 } };

  g_assert_no_error (error);
  g_assert_cmpmem (ranges->data, ranges->len * sizeof (T2pnUidRange), expected,
                   sizeof expected);
}

static void
test_unset (void)
{
  g_autoptr (T2pSettings) settings = make_settings (NULL);
  g_autoptr (GArray) ranges = t2pd_users_look_up (settings, NULL);

  g_assert_cmpuint (ranges->len, ==, 0);
}

static void
test_stranger (void)
{
  g_autoptr (T2pSettings) settings = make_settings ("<['1000', 'nobody-has-this-name']>");
  g_autoptr (GError) error = NULL;

  g_assert_null (t2pd_users_look_up (settings, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS);
  g_assert_nonnull (strstr (error->message, "nobody-has-this-name"));
}

static T2pSettings *
make_rules (const char *rules)
{
  g_autofree char *text =
      g_strdup_printf ("{'proxies': <['socks5://192.0.2.1']>, 'rules': <%s>}", rules);
  g_autoptr (GVariant) vardict =
      g_variant_parse (G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
  g_autoptr (GError) error = NULL;
  T2pSettings *settings = t2p_settings_new (vardict, TRUE, &error);

  g_assert_no_error (error);
  return settings;
}

static void
test_rules (void)
{
  g_autoptr (T2pSettings) settings = make_rules (
      "['port:1 -> drop', 'user:root -> direct', 'user:1-5 -> drop', 'user:root -> drop']");
  g_autoptr (GVariant) uids = t2pd_users_look_up_rules (settings, NULL);
  guint32 uid = 77;

  g_assert_nonnull (uids);
  g_assert_true (g_variant_lookup (uids, "root", "u", &uid));
  g_assert_cmpuint (uid, ==, 0);
}

static void
test_stranger_in_rules (void)
{
  g_autoptr (T2pSettings) settings =
      make_rules ("['user:root -> drop', 'user:nobody-has-this-name -> drop']");
  g_autoptr (GError) error = NULL;

  g_assert_null (t2pd_users_look_up_rules (settings, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS);
  g_assert_true (g_str_has_prefix (
      error->message, "rules: entry 2: there is no user 'nobody-has-this-name', expected"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/users/names-and-ranges-become-uids", test_ranges);
  g_test_add_func ("/users/none-is-an-empty-list", test_unset);
  g_test_add_func ("/users/a-stranger-is-named", test_stranger);
  g_test_add_func ("/users/rules", test_rules);
  g_test_add_func ("/users/stranger-in-rules", test_stranger_in_rules);
  return g_test_run ();
}
