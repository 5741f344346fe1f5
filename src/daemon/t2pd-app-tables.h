/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-bring-up.h"
#include "t2pn-app-search.h"

G_BEGIN_DECLS

/* The tables of nftables that tell which programs a tunnel captures: its own, and with `apps`
 * one that goes with this process and holds programs whose cgroups are not looked at yet. */
typedef struct _T2pdAppTables T2pdAppTables;

T2pdAppTables *t2pd_app_tables_new (T2pdBringUp *bring_up, GError **error);
void t2pd_app_tables_free (T2pdAppTables *self);

/* Before the search whose answer is loaded, since what that sees from now on is no older. Has
 * @inotify_fd tell of changes. */
void t2pd_app_tables_prepare (T2pdAppTables *self, const T2pnAppPlace *place, int inotify_fd);
/* Arrays of T2pnAppGroup, from which those that are gone are taken. */
gboolean t2pd_app_tables_load (
    T2pdAppTables *self, GArray *attached, GArray *apps, GArray *excluded, GError **error);
/* Lets go what t2pd_app_tables_prepare() has seen, of what is in @folders; after the load. */
gboolean t2pd_app_tables_release (T2pdAppTables *self, GArray *folders, GError **error);

G_END_DECLS
