/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-app-search.h"
#include "t2pn-route-plan.h"

G_BEGIN_DECLS

/**
 * T2pnAppRules:
 * @table: the tunnel's nftables table
 * @mark: what the routing rules select
 * @users: (array length=n_users): whose sockets; none: everybody's
 * @worker_uid: as in T2pnRoutePlanInput
 * @attached: of T2pnAppGroup: these in any case
 * @apps: (nullable): of T2pnAppGroup: only these; NULL: all but @excluded
 * @excluded: of T2pnAppGroup: not these
 */
typedef struct
{
  const char *table;
  guint32 mark;
  const T2pnUidRange *users;
  guint n_users;
  guint32 worker_uid;
  const GArray *attached;
  const GArray *apps;
  const GArray *excluded;
} T2pnAppRules;

/* Pure: a script for t2pn_nft_run() that makes the chains what @rules say, whether they are
 * there or not. (transfer full) */
char *t2pn_app_rules_make_script (const T2pnAppRules *rules);

/* "tun2proxy-3-hold". (transfer full) */
char *t2pn_app_rules_make_hold_table_name (const char *table);
/* Likewise, for t2pn_nft_owner_run(): a second table, which drops what cgroups in @folders
 * send that are newer than the one in @newest_fd. (transfer full) */
char *t2pn_app_rules_make_hold_script (const T2pnAppRules *rules,
                                       const GArray *folders,
                                       int newest_fd);

G_END_DECLS
