/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-lock.h"
#include "t2pd-options.h"

#include "t2p-error.h"

#include <glib/gstdio.h>
#include <unistd.h>

static T2pdOptions *
parse (const char *line, GError **error)
{
  g_auto (GStrv) argv = NULL;

  g_assert_true (g_shell_parse_argv (line, NULL, &argv, NULL));
  return t2pd_options_parse (argv, error);
}

static void
test_defaults (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pdOptions) options = parse ("tun2proxyd", &error);

  g_assert_no_error (error);
  g_assert_cmpint (options->role, ==, T2PD_ROLE_SERVICE);
  g_assert_cmpstr (options->bus, ==, "system");
  g_assert_cmpstr (options->runtime_dir, ==, "/run/tun2proxy");
  g_assert_cmpuint (options->adopt_timeout_s, ==, 10);
  g_assert_cmpint (options->network_backend, ==, T2PD_NETWORK_BACKEND_AUTO);
  g_assert_cmpstr (options->worker_user, ==, T2P_WORKER_USER);
}

static void
test_bad (void)
{
  static const char *const lines[] = {
    "tun2proxyd --adopt-timeout=-1",
    "tun2proxyd --log-level=loud",
    "tun2proxyd --network-backend=ifupdown",
    "tun2proxyd --no-such-option",
    "tun2proxyd argument",
    "tun2proxyd --pause-at=create-device",
    "tun2proxyd --bus=system --pause-at=create-device",
  };

  g_unsetenv ("DBUS_SYSTEM_BUS_ADDRESS");
  for (gsize i = 0; i < G_N_ELEMENTS (lines); i++)
    {
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", lines[i]);
      g_assert_null (parse (lines[i], &error));
      g_assert_nonnull (error);
    }
}

static void
test_network_backend (void)
{
  static const struct
  {
    const char *line;
    T2pdNetworkBackend backend;
  } cases[] = {
    { "tun2proxyd --network-backend=auto", T2PD_NETWORK_BACKEND_AUTO },
    { "tun2proxyd --network-backend netlink", T2PD_NETWORK_BACKEND_NETLINK },
    { "tun2proxyd --network-backend=networkmanager", T2PD_NETWORK_BACKEND_NETWORK_MANAGER },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (T2pdOptions) options = parse (cases[i].line, &error);

      g_assert_no_error (error);
      g_assert_cmpint (options->network_backend, ==, cases[i].backend);
    }
}

static void
test_pause_on_test_bus (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pdOptions) options =
      parse ("tun2proxyd --bus=unix:path=x --pause-at=create-device", &error);

  g_assert_no_error (error);
  g_assert_cmpstr (options->pause_at, ==, "create-device");
}

static void
test_worker_user (void)
{
  static const struct
  {
    const char *name;
    gboolean is_there;
  } cases[] = { { "root", TRUE }, { "", TRUE }, { "no-such-user-at-all", FALSE } };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *line = g_strdup_printf ("tun2proxyd --worker-user=%s", cases[i].name);
      g_autoptr (T2pdOptions) options = parse (line, &error);

      g_assert_no_error (error);
      t2pd_options_look_up_worker_user (options);
      g_assert_cmpint (options->has_worker_user, ==, cases[i].is_there);
      g_assert_cmpuint (options->worker_uid, ==, 0);
    }
}

static void
test_lock (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *top = g_dir_make_tmp ("t2pd-XXXXXX", &error);
  g_autofree char *dir = g_build_filename (top, "run", NULL);
  g_autofree char *path = g_build_filename (dir, "lock", NULL);
  GStatBuf info;
  int first, second;

  first = t2pd_lock_take (dir, "daemon", &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_stat (dir, &info), ==, 0);
  g_assert_cmpint (info.st_mode & 0777, ==, 0700);
  second = t2pd_lock_take (dir, "daemon", &error);
  g_assert_cmpint (second, ==, -1);
  g_assert_error (error, T2P_ERROR, T2P_ERROR_BUSY);
  g_clear_error (&error);
  close (first);
  second = t2pd_lock_take (dir, "guardian", &error);
  g_assert_no_error (error);
  close (second);
  g_unlink (path);
  g_rmdir (dir);
  g_rmdir (top);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/options/defaults", test_defaults);
  g_test_add_func ("/options/bad-ones-are-refused", test_bad);
  g_test_add_func ("/options/network-backend", test_network_backend);
  g_test_add_func ("/options/pause-on-a-test-bus", test_pause_on_test_bus);
  g_test_add_func ("/options/worker-user-is-looked-up", test_worker_user);
  g_test_add_func ("/lock/one-for-a-directory", test_lock);
  return g_test_run ();
}
