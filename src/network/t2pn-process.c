/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-process.h"

#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define END_TIMEOUT_MS 2000
/* After the name, which is in parentheses and may hold any byte, come state (3), … */
#define FIELDS_AFTER_NAME_TO_START_TIME (22 - 3)
#define FIELDS_AFTER_NAME_TO_STATE 0

static char **
read_stat (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pid);
  g_autofree char *text = NULL;
  const char *rest;

  if (pid <= 0 || !g_file_get_contents (path, &text, NULL, NULL))
    return NULL;
  rest = strrchr (text, ')');
  return rest == NULL || rest[1] != ' ' ? NULL : g_strsplit (rest + 2, " ", -1);
}

gboolean
t2pn_process_identify (pid_t pid, T2pnProcess *out_process)
{
  g_auto (GStrv) fields = read_stat (pid);

  if (fields == NULL || g_strv_length (fields) <= FIELDS_AFTER_NAME_TO_START_TIME)
    return FALSE;
  /* A zombie has let go of everything; only its parent still counts it. */
  if (strchr ("ZX", fields[FIELDS_AFTER_NAME_TO_STATE][0]) != NULL)
    return FALSE;
  out_process->pid = pid;
  out_process->start_time =
      g_ascii_strtoull (fields[FIELDS_AFTER_NAME_TO_START_TIME], NULL, 10);
  return TRUE;
}

gboolean
t2pn_process_is_alive (const T2pnProcess *process)
{
  T2pnProcess now;

  return t2pn_process_identify (process->pid, &now) && now.start_time == process->start_time;
}

gboolean
t2pn_process_end (const T2pnProcess *process)
{
  struct pollfd wait = { .events = POLLIN };

  wait.fd = (int) syscall (SYS_pidfd_open, process->pid, 0);
  /* Looked at after the descriptor is open: from here on the pid cannot become another's. */
  if (!t2pn_process_is_alive (process))
    {
      if (wait.fd >= 0)
        close (wait.fd);
      return TRUE;
    }
  if (wait.fd < 0)
    return FALSE;
  syscall (SYS_pidfd_send_signal, wait.fd, SIGKILL, NULL, 0);
  poll (&wait, 1, END_TIMEOUT_MS);
  close (wait.fd);
  return !t2pn_process_is_alive (process);
}
