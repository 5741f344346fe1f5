/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/**
 * T2pnProcessEntry:
 * @uid: as whom it acts (fsuid): its sockets become this user's
 * @program: its name, which it chose itself
 * @cgroup: (nullable): below the root of cgroup v2, "system.slice/ssh.service"; %NULL: the root
 * @executable: device and inode of the file; 0: not known
 * @is_elsewhere: it is in another network namespace than we are
 */
typedef struct
{
  pid_t pid;
  pid_t parent;
  guint32 uid;
  char *program;
  char *cgroup;
  guint64 executable[2];
  gboolean is_elsewhere;
} T2pnProcessEntry;

/* The processes that there are, as far as we see them: (transfer full) of T2pnProcessEntry. */
GPtrArray *t2pn_process_list_new (void);
/* NULL when there is none. */
const T2pnProcessEntry *t2pn_process_list_find (const GPtrArray *processes, pid_t pid);
/* Pure: adds to @family, some of @processes, their children, and those of these. (transfer
 * container): the set of all of them then. */
GHashTable *t2pn_process_list_add_descendants (const GPtrArray *processes, GPtrArray *family);
/* Adds to @inodes (a set of GUINT_TO_POINTER) the sockets that @pid has open. */
void t2pn_process_list_add_sockets (pid_t pid, GHashTable *inodes);
/* Whether @pid has the socket @inode open. */
gboolean t2pn_process_list_has_socket (pid_t pid, guint32 inode);

G_END_DECLS
