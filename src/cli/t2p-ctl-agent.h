/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Lets polkit ask for a password on this terminal when no desktop does: a fallback agent for
 * this process, in a thread of its own, until the program ends. Does nothing for root, without
 * a terminal, and without polkit. */
void t2p_ctl_agent_start (void);

G_END_DECLS
