/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-start-settings.h"

#include "t2p-error.h"
#include "t2p-limits.h"
#include "t2p-settings.h"
#include "t2pw-address-list.h"
#include "t2pw-file-set.h"

static void
take_numbers (GVariant *settings, T2pwPlaneConfig *config)
{
  guint32 seconds, number;

  g_variant_lookup (settings, "mtu", "u", &config->mtu);
  g_variant_lookup (settings, "mark", "u", &config->mark);
  g_variant_lookup (settings, "offloads", "u", &config->offloads);
  g_variant_lookup (settings, "max-connections", "u", &config->max_connections);
  if (g_variant_lookup (settings, "memory-limit", "u", &number) && number > 0)
    config->memory_limit_bytes = number;
  if (g_variant_lookup (settings, "connect-timeout", "u", &seconds))
    config->connect_timeout_ms = MIN (seconds, 3600) * 1000;
  if (g_variant_lookup (settings, "tcp-idle-timeout", "u", &seconds))
    config->idle_timeout_ms = MIN (seconds, 7 * 86400) * 1000;
  if (g_variant_lookup (settings, "half-close-timeout", "u", &seconds))
    config->half_close_timeout_ms = MIN (seconds, 7 * 86400) * 1000;
  if (g_variant_lookup (settings, "udp-idle-timeout", "u", &seconds))
    config->udp_idle_timeout_ms = MIN (seconds, 7 * 86400) * 1000;
}

/* The public settings have the same bounds; who calls may have got them wrong all the same. */
static gboolean
check_number (const char *name, guint64 value, GError **error)
{
  const T2pSettingKey *key = t2p_setting_key_find (name);

  if (value >= key->minimum && value <= key->maximum)
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS,
               "%s: saw %" G_GUINT64_FORMAT ", expected %" G_GUINT64_FORMAT
               " to %" G_GUINT64_FORMAT,
               name, value, (guint64) key->minimum, (guint64) key->maximum);
  return FALSE;
}

static gboolean
check_numbers (const T2pwPlaneConfig *config, GError **error)
{
  return check_number ("mtu", config->mtu, error) &&
         check_number ("memory-limit", config->memory_limit_bytes, error);
}

static T2pwIcmpMode
icmp_mode (const char *text)
{
  static const char *const names[] = { [T2PW_ICMP_UNREACHABLE] = "unreachable",
                                       [T2PW_ICMP_REPLY] = "reply",
                                       [T2PW_ICMP_DROP] = "drop",
                                       [T2PW_ICMP_DIRECT] = "direct" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_equal (names[i], text))
      return (T2pwIcmpMode) i;
  return T2PW_ICMP_UNREACHABLE;
}

/* The tunnel's second address is nobody else's, so it stands for us on the way to others. */
static void
take_hops (GVariant *settings, T2pwPlaneConfig *config)
{
  const char *text;

  if (g_variant_lookup (settings, "responder4", "&s", &text))
    t2p_ip_address_parse (text, &config->hop4);
  if (g_variant_lookup (settings, "responder6", "&s", &text))
    t2p_ip_address_parse (text, &config->hop6);
}

static void
take_switches (GVariant *settings, T2pwPlaneConfig *config)
{
  const char *text = NULL;

  g_variant_lookup (settings, "vnet-header", "b", &config->has_vnet_header);
  g_variant_lookup (settings, "ipv6", "b", &config->has_ipv6);
  g_variant_lookup (settings, "early-accept", "b", &config->early_accept);
  g_variant_lookup (settings, "foreign-addresses", "b", &config->may_be_foreign);
  if (g_variant_lookup (settings, "icmp", "&s", &text))
    config->icmp = icmp_mode (text);
  if (g_variant_lookup (settings, "dns", "&s", &text))
    t2p_dns_mode_from_string (text, &config->dns);
}

/* The uplink's servers are what the daemon says, also when it says none: resolv.conf may be
 * ours by now. */
static void
take_texts (GVariant *settings, T2pwPlaneConfig *config)
{
  g_variant_lookup (settings, "udp", "s", &config->udp);
  g_variant_lookup (settings, "dns-exclude", "^as", &config->dns_exclude);
  config->sockets = g_variant_lookup_value (settings, "sockets", G_VARIANT_TYPE_VARDICT);
  if (!g_variant_lookup (settings, "uplink-dns", "^as", &config->uplink_dns))
    config->uplink_dns = g_new0 (char *, 1);
}

static void
take_rules (GVariant *settings, T2pwPlaneConfig *config)
{
  g_autoptr (GVariantIter) iter = NULL;
  const char *name;
  guint32 uid;

  g_variant_lookup (settings, "rules", "^as", &config->rules);
  if (!g_variant_lookup (settings, "rule-uids", "a{su}", &iter))
    return;
  config->rule_uids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  while (g_variant_iter_next (iter, "{&su}", &name, &uid))
    g_hash_table_insert (config->rule_uids, g_strdup (name), GUINT_TO_POINTER (uid));
}

static gboolean
take_dns_servers (GVariant *settings, T2pwPlaneConfig *config, GError **error)
{
  g_autofree const char **servers = NULL;

  return !g_variant_lookup (settings, "dns-servers", "^a&s", &servers) ||
         t2pw_plane_config_set_dns_servers (config, servers, error);
}

