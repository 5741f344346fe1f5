/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-udpgw.h"

G_BEGIN_DECLS

/* The address of a name, asked of a name server through the gateway itself. */
typedef struct _T2pwUdpgwLookup T2pwUdpgwLookup;

/* @done: as of t2pw_names_lookup() */
T2pwUdpgwLookup *t2pw_udpgw_lookup (const T2pwOutboundContext *context,
                                    T2pwUdpgw *gateway,
                                    const char *name,
                                    T2pwLookupDone done,
                                    gpointer user_data);
void t2pw_udpgw_lookup_cancel (T2pwUdpgwLookup *lookup);

G_END_DECLS
