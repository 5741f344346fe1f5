/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-enums.h"

G_BEGIN_DECLS

/* The state reason that a failed bring-up with this error leaves behind. */
T2pStateReason t2pd_reason_from_error (const GError *error);
/* The error for a nick of the closed list as a worker tells it ("ProxyUnreachable"), with
 * @message. Strangers become Failed. (transfer full) */
GError *t2pd_error_from_nick (const char *nick, const char *message);

G_END_DECLS
