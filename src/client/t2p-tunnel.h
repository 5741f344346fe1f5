/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "t2p-enums.h"

G_BEGIN_DECLS

#define T2P_TYPE_TUNNEL (t2p_tunnel_get_type ())
G_DECLARE_FINAL_TYPE (T2pTunnel, t2p_tunnel, T2P, TUNNEL, GObject)

const char *t2p_tunnel_get_object_path (T2pTunnel *self);
const char *t2p_tunnel_get_name (T2pTunnel *self);
guint t2p_tunnel_get_owner (T2pTunnel *self);
T2pTunnelState t2p_tunnel_get_state (T2pTunnel *self);
T2pStateReason t2p_tunnel_get_state_reason (T2pTunnel *self);
const char *t2p_tunnel_get_interface (T2pTunnel *self);
int t2p_tunnel_get_if_index (T2pTunnel *self);
guint t2p_tunnel_get_mtu (T2pTunnel *self);
T2pCapture t2p_tunnel_get_capture (T2pTunnel *self);
T2pScope t2p_tunnel_get_scope (T2pTunnel *self);
gboolean t2p_tunnel_get_persistent (T2pTunnel *self);
const char *t2p_tunnel_get_lifetime (T2pTunnel *self);
guint64 t2p_tunnel_get_active_since (T2pTunnel *self);
const char *t2p_tunnel_get_network_backend (T2pTunnel *self);
const char *t2p_tunnel_get_resolver_backend (T2pTunnel *self);
guint64 t2p_tunnel_get_rollback_deadline (T2pTunnel *self);

void t2p_tunnel_activate (T2pTunnel *self,
                          GVariant *options,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data);
gboolean t2p_tunnel_activate_finish (T2pTunnel *self, GAsyncResult *result, GError **error);
gboolean t2p_tunnel_activate_sync (T2pTunnel *self,
                                   GVariant *options,
                                   GCancellable *cancellable,
                                   GError **error);

void t2p_tunnel_attach_process (T2pTunnel *self,
                                int process,
                                GVariant *options,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer user_data);
gboolean
t2p_tunnel_attach_process_finish (T2pTunnel *self, GAsyncResult *result, GError **error);
gboolean t2p_tunnel_attach_process_sync (
    T2pTunnel *self, int process, GVariant *options, GCancellable *cancellable, GError **error);

void t2p_tunnel_deactivate (T2pTunnel *self,
                            GVariant *options,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data);
gboolean t2p_tunnel_deactivate_finish (T2pTunnel *self, GAsyncResult *result, GError **error);
gboolean t2p_tunnel_deactivate_sync (T2pTunnel *self,
                                     GVariant *options,
                                     GCancellable *cancellable,
                                     GError **error);

void t2p_tunnel_confirm (T2pTunnel *self,
                         GVariant *options,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data);
gboolean t2p_tunnel_confirm_finish (T2pTunnel *self, GAsyncResult *result, GError **error);
gboolean t2p_tunnel_confirm_sync (T2pTunnel *self,
                                  GVariant *options,
                                  GCancellable *cancellable,
                                  GError **error);
void t2p_tunnel_delete (T2pTunnel *self,
                        GVariant *options,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data);
gboolean t2p_tunnel_delete_finish (T2pTunnel *self, GAsyncResult *result, GError **error);
gboolean t2p_tunnel_delete_sync (T2pTunnel *self,
                                 GVariant *options,
                                 GCancellable *cancellable,
                                 GError **error);

void t2p_tunnel_get_settings (T2pTunnel *self,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data);
GVariant *t2p_tunnel_get_settings_finish (T2pTunnel *self,
                                          GAsyncResult *result,
                                          guint64 *out_version,
                                          GError **error);
GVariant *t2p_tunnel_get_settings_sync (T2pTunnel *self,
                                        GCancellable *cancellable,
                                        guint64 *out_version,
                                        GError **error);

void t2p_tunnel_get_details (T2pTunnel *self,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data);
GVariant *t2p_tunnel_get_details_finish (T2pTunnel *self, GAsyncResult *result, GError **error);
GVariant *
t2p_tunnel_get_details_sync (T2pTunnel *self, GCancellable *cancellable, GError **error);

void t2p_tunnel_get_statistics (T2pTunnel *self,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer user_data);
GVariant *
t2p_tunnel_get_statistics_finish (T2pTunnel *self, GAsyncResult *result, GError **error);
GVariant *
t2p_tunnel_get_statistics_sync (T2pTunnel *self, GCancellable *cancellable, GError **error);

void t2p_tunnel_list_connections (T2pTunnel *self,
                                  GVariant *filter,
                                  guint64 after_id,
                                  guint max,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data);
GVariant *t2p_tunnel_list_connections_finish (T2pTunnel *self,
                                              GAsyncResult *result,
                                              guint64 *out_next_id,
                                              GError **error);
GVariant *t2p_tunnel_list_connections_sync (T2pTunnel *self,
                                            GVariant *filter,
                                            guint64 after_id,
                                            guint max,
                                            GCancellable *cancellable,
                                            guint64 *out_next_id,
                                            GError **error);

void t2p_tunnel_close_connections (T2pTunnel *self,
                                   GVariant *filter,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data);
gboolean t2p_tunnel_close_connections_finish (T2pTunnel *self,
                                              GAsyncResult *result,
                                              guint *out_closed,
                                              GError **error);
gboolean t2p_tunnel_close_connections_sync (T2pTunnel *self,
                                            GVariant *filter,
                                            GCancellable *cancellable,
                                            guint *out_closed,
                                            GError **error);

G_END_DECLS
