/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What nftables is told with `forwarded`: a packet that is forwarded, did not come out of the
 * tunnel @ifname and answers a connection from elsewhere gets @mark. Without it what a
 * container answers to the Internet, by a published port, would enter the tunnel: routing sees
 * packets, and no connections. Packets that somebody marks already are left alone. (transfer
 * full) */
char *t2pn_forward_answers_to_script (const char *table, const char *ifname, guint32 mark);

G_END_DECLS
