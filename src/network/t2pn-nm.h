/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define T2PN_NM_NAME "org.freedesktop.NetworkManager"

/**
 * t2pn_nm_release_async:
 * @bus: (nullable): the system bus
 *
 * Has a running NetworkManager leave the link @ifname alone, and waits until it says so: to be
 * called after the device was made and before its first address. Without NetworkManager it is
 * done at once. T2P_ERROR_NETWORK_MANAGER_FAILED when it refuses, or does not know the device
 * after five seconds.
 */
void t2pn_nm_release_async (GDBusConnection *bus,
                            const char *ifname,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data);
/* *out_was_running: (optional): whether there is a NetworkManager. */
gboolean
t2pn_nm_release_finish (GAsyncResult *result, gboolean *out_was_running, GError **error);

G_END_DECLS
