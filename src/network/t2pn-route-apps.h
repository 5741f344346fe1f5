/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-route-plan.h"

G_BEGIN_DECLS

/* Appends @rule to @rules, limited to the packets of apps. Whether it has: not without apps. */
gboolean
t2pn_route_apps_limit (const T2pnRoutePlanInput *input, const T2pnRule *rule, GArray *rules);
/* Whether a family that the proxy lacks goes into the tunnel all the same. */
gboolean t2pn_route_apps_worker_refuses (const T2pnRoutePlanInput *input,
                                         const T2pnSnapshot *snapshot,
                                         int family);

G_END_DECLS
