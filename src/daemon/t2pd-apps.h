/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-bring-up.h"

G_BEGIN_DECLS

/* Which programs a tunnel captures: the part `apps` of its capture. */
typedef struct _T2pdApps T2pdApps;

gboolean t2pd_apps_run (T2pdBringUp *bring_up, GError **error);
gboolean t2pd_apps_undo (T2pdBringUp *bring_up, GError **error);
/* Succeeds: what fails is tried again later. */
gboolean t2pd_apps_restore (T2pdBringUp *bring_up, GError **error);
void t2pd_apps_free (T2pdApps *apps);
/* Has the tunnel capture what the process @pid of the user @uid does from now on, and all that
 * it starts. T2P_ERROR_INVALID_ARGUMENT when the tunnel captures nothing of his. */
gboolean t2pd_apps_attach (T2pdBringUp *bring_up, pid_t pid, guint32 uid, GError **error);
/* Whether programs in the cgroup at @path (below the root) are captured by the rules that are
 * loaded; NULL: in one that has no name. */
gboolean t2pd_apps_captures (const T2pdApps *apps, const char *path);

/* Whether @uid is one of those whose programs it captures, if any. */
gboolean t2pd_apps_captures_user (T2pdBringUp *bring_up, guint32 uid);
/* Sets of guint64, numbers of cgroups: @out_inside is NULL for all others. (transfer full) */
void t2pd_apps_list_cgroups (T2pdBringUp *bring_up,
                             GHashTable **out_inside,
                             GHashTable **out_outside);

/* Names of `apps` and `exclude-apps` that stand for nothing at the moment, in words, are added
 * to @warnings. */
void t2pd_apps_add_warnings (T2pdBringUp *bring_up, GVariantBuilder *warnings);

G_END_DECLS
