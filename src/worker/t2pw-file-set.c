/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-file-set.h"

#include "t2p-error.h"
#include "t2p-limits.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

GHashTable *
t2pw_file_set_new (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                (GDestroyNotify) g_bytes_unref);
}

static gsize
total_bytes (GHashTable *files)
{
  GHashTableIter iter;
  gpointer bytes;
  gsize total = 0;

  g_hash_table_iter_init (&iter, files);
  while (g_hash_table_iter_next (&iter, NULL, &bytes))
    total += g_bytes_get_size (bytes);
  return total;
}

/* Not by the offset of the descriptor, which others have used. */
static gssize
read_all (int fd, guint8 *buffer, gsize size)
{
  gsize n = 0;

  while (n < size)
    {
      gssize got = pread (fd, buffer + n, size - n, (off_t) n);

      if (got < 0 && errno == EINTR)
        continue;
      if (got <= 0)
        return got < 0 ? got : (gssize) n;
      n += (gsize) got;
    }
  return (gssize) n;
}

static gboolean
check_status (const char *name, int fd, gsize left, gsize *out_size, GError **error)
{
  struct stat status;

  if (fstat (fd, &status) < 0 || !S_ISREG (status.st_mode))
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD, "%s: the descriptor is no file's",
                   name);
      return FALSE;
    }
  if (status.st_size < 0 || (guint64) status.st_size > MIN (left, T2P_MAX_RULE_FILE_BYTES))
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED,
                   "%s: has %" G_GINT64_FORMAT " bytes, expected at most %" G_GSIZE_FORMAT,
                   name, (gint64) status.st_size, MIN (left, T2P_MAX_RULE_FILE_BYTES));
      return FALSE;
    }
  *out_size = (gsize) status.st_size;
  return TRUE;
}

gboolean
t2pw_file_set_add (GHashTable *files, const char *name, int fd, GError **error)
{
  g_autofree guint8 *buffer = NULL;
  gsize size = 0;
  gssize n;
  int saved_errno;

  if (!check_status (name, fd, T2P_MAX_FILES_BYTES - total_bytes (files), &size, error))
    return FALSE;
  buffer = g_malloc (MAX (size, 1));
  n = read_all (fd, buffer, size);
  saved_errno = errno;
  if (n < 0)
    {
      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno), "%s: %s", name,
                   g_strerror (saved_errno));
      return FALSE;
    }
  g_hash_table_insert (files, g_strdup (name),
                       g_bytes_new_take (g_steal_pointer (&buffer), (gsize) n));
  return TRUE;
}

static gboolean
add_handle (
    GHashTable *files, const char *name, gint32 handle, GUnixFDList *list, GError **error)
{
  const int n = list != NULL ? g_unix_fd_list_get_length (list) : 0;

  if (handle < 0 || handle >= n)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD,
                   "%s: saw handle %d and %d descriptors", name, handle, n);
      return FALSE;
    }
  return t2pw_file_set_add (files, name, g_unix_fd_list_peek_fds (list, NULL)[handle], error);
}

gboolean
t2pw_file_set_add_handles (GHashTable *files,
                           GVariant *handles,
                           GUnixFDList *list,
                           GError **error)
{
  GVariantIter iter;
  const char *name;
  gint32 handle;

  if (g_variant_n_children (handles) > T2P_MAX_FILES)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED,
                   "files: saw %" G_GSIZE_FORMAT ", expected at most %d",
                   g_variant_n_children (handles), T2P_MAX_FILES);
      return FALSE;
    }
  g_variant_iter_init (&iter, handles);
  while (g_variant_iter_next (&iter, "{&sh}", &name, &handle))
    if (!add_handle (files, name, handle, list, error))
      return FALSE;
  return TRUE;
}
