/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* Theory of operation
 *
 * A worker runs as a user of its own and opens nothing; so the daemon opens what the settings
 * of root's tunnels name, and passes descriptors. Everybody else would have the daemon open
 * what he himself could not, and has to pass descriptors of his own (t2pd-descriptors.c).
 *
 * A path is looked at before it is opened for reading: to open a device, a FIFO or what hides
 * behind a link to one can do something by itself. The object that was looked at is the one
 * that is opened, whatever the path leads to by then. */

#include "t2pd-files.h"

#include "t2p-limits.h"
#include "t2p-quote.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct
{
  char *name;
  int fd;
} File;

struct _T2pdFiles
{
  gatomicrefcount ref_count;
  GArray *list; /* File */
};

static void
file_clear (gpointer data)
{
  File *file = data;

  g_free (file->name);
  if (file->fd >= 0)
    close (file->fd);
}

/* "proxies: entry 2: '/x': " and why not. */
static gboolean G_GNUC_PRINTF (4, 5)
    refuse (const T2pSettingFile *file, T2pError code, GError **error, const char *format, ...)
{
  g_autofree char *seen = t2p_quote (file->name);
  g_autofree char *where = file->key != NULL
                               ? g_strdup_printf ("%s: entry %u: ", file->key, file->entry + 1)
                               : g_strdup ("");
  g_autofree char *why = NULL;
  va_list args;

  va_start (args, format);
  why = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, T2P_ERROR, (int) code, "%s%s: %s", where, seen, why);
  return FALSE;
}

static gboolean
check_one (const T2pSettingFile *file,
           guint32 owner,
           const T2pdDescriptors *passed,
           GError **error)
{
  if (t2pd_descriptors_find_file (passed, file->name) >= 0)
    return TRUE;
  if (!t2p_setting_file_is_path (file))
    return refuse (file, T2P_ERROR_INVALID_SETTINGS, error,
                   "no descriptor was passed, expected the path of a file");
  if (owner != 0)
    return refuse (file, T2P_ERROR_INVALID_SETTINGS, error,
                   "paths are opened for root only, expected fd:NAME");
  return TRUE;
}

gboolean
t2pd_files_check (const GArray *wanted,
                  guint32 owner,
                  const T2pdDescriptors *passed,
                  GError **error)
{
  for (guint i = 0; i < wanted->len; i++)
    if (!check_one (&g_array_index (wanted, T2pSettingFile, i), owner, passed, error))
      return FALSE;
  return TRUE;
}

/* --- opening */

static gboolean
check_status (const T2pSettingFile *file, int fd, goffset *inout_total, GError **error)
{
  struct stat status;

  if (fstat (fd, &status) < 0)
    return refuse (file, T2P_ERROR_INVALID_SETTINGS, error, "%s", g_strerror (errno));
  if (!S_ISREG (status.st_mode))
    return refuse (file, T2P_ERROR_INVALID_SETTINGS, error,
                   "is a folder, a device or a socket, expected a file");
  if (status.st_size > (goffset) file->most_bytes)
    return refuse (file, T2P_ERROR_LIMIT_EXCEEDED, error,
                   "has %" G_GOFFSET_FORMAT " bytes, expected at most %" G_GSIZE_FORMAT,
                   (goffset) status.st_size, file->most_bytes);
  *inout_total += status.st_size;
  if (*inout_total > T2P_MAX_FILES_BYTES)
    return refuse (file, T2P_ERROR_LIMIT_EXCEEDED, error,
                   "is too much with the files before it, expected at most %d bytes in all",
                   T2P_MAX_FILES_BYTES);
  return TRUE;
}

/* What the caller has opened with his own rights. -1 with an error */
static int
copy_one (const T2pSettingFile *file, int passed, goffset *inout_total, GError **error)
{
  int flags = fcntl (passed, F_GETFL);
  int fd;

  if (flags < 0 || (flags & O_PATH) != 0 || (flags & O_ACCMODE) == O_WRONLY)
    {
      refuse (file, T2P_ERROR_INVALID_FD, error, "the descriptor is not open for reading");
      return -1;
    }
  if (!check_status (file, passed, inout_total, error))
    return -1;
  fd = fcntl (passed, F_DUPFD_CLOEXEC, 0);
  if (fd < 0)
    refuse (file, T2P_ERROR_LIMIT_EXCEEDED, error, "%s", g_strerror (errno));
  return fd;
}

