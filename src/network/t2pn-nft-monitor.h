/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Calls @table_removed when the table @name of the family inet went, whoever removed it, and
 * whether another of that name took its place. */
typedef struct _T2pnNftMonitor T2pnNftMonitor;

T2pnNftMonitor *t2pn_nft_monitor_new (const char *name,
                                      void (*table_removed) (gpointer user_data),
                                      gpointer user_data,
                                      GError **error);
void t2pn_nft_monitor_free (T2pnNftMonitor *self);

G_END_DECLS
