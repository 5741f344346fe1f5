/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Has the systemd of this user (for root: of the machine) put this process into a scope of its
 * own, "tun2proxy-NAME-PID.scope". FALSE where there is none that does. */
gboolean t2p_ctl_scope_enter (const char *name);

G_END_DECLS