/* -1 with an error */
static int
open_one (const T2pSettingFile *file, goffset *inout_total, GError **error)
{
  int place = open (file->name, O_PATH | O_CLOEXEC);
  g_autofree char *link = NULL;
  int fd = -1;

  if (place < 0)
    {
      refuse (file, T2P_ERROR_INVALID_SETTINGS, error, "%s", g_strerror (errno));
      return -1;
    }
  if (check_status (file, place, inout_total, error))
    {
      link = g_strdup_printf ("/proc/self/fd/%d", place);
      fd = open (link, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
      if (fd < 0)
        refuse (file, T2P_ERROR_INVALID_SETTINGS, error, "%s", g_strerror (errno));
    }
  close (place);
  return fd;
}

static gboolean
has (const T2pdFiles *self, const char *name)
{
  for (guint i = 0; i < self->list->len; i++)
    if (g_str_equal (g_array_index (self->list, File, i).name, name))
      return TRUE;
  return FALSE;
}

static gboolean
take_one (T2pdFiles *self,
          const T2pSettingFile *wanted,
          const T2pdDescriptors *passed,
          goffset *inout_total,
          GError **error)
{
  int descriptor = t2pd_descriptors_find_file (passed, wanted->name);
  File file = { NULL, -1 };

  if (has (self, wanted->name))
    return TRUE;
  if (self->list->len == T2P_MAX_FILES)
    return refuse (wanted, T2P_ERROR_LIMIT_EXCEEDED, error,
                   "is one file too many, expected at most %d", T2P_MAX_FILES);
  file.fd = descriptor >= 0 ? copy_one (wanted, descriptor, inout_total, error)
                            : open_one (wanted, inout_total, error);
  if (file.fd < 0)
    return FALSE;
  file.name = g_strdup (wanted->name);
  g_array_append_val (self->list, file);
  return TRUE;
}

T2pdFiles *
t2pd_files_open (const GArray *wanted,
                 guint32 owner,
                 const T2pdDescriptors *passed,
                 GError **error)
{
  g_autoptr (T2pdFiles) self = NULL;
  goffset total = 0;

  if (!t2pd_files_check (wanted, owner, passed, error))
    return NULL;
  self = g_new0 (T2pdFiles, 1);
  g_atomic_ref_count_init (&self->ref_count);
  self->list = g_array_new (FALSE, FALSE, sizeof (File));
  g_array_set_clear_func (self->list, file_clear);
  for (guint i = 0; i < wanted->len; i++)
    if (!take_one (self, &g_array_index (wanted, T2pSettingFile, i), passed, &total, error))
      return NULL;
  return g_steal_pointer (&self);
}

T2pdFiles *
t2pd_files_ref (T2pdFiles *files)
{
  g_atomic_ref_count_inc (&files->ref_count);
  return files;
}

void
t2pd_files_unref (T2pdFiles *files)
{
  if (files == NULL || !g_atomic_ref_count_dec (&files->ref_count))
    return;
  g_array_unref (files->list);
  g_free (files);
}

guint
t2pd_files_get_n (const T2pdFiles *files)
{
  return files->list->len;
}

/* --- passing */

static gboolean
is_asked_for (const GPtrArray *names, const char *name)
{
  for (guint i = 0; names != NULL && i < names->len; i++)
    if (g_str_equal (g_ptr_array_index (names, i), name))
      return TRUE;
  return names == NULL;
}

GVariant *
t2pd_files_pass (const T2pdFiles *files,
                 const GPtrArray *names,
                 GUnixFDList *list,
                 GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{sh}"));

  for (guint i = 0; i < files->list->len; i++)
    {
      const File *file = &g_array_index (files->list, File, i);
      int handle;

      if (!is_asked_for (names, file->name))
        continue;
      handle = g_unix_fd_list_append (list, file->fd, error);
      if (handle < 0)
        return NULL;
      g_variant_builder_add (&builder, "{sh}", file->name, handle);
    }
  return g_variant_builder_end (&builder);
}
