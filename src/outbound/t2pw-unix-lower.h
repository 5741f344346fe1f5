/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-outbound.h"
#include "t2pw-upstream.h"

G_BEGIN_DECLS

T2pwOutbound *t2pw_unix_lower_new (const T2pwOutboundContext *context, const char *path);

G_END_DECLS
