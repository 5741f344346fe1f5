/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "t2p-ctl-failure.h"
#include "t2p-ctl-json.h"
#include "t2p-ctl-password.h"
#include "t2p-ctl-settings.h"
#include "t2p-ctl-table.h"
#include "t2p-ctl-terminal.h"
#include "t2p-ctl-units.h"
#include "t2p-names.h"

/* --- quantities */

typedef char *(*Format) (guint64);

typedef struct
{
  guint64 value;
  const char *text;
} Quantity;

static void
check_quantities (Format format, const Quantity *cases, gsize n_cases)
{
  for (gsize i = 0; i < n_cases; i++)
    {
      g_autofree char *text = format (cases[i].value);

      g_assert_cmpstr (text, ==, cases[i].text);
    }
}

static void
test_bytes (void)
{
  static const Quantity cases[] = {
    { 0, "0 B" },
    { 1023, "1023 B" },
    { 1024, "1.0 KiB" },
    { 1258291, "1.2 MiB" },
    { 1048575, "1.0 MiB" }, /* not "1024.0 KiB" */
    { G_GUINT64_CONSTANT (1) << 40, "1.0 TiB" },
    { G_MAXUINT64, "16.0 EiB" },
  };

  check_quantities (t2p_ctl_format_bytes, cases, G_N_ELEMENTS (cases));
}

static void
test_ages (void)
{
  static const Quantity cases[] = {
    { 0, "0 s" },
    { 59 * G_USEC_PER_SEC, "59 s" },
    { 61 * G_USEC_PER_SEC, "1 min 01 s" },
    { 7380 * (guint64) G_USEC_PER_SEC, "2 h 03 min" },
    { 100000 * (guint64) G_USEC_PER_SEC, "1 d 3 h" },
  };

  check_quantities (t2p_ctl_format_age, cases, G_N_ELEMENTS (cases));
}

static void
test_delays (void)
{
  static const Quantity cases[] = { { 900, "0.9 ms" }, { 23456, "23 ms" } };

  check_quantities (t2p_ctl_format_delay, cases, G_N_ELEMENTS (cases));
}

/* --- tables */

static char **
row (const char *a, const char *b, const char *c)
{
  const char *const cells[] = { a, b, c, NULL };

  return g_strdupv ((char **) cells);
}

static void
test_table (void)
{
  static const T2pCtlColumn columns[] = { { "NAME", FALSE },
                                          { "SIZE", TRUE },
                                          { "NOTHING", FALSE } };
  g_autoptr (T2pCtlTable) table = t2p_ctl_table_new (columns, G_N_ELEMENTS (columns));
  g_autofree char *text = NULL;

  t2p_ctl_table_take_row (table, row ("a", "1", ""));
  t2p_ctl_table_take_row (table, row ("größer", "12345", ""));
  text = t2p_ctl_table_to_string (table);
  g_assert_cmpstr (text, ==,
                   "NAME     SIZE\n"
                   "a           1\n"
                   "größer  12345\n");
}

static void
test_columns (void)
{
  g_assert_cmpuint (t2p_ctl_columns ("größer"), ==, 6);
  g_assert_cmpuint (t2p_ctl_columns ("日本"), ==, 4);
  g_assert_cmpuint (t2p_ctl_columns ("\033[1mbold\033[0m"), ==, 4);
  g_assert_cmpuint (t2p_ctl_columns ("\033["), ==, 0);
}

static void
test_printable (void)
{
  g_autofree char *escape = t2p_ctl_printable ("a\033]0;title\007b");
  g_autofree char *broken = t2p_ctl_printable ("a\xff");
  g_autofree char *line = t2p_ctl_printable ("a\nb");

  g_assert_cmpstr (escape, ==,
                   "a\xef\xbf\xbd]0;title\xef\xbf\xbd"
                   "b");
  g_assert_cmpstr (broken, ==, "a\xef\xbf\xbd");
  g_assert_cmpstr (line, ==,
                   "a\xef\xbf\xbd"
                   "b");
}

