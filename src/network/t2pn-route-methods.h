/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-route-plan.h"

G_BEGIN_DECLS

/* The part of the route plan that keeps packets of our own, and of the proxies on this machine
 * that we use, out of the tunnel, as `loop-avoidance` says. The mark's own rules are in
 * t2pn-route-rules.c. */

/* Whether a link is one of the service's tunnels. */
gboolean t2pn_route_methods_is_own_link (const T2pnRoutePlanInput *input, int ifindex);

/* Appends to @plan's bypass_routes what one family needs in main. */
void t2pn_route_methods_append_routes (T2pnRoutePlan *plan,
                                       const T2pnRoutePlanInput *input,
                                       const T2pnSnapshot *snapshot,
                                       int family);

/* Appends to @plan's bypass_rules those that lead past table T into main, all of @priority, or
 * with @is_terminal those that say "unreachable" where main has no way: else what should stay
 * outside would fall through into table T. */
void t2pn_route_methods_append_rules (T2pnRoutePlan *plan,
                                      const T2pnRoutePlanInput *input,
                                      const T2pnSnapshot *snapshot,
                                      int family,
                                      guint32 priority,
                                      gboolean is_terminal);

G_END_DECLS
