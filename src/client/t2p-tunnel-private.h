/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-bus-call.h"
#include "t2p-property-cache.h"
#include "t2p-tunnel.h"

G_BEGIN_DECLS

enum
{
  T2P_TUNNEL_PROP_OBJECT_PATH = 1,
  T2P_TUNNEL_PROP_NAME,
  T2P_TUNNEL_PROP_OWNER,
  T2P_TUNNEL_PROP_STATE,
  T2P_TUNNEL_PROP_STATE_REASON,
  T2P_TUNNEL_PROP_INTERFACE,
  T2P_TUNNEL_PROP_IF_INDEX,
  T2P_TUNNEL_PROP_MTU,
  T2P_TUNNEL_PROP_CAPTURE,
  T2P_TUNNEL_PROP_SCOPE,
  T2P_TUNNEL_PROP_PERSISTENT,
  T2P_TUNNEL_PROP_LIFETIME,
  T2P_TUNNEL_PROP_ACTIVE_SINCE,
  T2P_TUNNEL_PROP_NETWORK_BACKEND,
  T2P_TUNNEL_PROP_RESOLVER_BACKEND,
  T2P_TUNNEL_PROP_ROLLBACK_DEADLINE,
  T2P_TUNNEL_N_PROPS,
};

/* What T2pClient, who hears all signals of the service, tells its tunnels. */

T2pTunnel *t2p_tunnel_new (GDBusConnection *connection, const char *path, GVariant *properties);
void t2p_tunnel_update (T2pTunnel *self, GVariant *properties);
/* A signal of the interface org.tun2proxy.Tunnel from this object. */
void t2p_tunnel_handle_signal (T2pTunnel *self, const char *signal, GVariant *parameters);
/* The object of the service has gone: it reads inactive from now on. */
void t2p_tunnel_set_gone (T2pTunnel *self);
/* After a synchronous call, which has dispatched no signal: asks for all properties, ignoring
 * errors (the tunnel may have gone by now). */
void t2p_tunnel_reload_sync (T2pTunnel *self, GCancellable *cancellable);
/* Rows are T2P_TUNNEL_PROP_*. */
T2pPropertyCache *t2p_tunnel_peek_cache (T2pTunnel *self);
T2pBusTarget t2p_tunnel_get_target (T2pTunnel *self);

G_END_DECLS
