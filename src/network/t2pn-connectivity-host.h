/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The host by which NetworkManager finds out whether there is an internet. It must keep its
 * real addresses: NetworkManager sends its question out of the uplink, where a virtual one
 * leads nowhere, and would then rewrite the default route. */

/* Pure: the host of an http URI; NULL for none, and for an address. (transfer full) */
char *t2pn_connectivity_host_of_uri (const char *uri);

/**
 * t2pn_connectivity_host_async:
 * @bus: (nullable): the system bus
 *
 * Asks NetworkManager, if it runs.
 */
void t2pn_connectivity_host_async (GDBusConnection *bus,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data);
/* (transfer full) (nullable): NULL when there is none; @error is set only when cancelled. */
char *t2pn_connectivity_host_finish (GAsyncResult *result, GError **error);

G_END_DECLS
