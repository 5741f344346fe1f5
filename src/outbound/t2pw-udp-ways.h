/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-association.h"
#include "t2pw-upstream.h"

G_BEGIN_DECLS

/* An outbound to a proxy, and how that one carries datagrams: what is known of it, and which
 * ways are tried. For streams it is the inner outbound and no more. */
T2pwOutbound *t2pw_udp_ways_new (const T2pwOutboundContext *context,
                                 T2pEndpoint *endpoint,
                                 T2pwOutbound *inner,
                                 gboolean is_beside);
/* What somebody else has found out just now; of other outbounds, nothing happens. */
void t2pw_udp_ways_learn (T2pwOutbound *outbound, T2pwUdpMode mode);
/* What was found out may be wrong now. */
void t2pw_udp_ways_forget (T2pwOutbound *outbound);

G_END_DECLS