static gboolean
take_policy (GVariant *settings, T2pwPlaneConfig *config, GError **error)
{
  const char *text = "failover";

  g_variant_lookup (settings, "policy", "&s", &text);
  if (t2pw_group_policy_from_string (text, &config->policy))
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS,
               "policy: saw '%s', expected failover, round-robin or least-latency", text);
  return FALSE;
}

static gboolean
take_pool (GVariant *settings,
           const char *key,
           int family,
           guint8 max_length,
           T2pIpPrefix *out_pool,
           GError **error)
{
  const char *text = "";

  g_variant_lookup (settings, key, "&s", &text);
  if (!t2p_ip_prefix_parse (text, out_pool, NULL) || out_pool->address.family != family ||
      out_pool->length > max_length)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS,
                   "%s: saw '%s', expected an %s prefix of at most %u bits", key, text,
                   family == AF_INET ? "IPv4" : "IPv6", max_length);
      return FALSE;
    }
  return TRUE;
}

static gboolean
take_pools (GVariant *settings, T2pwPlaneConfig *config, GError **error)
{
  const char *text = "";

  if (config->dns != T2P_DNS_MODE_VIRTUAL)
    return TRUE;
  g_variant_lookup (settings, "dns-pool6", "&s", &text);
  config->has_pool6 = *text != '\0';
  return take_pool (settings, "dns-pool4", AF_INET, 29, &config->pool4, error) &&
         (!config->has_pool6 ||
          take_pool (settings, "dns-pool6", AF_INET6, 96, &config->pool6, error));
}

static guint
addresses_of_proxy (GVariant *settings, guint index, T2pIpAddress *out_addresses)
{
  g_autoptr (GVariant) lists =
      g_variant_lookup_value (settings, "proxy-addresses", G_VARIANT_TYPE ("aas"));
  g_autoptr (GVariant) list = NULL;
  g_autofree const char **texts = NULL;

  if (lists == NULL || index >= g_variant_n_children (lists))
    return 0;
  list = g_variant_get_child_value (lists, index);
  texts = g_variant_get_strv (list, NULL);
  return t2pw_address_list_parse (texts, out_addresses, T2PW_DIAL_MAX_ADDRESSES);
}

static gboolean
take_proxies (GVariant *settings, T2pwPlaneConfig *config, GError **error)
{
  g_autofree const char **uris = NULL;
  guint n = 0;

  g_variant_lookup (settings, "proxies", "^a&s", &uris);
  for (; uris != NULL && uris[n] != NULL && n < T2P_MAX_PROXIES; n++)
    {
      T2pIpAddress addresses[T2PW_DIAL_MAX_ADDRESSES];
      guint n_addresses = addresses_of_proxy (settings, n, addresses);
      g_autoptr (T2pEndpoint) endpoint = t2p_endpoint_parse (uris[n], error);

      if (endpoint == NULL)
        return FALSE;
      t2pw_plane_config_add_proxy (config, endpoint, addresses, n_addresses);
    }
  if (n > 0)
    return TRUE;
  g_set_error_literal (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS,
                       "proxies: saw none, expected at least one");
  return FALSE;
}

static gboolean
take_names (GVariant *settings, GUnixFDList *fds, T2pwPlaneConfig *config, GError **error)
{
  gint32 handle;

  if (!g_variant_lookup (settings, "names", "h", &handle))
    return TRUE;
  if (fds == NULL || handle < 0 || handle >= g_unix_fd_list_get_length (fds))
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD,
                   "names: saw handle %d, expected a descriptor that came with Start", handle);
      return FALSE;
    }
  config->names_fd = g_unix_fd_list_get (fds, handle, error);
  return config->names_fd >= 0;
}

static gboolean
take_udpgw (GVariant *settings, T2pwPlaneConfig *config, GError **error)
{
  const char *text = "";

  if (!g_variant_lookup (settings, "udpgw", "&s", &text) || *text == '\0' ||
      t2p_host_port_parse (text, &config->udpgw))
    return TRUE;
  g_set_error_literal (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS,
                       "udpgw: expected HOST:PORT or nothing");
  return FALSE;
}

static gboolean
take_files (GVariant *settings, GUnixFDList *fds, T2pwPlaneConfig *config, GError **error)
{
  g_autoptr (GVariant) handles =
      g_variant_lookup_value (settings, "files", G_VARIANT_TYPE ("a{sh}"));

  config->files = t2pw_file_set_new ();
  return handles == NULL || t2pw_file_set_add_handles (config->files, handles, fds, error);
}

T2pwPlaneConfig *
t2pw_start_settings_parse (GVariant *settings, GUnixFDList *fds, GError **error)
{
  g_autoptr (T2pwPlaneConfig) config = t2pw_plane_config_new ();

  take_numbers (settings, config);
  take_switches (settings, config);
  take_hops (settings, config);
  take_texts (settings, config);
  take_rules (settings, config);
  if (!check_numbers (config, error))
    return NULL;
  if (!take_policy (settings, config, error) || !take_dns_servers (settings, config, error) ||
      !take_udpgw (settings, config, error))
    return NULL;
  if (!take_pools (settings, config, error) || !take_proxies (settings, config, error) ||
      !take_files (settings, fds, config, error) || !take_names (settings, fds, config, error))
    return NULL;
  return g_steal_pointer (&config);
}
