/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-route-plan.h"

G_BEGIN_DECLS

/* Routes and rules that NetworkManager installed for us carry its number in place of
 * T2PN_PROTOCOL, and it cannot be told otherwise. Who asked for them claims them here; whoever
 * lists or watches the kernel's then sees them under our number, as if we had installed them
 * ourselves. For all of this process, as the kernel's lists are, and for any thread. */

/**
 * t2pn_claims_set:
 * @owner: whose claim it is; it takes the place of the one before
 * @installed: as t2pn_nm_profile_installed() makes it
 * @next: (nullable): what is about to take its place; both count
 */
void t2pn_claims_set (gconstpointer owner,
                      const T2pnRoutePlan *installed,
                      const T2pnRoutePlan *next);
void t2pn_claims_drop (gconstpointer owner);

/* Gives what is claimed our number. */
void t2pn_claims_tag_rule (T2pnRule *rule);
void t2pn_claims_tag_route (T2pnRoute *route);

G_END_DECLS
