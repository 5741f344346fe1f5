/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-snapshot.h"

G_BEGIN_DECLS

/* Routes to be looked up among thousands. Refers to the array, which must stay as it is. */
typedef struct _T2pnRouteSet T2pnRouteSet;

/* @routes: (nullable): of T2pnRoute */
T2pnRouteSet *t2pn_route_set_new (const GArray *routes);
void t2pn_route_set_free (T2pnRouteSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pnRouteSet, t2pn_route_set_free)

/* Whether it is among those, but for what the kernel fills in (a metric, lo). */
gboolean t2pn_route_set_has (const T2pnRouteSet *set, const T2pnRoute *route);
/* Whether any route of its table has its destination. The kernel has one of them at a time. */
gboolean t2pn_route_set_has_rival (const T2pnRouteSet *set, const T2pnRoute *route);

G_END_DECLS
