/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-settings.h"
#include "t2pn-link-monitor.h"
#include "t2pn-snapshot.h"

#include <gio/gio.h>

G_BEGIN_DECLS

#define T2PD_TYPE_UPLINK (t2pd_uplink_get_type ())
/* This machine's way out: its links (watched), the name servers of the uplink and the names
 * that are to be asked of them (kept, and followed), and which links are tunnels of ours.
 * Signals:
 *
 * `changed ()`: default route, name servers or those names
 * `address-changed ()`, `rule-removed ()`, `own-removed ()`, `routes-changed ()`,
 * `udp-servers-changed ()`: route plans are to be computed again
 * `link-removed (int ifindex)` */
G_DECLARE_FINAL_TYPE (T2pdUplink, t2pd_uplink, T2PD, UPLINK, GObject)

T2pdUplink *t2pd_uplink_new (GDBusConnection *bus, GError **error);

/* Of T2pIpEndpoint; owned by the uplink. */
const GArray *t2pd_uplink_get_servers (T2pdUplink *self);
/* The same as strings "192.0.2.53:53". (transfer full) */
char **t2pd_uplink_get_server_texts (T2pdUplink *self);
/* Names that keep their real addresses: those that the uplink itself needs, whatever @settings
 * say, then theirs. (transfer full) */
char **t2pd_uplink_make_dns_exclude (T2pdUplink *self, const T2pSettings *settings);
/* Whom NetworkManager asks whether there is an internet; NULL: nobody, or not known. */
const char *t2pd_uplink_get_check_host (T2pdUplink *self);
gboolean t2pd_uplink_has_default (T2pdUplink *self);
/* Resolvers, gateways and addresses of this machine, the tunnels' own left out. (transfer full)
 * of T2pIpAddress. */
GArray *t2pd_uplink_list_addresses_in_use (T2pdUplink *self);
/* A tunnel of ours: its link is no uplink, addresses of its @pools (array length=n_pools) are
 * no name servers of the uplink, whatever resolv.conf says by now. */
void t2pd_uplink_add_own_link (T2pdUplink *self,
                               int ifindex,
                               const T2pIpPrefix *pools,
                               guint n_pools);
/* A route plan is made of @snapshot: were its UDP servers others than those known here, plans
 * are made anew soon ("udp-servers-changed"). */
void t2pd_uplink_note_udp_servers (T2pdUplink *self, const T2pnSnapshot *snapshot);
void t2pd_uplink_remove_own_link (T2pdUplink *self, int ifindex);
/* Everything may be another than it was: `changed` now, and again when the name servers are
 * known. */
void t2pd_uplink_look_again (T2pdUplink *self);
/* Looks for name servers and names now: done when they are known. */
void t2pd_uplink_refresh_async (T2pdUplink *self,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer user_data);
gboolean t2pd_uplink_refresh_finish (T2pdUplink *self, GAsyncResult *result, GError **error);

G_END_DECLS
