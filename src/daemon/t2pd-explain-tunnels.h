/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-bring-up-private.h"
#include "t2pn-explain.h"

G_BEGIN_DECLS

/* Which tunnel has to do with a connection. All tunnels are (transfer none) (nullable). */

/* Whose responder answers when a program of @uid looks @name up. */
T2pdTunnel *t2pd_explain_find_names (T2pdService *service, guint32 uid, const char *name);
T2pdTunnel *t2pd_explain_find_link (T2pdService *service, int ifindex);
/* Whose rule it is. */
T2pdTunnel *t2pd_explain_find_rule (T2pdService *service, const T2pnRule *rule);
/* Some tunnel whose worker can be asked for names. */
T2pdTunnel *t2pd_explain_find_worker (T2pdService *service);
/* Whether anything is captured of @uid's by programs; @cgroup: (nullable): which one it is. */
gboolean t2pd_explain_has_apps (T2pdService *service, guint32 uid);
/* The mark that packets of a program in @cgroup (nullable) of @uid get from a tunnel that
 * chooses programs; 0: none. */
guint32 t2pd_explain_find_mark (T2pdService *service, guint32 uid, const char *cgroup);

G_END_DECLS
