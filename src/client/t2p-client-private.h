/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-bus-call.h"
#include "t2p-client.h"
#include "t2p-property-cache.h"

G_BEGIN_DECLS

enum
{
  T2P_CLIENT_PROP_CONNECTION = 1,
  T2P_CLIENT_PROP_BUS_ADDRESS,
  T2P_CLIENT_PROP_IS_RUNNING,
  T2P_CLIENT_PROP_VERSION,
  T2P_CLIENT_PROP_FEATURES,
  T2P_CLIENT_PROP_DEFAULT_ROUTE_TUNNEL,
  T2P_CLIENT_PROP_DEFAULT_NETWORK_BACKEND,
  T2P_CLIENT_PROP_KILL_SWITCH,
  T2P_CLIENT_PROP_LOG_LEVEL,
  T2P_CLIENT_N_PROPS,
};

struct _T2pClient
{
  GObject parent_instance;

  GDBusConnection *connection;
  char *bus_address;
  char *owner; /* unique name, NULL until the watch has told */
  gboolean is_running;
  T2pPropertyCache *cache;
  GPtrArray *tunnels;

  GCancellable *follow_cancellable; /* of the snapshot that follows a new owner */
  guint name_watch;
  guint signal_subscription;
};

/* The list of tunnels as the service has it now. Removes, adds and updates, with signals. Does
 * not start the service; that it is not there is no error. */
void t2p_client_refresh (T2pClient *self,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data);
gboolean t2p_client_refresh_finish (T2pClient *self, GAsyncResult *result, GError **error);
gboolean t2p_client_refresh_sync (T2pClient *self, GCancellable *cancellable, GError **error);

/* Hears the service and follows it through restarts, from now to t2p_client_unfollow(). */
void t2p_client_follow (T2pClient *self);
void t2p_client_unfollow (T2pClient *self);

/* The tunnel of that object path, NULL when it is not known. (transfer none) */
T2pTunnel *t2p_client_lookup (T2pClient *self, const char *path);

/* Where the methods of org.tun2proxy.Manager are. */
T2pBusTarget t2p_client_get_target (T2pClient *self);

G_END_DECLS
