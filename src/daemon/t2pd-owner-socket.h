/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Connects to the unix socket at @path as user @uid would, with his groups: what he cannot
 * reach is not reached, and the peer sees him. At most T2P_MAX_SOCKETS_PER_UID at a time:
 * T2P_ERROR_BUSY; else T2P_ERROR_PROXY_UNREACHABLE, T2P_ERROR_FAILED. */
void t2pd_owner_socket_connect_async (guint32 uid,
                                      const char *path,
                                      GAsyncReadyCallback callback,
                                      gpointer user_data);
/* Non-blocking, the caller's; -1 with an error. */
int t2pd_owner_socket_connect_finish (GAsyncResult *result, GError **error);

G_END_DECLS
