/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-process-fd.h"

#include "t2p-error.h"

#include <poll.h>
#include <stdio.h>

/* The number behind @name at the beginning of a line. */
static gboolean
find_number (const char *path, const char *name, gint64 *out_number)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    if (g_str_has_prefix (lines[i], name))
      {
        *out_number = g_ascii_strtoll (lines[i] + strlen (name), NULL, 10);
        return TRUE;
      }
  return FALSE;
}

/* It is readable from the end of the process on. */
static gboolean
is_alive (int fd)
{
  struct pollfd ended = { .fd = fd, .events = POLLIN };

  return poll (&ended, 1, 0) == 0;
}

gboolean
t2pd_process_fd_check (int fd, guint32 caller, pid_t *out_pid, guint32 *out_uid, GError **error)
{
  g_autofree char *info = g_strdup_printf ("/proc/self/fdinfo/%d", fd);
  g_autofree char *status = NULL;
  gint64 pid = 0;
  gint64 uid = -1;

  if (!find_number (info, "Pid:", &pid) || pid <= 0)
    {
      g_set_error_literal (error, T2P_ERROR, T2P_ERROR_INVALID_FD,
                           "process: the descriptor is none of a process that is there");
      return FALSE;
    }
  status = g_strdup_printf ("/proc/%d/status", (int) pid);
  /* Alive after it was read: so it was read of that process, not of one with its number. */
  if (!find_number (status, "Uid:", &uid) || !is_alive (fd))
    {
      g_set_error_literal (error, T2P_ERROR, T2P_ERROR_INVALID_FD,
                           "process: it has ended meanwhile");
      return FALSE;
    }
  if (caller != 0 && uid != (gint64) caller)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_AUTHORIZED,
                   "process: %d is not one of user %u", (int) pid, caller);
      return FALSE;
    }
  *out_pid = (pid_t) pid;
  *out_uid = (guint32) uid;
  return TRUE;
}
