/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-client.h"

#include "t2p-client-private.h"

/**
 * t2p_client_get_connection:
 * @self: a client
 *
 * Returns: (transfer none): the bus
 *
 * Since: 0.1
 */
GDBusConnection *
t2p_client_get_connection (T2pClient *self)
{
  g_return_val_if_fail (T2P_IS_CLIENT (self), NULL);

  return self->connection;
}

/**
 * t2p_client_get_is_running:
 * @self: a client
 *
 * Returns: whether the service is there
 *
 * Since: 0.1
 */
gboolean
t2p_client_get_is_running (T2pClient *self)
{
  g_return_val_if_fail (T2P_IS_CLIENT (self), FALSE);

  return self->is_running;
}

/**
 * t2p_client_get_version:
 * @self: a client
 *
 * Returns: (transfer none): version of the service; empty while it is not running
 *
 * Since: 0.1
 */
const char *
t2p_client_get_version (T2pClient *self)
{
  g_return_val_if_fail (T2P_IS_CLIENT (self), "");

  return t2p_property_cache_string (self->cache, T2P_CLIENT_PROP_VERSION);
}

/**
 * t2p_client_get_features:
 * @self: a client
 *
 * Returns: (transfer none): what the service can do on this machine
 *
 * Since: 0.1
 */
const char *const *
t2p_client_get_features (T2pClient *self)
{
  g_return_val_if_fail (T2P_IS_CLIENT (self), NULL);

  return t2p_property_cache_strv (self->cache, T2P_CLIENT_PROP_FEATURES);
}

/**
 * t2p_client_get_default_route_tunnel:
 * @self: a client
 *
 * Returns: (transfer none) (nullable): the tunnel that has the default route of the whole
 * system, if there is one
 *
 * Since: 0.1
 */
T2pTunnel *
t2p_client_get_default_route_tunnel (T2pClient *self)
{
  g_return_val_if_fail (T2P_IS_CLIENT (self), NULL);

  return t2p_client_lookup (
      self, t2p_property_cache_string (self->cache, T2P_CLIENT_PROP_DEFAULT_ROUTE_TUNNEL));
}

/**
 * t2p_client_get_default_network_backend:
 * @self: a client
 *
 * Returns: (transfer none): who would own a new tunnel's routes
 *
 * Since: 0.1
 */
const char *
t2p_client_get_default_network_backend (T2pClient *self)
{
  g_return_val_if_fail (T2P_IS_CLIENT (self), "");

  return t2p_property_cache_string (self->cache, T2P_CLIENT_PROP_DEFAULT_NETWORK_BACKEND);
}

/**
 * t2p_client_get_kill_switch:
 * @self: a client
 *
 * Returns: (transfer none): `off`, `armed` or `blocking`
 *
 * Since: 0.1
 */
const char *
t2p_client_get_kill_switch (T2pClient *self)
{
  g_return_val_if_fail (T2P_IS_CLIENT (self), "");

  return t2p_property_cache_string (self->cache, T2P_CLIENT_PROP_KILL_SWITCH);
}

/**
 * t2p_client_get_log_level:
 * @self: a client
 *
 * Returns: (transfer none): `error`, `warning`, `notice`, `info` or `debug`
 *
 * Since: 0.1
 */
const char *
t2p_client_get_log_level (T2pClient *self)
{
  g_return_val_if_fail (T2P_IS_CLIENT (self), "");

  return t2p_property_cache_string (self->cache, T2P_CLIENT_PROP_LOG_LEVEL);
}

/**
 * t2p_client_get_tunnels:
 * @self: a client
 *
 * The tunnels of everybody, in the order in which they came.
 *
 * Returns: (transfer container) (element-type T2pTunnel): the list as it is now
 *
 * Since: 0.1
 */
GPtrArray *
t2p_client_get_tunnels (T2pClient *self)
{
  GPtrArray *copy = NULL;

  g_return_val_if_fail (T2P_IS_CLIENT (self), NULL);

  copy = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < self->tunnels->len; i++)
    g_ptr_array_add (copy, g_object_ref (g_ptr_array_index (self->tunnels, i)));
  return copy;
}
