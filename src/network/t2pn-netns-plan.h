/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-route-plan.h"

G_BEGIN_DECLS

/* The plan for a tunnel in a namespace of its caller's. @snapshot is of that namespace.
 * (transfer full) */
T2pnRoutePlan *t2pn_netns_plan_new (const T2pnRoutePlanInput *input,
                                    const T2pnSnapshot *snapshot);

G_END_DECLS
