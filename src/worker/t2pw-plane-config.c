/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2p-limits.h"
#include "t2p-quote.h"
#include "t2p-settings.h"
#include "t2pw-data-plane.h"

#include <string.h>
#include <unistd.h>

#define DNS_PORT 53
#define MEMORY_SHARE 16 /* of the machine's, at most */

static void
proxy_free (gpointer data)
{
  T2pwPlaneProxy *proxy = data;

  t2p_endpoint_unref (proxy->endpoint);
  g_free (proxy);
}

/* The default of `memory-limit` on a machine of @machine_bytes; 0: not known. */
gsize
t2pw_plane_config_memory_share (guint64 machine_bytes)
{
  const gsize least = t2p_setting_key_find ("memory-limit")->minimum;

  if (machine_bytes == 0)
    return T2P_DEFAULT_MEMORY_LIMIT;
  return (gsize) CLAMP (machine_bytes / MEMORY_SHARE, least, T2P_DEFAULT_MEMORY_LIMIT);
}

static guint64
machine_bytes (void)
{
  const long pages = sysconf (_SC_PHYS_PAGES);
  const long page_bytes = sysconf (_SC_PAGESIZE);

  return pages > 0 && page_bytes > 0 ? (guint64) pages * (guint64) page_bytes : 0;
}

/**
 * t2pw_plane_config_set_dns_servers:
 * @servers: addresses, with a port when it is not 53: "192.0.2.1:5353"
 *
 * Errors: T2P_ERROR_INVALID_SETTINGS; then @config is as before.
 */
gboolean
t2pw_plane_config_set_dns_servers (T2pwPlaneConfig *config,
                                   const char *const *servers,
                                   GError **error)
{
  T2pIpEndpoint endpoints[T2PW_DNS_MAX_SERVERS];
  guint n = 0;

  for (; servers[n] != NULL; n++)
    {
      T2pIpAddress address;

      if (n < T2PW_DNS_MAX_SERVERS && t2p_ip_address_parse (servers[n], &address))
        endpoints[n] = (T2pIpEndpoint){ .address = address, .port = DNS_PORT };
      else if (n >= T2PW_DNS_MAX_SERVERS || !t2p_ip_endpoint_parse (servers[n], &endpoints[n]))
        {
          g_autofree char *quoted = t2p_quote (servers[n]);

          g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS,
                       "dns-servers: saw %s, expected at most %d addresses", quoted,
                       T2PW_DNS_MAX_SERVERS);
          return FALSE;
        }
    }
  config->n_dns_servers = n;
  memcpy (config->dns_servers, endpoints, n * sizeof *endpoints);
  return TRUE;
}

/* With the defaults of the public settings, and no proxy. */
T2pwPlaneConfig *
t2pw_plane_config_new (void)
{
  static const char *const servers[] = { "1.1.1.1", "8.8.8.8", NULL };
  T2pwPlaneConfig *config = g_new0 (T2pwPlaneConfig, 1);

  t2pw_plane_config_set_dns_servers (config, servers, NULL);
  config->names_fd = -1;
  config->proxies = g_ptr_array_new_with_free_func (proxy_free);
  config->mtu = 1500;
  config->memory_limit_bytes = t2pw_plane_config_memory_share (machine_bytes ());
  config->max_connections = T2P_DEFAULT_MAX_CONNECTIONS;
  config->connect_timeout_ms = 10 * 1000;
  config->idle_timeout_ms = 7200 * 1000;
  config->half_close_timeout_ms = 60 * 1000;
  config->udp_idle_timeout_ms = 60 * 1000;
  return config;
}

void
t2pw_plane_config_free (T2pwPlaneConfig *config)
{
  g_ptr_array_unref (config->proxies);
  if (config->names_fd >= 0)
    close (config->names_fd);
  g_clear_pointer (&config->files, g_hash_table_unref);
  g_strfreev (config->uplink_dns);
  g_strfreev (config->dns_exclude);
  g_strfreev (config->rules);
  g_free (config->udp);
  g_clear_pointer (&config->rule_uids, g_hash_table_unref);
  g_clear_pointer (&config->sockets, g_variant_unref);
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
