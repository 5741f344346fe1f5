/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-packet.h"
#include "t2pw-stack.h"

G_BEGIN_DECLS

/* ICMP errors to applications. FALSE: none was sent, since @packet must not be answered so, the
 * refusal is no ICMP error, or no ICMP is to be sent at all. */

gboolean t2pw_icmp_refuse (T2pwStack *stack, const T2pwPacket *packet, T2pRefusal refusal);
/* "There is no such protocol here." */
gboolean t2pw_icmp_refuse_protocol (T2pwStack *stack, const T2pwPacket *packet);
/* "Its time was up here." */
gboolean t2pw_icmp_tell_time_exceeded (T2pwStack *stack, const T2pwPacket *packet);

G_END_DECLS
