/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <NetworkManager.h>

G_BEGIN_DECLS

/**
 * t2pn_nm_activate_async:
 * @client: must outlive the operation
 * @ifname: of a link that exists; NetworkManager may not have noticed it yet
 * @uuid: of @profile
 * @profile: (nullable): added as volatile and activated on the link; %NULL waits for a profile
 *   of that @uuid, which NetworkManager brings up by itself after a restart
 *
 * Done when the profile is active: everything in it is installed.
 */
void t2pn_nm_activate_async (NMClient *client,
                             const char *ifname,
                             const char *uuid,
                             NMConnection *profile,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data);
/* (transfer full). T2P_ERROR_NETWORK_MANAGER_FAILED says what was seen; nothing is left of it,
 * or will be. */
NMActiveConnection *t2pn_nm_activate_finish (GAsyncResult *result, GError **error);

/**
 * t2pn_nm_deactivate_async:
 *
 * Done when no profile of @uuid is active; such a one that is volatile is gone then.
 */
void t2pn_nm_deactivate_async (NMClient *client,
                               const char *uuid,
                               GAsyncReadyCallback callback,
                               gpointer user_data);
gboolean t2pn_nm_deactivate_finish (GAsyncResult *result, GError **error);

/* (transfer none); NULL when NetworkManager does not know the link. */
NMDevice *t2pn_nm_find_device (NMClient *client, const char *ifname);

G_END_DECLS
