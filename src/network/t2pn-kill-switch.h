/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-explain.h"
#include "t2pn-route-plan.h"

G_BEGIN_DECLS

/**
 * T2pnKillSwitchArm:
 * @owner_uid: with @name, whose tunnel it is
 * @is_always: holds until it is switched off; else it goes when its owner takes the tunnel down
 * @has_been_up: the tunnel was `active` once since it was armed
 * @ifname: the tunnel's link
 * @captures_all: capture `default`; else @captured says what
 * @captures_ipv6: whether IPv6 is captured at all
 * @guards_dns: look-ups that bypass the tunnel on the LAN are refused, too
 * @is_forwarded: what is forwarded is captured, too
 * @users: of T2pnUidRange: whose traffic; empty: everybody's
 * @captured: of T2pIpPrefix
 * @excluded: of T2pIpPrefix: what the settings leave outside
 * @lan: of T2pIpPrefix: what `lan` leaves outside on this network
 * @passing_uids: of guint32: proxies of this machine that the tunnel uses
 * @passing_peers: of T2pnBypassPeer: whom such a proxy reaches that shares its user
 * @own: of T2pIpPrefix: the tunnel's own addresses, which nothing else may send from
 *
 * What one tunnel captures, and what therefore must not leave by anything else.
 */
typedef struct
{
  guint32 owner_uid;
  char *name;
  gboolean is_always;
  gboolean has_been_up;
  char ifname[IFNAMSIZ];
  gboolean captures_all;
  gboolean captures_ipv6;
  gboolean guards_dns;
  gboolean is_forwarded;
  GArray *users;
  GArray *captured;
  GArray *excluded;
  GArray *lan;
  GArray *passing_uids;
  GArray *passing_peers;
  GArray *own;
} T2pnKillSwitchArm;

/**
 * T2pnKillSwitch:
 * @arms: (element-type T2pnKillSwitchArm): one for each tunnel, up or not; none: no table
 * @marks: of guint32: of the workers' own sockets
 * @worker_uids: of guint32: in their place where there is no mark
 * @links: (element-type utf8): links of all tunnels of the service
 * @servers: of guint16: TCP ports that answered before anything was tracked
 * @check_hosts: of T2pIpAddress: by which root asks whether there is a captive portal
 * @is_portal_open: a person logs in to the network
 *
 * Everything that the table is made from.
 */
typedef struct
{
  GPtrArray *arms;
  GArray *marks;
  GArray *worker_uids;
  GPtrArray *links;
  GArray *servers;
  GArray *check_hosts;
  gboolean is_portal_open;
} T2pnKillSwitch;

T2pnKillSwitchArm *t2pn_kill_switch_arm_new (guint32 owner_uid, const char *name);
void t2pn_kill_switch_arm_free (T2pnKillSwitchArm *arm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pnKillSwitchArm, t2pn_kill_switch_arm_free)
/* Pure: what the route plan of the same @input captures, on the network that @snapshot shows.
 */
void t2pn_kill_switch_arm_fill (T2pnKillSwitchArm *arm,
                                const T2pnRoutePlanInput *input,
                                const T2pnSnapshot *snapshot);
/* Pure: of T2pIpPrefix: destinations that `lan` leaves outside a capture of everything.
 * @own_ifindexes: (array length=n_own): links of all tunnels. (transfer full) */
GArray *t2pn_kill_switch_list_lan (const char *lan,
                                   const T2pnSnapshot *snapshot,
                                   const int *own_ifindexes,
                                   guint n_own);

T2pnKillSwitch *t2pn_kill_switch_new (void);
void t2pn_kill_switch_free (T2pnKillSwitch *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pnKillSwitch, t2pn_kill_switch_free)
/* NULL when there is none. (transfer none) */
T2pnKillSwitchArm *
t2pn_kill_switch_find_arm (const T2pnKillSwitch *self, guint32 owner_uid, const char *name);
void t2pn_kill_switch_add_mark (T2pnKillSwitch *self, guint32 mark);
void t2pn_kill_switch_add_worker_uid (T2pnKillSwitch *self, guint32 uid);
/* Pure: puts the table in the place of the one that there is, in one transaction; without arms
 * there is none then. In the language of nft(8). (transfer full) */
char *t2pn_kill_switch_to_script (const T2pnKillSwitch *self);

/* Pure: the arm because of which the table refuses @flow when it leaves by another link than a
 * tunnel's; NULL: it passes. What t2pn_kill_switch_to_script() says, of a first packet. */
const T2pnKillSwitchArm *t2pn_kill_switch_find_refusal (const T2pnKillSwitch *self,
                                                        const T2pnFlow *flow);

/* Of guint16: ports that somebody accepts TCP connections on. (transfer full) */
GArray *t2pn_kill_switch_list_servers (void);

/* --- what outlives the daemon: a file of 0600, replaced atomically */

/* Only arms of `always` with @only_always. Without any there is no file then. */
gboolean t2pn_kill_switch_save (const T2pnKillSwitch *self,
                                const char *path,
                                gboolean only_always,
                                GError **error);
/* Empty when there is no file. What is malformed in it is left out. NULL when it cannot be
 * read, or somebody else could have written it. (transfer full) */
T2pnKillSwitch *t2pn_kill_switch_load (const char *path, GError **error);

G_END_DECLS
