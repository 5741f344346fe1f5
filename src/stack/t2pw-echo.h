/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-packet.h"
#include "t2pw-stack.h"

G_BEGIN_DECLS

/* A ping of an application, of which the checksum is right. */
void t2pw_echo_take (T2pwStack *stack, const T2pwPacket *packet);

G_END_DECLS
