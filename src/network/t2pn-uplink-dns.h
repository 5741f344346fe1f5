/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * t2pn_uplink_dns_async:
 * @bus: (nullable): the system bus, where systemd-resolved and NetworkManager are asked
 * @own_ifindexes: (element-type int) (nullable): our tuns, whose servers do not count
 * @resolv_conf: (nullable): "/etc/resolv.conf" when NULL
 *
 * The name servers of the uplink, for our own marked queries, and its search domains: from
 * resolved, else from NetworkManager's devices, else from resolv.conf (of a file that a tunnel
 * put there, those that it took the place of). Ask before the tunnel's DNS is applied.
 */
void t2pn_uplink_dns_async (GDBusConnection *bus,
                            const GArray *own_ifindexes,
                            const char *resolv_conf,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data);
/* (transfer full): of T2pIpEndpoint, in order of preference; empty when there is none. NULL
 * only when cancelled. @out_domains: (out) (optional) (transfer full): what is resolved there.
 */
GArray *t2pn_uplink_dns_finish (GAsyncResult *result, char ***out_domains, GError **error);

/* Pure: the uplink's `nameserver` lines of a resolv.conf(5), loopback ones left out when
 * @skip_loopback.
 */
GArray *t2pn_uplink_dns_parse (const char *resolv_conf_text, gboolean skip_loopback);

G_END_DECLS
