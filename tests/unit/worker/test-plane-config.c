/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2pw-data-plane.h"

#include <string.h>
#include <unistd.h>

#define MIB G_GUINT64_CONSTANT (1048576)

static void
test_memory_share (void)
{
  g_assert_cmpuint (t2pw_plane_config_memory_share (64 * 1024 * MIB), ==, 128 * MIB);
  g_assert_cmpuint (t2pw_plane_config_memory_share (512 * MIB), ==, 32 * MIB);
  g_assert_cmpuint (t2pw_plane_config_memory_share (32 * MIB), ==, 8 * MIB);
  g_assert_cmpuint (t2pw_plane_config_memory_share (0), ==, 128 * MIB);
}

static void
test_default_is_the_share (void)
{
  g_autoptr (T2pwPlaneConfig) config = t2pw_plane_config_new ();
  long pages = sysconf (_SC_PHYS_PAGES);

  g_assert_cmpuint (
      config->memory_limit_bytes, ==,
      t2pw_plane_config_memory_share ((guint64) pages * (guint64) sysconf (_SC_PAGESIZE)));
}

static void
test_dns_servers (void)
{
  static const char *const good[] = { "192.0.2.53", "[2001:db8::53]:5353", NULL };
  static const char *const bad[] = { "192.0.2.54", "resolver.example", NULL };
  g_autoptr (T2pwPlaneConfig) config = t2pw_plane_config_new ();
  g_autoptr (GError) error = NULL;

  g_assert_cmpuint (config->n_dns_servers, ==, 2);
  g_assert_true (t2pw_plane_config_set_dns_servers (config, good, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (config->n_dns_servers, ==, 2);
  g_assert_cmpuint (config->dns_servers[0].port, ==, 53);
  g_assert_cmpuint (config->dns_servers[1].port, ==, 5353);
  g_assert_false (t2pw_plane_config_set_dns_servers (config, bad, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS);
  g_assert_nonnull (strstr (error->message, "resolver.example"));
  g_assert_cmpuint (config->dns_servers[1].port, ==, 5353);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/plane-config/memory-is-a-share-of-the-machine", test_memory_share);
  g_test_add_func ("/plane-config/default-is-the-share", test_default_is_the_share);
  g_test_add_func ("/plane-config/dns-servers", test_dns_servers);
  return g_test_run ();
}
