/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* The cgroup that a tunnel makes for programs that are started inside, where no systemd makes
 * one. @root: T2PN_CGROUP_ROOT; paths are below it. */

/* "tun2proxy/3". (transfer full) */
char *t2pn_cgroup_make_path (const char *tunnel_id);
/* Whether @path is one of those: what a journal may ask to have removed. */
gboolean t2pn_cgroup_is_of_tunnel (const char *path);
/* Succeeds when it is there already. */
gboolean t2pn_cgroup_make (const char *root, const char *path, GError **error);
gboolean t2pn_cgroup_move (const char *root, const char *path, pid_t pid, GError **error);
/* Moves out who is still in it, first; succeeds when it is not there. */
gboolean t2pn_cgroup_remove (const char *root, const char *path, GError **error);
/* Where a process is, or NULL. (transfer full) */
char *t2pn_cgroup_of_process (pid_t pid);

G_END_DECLS
