/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

G_BEGIN_DECLS

/* Lists of addresses ("as") in what the daemon says; what is no address is left out. */
guint
t2pw_address_list_parse (const char *const *texts, T2pIpAddress *out_addresses, guint max);
guint t2pw_address_list_lookup (GVariant *vardict,
                                const char *key,
                                T2pIpAddress *out_addresses,
                                guint max);

G_END_DECLS
