/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-app-groups.h"

#include "t2p-error.h"
#include "t2p-limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_DEPTH 12

static void
close_fd (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

static void
group_clear (gpointer data)
{
  T2pnAppGroup *group = data;

  close_fd (&group->fd);
  g_free (group->path);
}

T2pnAppGroup
t2pn_app_group_make (const char *path, guint64 id)
{
  T2pnAppGroup group = { g_strdup (path), path[0] != '\0', id, -1 };

  for (const char *at = path; *at != '\0'; at++)
    group.level += *at == '/';
  return group;
}

GArray *
t2pn_app_groups_new (void)
{
  GArray *groups = g_array_new (FALSE, FALSE, sizeof (T2pnAppGroup));

  g_array_set_clear_func (groups, group_clear);
  return groups;
}

gboolean
t2pn_app_groups_equal (const GArray *a, const GArray *b)
{
  if (a->len != b->len)
    return FALSE;
  for (guint i = 0; i < a->len; i++)
    if (g_array_index (a, T2pnAppGroup, i).id != g_array_index (b, T2pnAppGroup, i).id ||
        strcmp (g_array_index (a, T2pnAppGroup, i).path,
                g_array_index (b, T2pnAppGroup, i).path) != 0)
      return FALSE;
  return TRUE;
}

gboolean
t2pn_app_group_find (const char *root,
                     const char *path,
                     T2pnAppGroup *out_group,
                     GError **error)
{
  g_autofree char *whole = g_build_filename (root, path, NULL);
  struct stat status;

  if (lstat (whole, &status) != 0 || !S_ISDIR (status.st_mode))
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_FOUND, "there is no cgroup %s", path);
      return FALSE;
    }
  *out_group = t2pn_app_group_make (path, status.st_ino);
  return TRUE;
}

static gboolean
has (const GArray *groups, guint64 id)
{
  for (guint i = 0; i < groups->len; i++)
    if (g_array_index (groups, T2pnAppGroup, i).id == id)
      return TRUE;
  return FALSE;
}

gboolean
t2pn_app_groups_add (GArray *groups, const T2pnAppGroup *group, GError **error)
{
  T2pnAppGroup copy = *group;

  if (has (groups, group->id))
    return TRUE;
  if (groups->len == T2P_MAX_APP_CGROUPS)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED,
                   "%u programs run inside already, at most %d expected", groups->len,
                   T2P_MAX_APP_CGROUPS);
      return FALSE;
    }
  copy.path = g_strdup (group->path);
  copy.fd = -1;
  g_array_append_val (groups, copy);
  return TRUE;
}

GArray *
t2pn_app_groups_keep (const GArray *groups, const char *root)
{
  GArray *kept = t2pn_app_groups_new ();

  for (guint i = 0; i < groups->len; i++)
    {
      const T2pnAppGroup *old = &g_array_index (groups, T2pnAppGroup, i);
      T2pnAppGroup now;

      if (!t2pn_app_group_find (root, old->path, &now, NULL))
        continue;
      if (now.id == old->id)
        g_array_append_val (kept, now);
      else
        g_free (now.path);
    }
  return kept;
}

gboolean
t2pn_app_newest_init (T2pnAppNewest *newest, const char *root, GError **error)
{
  int fd = open (root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  int errsv = errno;
  struct stat status;

  if (fd < 0 || fstat (fd, &status) != 0)
    {
      g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errsv),
                   "could not open the cgroup file system at %s: %s", root, g_strerror (errsv));
      close_fd (&fd);
      return FALSE;
    }
  *newest = (T2pnAppNewest){ status.st_ino, fd };
  return TRUE;
}

void
t2pn_app_newest_clear (T2pnAppNewest *newest)
{
  close_fd (&newest->fd);
}

/* FALSE without an error: it is gone, or another one. */
static gboolean
open_group (T2pnAppGroup *group, const char *root, GError **error)
{
  g_autofree char *whole = g_build_filename (root, group->path, NULL);
  struct stat status;
  int errsv;

  group->fd = open (whole, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  errsv = errno;
  if (group->fd >= 0 && fstat (group->fd, &status) == 0 && status.st_ino == group->id)
    return TRUE;
  if (group->fd < 0 && errsv != ENOENT && errsv != ENOTDIR)
    g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errsv),
                 "could not open the cgroup %s: %s", group->path, g_strerror (errsv));
  return FALSE;
}

gboolean
t2pn_app_groups_open (GArray *groups, const char *root, GError **error)
{
  g_autoptr (GError) failure = NULL;

  for (guint i = 0; i < groups->len;)
    if (open_group (&g_array_index (groups, T2pnAppGroup, i), root, &failure))
      i++;
    else if (failure == NULL)
      g_array_remove_index (groups, i);
    else
      {
        t2pn_app_groups_close (groups);
        g_propagate_error (error, g_steal_pointer (&failure));
        return FALSE;
      }
  return TRUE;
}

void
t2pn_app_groups_close (GArray *groups)
{
  for (guint i = 0; i < groups->len; i++)
    close_fd (&g_array_index (groups, T2pnAppGroup, i).fd);
}

static void
list_ids (int parent, const char *component, guint depth, GHashTable *ids)
{
  int fd = openat (parent, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *folder = fd >= 0 ? fdopendir (fd) : NULL;
  struct stat status;
  guint64 id;

  if (folder == NULL || fstat (fd, &status) != 0 || depth > MAX_DEPTH ||
      g_hash_table_size (ids) >= T2P_MAX_APP_IDS)
    {
      if (folder != NULL)
        closedir (folder);
      else if (fd >= 0)
        close (fd);
      return;
    }
  id = status.st_ino;
  g_hash_table_add (ids, g_memdup2 (&id, sizeof id));
  for (struct dirent *entry = readdir (folder); entry != NULL; entry = readdir (folder))
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
      list_ids (fd, entry->d_name, depth + 1, ids);
  closedir (folder);
}

void
t2pn_app_group_list_ids (const char *root, const char *path, GHashTable *ids)
{
  g_autofree char *whole = g_build_filename (root, path, NULL);

  list_ids (AT_FDCWD, whole, 0, ids);
}
