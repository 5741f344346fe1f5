/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-process-list.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_PROCESSES 65536
#define MAX_DESCRIPTORS 1048576 /* of one process */

static void
entry_free (gpointer data)
{
  T2pnProcessEntry *entry = data;

  g_free (entry->program);
  g_free (entry->cgroup);
  g_free (entry);
}

/* --- one process */

static char *
read_text (pid_t pid, const char *name)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/%s", pid, name);
  char *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) ? text : NULL;
}

/* What stands behind "Name:", without blanks; a name cannot hold a line's end unescaped. */
static const char *
find_field (const char *status, const char *name)
{
  const char *line = status;

  while (line != NULL && !g_str_has_prefix (line, name))
    {
      line = strchr (line, '\n');
      line = line != NULL ? line + 1 : NULL;
    }
  if (line == NULL)
    return NULL;
  line += strlen (name);
  return line + strspn (line, " \t");
}

static gboolean
read_status (T2pnProcessEntry *entry)
{
  g_autofree char *status = read_text (entry->pid, "status");
  const char *name = status != NULL ? find_field (status, "Name:") : NULL;
  const char *parent = status != NULL ? find_field (status, "PPid:") : NULL;
  const char *uids = status != NULL ? find_field (status, "Uid:") : NULL;
  int parent_pid;

  if (name == NULL || parent == NULL || uids == NULL ||
      sscanf (parent, "%d", &parent_pid) != 1 ||
      sscanf (uids, "%*u %*u %*u %u", &entry->uid) != 1)
    return FALSE;
  entry->parent = parent_pid;
  entry->program = g_strndup (name, strcspn (name, "\n"));
  return TRUE;
}

static char *
read_cgroup (pid_t pid)
{
  g_autofree char *text = read_text (pid, "cgroup");
  const char *path = text != NULL ? find_field (text, "0::/") : NULL;

  if (path == NULL || *path == '\n' || *path == '\0')
    return NULL;
  return g_strndup (path, strcspn (path, "\n"));
}

static void
read_executable (T2pnProcessEntry *entry)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/exe", entry->pid);
  struct stat found;

  if (stat (path, &found) < 0)
    return;
  entry->executable[0] = found.st_dev;
  entry->executable[1] = found.st_ino;
}

static gboolean
is_elsewhere (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/ns/net", pid);
  struct stat its, ours;

  return stat (path, &its) == 0 && stat ("/proc/self/ns/net", &ours) == 0 &&
         (its.st_ino != ours.st_ino || its.st_dev != ours.st_dev);
}

static T2pnProcessEntry *
entry_new (pid_t pid)
{
  T2pnProcessEntry *entry = g_new0 (T2pnProcessEntry, 1);

  entry->pid = pid;
  if (!read_status (entry))
    {
      entry_free (entry);
      return NULL;
    }
  entry->cgroup = read_cgroup (pid);
  read_executable (entry);
  entry->is_elsewhere = is_elsewhere (pid);
  return entry;
}

/* --- all of them */

GPtrArray *
t2pn_process_list_new (void)
{
  GPtrArray *processes = g_ptr_array_new_with_free_func (entry_free);
  g_autoptr (GDir) proc = g_dir_open ("/proc", 0, NULL);
  const char *name;

  while (proc != NULL && processes->len < MAX_PROCESSES &&
         (name = g_dir_read_name (proc)) != NULL)
    {
      guint64 pid;
      T2pnProcessEntry *entry = g_ascii_string_to_unsigned (name, 10, 1, G_MAXINT, &pid, NULL)
                                    ? entry_new ((pid_t) pid)
                                    : NULL;

      if (entry != NULL)
        g_ptr_array_add (processes, entry);
    }
  return processes;
}

const T2pnProcessEntry *
t2pn_process_list_find (const GPtrArray *processes, pid_t pid)
{
  for (guint i = 0; i < processes->len; i++)
    if (((const T2pnProcessEntry *) processes->pdata[i])->pid == pid)
      return processes->pdata[i];
  return NULL;
}

/* (transfer full): a GPtrArray of T2pnProcessEntry for each pid that is a parent */
static GHashTable *
list_children (const GPtrArray *processes)
{
  GHashTable *children =
      g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) g_ptr_array_unref);

  for (guint i = 0; i < processes->len; i++)
    {
      T2pnProcessEntry *process = processes->pdata[i];
      gpointer parent = GINT_TO_POINTER (process->parent);
      GPtrArray *siblings = g_hash_table_lookup (children, parent);

      if (siblings == NULL)
        {
          siblings = g_ptr_array_new ();
          g_hash_table_insert (children, parent, siblings);
        }
      g_ptr_array_add (siblings, process);
    }
  return children;
}

GHashTable *
t2pn_process_list_add_descendants (const GPtrArray *processes, GPtrArray *family)
{
  g_autoptr (GHashTable) children = list_children (processes);
  GHashTable *members = g_hash_table_new (NULL, NULL);

  for (guint i = 0; i < family->len; i++)
    g_hash_table_add (members, family->pdata[i]);
  for (guint i = 0; i < family->len; i++) /* it grows */
    {
      const T2pnProcessEntry *process = family->pdata[i];
      const GPtrArray *born = g_hash_table_lookup (children, GINT_TO_POINTER (process->pid));

      for (guint j = 0; born != NULL && j < born->len; j++)
        if (g_hash_table_add (members, born->pdata[j]))
          g_ptr_array_add (family, born->pdata[j]);
    }
  return members;
}

/* --- descriptors */

/* 0: no socket. */
static guint32
read_inode (const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  char target[64];
  ssize_t length = readlink (path, target, sizeof target - 1);
  guint32 inode;

  if (length <= 0)
    return 0;
  target[length] = '\0';
  return sscanf (target, "socket:[%u]", &inode) == 1 ? inode : 0;
}

void
t2pn_process_list_add_sockets (pid_t pid, GHashTable *inodes)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%d/fd", pid);
  g_autoptr (GDir) descriptors = g_dir_open (folder, 0, NULL);
  const char *name;

  for (guint n = 0; descriptors != NULL && n < MAX_DESCRIPTORS &&
                    (name = g_dir_read_name (descriptors)) != NULL;
       n++)
    {
      guint32 inode = read_inode (folder, name);

      if (inode != 0)
        g_hash_table_add (inodes, GUINT_TO_POINTER (inode));
    }
}

gboolean
t2pn_process_list_has_socket (pid_t pid, guint32 inode)
{
  g_autoptr (GHashTable) inodes = g_hash_table_new (NULL, NULL);

  t2pn_process_list_add_sockets (pid, inodes);
  return g_hash_table_contains (inodes, GUINT_TO_POINTER (inode));
}
