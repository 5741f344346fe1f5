/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Calls @table_removed when a table of nftables went, whoever removed it, and when that may
 * have been missed. */
typedef struct _T2pnNftMonitor T2pnNftMonitor;

T2pnNftMonitor *t2pn_nft_monitor_new (void (*table_removed) (gpointer user_data),
                                      gpointer user_data,
                                      GError **error);
void t2pn_nft_monitor_free (T2pnNftMonitor *self);

G_END_DECLS
