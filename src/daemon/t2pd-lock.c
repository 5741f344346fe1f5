/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-lock.h"

#include "t2p-error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define ROLE_GUARDIAN "guardian"

static gboolean
set_errno (GError **error, int saved_errno, const char *what, const char *path)
{
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno), "could not %s '%s': %s",
               what, path, g_strerror (saved_errno));
  return FALSE;
}

static gboolean
make_directory (const char *path, GError **error)
{
  struct stat info;

  if (g_mkdir_with_parents (path, 0700) != 0)
    return set_errno (error, errno, "make", path);
  if (g_stat (path, &info) != 0)
    return set_errno (error, errno, "look at", path);
  if (info.st_uid != geteuid ())
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_FAILED, "'%s' belongs to uid %u, expected %u",
                   path, (guint) info.st_uid, (guint) geteuid ());
      return FALSE;
    }
  /* Whoever reaches the sockets in it could speak to a worker. */
  if ((info.st_mode & 077) != 0 && g_chmod (path, 0700) != 0)
    return set_errno (error, errno, "restrict", path);
  return TRUE;
}

/* Who holds the lock, as he wrote it there. */
static char *
read_holder (int fd)
{
  char text[64] = "";
  gssize n = pread (fd, text, sizeof text - 1, 0);

  if (n <= 0)
    return g_strdup ("another process");
  text[n] = '\0';
  return g_strdup (g_strchomp (text));
}

static gboolean
lock_fd (int fd, const char *runtime_dir, GError **error)
{
  g_autofree char *holder = NULL;

  if (flock (fd, LOCK_EX | LOCK_NB) == 0)
    return TRUE;
  holder = read_holder (fd);
  /* A guardian only repairs, which ends soon: then it is our turn. */
  if (g_str_has_prefix (holder, ROLE_GUARDIAN) && flock (fd, LOCK_EX) == 0)
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_BUSY, "'%s' is in use by %s", runtime_dir, holder);
  return FALSE;
}

/**
 * t2pd_lock_take:
 * @runtime_dir: made with mode 0700 when it is not there
 * @role: who takes it: `daemon` or `guardian`
 *
 * Returns: a descriptor that holds the lock until it is closed, or -1 with %T2P_ERROR_BUSY when
 *   another process has it, or a #GIOErrorEnum
 *
 * Since: 0.1
 */
int
t2pd_lock_take (const char *runtime_dir, const char *role, GError **error)
{
  g_autofree char *path = g_build_filename (runtime_dir, "lock", NULL);
  g_autofree char *text = g_strdup_printf ("%s %d\n", role, (int) getpid ());
  int fd;

  if (!make_directory (runtime_dir, error))
    return -1;
  fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    {
      set_errno (error, errno, "open", path);
      return -1;
    }
  if (!lock_fd (fd, runtime_dir, error))
    {
      close (fd);
      return -1;
    }
  /* Only for the message above; that it fails costs nothing else. */
  if (ftruncate (fd, 0) != 0 || pwrite (fd, text, strlen (text), 0) < 0)
    g_debug ("could not write '%s', ignoring", path);
  return fd;
}
