/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define T2PN_TYPE_NM_CLIENT (t2pn_nm_client_get_type ())
/* What this process knows of NetworkManager: one for all tunnels, kept up to date while
 * NetworkManager comes and goes. It never starts it. Signals:
 *
 * `changed ()`: t2pn_nm_client_check() may have another answer
 * `running (gboolean is_running)` */
G_DECLARE_FINAL_TYPE (T2pnNmClient, t2pn_nm_client, T2PN, NM_CLIENT, GObject)

/* Begins to look. @bus: (transfer none) */
T2pnNmClient *t2pn_nm_client_new (GDBusConnection *bus);

/* Waits until it has looked, but not for long; fails only when cancelled. */
void t2pn_nm_client_ready_async (T2pnNmClient *self,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);
gboolean t2pn_nm_client_ready_finish (T2pnNmClient *self, GAsyncResult *result, GError **error);

/* Whether there is one that can own a tunnel: T2P_ERROR_NETWORK_MANAGER_FAILED says why not. */
gboolean t2pn_nm_client_check (T2pnNmClient *self, GError **error);
/* As t2pn_nm_dns_priority(). */
int t2pn_nm_client_get_dns_priority (T2pnNmClient *self);
/* Whether names go to systemd-resolved, which NetworkManager tells. */
gboolean t2pn_nm_client_tells_resolved (T2pnNmClient *self);

/* Pure: whether "1.42.4" is a version that we work with. */
gboolean t2pn_nm_client_is_recent (const char *version);

G_END_DECLS
