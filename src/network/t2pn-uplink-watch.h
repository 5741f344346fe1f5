/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Tells when what t2pn_uplink_dns_async() and t2pn_connectivity_host_async() answer may be
 * another answer by now: systemd-resolved or NetworkManager says so, comes or goes; resolv.conf
 * or a record of resolvconf has changed. */
typedef struct _T2pnUplinkWatch T2pnUplinkWatch;

T2pnUplinkWatch *t2pn_uplink_watch_new (GDBusConnection *bus,
                                        void (*changed) (gpointer user_data),
                                        gpointer user_data);
void t2pn_uplink_watch_free (T2pnUplinkWatch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pnUplinkWatch, t2pn_uplink_watch_free)

G_END_DECLS
