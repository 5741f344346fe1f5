/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-outbound.h"

G_BEGIN_DECLS

/* Refuses every flow: `reject://` and what a rule sends there. */
T2pwOutbound *t2pw_reject_new (T2pReactor *reactor);

G_END_DECLS
