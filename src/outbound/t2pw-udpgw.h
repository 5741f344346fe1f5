/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-association.h"
#include "t2pw-upstream.h"

G_BEGIN_DECLS

/* Connections to a gateway at a time; application sockets share them. */
#define T2PW_UDPGW_MAX_STREAMS 4
/* Pairs of application socket and far end on each, as many as gateways keep for a client. */
#define T2PW_UDPGW_MAX_CONNECTIONS 256

/* A gateway for datagrams (badvpn's udpgw) that is reached through a proxy. */
typedef struct _T2pwUdpgw T2pwUdpgw;

T2pwUdpgw *t2pw_udpgw_new (const T2pwOutboundContext *context, T2pwOutbound *proxy);
/* Every association is closed by then. */
void t2pw_udpgw_free (T2pwUdpgw *gateway);
/* It fails with what the proxy's carriers fail with, and FAILED when the gateway has hung up.
 */
T2pwAssociation *t2pw_udpgw_associate (T2pwUdpgw *gateway,
                                       const T2pwAssociationHandler *handler,
                                       gpointer user_data);

G_END_DECLS
