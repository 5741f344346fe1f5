/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "tun2proxy"
#define PREFIX FOLDER "/"
#define PROCESSES "cgroup.procs"
/* Who forks while he is moved out has children left inside. */
#define ROUNDS 16

char *
t2pn_cgroup_make_path (const char *tunnel_id)
{
  return g_strconcat (PREFIX, tunnel_id, NULL);
}

gboolean
t2pn_cgroup_is_of_tunnel (const char *path)
{
  const char *id = path + strlen (PREFIX);

  return g_str_has_prefix (path, PREFIX) && *id != '\0' &&
         strspn (id, G_CSET_DIGITS) == strlen (id);
}

static gboolean
fail (int errsv, const char *what, const char *path, GError **error)
{
  g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errsv),
               "could not %s the cgroup %s: %s", what, path, g_strerror (errsv));
  return FALSE;
}

gboolean
t2pn_cgroup_make (const char *root, const char *path, GError **error)
{
  g_autofree char *whole = g_build_filename (root, path, NULL);

  return g_mkdir_with_parents (whole, 0755) == 0 || fail (errno, "make", path, error);
}

/* 0 or an errno */
static int
write_process (const char *root, const char *path, pid_t pid)
{
  g_autofree char *file = g_build_filename (root, path, PROCESSES, NULL);
  g_autofree char *text = g_strdup_printf ("%d", (int) pid);
  int fd = open (file, O_WRONLY | O_CLOEXEC);
  int errsv;

  if (fd < 0)
    return errno;
  errsv = write (fd, text, strlen (text)) < 0 ? errno : 0;
  close (fd);
  return errsv;
}

gboolean
t2pn_cgroup_move (const char *root, const char *path, pid_t pid, GError **error)
{
  int errsv = write_process (root, path, pid);

  return errsv == 0 || fail (errsv, "move a process into", path, error);
}

/* The root takes processes unless it is that of a container which shares out its controllers;
 * there is room beside us then. */
static void
move_out (const char *root, pid_t pid)
{
  g_autofree char *own = NULL;

  if (write_process (root, "", pid) == 0)
    return;
  own = t2pn_cgroup_of_process (getpid ());
  if (own != NULL)
    write_process (root, own, pid);
}

/* Whether there was anybody. */
static gboolean
move_all_out (const char *root, const char *path)
{
  g_autofree char *file = g_build_filename (root, path, PROCESSES, NULL);
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (file, &text, NULL, NULL) || text[0] == '\0')
    return FALSE;
  lines = g_strsplit (g_strchomp (text), "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    move_out (root, (pid_t) g_ascii_strtoll (lines[i], NULL, 10));
  return TRUE;
}

gboolean
t2pn_cgroup_remove (const char *root, const char *path, GError **error)
{
  g_autofree char *whole = g_build_filename (root, path, NULL);
  g_autofree char *folder = g_build_filename (root, FOLDER, NULL);

  for (guint i = 0; i < ROUNDS && move_all_out (root, path); i++)
    continue;
  if (g_rmdir (whole) != 0 && errno != ENOENT)
    return fail (errno, "remove", path, error);
  (void) g_rmdir (folder); /* unless another tunnel has its own there */
  return TRUE;
}

char *
t2pn_cgroup_of_process (pid_t pid)
{
  g_autofree char *file = g_strdup_printf ("/proc/%d/cgroup", (int) pid);
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (file, &text, NULL, NULL))
    return NULL;
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    if (g_str_has_prefix (lines[i], "0::/"))
      return g_strdup (lines[i] + strlen ("0::/"));
  return NULL;
}
