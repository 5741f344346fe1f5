/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-outbound.h"
#include "t2pw-upstream.h"

G_BEGIN_DECLS

/** T2pwSocks5Auth: what the upstream asked for the last time. */
typedef enum
{
  T2PW_SOCKS5_AUTH_UNKNOWN,
  T2PW_SOCKS5_AUTH_NONE,
  T2PW_SOCKS5_AUTH_PASSWORD,
} T2pwSocks5Auth;

T2pwOutbound *t2pw_socks5_new (const T2pwOutboundContext *context, T2pwUpstream *upstream);
T2pwSocks5Auth t2pw_socks5_get_auth (T2pwOutbound *outbound);
T2pwCarrier *t2pw_socks5_ask_associate (T2pwOutbound *outbound,
                                        const T2pwCarrierHandler *handler,
                                        gpointer user_data);

G_END_DECLS
