/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-data-plane.h"

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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/plane-config/memory-is-a-share-of-the-machine", test_memory_share);
  g_test_add_func ("/plane-config/default-is-the-share", test_default_is_the_share);
  return g_test_run ();
}
