/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2p-limits.h"
#include "t2pw-file-set.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int
make_file (const char *text, gsize size)
{
  int fd = memfd_create ("file", MFD_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, text, strlen (text)), ==, (gssize) strlen (text));
  if (size > 0)
    g_assert_cmpint (ftruncate (fd, (off_t) size), ==, 0);
  return fd;
}

/* The offset is at the end: a worker before this one may have read it. */
static void
test_reads_from_the_beginning (void)
{
  g_autoptr (GHashTable) files = t2pw_file_set_new ();
  g_autoptr (GUnixFDList) list = g_unix_fd_list_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) handles = NULL;
  GBytes *bytes;
  int fd = make_file ("content", 0);

  g_unix_fd_list_append (list, fd, NULL);
  handles = g_variant_ref_sink (g_variant_new_parsed ("{'/ca.pem': handle 0, 'fd:b': 0}"));
  g_assert_true (t2pw_file_set_add_handles (files, handles, list, &error));
  g_assert_no_error (error);
  bytes = g_hash_table_lookup (files, "fd:b");
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), "content", 7);
  g_assert_nonnull (g_hash_table_lookup (files, "/ca.pem"));
  close (fd);
}

static void
test_handles (void)
{
  static const char *const cases[] = { "{'x': handle 1}", "{'x': handle -1}",
                                       "{'x': handle 2000000000}" };
  g_autoptr (GUnixFDList) list = g_unix_fd_list_new ();
  int fd = make_file ("x", 0);

  g_unix_fd_list_append (list, fd, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GHashTable) files = t2pw_file_set_new ();
      g_autoptr (GVariant) handles = g_variant_ref_sink (g_variant_new_parsed (cases[i]));
      g_autoptr (GError) error = NULL;

      g_assert_false (t2pw_file_set_add_handles (files, handles, list, &error));
      g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD);
      g_clear_error (&error);
      g_assert_false (t2pw_file_set_add_handles (files, handles, NULL, &error));
      g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD);
    }
  close (fd);
}

static void
test_no_file (void)
{
  g_autoptr (GHashTable) files = t2pw_file_set_new ();
  g_autoptr (GError) error = NULL;
  int fds[2];

  g_assert_cmpint (pipe (fds), ==, 0);
  g_assert_false (t2pw_file_set_add (files, "x", fds[0], &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD);
  close (fds[0]);
  close (fds[1]);
}

static void
test_bounds (void)
{
  g_autoptr (GHashTable) files = t2pw_file_set_new ();
  g_autoptr (GError) error = NULL;
  int most = make_file ("", T2P_MAX_RULE_FILE_BYTES);
  int more = make_file ("", T2P_MAX_RULE_FILE_BYTES + 1);

  g_assert_false (t2pw_file_set_add (files, "more", more, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED);
  g_clear_error (&error);
  for (guint i = 0; i < T2P_MAX_FILES_BYTES / T2P_MAX_RULE_FILE_BYTES; i++)
    {
      g_autofree char *name = g_strdup_printf ("%u", i);

      g_assert_true (t2pw_file_set_add (files, name, most, &error));
    }
  g_assert_false (t2pw_file_set_add (files, "last", most, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED);
  close (most);
  close (more);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/file-set/reads-from-the-beginning", test_reads_from_the_beginning);
  g_test_add_func ("/file-set/handle-without-descriptor-is-refused", test_handles);
  g_test_add_func ("/file-set/nothing-but-files-is-read", test_no_file);
  g_test_add_func ("/file-set/size-is-bounded", test_bounds);
  return g_test_run ();
}
