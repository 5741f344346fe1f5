/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-stack-private.h"

#include <lwip/pbuf.h>

G_BEGIN_DECLS

/* A packet that lwIP has made goes to the tun. For the lwIP files of this folder only. */
void t2pw_emit (T2pwStack *stack, struct pbuf *p);

G_END_DECLS
