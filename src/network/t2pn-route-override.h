/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-route-plan.h"

G_BEGIN_DECLS

/** T2pnOverride: what table X says about a destination. @is_kept: it stays main's. */
typedef struct
{
  T2pIpPrefix destination;
  gboolean is_kept;
} T2pnOverride;

/* What of @family has to be in table X: destinations that main must not lead out of the tunnel,
 * and within those the ones that it may. Empty when there is nothing of the kind, or when `lan`
 * does not ask for it. (transfer full) of T2pnOverride. */
GArray *t2pn_route_override_list (const T2pnRoutePlanInput *input,
                                  const T2pnSnapshot *snapshot,
                                  int family);

G_END_DECLS
