/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-explain.h"

#include <netlink/msg.h>

G_BEGIN_DECLS

/* Rtnetlink messages to and from our plain structs. Attributes are read and written here rather
 * than by libnl-route's objects, which know neither FRA_UID_RANGE nor FRA_SUPPRESS_PREFIXLEN.
 */

/* FALSE for a message of another type, malformed, or not of interest (cached routes). */
gboolean t2pn_netlink_parse_link (struct nlmsghdr *header, T2pnLink *out_link);
gboolean t2pn_netlink_parse_address (struct nlmsghdr *header, T2pnAddress *out_address);
gboolean t2pn_netlink_parse_route (struct nlmsghdr *header, T2pnRoute *out_route);
gboolean t2pn_netlink_parse_rule (struct nlmsghdr *header, T2pnRule *out_rule);

/* @type is RTM_NEW… or RTM_DEL…. Freed with nlmsg_free(). */
struct nl_msg *t2pn_netlink_build_address (const T2pnAddress *address, int type, int flags);
struct nl_msg *t2pn_netlink_build_route (const T2pnRoute *route, int type, int flags);
struct nl_msg *t2pn_netlink_build_rule (const T2pnRule *rule, int type, int flags);

/* RTM_GETROUTE: where @flow would go; and the answer, with the address that it would be sent
 * from. */
struct nl_msg *t2pn_netlink_build_question (const T2pnFlow *flow);
gboolean t2pn_netlink_parse_answer (struct nlmsghdr *header,
                                    T2pnRoute *out_route,
                                    T2pIpAddress *out_source);

G_END_DECLS
