/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-route-plan.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* A machine made by hand: eth0 (index 2) with an address of each family and a default route. */

static inline T2pSettings *
make_settings (const char *extra, gboolean is_root)
{
  g_autofree char *text = g_strdup_printf ("{'proxies': <['socks5://192.0.2.80:1080']>%s%s}",
                                           extra[0] != '\0' ? ", " : "", extra);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) dict =
      g_variant_parse (G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);
  T2pSettings *settings;

  g_assert_no_error (error);
  settings = t2p_settings_new (dict, is_root, &error);
  g_assert_no_error (error);
  return settings;
}

static inline T2pIpPrefix
parse_prefix (const char *text)
{
  T2pIpPrefix prefix;
  gboolean is_parsed;

  memset (&prefix, 0, sizeof prefix);
  is_parsed = t2p_ip_prefix_parse (text, &prefix, NULL);
  g_assert_true (is_parsed);
  return prefix;
}

static inline void
add_link (T2pnSnapshot *snapshot, int ifindex, const char *name)
{
  T2pnLink link = { .ifindex = ifindex };

  g_strlcpy (link.name, name, sizeof link.name);
  g_array_append_val (snapshot->links, link);
}

static inline void
add_address (T2pnSnapshot *snapshot, int ifindex, const char *text, guint8 length)
{
  T2pnAddress address = { .ifindex = ifindex, .length = length };

  g_assert_true (t2p_ip_address_parse (text, &address.address));
  g_array_append_val (snapshot->addresses, address);
}

static inline void
add_route (T2pnSnapshot *snapshot, const char *destination, int ifindex, guint32 table)
{
  T2pnRoute route = {
    .destination = parse_prefix (destination),
    .table = table,
    .type = RTN_UNICAST,
    .protocol = RTPROT_BOOT,
    .ifindex = ifindex,
  };

  g_array_append_val (snapshot->routes, route);
}

static inline T2pnRule *
add_rule (T2pnSnapshot *snapshot, int family, guint32 priority, guint32 table)
{
  T2pnRule rule = t2pn_rule_make (family, priority);

  rule.protocol = RTPROT_KERNEL;
  rule.table = table;
  g_array_append_val (snapshot->rules, rule);
  return &g_array_index (snapshot->rules, T2pnRule, snapshot->rules->len - 1);
}

static inline T2pnSnapshot *
make_snapshot (void)
{
  T2pnSnapshot *snapshot = t2pn_snapshot_new ();

  add_link (snapshot, 1, "lo");
  add_link (snapshot, 2, "eth0");
  add_address (snapshot, 1, "127.0.0.1", 8);
  add_address (snapshot, 1, "::1", 128);
  add_address (snapshot, 2, "192.168.1.7", 24);
  add_address (snapshot, 2, "2001:db8:1::7", 64);
  add_address (snapshot, 2, "fe80::1", 64);
  add_route (snapshot, "0.0.0.0/0", 2, RT_TABLE_MAIN);
  add_route (snapshot, "192.168.1.0/24", 2, RT_TABLE_MAIN);
  add_route (snapshot, "::/0", 2, RT_TABLE_MAIN);
  add_route (snapshot, "2001:db8:1::/64", 2, RT_TABLE_MAIN);
  add_route (snapshot, "fe80::/64", 2, RT_TABLE_MAIN);
  for (int i = 0; i < 2; i++)
    {
      int family = i == 0 ? AF_INET : AF_INET6;

      add_rule (snapshot, family, 0, RT_TABLE_LOCAL);
      add_rule (snapshot, family, 32766, RT_TABLE_MAIN);
    }
  add_rule (snapshot, AF_INET, 32767, RT_TABLE_DEFAULT);
  return snapshot;
}
