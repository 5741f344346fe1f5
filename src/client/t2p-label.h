/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-enums.h"

G_BEGIN_DECLS

const char *t2p_tunnel_state_to_label (T2pTunnelState state);
const char *t2p_state_reason_to_label (T2pStateReason reason);

G_END_DECLS
