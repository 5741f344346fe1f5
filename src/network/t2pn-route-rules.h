/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-route-plan.h"

G_BEGIN_DECLS

/**
 * T2pnRuleFlags:
 * @T2PN_RULES_REJECTED: table T refuses the family
 * @T2PN_RULES_OVERRIDING: table X is not empty
 */
typedef enum
{
  T2PN_RULES_REJECTED = 1 << 0,
  T2PN_RULES_OVERRIDING = 1 << 1,
} T2pnRuleFlags;

/* Appends the rules of one family for capture `routes` or `default` to @plan: the half of the
 * route plan that says who looks up tables T and X. */
void t2pn_route_rules_append (T2pnRoutePlan *plan,
                              const T2pnRoutePlanInput *input,
                              const T2pnSnapshot *snapshot,
                              int family,
                              T2pnRuleFlags flags);

G_END_DECLS
