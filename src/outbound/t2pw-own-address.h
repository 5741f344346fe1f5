/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

G_BEGIN_DECLS

/* Whether @address is one of this machine's. Asked of the kernel, since addresses come and go;
 * nothing is sent. */
gboolean t2pw_is_own_address (const T2pIpAddress *address);

G_END_DECLS
