/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-process-facts.h"

#include <stdio.h>
#include <string.h>

/* "Uid: real effective saved filesystem": a socket is of the last. */
gboolean
t2pd_process_facts_parse_uid (const char *status, guint32 *out_uid)
{
  const char *line = strstr (status, "\nUid:");
  guint uid;

  if (line == NULL || sscanf (line, "\nUid: %*u %*u %*u %u", &uid) != 1)
    return FALSE;
  *out_uid = uid;
  return TRUE;
}

/* "0::/path": version 2; others are of version 1. */
char *
t2pd_process_facts_parse_cgroup (const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++)
    if (g_str_has_prefix (lines[i], "0::/"))
      return g_strdup (lines[i] + strlen ("0::/"));
  return NULL;
}

static char *
read_file (guint32 pid, const char *name)
{
  g_autofree char *path = g_strdup_printf ("/proc/%u/%s", pid, name);
  char *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) ? text : NULL;
}

gboolean
t2pd_process_facts_read (guint32 pid, guint32 *out_uid, char **out_cgroup)
{
  g_autofree char *status = read_file (pid, "status");
  g_autofree char *cgroup = read_file (pid, "cgroup");

  if (status == NULL || !t2pd_process_facts_parse_uid (status, out_uid))
    return FALSE;
  *out_cgroup = cgroup != NULL ? t2pd_process_facts_parse_cgroup (cgroup) : NULL;
  return TRUE;
}
