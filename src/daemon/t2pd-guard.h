/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-service.h"

G_BEGIN_DECLS

/* Has @tunnel go when the last copy of the returned descriptor is closed; it reads as at its
 * end when the tunnel has gone. -1 with T2P_ERROR_LIMIT_EXCEEDED. */
int t2pd_guard_attach (T2pdService *service, T2pdTunnel *tunnel, GError **error);

G_END_DECLS
