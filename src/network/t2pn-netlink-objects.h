/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-netlink.h"

G_BEGIN_DECLS

/* Things that belong together: added in this order, deleted backwards. Nothing is owned; NULL
 * stands for none of the kind. */
typedef struct
{
  const GArray *addresses; /* of T2pnAddress */
  const GArray *routes;    /* of T2pnRoute */
  const GArray *rules;     /* of T2pnRule */
} T2pnNetlinkObjects;

/* All of them or, after a failure, none. */
gboolean t2pn_netlink_objects_add (T2pnNetlink *netlink,
                                   const T2pnNetlinkObjects *objects,
                                   GError **error);
/* Goes on after failures, and returns the first. */
gboolean t2pn_netlink_objects_delete (T2pnNetlink *netlink,
                                      const T2pnNetlinkObjects *objects,
                                      GError **error);
/* Adds what of @wanted the kernel does not have (by @snapshot: that puts back what somebody
 * deleted as well, in @wanted's order), then deletes what of @old is no longer wanted. Goes on
 * after failures, and returns the first. */
gboolean t2pn_netlink_objects_change (T2pnNetlink *netlink,
                                      const T2pnSnapshot *snapshot,
                                      const T2pnNetlinkObjects *old,
                                      const T2pnNetlinkObjects *wanted,
                                      GError **error);

/* Whether it is among those, but for what the kernel fills in (a metric, lo). */
gboolean t2pn_netlink_objects_has_route (const GArray *routes, const T2pnRoute *route);
gboolean t2pn_netlink_objects_has_rule (const GArray *rules, const T2pnRule *rule);
gboolean t2pn_netlink_objects_has_address (const GArray *addresses, const T2pnAddress *address);

G_END_DECLS
