/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-options.h"

#include "t2pn-kill-switch.h"

G_BEGIN_DECLS

/* Where it stands what is armed in this boot, and from the beginning of the next one. (transfer
 * full) */
char *t2pd_kill_switch_file_of_boot (const T2pdOptions *options);
char *t2pd_kill_switch_file_of_next_boot (const T2pdOptions *options);
/* What an earlier instance, or an earlier boot, left armed. (transfer full) */
T2pnKillSwitch *t2pd_kill_switch_read_left (const T2pdOptions *options, GError **error);
/* Loads the table of that, and nothing else: for the unit that runs before the network is
 * there.
 */
gboolean t2pd_kill_switch_load_left (const T2pdOptions *options, GError **error);

G_END_DECLS
