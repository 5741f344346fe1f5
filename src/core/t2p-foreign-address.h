/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

G_BEGIN_DECLS

gboolean t2p_ip_address_is_foreign (const T2pIpAddress *address);

G_END_DECLS
