/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-snapshot.h"

G_BEGIN_DECLS

/* One rtnetlink socket for requests. Every call is synchronous and local.
 *
 * Adding what exists already is an error (T2P_ERROR_ROUTE_CONFLICT,
 * T2P_ERROR_ADDRESS_CONFLICT), never a success: it might be somebody else's. Deleting names
 * everything that was given when it was added, our protocol number included, so that it hits
 * nothing but that; deleting what is gone already succeeds. Other failures are G_IO_ERROR with
 * the kernel's own words. */
typedef struct _T2pnNetlink T2pnNetlink;

T2pnNetlink *t2pn_netlink_new (GError **error);
void t2pn_netlink_free (T2pnNetlink *netlink);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pnNetlink, t2pn_netlink_free)

gboolean t2pn_netlink_add_route (T2pnNetlink *netlink, const T2pnRoute *route, GError **error);
/* Puts @route in the place of the one to the same destination in the same table, without a
 * moment in which there is neither. */
gboolean
t2pn_netlink_replace_route (T2pnNetlink *netlink, const T2pnRoute *route, GError **error);
gboolean
t2pn_netlink_delete_route (T2pnNetlink *netlink, const T2pnRoute *route, GError **error);
gboolean t2pn_netlink_add_rule (T2pnNetlink *netlink, const T2pnRule *rule, GError **error);
gboolean t2pn_netlink_delete_rule (T2pnNetlink *netlink, const T2pnRule *rule, GError **error);
gboolean
t2pn_netlink_add_address (T2pnNetlink *netlink, const T2pnAddress *address, GError **error);
gboolean
t2pn_netlink_delete_address (T2pnNetlink *netlink, const T2pnAddress *address, GError **error);

/* Before the first address: MTU, queue length, loose reverse path filter (of this link only, no
 * sysctl is written), no automatic IPv6 link-local address. */
gboolean
t2pn_netlink_prepare_link (T2pnNetlink *netlink, int ifindex, guint32 mtu, GError **error);
/* Whether packets from and to 127/8 may pass this link. */
gboolean t2pn_netlink_route_localnet (T2pnNetlink *netlink,
                                      int ifindex,
                                      gboolean is_allowed,
                                      GError **error);
gboolean
t2pn_netlink_set_link_up (T2pnNetlink *netlink, int ifindex, gboolean is_up, GError **error);

G_END_DECLS
