/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-tunnel.h"

#include "t2p-tunnel-private.h"

/**
 * t2p_tunnel_get_name:
 * @self: a tunnel
 *
 * Returns: (transfer none): its name
 *
 * Since: 0.1
 */
const char *
t2p_tunnel_get_name (T2pTunnel *self)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), "");

  return t2p_property_cache_string (t2p_tunnel_peek_cache (self), T2P_TUNNEL_PROP_NAME);
}

/**
 * t2p_tunnel_get_owner:
 * @self: a tunnel
 *
 * Returns: the user id of its owner
 *
 * Since: 0.1
 */
guint
t2p_tunnel_get_owner (T2pTunnel *self)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), 0);

  return (guint) t2p_property_cache_number (t2p_tunnel_peek_cache (self),
                                            T2P_TUNNEL_PROP_OWNER);
}

/**
 * t2p_tunnel_get_state:
 * @self: a tunnel
 *
 * Returns: what it is doing; inactive for a state that this library does not know
 *
 * Since: 0.1
 */
T2pTunnelState
t2p_tunnel_get_state (T2pTunnel *self)
{
  T2pTunnelState state = T2P_TUNNEL_STATE_INACTIVE;

  g_return_val_if_fail (T2P_IS_TUNNEL (self), state);

  (void) t2p_tunnel_state_from_string (
      t2p_property_cache_string (t2p_tunnel_peek_cache (self), T2P_TUNNEL_PROP_STATE), &state);
  return state;
}

/**
 * t2p_tunnel_get_state_reason:
 * @self: a tunnel
 *
 * Returns: why it is in its state; none for a reason that this library does not know
 *
 * Since: 0.1
 */
T2pStateReason
t2p_tunnel_get_state_reason (T2pTunnel *self)
{
  T2pStateReason reason = T2P_STATE_REASON_NONE;

  g_return_val_if_fail (T2P_IS_TUNNEL (self), reason);

  (void) t2p_state_reason_from_string (
      t2p_property_cache_string (t2p_tunnel_peek_cache (self), T2P_TUNNEL_PROP_STATE_REASON),
      &reason);
  return reason;
}

/**
 * t2p_tunnel_get_interface:
 * @self: a tunnel
 *
 * Returns: (transfer none): name of the TUN device; empty while there is none
 *
 * Since: 0.1
 */
const char *
t2p_tunnel_get_interface (T2pTunnel *self)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), "");

  return t2p_property_cache_string (t2p_tunnel_peek_cache (self), T2P_TUNNEL_PROP_INTERFACE);
}

/**
 * t2p_tunnel_get_if_index:
 * @self: a tunnel
 *
 * Returns: index of the TUN device; 0 while there is none
 *
 * Since: 0.1
 */
int
t2p_tunnel_get_if_index (T2pTunnel *self)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), 0);

  return (int) t2p_property_cache_number (t2p_tunnel_peek_cache (self),
                                          T2P_TUNNEL_PROP_IF_INDEX);
}

/**
 * t2p_tunnel_get_mtu:
 * @self: a tunnel
 *
 * Returns: MTU of the TUN device in bytes
 *
 * Since: 0.1
 */
guint
t2p_tunnel_get_mtu (T2pTunnel *self)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), 0);

  return (guint) t2p_property_cache_number (t2p_tunnel_peek_cache (self), T2P_TUNNEL_PROP_MTU);
}

/**
 * t2p_tunnel_get_capture:
 * @self: a tunnel
 *
 * Returns: what goes into it
 *
 * Since: 0.1
 */
T2pCapture
t2p_tunnel_get_capture (T2pTunnel *self)
{
  T2pCapture capture = T2P_CAPTURE_NONE;

  g_return_val_if_fail (T2P_IS_TUNNEL (self), capture);

  (void) t2p_capture_from_string (
      t2p_property_cache_string (t2p_tunnel_peek_cache (self), T2P_TUNNEL_PROP_CAPTURE),
      &capture);
  return capture;
}

/**
 * t2p_tunnel_get_scope:
 * @self: a tunnel
 *
 * Returns: whose traffic goes into it
 *
 * Since: 0.1
 */
T2pScope
t2p_tunnel_get_scope (T2pTunnel *self)
{
  T2pScope scope = T2P_SCOPE_USER;

  g_return_val_if_fail (T2P_IS_TUNNEL (self), scope);

  (void) t2p_scope_from_string (
      t2p_property_cache_string (t2p_tunnel_peek_cache (self), T2P_TUNNEL_PROP_SCOPE), &scope);
  return scope;
}

/**
 * t2p_tunnel_get_persistent:
 * @self: a tunnel
 *
 * Returns: whether it is a profile on disk
 *
 * Since: 0.1
 */
gboolean
t2p_tunnel_get_persistent (T2pTunnel *self)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), FALSE);

  return t2p_property_cache_number (t2p_tunnel_peek_cache (self), T2P_TUNNEL_PROP_PERSISTENT) !=
         0;
}

/**
 * t2p_tunnel_get_lifetime:
 * @self: a tunnel
 *
 * Returns: (transfer none): `service` or `caller`
 *
 * Since: 0.1
 */
const char *
t2p_tunnel_get_lifetime (T2pTunnel *self)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), "");

  return t2p_property_cache_string (t2p_tunnel_peek_cache (self), T2P_TUNNEL_PROP_LIFETIME);
}

/**
 * t2p_tunnel_get_active_since:
 * @self: a tunnel
 *
 * Returns: microseconds of the real-time clock; 0 while not active
 *
 * Since: 0.1
 */
guint64
t2p_tunnel_get_active_since (T2pTunnel *self)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), 0);

  return t2p_property_cache_number (t2p_tunnel_peek_cache (self), T2P_TUNNEL_PROP_ACTIVE_SINCE);
}

/**
 * t2p_tunnel_get_network_backend:
 * @self: a tunnel
 *
 * Returns: (transfer none): who owns its routes; empty while inactive
 *
 * Since: 0.1
 */
const char *
t2p_tunnel_get_network_backend (T2pTunnel *self)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), "");

  return t2p_property_cache_string (t2p_tunnel_peek_cache (self),
                                    T2P_TUNNEL_PROP_NETWORK_BACKEND);
}

/**
 * t2p_tunnel_get_resolver_backend:
 * @self: a tunnel
 *
 * Returns: (transfer none): who was told its DNS; empty for nobody
 *
 * Since: 0.1
 */
const char *
t2p_tunnel_get_resolver_backend (T2pTunnel *self)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), "");

  return t2p_property_cache_string (t2p_tunnel_peek_cache (self),
                                    T2P_TUNNEL_PROP_RESOLVER_BACKEND);
}

/**
 * t2p_tunnel_get_rollback_deadline:
 * @self: a tunnel
 *
 * Returns: when it is taken back unless confirmed, in microseconds of the real-time clock; 0
 * for never
 *
 * Since: 0.1
 */
guint64
t2p_tunnel_get_rollback_deadline (T2pTunnel *self)
{
  g_return_val_if_fail (T2P_IS_TUNNEL (self), 0);

  return t2p_property_cache_number (t2p_tunnel_peek_cache (self),
                                    T2P_TUNNEL_PROP_ROLLBACK_DEADLINE);
}
