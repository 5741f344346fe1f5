/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-name-record.h"
#include "t2pd-name-map.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define POOL "198.18.64.0/18"
#define FIRST_FD 3 /* sd_listen_fds(3) */
#define MARK "left by the service before"

static GVariant *
make_settings (const char *dns)
{
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

  g_variant_builder_add (&builder, "{sv}", "dns", g_variant_new_string (dns));
  g_variant_builder_add (&builder, "{sv}", "dns-pool4", g_variant_new_string (POOL));
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

static int
obtain (T2pdFdStore *store, const char *key)
{
  g_autoptr (GVariant) settings = make_settings ("virtual");
  g_autoptr (GError) error = NULL;
  int fd = t2pd_name_map_obtain (settings, store, key, &error);

  g_assert_no_error (error);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (fcntl (fd, F_GETFD) & FD_CLOEXEC, !=, 0);
  return fd;
}

static gboolean
is_marked (int fd)
{
  char bytes[sizeof MARK] = "";

  return pread (fd, bytes, sizeof bytes, 0) == sizeof bytes && g_str_equal (bytes, MARK);
}

/* What the service manager would pass, at the number where it would. */
static void
leave (int fd, int number)
{
  g_assert_cmpint (pwrite (fd, MARK, sizeof MARK, 0), ==, sizeof MARK);
  if (fd == number)
    return;
  g_assert_cmpint (dup2 (fd, number), ==, number);
  close (fd);
}

static void
pass (const char *names, int n)
{
  g_autofree char *pid = g_strdup_printf ("%d", (int) getpid ());
  g_autofree char *number = g_strdup_printf ("%d", n);

  g_setenv ("LISTEN_PID", pid, TRUE);
  g_setenv ("LISTEN_FDS", number, TRUE);
  g_setenv ("LISTEN_FDNAMES", names, TRUE);
}

static void
test_kept (void)
{
  g_autofree char *key = t2pd_name_map_make_key (1000, "work");
  g_autoptr (T2pdFdStore) store = NULL;
  g_autoptr (T2pdFdStore) next = NULL;
  int fd;

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
      g_test_trap_assert_passed ();
      return;
    }
  store = t2pd_fd_store_new ();
  leave (obtain (store, key), FIRST_FD);
  pass (key, 1);
  next = t2pd_fd_store_new ();
  g_assert_null (g_getenv ("LISTEN_FDS"));
  fd = obtain (next, key);
  g_assert_true (is_marked (fd));
  close (fd);
  fd = obtain (next, key); /* taken once */
  g_assert_false (is_marked (fd));
  close (fd);
}

static int
unsealed_new (void)
{
  int fd = memfd_create ("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  T2pIpPrefix pool;

  g_assert_true (t2p_ip_prefix_parse (POOL, &pool, NULL));
  g_assert_cmpint (ftruncate (fd, (off_t) t2p_name_map_bytes (&pool)), ==, 0);
  return fd;
}

static int
small_new (void)
{
  int fd = unsealed_new ();

  g_assert_cmpint (ftruncate (fd, 4096), ==, 0);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), ==, 0);
  return fd;
}

static void
test_what_does_not_fit (void)
{
  g_autoptr (T2pdFdStore) store = NULL;
  int unsealed, small;

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
      g_test_trap_assert_passed ();
      return;
    }
  leave (unsealed_new (), FIRST_FD);
  leave (small_new (), FIRST_FD + 1);
  pass ("names-1-unsealed:names-1-small", 2);
  store = t2pd_fd_store_new ();
  unsealed = obtain (store, "names-1-unsealed");
  small = obtain (store, "names-1-small");
  g_assert_false (is_marked (unsealed));
  g_assert_false (is_marked (small));
  close (unsealed);
  close (small);
}

static void
test_wanted (void)
{
  g_autoptr (GVariant) virtual = make_settings ("virtual");
  g_autoptr (GVariant) tcp = make_settings ("tcp");

  g_assert_true (t2pd_name_map_is_wanted (virtual));
  g_assert_false (t2pd_name_map_is_wanted (tcp));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/name-map/what-was-kept-is-taken-once", test_kept);
  g_test_add_func ("/name-map/what-does-not-fit-is-not-taken", test_what_does_not_fit);
  g_test_add_func ("/name-map/only-virtual-names-need-one", test_wanted);
  return g_test_run ();
}
