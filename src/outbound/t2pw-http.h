/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-endpoint.h"
#include "t2pw-outbound.h"
#include "t2pw-upstream.h"

G_BEGIN_DECLS

T2pwOutbound *t2pw_http_new (const T2pwOutboundContext *context,
                             T2pEndpoint *endpoint,
                             T2pwOutbound *lower,
                             GError **error);

G_END_DECLS
