/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-resolver.h"

G_BEGIN_DECLS

/* Tells nobody: for a tunnel of one user. */
T2pnResolver *t2pn_resolver_none_new (void);
/* systemd-resolved by its D-Bus interface. */
T2pnResolver *t2pn_resolver_resolved_new (GDBusConnection *bus);
/* What NetworkManager's profile has told already; @tells_resolved: to systemd-resolved. */
T2pnResolver *t2pn_resolver_nm_new (GDBusConnection *bus, gboolean tells_resolved);
/* resolvconf(8): @program, which writes @resolv_conf. */
T2pnResolver *t2pn_resolver_resolvconf_new (const char *program, const char *resolv_conf);
/* Takes the place of the file @path. */
T2pnResolver *t2pn_resolver_file_new (const char *path);

/* Pure: the file that sends every name to @servers; search list and options of @old (nullable)
 * stay in force. (transfer full) */
char *
t2pn_resolver_file_compose (const T2pIpAddress *servers, guint n_servers, const char *old);

/* A flat file, which @path is, knows all names or none: T2P_ERROR_DNS_SETUP_FAILED. */
gboolean t2pn_resolver_check_all_names (const T2pnResolverConfig *config,
                                        const char *path,
                                        GError **error);

G_END_DECLS
