/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-resolv-conf.h"

#include "t2p-error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_BYTES (64 * 1024) /* a resolver reads three servers of it */
#define DEFAULT_MODE 0644
#define TEMPORARY_SUFFIX ".tun2proxy-"

void
t2pn_resolv_conf_free (T2pnResolvConf *saved)
{
  if (saved == NULL)
    return;
  g_free (saved->path);
  g_free (saved->link_target);
  g_free (saved->content);
  g_free (saved->ours);
  g_free (saved->temporary);
  g_free (saved);
}

static gboolean
fail (const char *verb, const char *path, int errsv, GError **error)
{
  const char *hint = "";

  if (errsv == EBUSY)
    hint = " (it is a mount point, as in containers)";
  else if (errsv == EPERM)
    hint = " (is it immutable?)";
  g_set_error (error, T2P_ERROR, T2P_ERROR_DNS_SETUP_FAILED, "could not %s %s: %s%s", verb,
               path, g_strerror (errsv), hint);
  return FALSE;
}

/* NULL when it is no short text file. */
static char *
read_text (const char *path, gsize size)
{
  g_autofree char *text = NULL;
  gsize length;

  if (size > MAX_BYTES || !g_file_get_contents (path, &text, &length, NULL) ||
      memchr (text, '\0', length) != NULL)
    return NULL;
  return g_steal_pointer (&text);
}

T2pnResolvConf *
t2pn_resolv_conf_save (const char *path, const char *ours, GError **error)
{
  g_autoptr (T2pnResolvConf) saved = g_new0 (T2pnResolvConf, 1);
  struct stat status;

  saved->path = g_strdup (path);
  saved->ours = g_strdup (ours);
  saved->temporary = g_strdup_printf ("%s" TEMPORARY_SUFFIX "%08x", path, g_random_int ());
  saved->mode = DEFAULT_MODE;
  if (lstat (path, &status) != 0)
    {
      int errsv = errno;

      if (errsv == ENOENT)
        return g_steal_pointer (&saved);
      fail ("look at", path, errsv, error);
      return NULL;
    }
  saved->mode = status.st_mode & 07777;
  saved->uid = status.st_uid;
  saved->gid = status.st_gid;
  if (S_ISLNK (status.st_mode))
    saved->link_target = g_file_read_link (path, NULL);
  else if (S_ISREG (status.st_mode))
    saved->content = read_text (path, (gsize) status.st_size);
  if (saved->link_target != NULL || saved->content != NULL)
    return g_steal_pointer (&saved);
  g_set_error (error, T2P_ERROR, T2P_ERROR_DNS_SETUP_FAILED,
               "%s is neither a link nor a text file of at most %d bytes", path, MAX_BYTES);
  return NULL;
}

/* Exchanges @path for the finished @temporary. */
static gboolean
move_into_place (const char *temporary, const char *path, GError **error)
{
  int errsv;

  if (rename (temporary, path) == 0)
    return TRUE;
  errsv = errno;
  unlink (temporary);
  return fail ("replace", path, errsv, error);
}

static gboolean
write_all (int fd, const char *text)
{
  gsize left = strlen (text);

  while (left > 0)
    {
      gssize n = write (fd, text, left);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return FALSE;
      text += n;
      left -= (gsize) n;
    }
  return TRUE;
}

static gboolean
put_file (const T2pnResolvConf *saved,
          const char *text,
          mode_t mode,
          uid_t uid,
          gid_t gid,
          GError **error)
{
  int fd = open (saved->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  int errsv = errno;
  gboolean is_written;

  if (fd < 0)
    return fail ("write beside", saved->path, errsv, error);
  /* Owner first: chown() takes set-id bits away. */
  is_written = write_all (fd, text) && fchown (fd, uid, gid) == 0 && fchmod (fd, mode) == 0;
  errsv = errno;
  close (fd);
  if (is_written)
    return move_into_place (saved->temporary, saved->path, error);
  unlink (saved->temporary);
  return fail ("write beside", saved->path, errsv, error);
}

static gboolean
put_link (const T2pnResolvConf *saved, GError **error)
{
  int errsv;

  if (symlink (saved->link_target, saved->temporary) == 0)
    return move_into_place (saved->temporary, saved->path, error);
  errsv = errno;
  return fail ("write beside", saved->path, errsv, error);
}

gboolean
t2pn_resolv_conf_has_temporary (const T2pnResolvConf *saved)
{
  g_autofree char *prefix = g_strconcat (saved->path, TEMPORARY_SUFFIX, NULL);
  struct stat status;

  return saved->temporary != NULL && g_str_has_prefix (saved->temporary, prefix) &&
         strchr (saved->temporary + strlen (prefix), '/') == NULL &&
         lstat (saved->temporary, &status) == 0;
}

gboolean
t2pn_resolv_conf_clean (const T2pnResolvConf *saved, GError **error)
{
  int errsv;

  if (!t2pn_resolv_conf_has_temporary (saved) || unlink (saved->temporary) == 0)
    return TRUE;
  errsv = errno;
  return fail ("clean up beside", saved->path, errsv, error);
}

gboolean
t2pn_resolv_conf_replace (const T2pnResolvConf *saved, GError **error)
{
  gboolean was_file = saved->content != NULL;

  return put_file (saved, saved->ours, was_file ? saved->mode : DEFAULT_MODE,
                   was_file ? saved->uid : geteuid (), was_file ? saved->gid : getegid (),
                   error);
}

gboolean
t2pn_resolv_conf_is_ours (const T2pnResolvConf *saved)
{
  g_autofree char *text = NULL;
  struct stat status;

  if (lstat (saved->path, &status) != 0 || !S_ISREG (status.st_mode))
    return FALSE;
  text = read_text (saved->path, (gsize) status.st_size);
  return g_strcmp0 (text, saved->ours) == 0;
}

gboolean
t2pn_resolv_conf_restore (const T2pnResolvConf *saved, GError **error)
{
  int errsv;

  if (!t2pn_resolv_conf_clean (saved, error))
    return FALSE;
  if (!t2pn_resolv_conf_is_ours (saved))
    return TRUE;
  if (saved->link_target != NULL)
    return put_link (saved, error);
  if (saved->content != NULL)
    return put_file (saved, saved->content, saved->mode, saved->uid, saved->gid, error);
  if (unlink (saved->path) == 0)
    return TRUE;
  errsv = errno;
  return errsv == ENOENT || fail ("remove", saved->path, errsv, error);
}
