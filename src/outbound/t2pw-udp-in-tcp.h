/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-association.h"
#include "t2pw-upstream.h"

G_BEGIN_DECLS

/* An association whose datagrams travel in a connection of its own to @socks5: see
 * t2p-udp-in-tcp.h. It fails with what t2pw_handshake_open() fails with, and FAILED when it has
 * ended. */
T2pwAssociation *t2pw_udp_in_tcp_open (const T2pwOutboundContext *context,
                                       T2pwOutbound *socks5,
                                       const T2pwAssociationHandler *handler,
                                       gpointer user_data);

G_END_DECLS
