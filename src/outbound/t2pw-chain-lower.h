/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-endpoint.h"
#include "t2pw-outbound.h"

G_BEGIN_DECLS

T2pwOutbound *t2pw_chain_lower_new (T2pwOutbound *before, T2pEndpoint *endpoint);

G_END_DECLS
