/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-route-plan.h"

G_BEGIN_DECLS

/* Appends the rules of one family for capture `routes` or `default` to @plan: the half of the
 * route plan that says who looks up table T. @is_rejected: table T refuses the family. */
void t2pn_route_rules_append (T2pnRoutePlan *plan,
                              const T2pnRoutePlanInput *input,
                              const T2pnSnapshot *snapshot,
                              int family,
                              gboolean is_rejected);

G_END_DECLS
