/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A unit's cgroup has the unit's name and lies in its slice, and a slice in another: so names
 * are found by a walk through slices, and through the managers of users, which are services of
 * the form user@UID.service. Nothing else is gone into, unless a name with slashes leads there.
 * Every folder on the way is watched before it is read.
 *
 * Below user-UID.slice a user makes folders as he likes: what has no name of a unit is passed
 * over, and one user can neither use up the number of folders that are looked at nor the
 * number of those that are found. */
#include "config.h"

#include "t2pn-app-search.h"

#include "t2p-app-name.h"
#include "t2p-error.h"
#include "t2p-limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MAX_DEPTH 12
#define PART_OF_USER 8 /* of each limit: one user has at most this fraction */

typedef struct
{
  guint folders;
  guint groups;
} Budget;

typedef struct
{
  const T2pnAppPlace *place;
  const char *const *names;
  T2pnAppWatch *watch; /* (nullable) */
  GArray *found;
  Budget *budget;
  gboolean is_cut;
  char *manager; /* "user.slice/user-1000.slice/user@1000.service", of a user's place */
  char *slice;   /* "user.slice/user-1000.slice" */
} Search;

static int
compare_groups (gconstpointer a, gconstpointer b)
{
  return strcmp (((const T2pnAppGroup *) a)->path, ((const T2pnAppGroup *) b)->path);
}

gboolean
t2pn_app_search_check (const char *root, GError **error)
{
  struct statfs status;

  if (statfs (root, &status) == 0 && (unsigned long) status.f_type == CGROUP2_SUPER_MAGIC)
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED,
               "apps are told by cgroup v2, which is not mounted at %s", root);
  return FALSE;
}

/* --- names */

/* What @path is called below @base, or NULL. */
static const char *
below (const char *path, const char *base)
{
  gsize length = base != NULL ? strlen (base) : 0;

  if (length == 0)
    return base != NULL ? path : NULL;
  return strncmp (path, base, length) == 0 && path[length] == '/' ? path + length + 1 : NULL;
}

static gboolean
matches_path (const char *name, const char *path)
{
  const char *name_end = strrchr (name, '/');
  const char *path_end = path != NULL ? strrchr (path, '/') : NULL;

  return path_end != NULL && path_end - path == name_end - name &&
         strncmp (name, path, (gsize) (name_end - name)) == 0 &&
         g_pattern_match_simple (name_end, path_end);
}

static gboolean
leads_to (const char *path, const char *name)
{
  gsize length = path != NULL ? strlen (path) : 0;

  return length > 0 && strncmp (name, path, length) == 0 && name[length] == '/';
}

/* Of names with slashes: from the root, or from where a user's units are. */
static gboolean
is_named (const Search *search, const char *path, const char *component)
{
  for (guint i = 0; search->names[i] != NULL; i++)
    {
      const char *name = search->names[i];

      if (strchr (name, '/') == NULL ? g_pattern_match_simple (name, component)
                                     : matches_path (name, path) ||
                                           matches_path (name, below (path, search->manager)) ||
                                           matches_path (name, below (path, search->slice)))
        return TRUE;
    }
  return FALSE;
}

static gboolean
is_on_the_way (const Search *search, const char *path)
{
  for (guint i = 0; search->names[i] != NULL; i++)
    if (leads_to (path, search->names[i]) ||
        leads_to (below (path, search->manager), search->names[i]) ||
        leads_to (below (path, search->slice), search->names[i]))
      return TRUE;
  return FALSE;
}

static gboolean
is_manager (const char *component)
{
  return g_str_has_prefix (component, "user@") && g_str_has_suffix (component, ".service");
}

/* Whether units of this search can be in or below @path. */
static gboolean
is_in_place (const Search *search, const char *path)
{
  return !search->place->is_user || strcmp (path, "user.slice") == 0 ||
         strcmp (path, search->slice) == 0 || below (path, search->slice) != NULL;
}

static gboolean
is_gone_into (const Search *search, const char *path, const char *component)
{
  if (g_str_has_suffix (component, ".slice") || is_on_the_way (search, path))
    return TRUE;
  if (search->place->is_user)
    return strcmp (path, search->manager) == 0;
  return search->place->with_managers && is_manager (component);
}

/* --- the walk */

static void
take (Search *search, const char *path, guint64 id)
{
  T2pnAppGroup group;

  if (search->budget->groups == 0)
    {
      search->is_cut = TRUE;
      return;
    }
  search->budget->groups--;
  group = t2pn_app_group_make (path, id);
  g_array_append_val (search->found, group);
}

