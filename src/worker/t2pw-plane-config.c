/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-limits.h"
#include "t2pw-data-plane.h"

static void
proxy_free (gpointer data)
{
  T2pwPlaneProxy *proxy = data;

  t2p_endpoint_unref (proxy->endpoint);
  g_free (proxy);
}

/* With the defaults of the public settings, and no proxy. */
T2pwPlaneConfig *
t2pw_plane_config_new (void)
{
  T2pwPlaneConfig *config = g_new0 (T2pwPlaneConfig, 1);

  config->proxies = g_ptr_array_new_with_free_func (proxy_free);
  config->mtu = 1500;
  config->memory_limit_bytes = T2P_DEFAULT_MEMORY_LIMIT;
  config->max_connections = T2P_DEFAULT_MAX_CONNECTIONS;
  config->connect_timeout_ms = 10 * 1000;
  config->idle_timeout_ms = 7200 * 1000;
  config->half_close_timeout_ms = 60 * 1000;
  return config;
}

void
t2pw_plane_config_free (T2pwPlaneConfig *config)
{
  g_ptr_array_unref (config->proxies);
  g_strfreev (config->uplink_dns);
  g_strfreev (config->dns_exclude);
  g_free (config);
}

/* @endpoint: (transfer none) */
void
t2pw_plane_config_add_proxy (T2pwPlaneConfig *config,
                             T2pEndpoint *endpoint,
                             const T2pIpAddress *addresses,
                             guint n_addresses)
{
  T2pwPlaneProxy *proxy = g_new0 (T2pwPlaneProxy, 1);

  proxy->endpoint = t2p_endpoint_ref (endpoint);
  proxy->n_addresses = MIN (n_addresses, T2PW_DIAL_MAX_ADDRESSES);
  for (guint i = 0; i < proxy->n_addresses; i++)
    proxy->addresses[i] = addresses[i];
  g_ptr_array_add (config->proxies, proxy);
}
