/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define T2PN_TYPE_LINK_MONITOR (t2pn_link_monitor_get_type ())
/* What happens to links, addresses, routes and rules of this network namespace, told in the
 * main context that was the thread's default when it was made. Signals:
 *
 * `link-removed (int ifindex)`
 * `uplink-changed (gboolean has_default4, gboolean has_default6)`: a default route in main
 * came, went or moved to another link or gateway; ignored links (our tuns) do not count
 * `address-changed (int ifindex)`
 * `rule-removed ()`: a rule with our protocol number was deleted, by us or not
 * `own-removed ()`: a route with our protocol number was deleted, by us or not, or an ignored
 * link has lost an address or was put down
 * `routes-changed ()`: main got or lost a route that no routing daemon made
 *
 * Bursts are told once. When messages were lost (ENOBUFS) everything is looked at again. */
G_DECLARE_FINAL_TYPE (T2pnLinkMonitor, t2pn_link_monitor, T2PN, LINK_MONITOR, GObject)

T2pnLinkMonitor *t2pn_link_monitor_new (GError **error);
/* Looks at the default routes now, without waiting for the kernel to tell. Whether
 * `uplink-changed` was emitted. */
gboolean t2pn_link_monitor_look (T2pnLinkMonitor *self);
gboolean t2pn_link_monitor_has_default (T2pnLinkMonitor *self, int family);
/* Routes of this link do not count as an uplink. */
void t2pn_link_monitor_ignore (T2pnLinkMonitor *self, int ifindex);
void t2pn_link_monitor_unignore (T2pnLinkMonitor *self, int ifindex);

G_END_DECLS
