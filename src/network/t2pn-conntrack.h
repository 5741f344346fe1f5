/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/* Connections that the kernel keeps track of are translated as their first packet was, and one
 * of UDP lives for as long as its socket sends now and then. These make the kernel forget some,
 * so that the next packet is looked at by the rules of now. No more than that happens to a
 * program. On a kernel without these messages they fail. */

/* Questions by UDP to the name server @server that go where they were sent. */
gboolean t2pn_conntrack_forget_questions (const T2pIpAddress *server, GError **error);
/* Whatever @peer answers. */
gboolean t2pn_conntrack_forget_answered_by (const T2pIpAddress *peer, GError **error);

G_END_DECLS
