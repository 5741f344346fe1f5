/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2p-log.h"

#include <string.h>

/* The program runs itself: a log writer can be set only once, and its output is the claim. */
static void
test_child (void)
{
  g_autoptr (GError) error = g_error_new_literal (T2P_ERROR, T2P_ERROR_BUSY, "too many");
  g_autoptr (GError) io = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED, "no disk");

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, 0);
      g_test_trap_assert_passed ();
      g_test_trap_assert_stderr ("*notice 1*error 2: too many*io 3: no disk*debug 5*");
      g_test_trap_assert_stderr_unmatched ("*hidden*");
      g_test_trap_assert_stdout_unmatched ("*notice 1*");
      return;
    }
  t2p_log_init (T2P_LOG_LEVEL_NOTICE);
  t2p_log_notice ("home", NULL, "notice %d", 1);
  t2p_log_info ("home", NULL, "hidden info");
  t2p_log_error ("home", error, "error %d", 2);
  t2p_log_set_level (T2P_LOG_LEVEL_WARNING);
  t2p_log_notice (NULL, NULL, "hidden notice");
  g_message ("hidden message of a library");
  t2p_log_warning (NULL, io, "io %d", 3);
  t2p_log_set_level (T2P_LOG_LEVEL_DEBUG);
  t2p_log_debug (NULL, NULL, "debug %d", 5);
}

/* A person reads it, and a peer's bytes neither make a second line nor colour it. */
static void
test_line (void)
{
  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, 0);
      g_test_trap_assert_passed ();
      g_test_trap_assert_stderr ("prog[*]: warning: home: a?b?[31mc\xc3\xa9\n"
                                 "prog[*]: error: Lib: from elsewhere\n"
                                 "prog[*]: notice: plain\n");
      g_test_trap_assert_stderr_unmatched ("*a\nb*");
      g_test_trap_assert_stderr_unmatched ("*\033*");
      return;
    }
  g_set_prgname ("prog");
  t2p_log_init (T2P_LOG_LEVEL_NOTICE);
  t2p_log_warning ("home", NULL, "a\nb\033[31mc\xc3\xa9");
  g_log_structured ("Lib", G_LOG_LEVEL_CRITICAL, "MESSAGE", "from %s", "elsewhere");
  t2p_log_notice (NULL, NULL, "plain");
}

static const char *
field (const GLogField *fields, gsize n, const char *key)
{
  for (gsize i = 0; i < n; i++)
    if (strcmp (fields[i].key, key) == 0)
      return fields[i].value;
  return NULL;
}

static GLogWriterOutput
capture_cb (GLogLevelFlags level, const GLogField *fields, gsize n, gpointer user_data)
{
  GString *out = user_data;

  if (g_strcmp0 (field (fields, n, "GLIB_DOMAIN"), "tun2proxy") != 0)
    return G_LOG_WRITER_UNHANDLED;
  g_string_append_printf (out, "%s %s %s %s;", field (fields, n, "PRIORITY"),
                          field (fields, n, "MESSAGE"), field (fields, n, "T2P_TUNNEL"),
                          field (fields, n, "T2P_ERROR"));
  return G_LOG_WRITER_HANDLED;
}

static void
test_fields (void)
{
  g_autoptr (GString) out = g_string_new (NULL);
  g_autoptr (GError) error = g_error_new_literal (T2P_ERROR, T2P_ERROR_BUSY, "m");

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, 0);
      g_test_trap_assert_passed ();
      return;
    }
  g_log_set_writer_func (capture_cb, out, NULL);
  t2p_log_error ("home", error, "x");
  t2p_log_notice (NULL, NULL, "y");
  g_assert_cmpstr (out->str, ==,
                   "3 home: x: m home org.tun2proxy.Error.Busy;5 y (null) (null);");
}

static void
test_levels (void)
{
  for (guint i = 0; i <= T2P_LOG_LEVEL_DEBUG; i++)
    {
      T2pLogLevel level = T2P_LOG_LEVEL_ERROR;

      g_assert_true (
          t2p_log_level_from_string (t2p_log_level_to_string ((T2pLogLevel) i), &level));
      g_assert_cmpuint (level, ==, i);
      g_assert_false (t2p_log_level_from_string ("loud", &level));
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/log/level-can-be-changed-at-run-time", test_child);
  g_test_add_func ("/log/lines-are-for-people", test_line);
  g_test_add_func ("/log/fields-name-tunnel-and-error", test_fields);
  g_test_add_func ("/log/levels-round-trip", test_levels);
  return g_test_run ();
}
