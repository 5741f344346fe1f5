/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-outbound.h"
#include "t2pw-tls-context.h"
#include "t2pw-upstream.h"

G_BEGIN_DECLS

T2pwCarrier *t2pw_tls_carrier_new (const T2pwOutboundContext *context,
                                   T2pwTlsContext *tls,
                                   GQueue *lingering,
                                   T2pwOutbound *lower,
                                   const T2pwDestination *destination,
                                   const T2pwCarrierHandler *handler,
                                   gpointer user_data);

void t2pw_tls_carriers_abandon (GQueue *lingering);

G_END_DECLS
