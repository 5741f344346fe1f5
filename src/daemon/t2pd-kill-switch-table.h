/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-manager.h"
#include "t2pn-kill-switch.h"

G_BEGIN_DECLS

/* The kill switch's table in the kernel. Freeing it leaves the table as it is. */
typedef struct _T2pdKillSwitchTable T2pdKillSwitchTable;

/* @manager: whose tunnels' links are let through */
T2pdKillSwitchTable *t2pd_kill_switch_table_new (T2pdManager *manager);
void t2pd_kill_switch_table_free (T2pdKillSwitchTable *self);

/* Makes the table what @wanted says, which must live until the next load: it is loaded again
 * when another program has removed the table. Fills in its links. G_IO_ERROR. */
gboolean
t2pd_kill_switch_table_load (T2pdKillSwitchTable *self, T2pnKillSwitch *wanted, GError **error);

G_END_DECLS
