/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-stack-private.h"

G_BEGIN_DECLS

/* lwIP as a whole: its one interface, its one listener, its timers. */

/* FALSE when a stack exists already: lwIP's state is global. */
gboolean t2pw_lwip_open (T2pwStack *stack, GError **error);
void t2pw_lwip_close (T2pwStack *stack);
/* Sends the ACKs that are due. */
void t2pw_lwip_send_acks (T2pwStack *stack, gboolean delayed_too);
/* A quarter of a second has passed for lwIP. */
void t2pw_lwip_run_timers (T2pwStack *stack);
/* lwIP has timers to run for some stream. */
void t2pw_lwip_need_timer (T2pwStack *stack);

G_END_DECLS
