/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * With `lan=connected` main is asked before table T, without its default route. Whoever answers
 * DHCP or sends router advertisements can put routes into main that are as good as a default
 * route: 0.0.0.0/1, or just the prefix that he is after (TunnelVision, CVE-2024-3661). What
 * came so is told by its protocol and, where programs do not set one (dhclient), by its shape:
 *
 * - A route by a gateway, when its protocol is dhcp or ra. When that is unset or "boot": a
 * route by an uplink, unless it leads to one host, which other VPNs make for their server.
 * - A route without a gateway: the same, unless it is the prefix of an address of its link.
 * - The prefix of an address, when it is wider than any network really is: a netmask, too,
 * comes by DHCP.
 *
 * Never private or link-local destinations, nor what `exclude-routes` names. Table X repeats
 * those routes into the tunnel and is asked ahead of main. Where one of them covers what main
 * leads out of the tunnel rightly (the LAN itself lies in 0.0.0.0/1), X has a `throw`. */
#include "config.h"

#include "t2pn-route-override.h"

#include <linux/rtnetlink.h>
#include <string.h>

#define MAX_OVERRIDES 512 /* with more, all that is not kept is overridden */
#define MAX_KEPT 4096     /* the rest is overridden, too */
#define SHORTEST_NETWORK4 16
#define SHORTEST_NETWORK6 64

typedef struct
{
  const T2pnRoutePlanInput *input;
  const T2pnSnapshot *snapshot;
  int family;
  GHashTable *uplinks; /* set of links with a default route in main */
  guint n_overrides;
  GArray *overrides; /* of T2pnOverride: what is overridden first, then what is kept */
} Finder;

/* Whether all of @inner is in @outer. */
static gboolean
is_within (const T2pIpPrefix *inner, const T2pIpPrefix *outer)
{
  return inner->address.family == outer->address.family && inner->length >= outer->length &&
         t2p_ip_prefix_contains (outer, &inner->address);
}

static gboolean
is_private (const T2pIpPrefix *prefix)
{
  static const char *const private[] = {
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10",
  };

  for (guint i = 0; i < G_N_ELEMENTS (private); i++)
    {
      T2pIpPrefix range;

      memset (&range, 0, sizeof range);
      if (t2p_ip_prefix_parse (private[i], &range, NULL) && is_within (prefix, &range))
        return TRUE;
    }
  return FALSE;
}

static gboolean
is_excluded (const Finder *finder, const T2pIpPrefix *prefix)
{
  guint n = 0;
  const T2pIpPrefix *excluded =
      t2p_settings_get_prefixes (finder->input->settings, "exclude-routes", &n);

  for (guint i = 0; i < n; i++)
    if (is_within (prefix, &excluded[i]))
      return TRUE;
  return FALSE;
}

/* Whether @route is what the kernel makes of an address of its link. */
static gboolean
is_prefix_of_address (const Finder *finder, const T2pnRoute *route)
{
  for (guint i = 0; i < finder->snapshot->addresses->len; i++)
    {
      const T2pnAddress *address = &g_array_index (finder->snapshot->addresses, T2pnAddress, i);

      if (address->ifindex == route->ifindex && address->length == route->destination.length &&
          t2p_ip_prefix_contains (&route->destination, &address->address))
        return TRUE;
    }
  return FALSE;
}

static gboolean
is_network_of_link (const Finder *finder, const T2pnRoute *route)
{
  guint shortest = finder->family == AF_INET ? SHORTEST_NETWORK4 : SHORTEST_NETWORK6;

  return route->gateway.family == 0 && route->destination.length >= shortest &&
         is_prefix_of_address (finder, route);
}

static gboolean
is_of_uplink (const Finder *finder, const T2pnRoute *route)
{
  return g_hash_table_contains (finder->uplinks, GINT_TO_POINTER (route->ifindex));
}

/* Whether DHCP or a router may have made it. */
static gboolean
may_be_told (const Finder *finder, const T2pnRoute *route)
{
  gboolean is_host =
      route->destination.length == t2p_ip_address_bits (&route->destination.address);

  switch (route->protocol)
    {
    case RTPROT_DHCP:
    case RTPROT_RA:
      return TRUE;
    case RTPROT_KERNEL: /* by an address, whose netmask was told */
      return route->gateway.family == 0 && is_of_uplink (finder, route);
    case RTPROT_UNSPEC:
    case RTPROT_BOOT:
      return !is_host && is_of_uplink (finder, route);
    default:
      return FALSE;
    }
}

