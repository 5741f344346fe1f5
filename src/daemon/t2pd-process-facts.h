/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Whose sockets the process @pid makes, and its cgroup below the root of cgroup v2 (transfer
 * full; NULL when it is in none). FALSE when there is no such process. */
gboolean t2pd_process_facts_read (guint32 pid, guint32 *out_uid, char **out_cgroup);

/* Pure: the same from what is in /proc/PID/status and /proc/PID/cgroup. */
gboolean t2pd_process_facts_parse_uid (const char *status, guint32 *out_uid);
char *t2pd_process_facts_parse_cgroup (const char *text);

G_END_DECLS
