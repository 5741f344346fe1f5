/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <gio/gunixfdlist.h>

#include "t2p-tunnel.h"

G_BEGIN_DECLS

#define T2P_TYPE_CLIENT (t2p_client_get_type ())
G_DECLARE_FINAL_TYPE (T2pClient, t2p_client, T2P, CLIENT, GObject)

T2pClient *t2p_client_new_sync (GCancellable *cancellable, GError **error);
void
t2p_client_new (GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
T2pClient *t2p_client_new_for_connection_sync (GDBusConnection *connection,
                                               GCancellable *cancellable,
                                               GError **error);
void t2p_client_new_for_connection (GDBusConnection *connection,
                                    GCancellable *cancellable,
                                    GAsyncReadyCallback callback,
                                    gpointer user_data);
T2pClient *t2p_client_new_for_address_sync (const char *address,
                                            GCancellable *cancellable,
                                            GError **error);
void t2p_client_new_for_address (const char *address,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);
T2pClient *t2p_client_new_finish (GAsyncResult *result, GError **error);

GDBusConnection *t2p_client_get_connection (T2pClient *self);
gboolean t2p_client_get_is_running (T2pClient *self);
const char *t2p_client_get_version (T2pClient *self);
const char *const *t2p_client_get_features (T2pClient *self);
T2pTunnel *t2p_client_get_default_route_tunnel (T2pClient *self);
const char *t2p_client_get_default_network_backend (T2pClient *self);
const char *t2p_client_get_kill_switch (T2pClient *self);
const char *t2p_client_get_log_level (T2pClient *self);
GPtrArray *t2p_client_get_tunnels (T2pClient *self);

void t2p_client_create_tunnel (T2pClient *self,
                               const char *name,
                               GVariant *settings,
                               GVariant *options,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data);
T2pTunnel *t2p_client_create_tunnel_finish (T2pClient *self,
                                            GAsyncResult *result,
                                            GVariant **out_result,
                                            GError **error);
T2pTunnel *t2p_client_create_tunnel_sync (T2pClient *self,
                                          const char *name,
                                          GVariant *settings,
                                          GVariant *options,
                                          GCancellable *cancellable,
                                          GVariant **out_result,
                                          GError **error);

void t2p_client_create_tunnel_fd (T2pClient *self,
                                  const char *name,
                                  GVariant *settings,
                                  GVariant *descriptors,
                                  GUnixFDList *list,
                                  GVariant *options,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data);
T2pTunnel *t2p_client_create_tunnel_fd_finish (T2pClient *self,
                                               GAsyncResult *result,
                                               int *out_guard,
                                               GVariant **out_result,
                                               GError **error);
T2pTunnel *t2p_client_create_tunnel_fd_sync (T2pClient *self,
                                             const char *name,
                                             GVariant *settings,
                                             GVariant *descriptors,
                                             GUnixFDList *list,
                                             GVariant *options,
                                             GCancellable *cancellable,
                                             int *out_guard,
                                             GVariant **out_result,
                                             GError **error);

void t2p_client_get_tunnel (T2pClient *self,
                            const char *name,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data);
T2pTunnel *t2p_client_get_tunnel_finish (T2pClient *self, GAsyncResult *result, GError **error);
T2pTunnel *t2p_client_get_tunnel_sync (T2pClient *self,
                                       const char *name,
                                       GCancellable *cancellable,
                                       GError **error);

void t2p_client_list_tunnels (T2pClient *self,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data);
GPtrArray *
t2p_client_list_tunnels_finish (T2pClient *self, GAsyncResult *result, GError **error);
GPtrArray *
t2p_client_list_tunnels_sync (T2pClient *self, GCancellable *cancellable, GError **error);

void t2p_client_set_kill_switch (T2pClient *self,
                                 const char *mode,
                                 GVariant *options,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);
gboolean
t2p_client_set_kill_switch_finish (T2pClient *self, GAsyncResult *result, GError **error);
gboolean t2p_client_set_kill_switch_sync (T2pClient *self,
                                          const char *mode,
                                          GVariant *options,
                                          GCancellable *cancellable,
                                          GError **error);

void t2p_client_test_proxy (T2pClient *self,
                            const char *uri,
                            GVariant *options,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data);
GVariant *t2p_client_test_proxy_finish (T2pClient *self, GAsyncResult *result, GError **error);
GVariant *t2p_client_test_proxy_sync (T2pClient *self,
                                      const char *uri,
                                      GVariant *options,
                                      GCancellable *cancellable,
                                      GError **error);

void t2p_client_explain (T2pClient *self,
                         const char *destination,
                         GVariant *options,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data);
GVariant *t2p_client_explain_finish (T2pClient *self, GAsyncResult *result, GError **error);
GVariant *t2p_client_explain_sync (T2pClient *self,
                                   const char *destination,
                                   GVariant *options,
                                   GCancellable *cancellable,
                                   GError **error);

void t2p_client_repair (T2pClient *self,
                        GVariant *options,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data);
char **t2p_client_repair_finish (T2pClient *self, GAsyncResult *result, GError **error);
char **t2p_client_repair_sync (T2pClient *self,
                               GVariant *options,
                               GCancellable *cancellable,
                               GError **error);

void t2p_client_bypass_socket (T2pClient *self,
                               int socket,
                               GVariant *options,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data);
gboolean
t2p_client_bypass_socket_finish (T2pClient *self, GAsyncResult *result, GError **error);
gboolean t2p_client_bypass_socket_sync (
    T2pClient *self, int socket, GVariant *options, GCancellable *cancellable, GError **error);

G_END_DECLS
