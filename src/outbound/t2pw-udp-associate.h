/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-association.h"
#include "t2pw-upstream.h"

G_BEGIN_DECLS

/* @socks5: reaches its proxy by a TCP connection of its own, and in the clear. The association
 * fails with what t2pw_handshake_open() fails with (NOT_SUPPORTED: the proxy carries no UDP),
 * and FAILED when it has ended. */
T2pwAssociation *t2pw_udp_associate_open (const T2pwOutboundContext *context,
                                          T2pwOutbound *socks5,
                                          const T2pwAssociationHandler *handler,
                                          gpointer user_data);

G_END_DECLS