/* Whatever it is called. */
static void
note_newest (Search *search, int folder, const char *component, guint64 id)
{
  T2pnAppNewest *newest = search->watch != NULL ? search->watch->newest : NULL;
  int fd;

  if (newest == NULL || id <= newest->id)
    return;
  fd = openat (folder, component, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return; /* gone */
  t2pn_app_newest_clear (newest);
  *newest = (T2pnAppNewest){ id, fd };
}

static void
walk (Search *search, int parent, const char *component, const char *path, guint depth);

/* A user's own folders have a part of what is left, whatever he does. */
static void
walk_user (Search *search, int parent, const char *component, const char *path, guint depth)
{
  Budget *whole = search->budget;
  Budget part = { whole->folders / PART_OF_USER, whole->groups / PART_OF_USER };
  Budget before = part;

  search->budget = &part;
  walk (search, parent, component, path, depth);
  search->budget = whole;
  whole->folders -= before.folders - part.folders;
  whole->groups -= before.groups - part.groups;
}

static gboolean
is_slice_of_user (const Search *search, const char *path)
{
  return !search->place->is_user && g_str_has_prefix (path, "user.slice/user-") &&
         strchr (path + strlen ("user.slice/"), '/') == NULL;
}

static void
look_at (Search *search, int folder, const char *component, const char *parent, guint depth)
{
  g_autofree char *path =
      parent[0] != '\0' ? g_strconcat (parent, "/", component, NULL) : g_strdup (component);
  struct stat status;

  if (component[0] == '.' || fstatat (folder, component, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
      !S_ISDIR (status.st_mode))
    return;
  note_newest (search, folder, component, status.st_ino);
  if (!t2p_app_component_is_valid (component) || !is_in_place (search, path))
    return;
  if (is_named (search, path, component) &&
      (!search->place->is_user || below (path, search->slice) != NULL))
    take (search, path, status.st_ino);
  if (!is_gone_into (search, path, component))
    return;
  if (is_slice_of_user (search, path))
    walk_user (search, folder, component, path, depth + 1);
  else
    walk (search, folder, component, path, depth + 1);
}

static gboolean
watch (Search *search, const char *path)
{
  g_autofree char *whole = g_build_filename (search->place->root, path, NULL);

  if (search->watch == NULL || search->watch->inotify_fd < 0 ||
      inotify_add_watch (search->watch->inotify_fd, whole,
                         IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_ONLYDIR) >= 0)
    return TRUE;
  search->is_cut |= errno != ENOENT;
  return FALSE;
}

static void
note_folder (Search *search, int fd, const char *path)
{
  struct stat status;
  T2pnAppGroup group;

  if (search->watch == NULL || search->watch->folders == NULL || fstat (fd, &status) != 0)
    return;
  group = t2pn_app_group_make (path, status.st_ino);
  g_array_append_val (search->watch->folders, group);
}

static void
walk (Search *search, int parent, const char *component, const char *path, guint depth)
{
  int fd = openat (parent, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *folder;

  if (fd < 0)
    return;
  if (depth > MAX_DEPTH || search->budget->folders == 0)
    {
      search->is_cut = TRUE;
      close (fd);
      return;
    }
  search->budget->folders--;
  if (watch (search, path))
    note_folder (search, fd, path);
  folder = fdopendir (fd);
  if (folder == NULL)
    {
      close (fd);
      return;
    }
  for (struct dirent *entry = readdir (folder); entry != NULL; entry = readdir (folder))
    if (entry->d_type == DT_DIR)
      look_at (search, dirfd (folder), entry->d_name, path, depth);
  closedir (folder);
}

GArray *
t2pn_app_search (const T2pnAppPlace *place,
                 const char *const *names,
                 T2pnAppWatch *watch,
                 gboolean *out_is_cut)
{
  g_autofree char *slice =
      place->is_user ? g_strdup_printf ("user.slice/user-%u.slice", place->uid) : NULL;
  g_autofree char *manager =
      place->is_user ? g_strdup_printf ("%s/user@%u.service", slice, place->uid) : NULL;
  Budget budget = { T2P_MAX_APP_FOLDERS, T2P_MAX_APP_CGROUPS };
  Search search = {
    .place = place,
    .names = names,
    .watch = watch,
    .found = t2pn_app_groups_new (),
    .budget = &budget,
    .manager = manager,
    .slice = slice,
  };

  if (names[0] != NULL)
    walk (&search, AT_FDCWD, place->root, "", 0);
  g_array_sort (search.found, compare_groups);
  if (watch != NULL && watch->folders != NULL)
    g_array_sort (watch->folders, compare_groups);
  *out_is_cut = search.is_cut;
  return search.found;
}
