/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-socks5.h"
#include "t2pw-outbound.h"
#include "t2pw-upstream.h"

G_BEGIN_DECLS

/**
 * T2pwSocks5Bound:
 * @name: "" when the proxy told an address
 *
 * What the proxy says where it has bound something.
 */
typedef struct
{
  T2pIpAddress address;
  guint16 port;
  char name[T2P_SOCKS5_MAX_TEXT_BYTES + 1];
} T2pwSocks5Bound;

T2pwOutbound *t2pw_socks5_new (const T2pwOutboundContext *context,
                               T2pEndpoint *endpoint,
                               T2pwOutbound *lower);
T2pwCarrier *t2pw_socks5_open_command (T2pwOutbound *outbound,
                                       T2pSocks5Command command,
                                       const T2pwDestination *destination,
                                       T2pwSocks5Bound *out_bound,
                                       const T2pwCarrierHandler *handler,
                                       gpointer user_data);

G_END_DECLS