static void
test_json (void)
{
  g_autofree char *text = t2p_ctl_to_json (
      g_variant_new_parsed (
          "{'b': <@t 18446744073709>, 'a': <['x', 'y']>, 'c': <{'d': <true>}>}"),
      FALSE);

  g_assert_cmpstr (text, ==, "{\"a\":[\"x\",\"y\"],\"b\":18446744073709,\"c\":{\"d\":true}}");
}

/* --- arguments */

static void
test_settings (void)
{
  const char *arguments[] = { "socks5://a:1?udp=associate",
                              "proxies=socks5://c:3,socks5://d:4",
                              "capture=default",
                              "socks5://b:2",
                              "mtu=0x5dc",
                              NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pCtlSettings) settings = t2p_ctl_settings_parse ((char **) arguments, &error);
  g_autoptr (GVariant) dict = NULL;
  g_autofree const char **proxies = NULL;
  const char *capture = NULL;
  guint32 mtu = 0;

  g_assert_no_error (error);
  dict = g_variant_ref_sink (t2p_ctl_settings_end (settings));
  g_assert_true (g_variant_lookup (dict, "proxies", "^a&s", &proxies));
  g_assert_cmpuint (g_strv_length ((char **) proxies), ==, 4);
  g_assert_cmpstr (proxies[0], ==, "socks5://a:1?udp=associate");
  g_assert_cmpstr (proxies[1], ==, "socks5://b:2");
  g_assert_cmpstr (proxies[3], ==, "socks5://d:4");
  g_assert_true (g_variant_lookup (dict, "capture", "&s", &capture));
  g_assert_cmpstr (capture, ==, "default");
  g_assert_true (g_variant_lookup (dict, "mtu", "u", &mtu));
  g_assert_cmpuint (mtu, ==, 1500);
}

static void
test_settings_refused (void)
{
  static const struct
  {
    const char *argument;
    gboolean is_usage;
  } cases[] = {
    { "capture", TRUE },         { "=default", TRUE },
    { "mtu=1400", TRUE }, /* twice */
    { "captre=default", FALSE }, { "udp-idle-timeout=soon", FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const char *arguments[] = { "socks5://a", "mtu=1300", cases[i].argument, NULL };
      g_autoptr (GError) error = NULL;

      g_assert_null (t2p_ctl_settings_parse ((char **) arguments, &error));
      if (cases[i].is_usage)
        g_assert_true (error->domain == G_OPTION_ERROR);
      else
        g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS);
      g_assert_cmpint (t2p_ctl_exit_code (error), ==, T2P_CTL_USAGE);
    }
}

