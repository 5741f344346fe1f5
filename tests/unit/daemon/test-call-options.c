/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-bus-details.h"
#include "t2pd-call-options.h"

#include "t2p-error.h"

static const T2pdCallOption known[] = { { "wait", "b" }, { "timeout", "u" }, { NULL, NULL } };

static gboolean
check (const char *text, GError **error)
{
  g_autoptr (GVariant) options =
      g_variant_parse (G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);

  return t2pd_call_options_check (options, known, error);
}

static void
test_good (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (check ("{}", &error));
  g_assert_true (
      check ("{'wait': <true>, 'timeout': <uint32 3>, 'interactive': <true>}", &error));
}

static void
test_bad (void)
{
  static const struct
  {
    const char *options;
    const char *message;
  } cases[] = {
    { "{'wait': <'yes'>}", "option 'wait': type 's' seen, 'b' expected" },
    { "{'wayt': <true>}", "option 'wayt': unknown to this method" },
    { "{'interactive': <1>}", "option 'interactive': type 'i' seen, 'b' expected" },
    { "{'wait': <true>, 'wait': <false>}", "option 'wait': seen twice, once expected" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (check (cases[i].options, &error));
      g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT);
      g_assert_cmpstr (error->message, ==, cases[i].message);
    }
}

static void
test_get (void)
{
  g_autoptr (GVariant) options = g_variant_ref_sink (
      g_variant_new_parsed ("{'wait': <true>, 'timeout': <uint32 3>, 'name': <'x'>}"));

  g_assert_true (t2pd_call_options_get_bool (options, "wait", FALSE));
  g_assert_true (t2pd_call_options_get_bool (options, "activate", TRUE));
  g_assert_cmpuint (t2pd_call_options_get_u32 (options, "timeout", 9), ==, 3);
  g_assert_cmpuint (t2pd_call_options_get_u32 (options, "other", 9), ==, 9);
  g_assert_cmpstr (t2pd_call_options_get_string (options, "name", "y"), ==, "x");
  g_assert_cmpstr (t2pd_call_options_get_string (options, "none", "y"), ==, "y");
}

static gboolean
check_filter (const char *text, GError **error)
{
  g_autoptr (GVariant) parameters =
      g_variant_parse (G_VARIANT_TYPE ("(a{sv}tua{sv})"), text, NULL, NULL, NULL);

  return t2pd_bus_details_check_filter (parameters, error);
}

static void
test_filter (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (check_filter ("({'id': <uint64 1>, 'host': <'a'>}, 0, 1000, {})", &error));
  g_assert_false (check_filter ("({'hots': <'a'>}, 0, 0, {})", &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_false (check_filter ("({'id': <'a'>}, 0, 0, {})", &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_false (check_filter ("({}, 0, 1001, {})", &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/call-options/known-ones-pass", test_good);
  g_test_add_func ("/call-options/others-are-named", test_bad);
  g_test_add_func ("/call-options/values-and-fallbacks", test_get);
  g_test_add_func ("/call-options/connection-filter", test_filter);
  return g_test_run ();
}
