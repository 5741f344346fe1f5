/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-bring-up.h"

G_BEGIN_DECLS

/* The part `kill-switch` of a tunnel's capture. It has no undo: what takes the tunnel down, and
 * why, decides whether it stays armed (t2pd-kill-switch.c). */
gboolean t2pd_kill_switch_part_run (T2pdBringUp *bring_up, GError **error);
gboolean t2pd_kill_switch_part_update (T2pdBringUp *bring_up, GError **error);

/* Has the sockets of the tunnel's worker pass, before there are any. */
gboolean t2pd_kill_switch_part_allow (T2pdBringUp *bring_up, GError **error);
/* Arms a tunnel that is up, whatever its settings say. */
gboolean t2pd_kill_switch_part_arm (T2pdBringUp *bring_up, gboolean is_always, GError **error);

G_END_DECLS