static void
test_default_name (void)
{
  static const struct
  {
    const char *uri;
    const char *pair;
    const char *name;
  } cases[] = {
    { "socks5://proxy.example:1080", "mtu=1500", "proxy.example" },
    { "socks5://u:p@proxy.example", "mtu=1500", "proxy.example" },
    { "socks5://[2001:db8::1]:1080", "mtu=1500", "2001-db8--1" },
    { "socks5://[::1]:1080", "mtu=1500", "1" },
    { "socks5://proxy.example", "interface=t2pwork", "t2pwork" },
    { "http://u:p@unix:/run/user/1000/my%20proxy", "mtu=1500", "my-proxy" },
    { "socks5://first | socks5://second", "mtu=1500", "first" },
    { "direct://", "mtu=1500", "direct" },
    { "socks5://proxy.example", "interface=t2p%d", "proxy.example" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const char *arguments[] = { cases[i].uri, cases[i].pair, NULL };
      g_autoptr (GError) error = NULL;
      g_autoptr (T2pCtlSettings) settings =
          t2p_ctl_settings_parse ((char **) arguments, &error);
      g_autofree char *name = NULL;

      g_assert_no_error (error);
      name = t2p_ctl_settings_default_name (settings, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (name, ==, cases[i].name);
    }
}

static void
test_filter (void)
{
  const char *good[] = { "id=7", "host=host.example", NULL };
  const char *unknown[] = { "port=80", NULL };
  const char *no_number[] = { "id=x", NULL };
  g_autoptr (GVariant) filter = t2p_ctl_filter_parse ((char **) good, NULL);
  g_autoptr (GError) error = NULL;
  guint64 id = 0;

  g_assert_true (g_variant_lookup (filter, "id", "t", &id));
  g_assert_cmpuint (id, ==, 7);
  g_assert_null (t2p_ctl_filter_parse ((char **) unknown, &error));
  g_assert_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE);
  g_assert_null (t2p_ctl_filter_parse ((char **) no_number, NULL));
}

/* --- passwords */

static void
test_hide (void)
{
  char program[] = "tun2proxyctl";
  char uri[] = "socks5://user:secret@h:1";
  char list[] = "proxies=socks5://a:b@c,socks5://user@d";
  char innocent[] = "http://host/a@b";
  char *argv[] = { program, uri, list, innocent, NULL };

  g_assert_true (t2p_ctl_hide_passwords (4, argv));
  g_assert_cmpstr (uri, ==, "socks5://***********@h:1");
  g_assert_cmpstr (list, ==, "proxies=socks5://***@c,socks5://****@d");
  g_assert_cmpstr (innocent, ==, "http://host/a@b");
  g_assert_false (
      t2p_ctl_hide_passwords (4, (char *[]){ program, innocent, innocent, innocent }));
}

/* A file of the test's own; drop_file() removes it. */
static char *
write_file (const char *content, gsize length)
{
  g_autofree char *path = NULL;
  const int fd = g_file_open_tmp ("t2p-password-XXXXXX", &path, NULL);

  g_assert_cmpint (fd, >=, 0);
  close (fd);
  g_assert_true (g_file_set_contents (path, content, (gssize) length, NULL));
  return g_steal_pointer (&path);
}

static void
drop_file (char *path)
{
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_free (path);
}

static void
test_password_file (void)
{
  static const char *const same[] = { "se cret", "se cret\n", "se cret\r\n",
                                      "se cret\nmore\n" };

  for (gsize i = 0; i < G_N_ELEMENTS (same); i++)
    {
      char *path = write_file (same[i], strlen (same[i]));
      g_autoptr (T2pSecret) secret = t2p_ctl_read_password_file (path, NULL);

      g_assert_cmpstr (t2p_secret_peek (secret, NULL), ==, "se cret");
      drop_file (path);
    }
}

static void
test_password_file_refused (void)
{
  g_autofree char *long_line = g_strnfill (256, 'x');
  char *path = write_file ("\nsecret\n", 8);
  g_autoptr (GError) error = NULL;

  g_assert_null (t2p_ctl_read_password_file (path, &error));
  g_assert_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE);
  drop_file (path);
  path = write_file (long_line, 256);
  g_assert_null (t2p_ctl_read_password_file (path, NULL));
  drop_file (path);
  g_assert_null (t2p_ctl_read_password_file ("/does/not/exist", NULL));
}

