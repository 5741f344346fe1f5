/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-reason.h"
#include "t2pd-worker-filter.h"
#include "t2p-limits.h"
#include "t2pd-worker-row.h"

#include "t2p-error.h"

static GVariant *
parse (const char *type, const char *text)
{
  g_autoptr (GError) error = NULL;
  GVariant *value = g_variant_parse (G_VARIANT_TYPE (type), text, NULL, NULL, &error);

  g_assert_no_error (error);
  return value;
}

static void
test_connections (void)
{
  g_autoptr (GVariant) rows =
      parse ("aa{sv}", "[{'id': <uint64 7>, 'host': <'a.example'>, 'evil': <'x'>, "
                       "'state': <uint32 1>}, {'id': <uint64 8>}, {'id': <uint64 9>}]");
  g_autoptr (GVariant) expected =
      parse ("aa{sv}", "[{'id': <uint64 7>, 'host': <'a.example'>}, {'id': <uint64 8>}]");
  g_autoptr (GVariant) copy = NULL;
  guint64 dropped = 0;

  copy = g_variant_ref_sink (t2pd_worker_row_copy_connections (rows, 2, &dropped));
  g_assert_cmpvariant (copy, expected);
  g_assert_cmpuint (dropped, ==, 3);
}

static void
test_long_cell (void)
{
  g_autofree char *text = g_strnfill (100000, 'x');
  GVariantBuilder builder;
  g_autoptr (GVariant) row = NULL;
  g_autoptr (GVariant) copy = NULL;
  guint64 dropped = 0;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", "message", g_variant_new_string (text));
  row = g_variant_ref_sink (g_variant_builder_end (&builder));
  copy = g_variant_ref_sink (t2pd_worker_row_copy_probe (row, &dropped));
  g_assert_cmpuint (g_variant_n_children (copy), ==, 0);
  g_assert_cmpuint (dropped, ==, 1);
}

static void
test_statistics (void)
{
  g_autoptr (GVariant) counters =
      parse ("a{st}", "{'rx-bytes': 5, 'dropped-full': 2, 'dropped-Bad Name': 3, 'secret': 4}");
  g_autoptr (GVariant) copy = NULL;
  guint64 dropped = 0, value = 99;

  copy = g_variant_ref_sink (t2pd_worker_row_copy_statistics (counters, &dropped));
  g_assert_true (g_variant_lookup (copy, "rx-bytes", "t", &value));
  g_assert_cmpuint (value, ==, 5);
  g_assert_true (g_variant_lookup (copy, "tx-bytes", "t", &value));
  g_assert_cmpuint (value, ==, 0);
  g_assert_true (g_variant_lookup (copy, "dropped-full", "t", &value));
  g_assert_false (g_variant_lookup (copy, "secret", "t", &value));
  g_assert_cmpuint (dropped, ==, 2);
}

static void
test_text (void)
{
  g_autofree char *text = t2pd_worker_row_clean_text ("a\nb\033[31mc\xc3\xa9");
  g_autofree char *many = g_strnfill (5000, 'x');
  g_autofree char *cut = t2pd_worker_row_clean_text (many);

  g_assert_cmpstr (text, ==, "a?b?[31mc\xc3\xa9");
  g_assert_cmpuint (strlen (cut), ==, 200);
}

static void
test_nick (void)
{
  g_autoptr (GError) known = t2pd_error_from_nick ("ProxyAuthenticationFailed", "m");
  g_autoptr (GError) stranger = t2pd_error_from_nick ("../../x", "m");

  g_assert_error (known, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED);
  g_assert_cmpint (t2pd_reason_from_error (known), ==, T2P_STATE_REASON_PROXY_AUTH);
  g_assert_error (stranger, T2P_ERROR, T2P_ERROR_FAILED);
  g_assert_cmpint (t2pd_reason_from_error (stranger), ==, T2P_STATE_REASON_INTERNAL);
}

static gboolean
passes (T2pdWorkerFilter *filter, GDBusMessage *message)
{
  GDBusMessage *out = t2pd_worker_filter_cb (NULL, message, TRUE, filter);

  g_clear_object (&out);
  return out == NULL ? FALSE : TRUE;
}

static GDBusMessage *
make_signal (const char *interface, gsize bytes)
{
  g_autofree char *text = g_strnfill (bytes, 'x');
  GDBusMessage *message =
      g_dbus_message_new_signal ("/org/tun2proxy/Worker", interface, "UpstreamChanged");

  g_dbus_message_set_body (message, g_variant_new ("(s)", text));
  return message;
}

static guint
count_passing (T2pdWorkerFilter *filter, guint n, const char *interface, gsize bytes)
{
  guint passed = 0;

  for (guint i = 0; i < n; i++)
    {
      GDBusMessage *out =
          t2pd_worker_filter_cb (NULL, make_signal (interface, bytes), TRUE, filter);

      passed += out != NULL;
      g_clear_object (&out);
    }
  return passed;
}

static void
test_filter (void)
{
  T2pdWorkerFilter *filter = t2pd_worker_filter_new ();
  GDBusMessage *call =
      g_dbus_message_new_method_call (NULL, "/x", "org.freedesktop.DBus.Peer", "Ping");

  g_assert_false (passes (filter, call));
  g_assert_cmpuint (count_passing (filter, 10, "org.tun2proxy.Other", 10), ==, 0);
  g_assert_cmpuint (count_passing (filter, 10, "org.tun2proxy.Worker", 10000), ==, 0);
  /* At most two seconds' worth, should the clock turn over in between. */
  g_assert_cmpuint (count_passing (filter, 1000, "org.tun2proxy.Worker", 10), <=, 100);
  g_assert_cmpuint (t2pd_worker_filter_get_dropped (filter), >=, 921);
  t2pd_worker_filter_unref (filter);
}

/* A chain with the paths of files may be long; what is longer than any setting is dropped. */
static void
test_long_uri (void)
{
  g_autofree char *long_uri = g_strnfill (T2P_MAX_STRING_BYTES - 1, 'u');
  g_autofree char *too_long = g_strnfill (T2P_MAX_STRING_BYTES, 'u');
  g_autofree char *clean = t2pd_worker_row_clean_uri (long_uri);
  const char *const uris[] = { long_uri, too_long };

  g_assert_cmpstr (clean, ==, long_uri);
  for (guint i = 0; i < G_N_ELEMENTS (uris); i++)
    {
      g_autoptr (GVariant) rows =
          g_variant_ref_sink (g_variant_new_parsed ("[{'uri': <%s>}]", uris[i]));
      guint64 dropped = 0;
      g_autoptr (GVariant) copy =
          g_variant_ref_sink (t2pd_worker_row_copy_upstreams (rows, &dropped));

      g_assert_cmpuint (dropped, ==, i);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/worker-row/connections-keep-what-is-known", test_connections);
  g_test_add_func ("/worker-row/long-cells-are-dropped", test_long_cell);
  g_test_add_func ("/worker-row/statistics-are-complete-and-closed", test_statistics);
  g_test_add_func ("/worker-row/text-is-one-printable-line", test_text);
  g_test_add_func ("/worker-row/error-nicks-are-a-closed-list", test_nick);
  g_test_add_func ("/worker-filter/bounds-what-passes", test_filter);
  g_test_add_func ("/worker-row/uri-may-be-as-long-as-a-setting", test_long_uri);
  return g_test_run ();
}
