/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-start-settings.h"

static const char *const computed[] = {
  "proxies", "dns", "ipv6", "dns-pool4", "dns-pool6", "mark", "mtu", "dns-exclude", NULL,
};

static void
add_public (GVariantBuilder *builder, const T2pSettings *settings)
{
  g_autoptr (GVariant) set = g_variant_ref_sink (t2p_settings_to_public (settings));
  GVariantIter iter;
  const char *name;
  GVariant *value;

  g_variant_iter_init (&iter, set);
  while (g_variant_iter_next (&iter, "{&sv}", &name, &value))
    {
      if (!g_strv_contains (computed, name))
        g_variant_builder_add (builder, "{sv}", name, value);
      g_variant_unref (value);
    }
}

static void
add_address (GVariantBuilder *builder, const char *name, const T2pIpAddress *address)
{
  char text[T2P_IP_STRLEN] = "";

  if (address->family != AF_UNSPEC)
    t2p_ip_address_format (address, text);
  g_variant_builder_add (builder, "{sv}", name, g_variant_new_string (text));
}

static void
add_prefix (GVariantBuilder *builder, const char *name, const T2pIpPrefix *prefix)
{
  char text[T2P_PREFIX_STRLEN] = "";

  if (prefix->address.family != AF_UNSPEC)
    t2p_ip_prefix_format (prefix, text);
  g_variant_builder_add (builder, "{sv}", name, g_variant_new_string (text));
}

/* The proxy is asked for IPv6 unless the settings keep it away from the tunnel. */
static gboolean
asks_for_ipv6 (const T2pSettings *settings)
{
  T2pIpv6Mode mode = t2p_settings_get_ipv6 (settings);

  return mode == T2P_IPV6_MODE_AUTO || mode == T2P_IPV6_MODE_ON;
}

static void
add_dns (GVariantBuilder *builder, const T2pSettings *settings, const T2pnAddressPool *pool)
{
  T2pDnsMode mode = t2p_settings_get_dns (settings);
  static const T2pIpAddress none = { 0 };

  g_variant_builder_add (builder, "{sv}", "dns",
                         g_variant_new_string (t2p_dns_mode_to_string (mode)));
  add_address (builder, "responder4", mode != T2P_DNS_MODE_OFF ? &pool->responder4 : &none);
  add_address (builder, "responder6", mode != T2P_DNS_MODE_OFF ? &pool->responder6 : &none);
  add_prefix (builder, "dns-pool4", &pool->pool4);
  add_prefix (builder, "dns-pool6", &pool->pool6);
}

GVariant *
t2pd_start_settings_make (const T2pSettings *settings,
                          T2pdUpstreams *upstreams,
                          const T2pnTunDevice *device,
                          const T2pnAddressPool *pool,
                          guint32 mark,
                          gboolean is_advanced,
                          const char *const *uplink_dns,
                          const char *const *dns_exclude,
                          GVariant *rule_uids,
                          GVariant *sockets)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  add_public (&builder, settings);
  add_dns (&builder, settings, pool);
  g_variant_builder_add (&builder, "{sv}", "proxies", t2pd_upstreams_to_uris (upstreams));
  g_variant_builder_add (&builder, "{sv}", "proxy-addresses",
                         t2pd_upstreams_to_addresses (upstreams));
  g_variant_builder_add (&builder, "{sv}", "mtu",
                         g_variant_new_uint32 (t2p_settings_get_u32 (settings, "mtu")));
  g_variant_builder_add (&builder, "{sv}", "mark", g_variant_new_uint32 (mark));
  g_variant_builder_add (&builder, "{sv}", "foreign-addresses",
                         g_variant_new_boolean (is_advanced));
  g_variant_builder_add (&builder, "{sv}", "ipv6",
                         g_variant_new_boolean (asks_for_ipv6 (settings)));
  g_variant_builder_add (&builder, "{sv}", "vnet-header",
                         g_variant_new_boolean (t2pn_tun_device_get_header_bytes (device) > 0));
  g_variant_builder_add (&builder, "{sv}", "offloads",
                         g_variant_new_uint32 (t2pn_tun_device_get_offloads (device)));
  g_variant_builder_add (&builder, "{sv}", "uplink-dns", g_variant_new_strv (uplink_dns, -1));
  g_variant_builder_add (&builder, "{sv}", "dns-exclude", g_variant_new_strv (dns_exclude, -1));
  g_variant_builder_add (&builder, "{sv}", "rule-uids", rule_uids);
  g_variant_builder_add (&builder, "{sv}", "sockets", sockets);
  return g_variant_builder_end (&builder);
}