static void
test_credentials (void)
{
  char *path = write_file ("p@ss:word\n", 10);
  char user[] = "me";
  T2pCtl ctl = { .user = user, .password_file = path };
  g_autoptr (GError) error = NULL;
  char *uri = t2p_ctl_add_credentials (&ctl, "socks5://h:1", &error);

  g_assert_no_error (error);
  g_assert_cmpstr (uri, ==, "socks5://me:p%40ss%3Aword@h:1");
  t2p_ctl_wipe (uri);
  ctl.user = NULL;
  uri = t2p_ctl_add_credentials (&ctl, "socks5://a:b@h:1 | http://me@i:2 | http://j:3", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (uri, ==, "socks5://a:b@h:1 | http://me:p%40ss%3Aword@i:2 | http://j:3");
  t2p_ctl_wipe (uri);
  ctl.user = user;
  uri = t2p_ctl_add_credentials (&ctl, "socks5://h:1 | http://i:2", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (uri, ==, "socks5://h:1 | http://me:p%40ss%3Aword@i:2");
  t2p_ctl_wipe (uri);
  drop_file (path);
  ctl.password_file = NULL;
  g_assert_null (t2p_ctl_add_credentials (&ctl, "socks5://h:1", &error));
  g_assert_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED);
}

/* --- failures */

static void
test_exit_codes (void)
{
  static const struct
  {
    T2pError code;
    T2pCtlExit expected;
  } cases[] = {
    { T2P_ERROR_NOT_FOUND, T2P_CTL_NOT_FOUND },
    { T2P_ERROR_NOT_AUTHORIZED, T2P_CTL_NOT_AUTHORIZED },
    { T2P_ERROR_PROXY_AUTHENTICATION_FAILED, T2P_CTL_PROXY },
    { T2P_ERROR_INVALID_SETTINGS, T2P_CTL_USAGE },
    { T2P_ERROR_ALREADY_EXISTS, T2P_CTL_CONFLICT },
    { T2P_ERROR_NOT_SUPPORTED, T2P_CTL_FAILED },
  };
  g_autoptr (GError) absent =
      g_error_new (G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN, "nobody has that name");

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = g_error_new (T2P_ERROR, (int) cases[i].code, "x");

      g_assert_cmpint (t2p_ctl_exit_code (error), ==, cases[i].expected);
    }
  g_assert_cmpint (t2p_ctl_exit_code (absent), ==, T2P_CTL_NO_SERVICE);
  g_assert_nonnull (strstr (t2p_ctl_remedy (absent), "tun2proxyd"));
}

/* The table of answers is indexed by the code. */
static void
test_answers_in_order (void)
{
  g_autoptr (GEnumClass) codes = g_type_class_ref (T2P_TYPE_ERROR);
  g_autoptr (GError) conflict = g_error_new (T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT, "x");
  g_autoptr (GError) late = g_error_new (T2P_ERROR, T2P_ERROR_TIMED_OUT, "x");
  g_autoptr (GError) dns = g_error_new (T2P_ERROR, T2P_ERROR_DNS_SETUP_FAILED, "x");

  for (guint i = 0; i < codes->n_values; i++)
    {
      g_autoptr (GError) error = g_error_new (T2P_ERROR, codes->values[i].value, "x");

      g_assert_cmpint (t2p_ctl_exit_code (error), !=, T2P_CTL_OK);
    }
  g_assert_nonnull (strstr (t2p_ctl_remedy (conflict), "scope=user"));
  g_assert_nonnull (strstr (t2p_ctl_remedy (dns), "dns=off"));
  /* A trial that is over is over. */
  g_assert_null (t2p_ctl_remedy (late));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ctl/units/bytes", test_bytes);
  g_test_add_func ("/ctl/units/ages", test_ages);
  g_test_add_func ("/ctl/units/delays", test_delays);
  g_test_add_func ("/ctl/table/numbers-right-and-no-empty-column", test_table);
  g_test_add_func ("/ctl/terminal/columns", test_columns);
  g_test_add_func ("/ctl/terminal/no-escape-gets-through", test_printable);
  g_test_add_func ("/ctl/json/keys-in-order", test_json);
  g_test_add_func ("/ctl/settings/uris-and-pairs", test_settings);
  g_test_add_func ("/ctl/settings/refused", test_settings_refused);
  g_test_add_func ("/ctl/settings/default-name", test_default_name);
  g_test_add_func ("/ctl/settings/filter", test_filter);
  g_test_add_func ("/ctl/password/argv-is-starred-out", test_hide);
  g_test_add_func ("/ctl/password/file-first-line", test_password_file);
  g_test_add_func ("/ctl/password/file-refused", test_password_file_refused);
  g_test_add_func ("/ctl/password/credentials-are-percent-encoded", test_credentials);
  g_test_add_func ("/ctl/failure/exit-codes", test_exit_codes);
  g_test_add_func ("/ctl/failure/answers-in-order", test_answers_in_order);
  return g_test_run ();
}