static gboolean
is_of_main (const Finder *finder, const T2pnRoute *route)
{
  return route->table == RT_TABLE_MAIN && route->destination.length > 0 &&
         route->destination.address.family == finder->family;
}

static gboolean
is_overridden (const Finder *finder, const T2pnRoute *route)
{
  return is_of_main (finder, route) && route->type == RTN_UNICAST &&
         may_be_told (finder, route) && !is_private (&route->destination) &&
         !is_network_of_link (finder, route) && !is_excluded (finder, &route->destination);
}

static void
append (Finder *finder, const T2pIpPrefix *destination, gboolean is_kept)
{
  T2pnOverride override = { .is_kept = is_kept };

  override.destination = *destination;
  g_array_append_val (finder->overrides, override);
}

static void
override_everything (Finder *finder)
{
  guint8 bytes[16] = { 0 };

  g_array_set_size (finder->overrides, 0);
  for (guint i = 0; i < 2; i++)
    {
      T2pIpPrefix half;

      memset (&half, 0, sizeof half);
      bytes[0] = i == 0 ? 0 : 0x80;
      half.address = t2p_ip_address_from_bytes (finder->family, bytes);
      half.length = 1;
      append (finder, &half, FALSE);
    }
}

static void
find_overridden (Finder *finder)
{
  for (guint i = 0; i < finder->snapshot->routes->len; i++)
    {
      const T2pnRoute *route = &g_array_index (finder->snapshot->routes, T2pnRoute, i);

      if (!is_overridden (finder, route))
        continue;
      if (finder->overrides->len == MAX_OVERRIDES)
        {
          override_everything (finder);
          break;
        }
      append (finder, &route->destination, FALSE);
    }
  finder->n_overrides = finder->overrides->len;
}

/* X needs to say nothing about what it does not cover. */
static void
keep (Finder *finder, const T2pIpPrefix *destination)
{
  for (guint i = 0; i < finder->n_overrides; i++)
    if (is_within (destination,
                   &g_array_index (finder->overrides, T2pnOverride, i).destination))
      {
        if (finder->overrides->len < finder->n_overrides + MAX_KEPT)
          append (finder, destination, TRUE);
        return;
      }
}

/* What no proxy carries, and what the settings exclude. */
static void
keep_always (Finder *finder)
{
  static const char *const never_carried[] = { "224.0.0.0/4", "255.255.255.255/32" };
  guint n = 0;
  const T2pIpPrefix *excluded =
      t2p_settings_get_prefixes (finder->input->settings, "exclude-routes", &n);

  for (guint i = 0; i < G_N_ELEMENTS (never_carried); i++)
    {
      T2pIpPrefix prefix;

      memset (&prefix, 0, sizeof prefix);
      if (t2p_ip_prefix_parse (never_carried[i], &prefix, NULL))
        keep (finder, &prefix);
    }
  for (guint i = 0; i < n; i++)
    keep (finder, &excluded[i]);
}

static void
find_kept (Finder *finder)
{
  keep_always (finder);
  for (guint i = 0; i < finder->snapshot->routes->len; i++)
    {
      const T2pnRoute *route = &g_array_index (finder->snapshot->routes, T2pnRoute, i);

      if (is_of_main (finder, route) && !is_overridden (finder, route))
        keep (finder, &route->destination);
    }
}

GArray *
t2pn_route_override_list (const T2pnRoutePlanInput *input,
                          const T2pnSnapshot *snapshot,
                          int family)
{
  GArray *overrides = g_array_new (FALSE, TRUE, sizeof (T2pnOverride));
  g_autoptr (GHashTable) uplinks = t2pn_snapshot_list_uplinks (snapshot);
  Finder finder = { input, snapshot, family, uplinks, 0, overrides };

  if (t2p_settings_get_capture (input->settings) != T2P_CAPTURE_DEFAULT ||
      strcmp (t2p_settings_get_string (input->settings, "lan"), "connected") != 0)
    return overrides;
  find_overridden (&finder);
  if (finder.n_overrides > 0)
    find_kept (&finder);
  return overrides;
}
