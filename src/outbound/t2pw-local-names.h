/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

G_BEGIN_DECLS

/* Most addresses that t2pw_local_names_answer() gives. */
#define T2PW_LOCAL_NAMES_MAX_ADDRESSES 2

guint t2pw_local_names_answer (const char *name, T2pIpAddress *out_addresses);

G_END_DECLS
