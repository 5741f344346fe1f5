/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-limits.h"
#include "t2pd-files.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct
{
  char *folder;
  char *file;
} Fixture;

static void
setup (Fixture *f, gconstpointer data)
{
  f->folder = g_dir_make_tmp ("t2p-files-XXXXXX", NULL);
  f->file = g_build_filename (f->folder, "ca.pem", NULL);
  g_assert_true (g_file_set_contents (f->file, "hello", 5, NULL));
}

static void
teardown (Fixture *f, gconstpointer data)
{
  g_unlink (f->file);
  g_rmdir (f->folder);
  g_free (f->file);
  g_free (f->folder);
}

static GArray *
wanted (const char *first, const char *second)
{
  GString *uri = g_string_new ("https://h?tls-ca=");
  g_autoptr (T2pEndpoint) endpoint = NULL;

  g_string_append (uri, first);
  if (second != NULL)
    g_string_append_printf (uri, "&tls-cert=%s", second);
  endpoint = t2p_endpoint_parse (uri->str, NULL);
  g_assert_nonnull (endpoint);
  g_string_free (uri, TRUE);
  return t2p_setting_files_of_endpoint (endpoint);
}

static void
refused (const char *name, guint32 owner, T2pError code, const char *reason)
{
  g_autoptr (GArray) files = wanted (name, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (t2pd_files_open (files, owner, NULL, &error));
  g_assert_error (error, T2P_ERROR, (int) code);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, reason));
  g_assert_nonnull (strstr (error->message, name));
}

static void
test_opens_once (Fixture *f, gconstpointer data)
{
  g_autoptr (GArray) files = wanted (f->file, f->file);
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pdFiles) open = t2pd_files_open (files, 0, NULL, &error);
  g_autoptr (GUnixFDList) list = g_unix_fd_list_new ();
  g_autoptr (GVariant) handles = NULL;
  char text[16] = "";
  gint32 handle = -1;
  int fd;

  g_assert_no_error (error);
  g_assert_cmpuint (t2pd_files_get_n (open), ==, 1);
  handles = g_variant_ref_sink (t2pd_files_pass (open, NULL, list, &error));
  g_assert_true (g_variant_lookup (handles, f->file, "h", &handle));
  fd = g_unix_fd_list_peek_fds (list, NULL)[handle];
  g_assert_cmpint (read (fd, text, sizeof text), ==, 5);
  g_assert_cmpstr (text, ==, "hello");
  g_assert_cmpint (fcntl (fd, F_GETFL) & O_ACCMODE, ==, O_RDONLY);
}

static void
test_passes_what_is_asked_for (Fixture *f, gconstpointer data)
{
  g_autoptr (GArray) files = wanted (f->file, NULL);
  g_autoptr (T2pdFiles) open = t2pd_files_open (files, 0, NULL, NULL);
  g_autoptr (GUnixFDList) list = g_unix_fd_list_new ();
  g_autoptr (GPtrArray) none = g_ptr_array_new ();
  g_autoptr (GVariant) handles = g_variant_ref_sink (t2pd_files_pass (open, none, list, NULL));

  g_assert_cmpuint (g_variant_n_children (handles), ==, 0);
  g_assert_cmpint (g_unix_fd_list_get_length (list), ==, 0);
}

static void
test_for_root_only (Fixture *f, gconstpointer data)
{
  refused (f->file, 1000, T2P_ERROR_INVALID_SETTINGS, "expected fd:NAME");
  refused ("fd:ca", 1000, T2P_ERROR_INVALID_SETTINGS, "no descriptor was passed");
  refused ("fd:ca", 0, T2P_ERROR_INVALID_SETTINGS, "no descriptor was passed");
}

/* A FIFO would hang whoever opens it, a device may do worse. */
static void
test_regular_only (Fixture *f, gconstpointer data)
{
  g_autofree char *fifo = g_build_filename (f->folder, "fifo", NULL);
  g_autofree char *link = g_build_filename (f->folder, "link", NULL);

  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_assert_cmpint (symlink (fifo, link), ==, 0);
  refused (fifo, 0, T2P_ERROR_INVALID_SETTINGS, "expected a file");
  refused (link, 0, T2P_ERROR_INVALID_SETTINGS, "expected a file");
  refused (f->folder, 0, T2P_ERROR_INVALID_SETTINGS, "expected a file");
  refused ("/dev/zero", 0, T2P_ERROR_INVALID_SETTINGS, "expected a file");
  refused ("/nonexistent/x", 0, T2P_ERROR_INVALID_SETTINGS, "No such file");
  g_unlink (fifo);
  g_unlink (link);
}

static void
test_size (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (truncate (f->file, T2P_MAX_TLS_FILE_BYTES + 1), ==, 0);
  refused (f->file, 0, T2P_ERROR_LIMIT_EXCEEDED, "expected at most 1048576");
}

/* All files of a tunnel together, each of which is small enough. */
static void
test_size_of_all (Fixture *f, gconstpointer data)
{
  const guint n = T2P_MAX_FILES_BYTES / T2P_MAX_RULE_FILE_BYTES + 1;
  g_autoptr (GArray) files = g_array_new (FALSE, FALSE, sizeof (T2pSettingFile));
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (truncate (f->file, T2P_MAX_RULE_FILE_BYTES), ==, 0);
  for (guint i = 0; i < n; i++)
    {
      const T2pSettingFile file = { g_strdup_printf ("%s-%u", f->file, i), "rules", i,
                                    T2P_MAX_RULE_FILE_BYTES };

      g_ptr_array_add (names, file.name);
      g_assert_cmpint (link (f->file, file.name), ==, 0);
      g_array_append_val (files, file);
    }
  g_assert_null (t2pd_files_open (files, 0, NULL, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED);
  g_assert_nonnull (strstr (error->message, names->pdata[n - 1]));
  for (guint i = 0; i < n; i++)
    g_unlink (names->pdata[i]);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/files/one-name-is-opened-once", Fixture, NULL, setup, test_opens_once,
              teardown);
  g_test_add ("/files/only-what-is-asked-for-is-passed", Fixture, NULL, setup,
              test_passes_what_is_asked_for, teardown);
  g_test_add ("/files/paths-are-opened-for-root-only", Fixture, NULL, setup, test_for_root_only,
              teardown);
  g_test_add ("/files/nothing-but-files-is-opened", Fixture, NULL, setup, test_regular_only,
              teardown);
  g_test_add ("/files/size-is-bounded", Fixture, NULL, setup, test_size, teardown);
  g_test_add ("/files/size-of-all-is-bounded", Fixture, NULL, setup, test_size_of_all,
              teardown);
  return g_test_run ();
}
