/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-address-pool.h"
#include "t2pn-bypass.h"

G_BEGIN_DECLS

/**
 * T2pnRouteIds:
 * @mark: SO_MARK of our own upstream sockets; one for the whole service
 * @table: table T, private to the tunnel
 * @override_table: table X, private too: what of main must not lead out of the tunnel
 * @rule_priority: P, where the tunnel's rules begin
 * @app_mark: mark of packets that enter the tunnel because of the program that sent them, which
 *   nftables gives them; 0: rules select whose traffic it is
 */
typedef struct
{
  guint32 mark;
  guint32 table;
  guint32 override_table;
  guint32 rule_priority;
  guint32 app_mark;
} T2pnRouteIds;

/* Whether @settings choose programs, so that the tunnel needs a mark for them. */
gboolean t2pn_route_apps_are_chosen (const T2pSettings *settings);

/**
 * T2pnUidRange: users whose sockets a rule selects, both ends included.
 */
typedef struct
{
  guint32 first, last;
} T2pnUidRange;

/**
 * T2pnRoutePlanInput:
 * @settings: `capture`, `scope`, `routes`, `exclude-routes`, `ipv6`, `dns`, `lan`, `forwarded`
 * @owner_uid: whose traffic `scope=user` captures
 * @users: (array length=n_users) (nullable): `users` of the settings, looked up by the caller;
 *   only with `scope=system`
 * @own_ifindexes: (array length=n_own_ifindexes) (nullable): links of all tunnels of the
 * service, whose addresses are no uplink's
 * @proxy_has_ipv4: whether the proxy carries IPv4; what it lacks is unreachable in table T
 * @proxy_has_ipv6: the same for IPv6, as far as `ipv6=auto` goes by it; with neither, nobody
 *   carries anything, and `ipv6=on` is unreachable too
 * @worker_uid: 0: the workers' sockets carry the mark. Else the kernel (before 5.17) refuses
 * them the mark, and this uid stands in its place in every rule
 * @resolver_uid: who runs as the machine's resolver and knows which server to ask for what; 0:
 * nobody does
 * @bypass: (nullable): what the settings do not tell of `loop-avoidance`
 */
typedef struct
{
  const T2pSettings *settings;
  int ifindex;
  const char *ifname;
  T2pnAddressPool pool;
  T2pnRouteIds ids;
  guint32 owner_uid;
  const T2pnUidRange *users;
  guint n_users;
  const int *own_ifindexes;
  guint n_own_ifindexes;
  gboolean proxy_has_ipv4;
  gboolean proxy_has_ipv6;
  guint32 worker_uid;
  guint32 resolver_uid;
  const T2pnBypass *bypass;
} T2pnRoutePlanInput;

/**
 * T2pnRoutePlan:
 * @addresses: of T2pnAddress: what the link gets
 * @has_bypass_routes: whether it may have such routes, now or later
 * @bypass_routes: of T2pnRoute: in main, by other links than the tunnel's; installed first
 * @bypass_rules: of T2pnRule: what stays outside; installed before anything is captured
 * @routes: of T2pnRoute: tables T and X, and the pools where there is no table T
 * @capture_rules: of T2pnRule: what goes into table T or X
 * @table: T
 * @override_table: X
 *
 * What should be. Who made the plan frees it.
 */
typedef struct
{
  int ifindex;
  char ifname[IFNAMSIZ];
  guint32 mtu;
  guint32 table;
  guint32 override_table;
  GArray *addresses;
  gboolean has_bypass_routes;
  GArray *bypass_routes;
  GArray *bypass_rules;
  GArray *routes;
  GArray *capture_rules;
} T2pnRoutePlan;

/**
 * t2pn_route_ids_choose_mark:
 *
 * A mark that no rule of @snapshot selects. To be chosen once for the service: with one each,
 * tunnel A's upstream sockets would enter tunnel B. Rules tagged as ours do not count.
 * T2P_ERROR_ROUTE_CONFLICT when all are taken.
 */
gboolean
t2pn_route_ids_choose_mark (const T2pnSnapshot *snapshot, guint32 *out_mark, GError **error);

/**
 * t2pn_route_ids_choose:
 * @mark: the service's mark, unless the settings have their own
 * @taken: (nullable): of T2pnRouteIds: of the other tunnels, up or not
 *
 * Settles `mark`, `route-table` and `rule-priority`: what the settings give, which must be free
 * (T2P_ERROR_ROUTE_CONFLICT), else what is free. Tunnels for some routes come before those for
 * all traffic, and users' before the system's. Call it for every capture, `none` included.
 */
gboolean t2pn_route_ids_choose (const T2pSettings *settings,
                                const T2pnSnapshot *snapshot,
                                guint32 mark,
                                const GArray *taken,
                                T2pnRouteIds *out_ids,
                                GError **error);

/* A mark for the packets of apps: none of @ids' own, of those of @taken, or that a rule of
 * @snapshot selects. Sets @ids->app_mark. */
gboolean t2pn_route_apps_take_mark (const T2pnSnapshot *snapshot,
                                    const GArray *taken,
                                    T2pnRouteIds *ids,
                                    GError **error);
/* The same, 0 when no app is chosen. */
gboolean t2pn_route_apps_choose_mark (const T2pSettings *settings,
                                      const T2pnSnapshot *snapshot,
                                      const GArray *taken,
                                      T2pnRouteIds *ids,
                                      GError **error);
/* Whether a rule that is not ours selects @mark. */
gboolean t2pn_route_ids_is_mark_selected (const T2pnSnapshot *snapshot, guint32 mark);

/**
 * t2pn_route_plan_new:
 *
 * Pure: what the kernel should be told so that exactly the traffic that the settings name
 * enters the tunnel, and our own sockets never. (transfer full). Errors: what
 * t2pn_route_plan_check() finds.
 */
T2pnRoutePlan *t2pn_route_plan_new (const T2pnRoutePlanInput *input,
                                    const T2pnSnapshot *snapshot,
                                    GError **error);
/**
 * t2pn_route_plan_renew:
 *
 * The same while the tunnel is up, to be computed with a new snapshot when addresses change
 * (IPv6 has a rule for each uplink address) and given to t2pn_backend_update_async(). What
 * somebody else has put in our way since is no reason to let our own rules decay, so that this
 * never fails. (transfer full)
 */
T2pnRoutePlan *t2pn_route_plan_renew (const T2pnRoutePlanInput *input,
                                      const T2pnSnapshot *snapshot);
/* Whether nothing of @plan is somebody else's: T2P_ERROR_ROUTE_CONFLICT for a route in table T
 * or X, a rule at one of our priorities, or a route that another link already has (only where
 * we would put ours into main). */
gboolean t2pn_route_plan_check (const T2pnRoutePlan *plan,
                                const T2pnRoutePlanInput *input,
                                const T2pnSnapshot *snapshot,
                                GError **error);
/* Whether @rule is among its bypass rules. */
gboolean t2pn_route_plan_has_rule (const T2pnRoutePlan *plan, const T2pnRule *rule);
void t2pn_route_plan_free (T2pnRoutePlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pnRoutePlan, t2pn_route_plan_free)

/* One line for each address, rule and route in the words of ip(8), in the order in which they
 * are installed. (transfer full) */
char *t2pn_route_plan_to_text (const T2pnRoutePlan *plan);

G_END_DECLS
