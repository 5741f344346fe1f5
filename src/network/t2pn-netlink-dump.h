/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-snapshot.h"

G_BEGIN_DECLS

/* One rtnetlink socket for dumps. Each call appends to the array; G_IO_ERROR. */
typedef struct _T2pnNetlinkDump T2pnNetlinkDump;

T2pnNetlinkDump *t2pn_netlink_dump_new (GError **error);
void t2pn_netlink_dump_free (T2pnNetlinkDump *dump);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pnNetlinkDump, t2pn_netlink_dump_free)

gboolean t2pn_netlink_dump_links (T2pnNetlinkDump *dump, GArray *links, GError **error);
gboolean t2pn_netlink_dump_addresses (T2pnNetlinkDump *dump, GArray *addresses, GError **error);
gboolean
t2pn_netlink_dump_routes (T2pnNetlinkDump *dump, int family, GArray *routes, GError **error);
/* Only those of one table, which costs what it holds. */
gboolean t2pn_netlink_dump_table (
    T2pnNetlinkDump *dump, int family, guint32 table, GArray *routes, GError **error);
gboolean
t2pn_netlink_dump_rules (T2pnNetlinkDump *dump, int family, GArray *rules, GError **error);

G_END_DECLS
