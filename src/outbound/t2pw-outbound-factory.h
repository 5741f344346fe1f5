/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-outbound.h"
#include "t2pw-upstream.h"

G_BEGIN_DECLS

T2pwOutbound *t2pw_outbound_new_for_endpoint (const T2pwOutboundContext *context,
                                              T2pEndpoint *endpoint,
                                              const T2pIpAddress *addresses,
                                              guint n_addresses,
                                              GError **error);
const T2pIpAddress *
t2pw_find_address (T2pScheme scheme, const T2pIpAddress *addresses, guint n_addresses);
void t2pw_harmless_destination (T2pEndpoint *endpoint,
                                const T2pIpAddress *addresses,
                                guint n_addresses,
                                T2pwDestination *out_destination);

G_END_DECLS
