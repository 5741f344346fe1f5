/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-outbound.h"

G_BEGIN_DECLS

/* A carrier that is one connected stream socket, TCP or unix. */
T2pwCarrier *t2pw_tcp_carrier_new (T2pReactor *reactor,
                                   T2pWatch *from,
                                   const T2pwCarrierHandler *handler,
                                   gpointer user_data);
/* FALSE when @carrier is not one of these, or has no IP address at its other end. */
gboolean t2pw_tcp_carrier_get_peer (const T2pwCarrier *carrier, T2pIpEndpoint *out_peer);
/* Another process may have the descriptor still, and keep it open for a while. */
void t2pw_tcp_carrier_set_shared (T2pwCarrier *carrier);

G_END_DECLS
