/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * In a namespace that its owner has made for this there is nothing to be careful of: a default
 * capture is a default route. Our upstream sockets are elsewhere, so nothing can loop. Every
 * route leads to the device and goes with it, so that nothing is left when it ends, whoever
 * dies; that is why a family that the proxy lacks goes there, too, where the worker refuses it
 * at once. */
#include "config.h"

#include "t2pn-netns-plan.h"

#include <linux/rtnetlink.h>
#include <string.h>

static void
append_route (T2pnRoutePlan *plan, const T2pIpPrefix *destination, int family)
{
  T2pnRoute route;

  if (destination->address.family != family)
    return;
  for (guint i = 0; i < plan->routes->len; i++)
    if (t2p_ip_prefix_equal (&g_array_index (plan->routes, T2pnRoute, i).destination,
                             destination))
      return;
  memset (&route, 0, sizeof route);
  route.destination = *destination;
  route.table = RT_TABLE_MAIN;
  route.type = RTN_UNICAST;
  route.protocol = T2PN_PROTOCOL;
  route.scope = family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  route.ifindex = plan->ifindex;
  g_array_append_val (plan->routes, route);
}

static void
append_address (T2pnRoutePlan *plan, const T2pIpAddress *own, guint8 length)
{
  T2pnAddress address;

  memset (&address, 0, sizeof address);
  address.ifindex = plan->ifindex;
  address.address = *own;
  address.length = length;
  g_array_append_val (plan->addresses, address);
}

static void
append_names (T2pnRoutePlan *plan, const T2pnRoutePlanInput *input, int family)
{
  const T2pnAddressPool *pool = &input->pool;
  const T2pIpAddress *responder = family == AF_INET ? &pool->responder4 : &pool->responder6;
  T2pIpPrefix of_responder = t2p_ip_prefix_of (responder, t2p_ip_address_bits (responder));

  if (t2p_settings_get_dns (input->settings) == T2P_DNS_MODE_OFF)
    return;
  if (family == AF_INET ? pool->is_explicit4 : pool->is_explicit6)
    append_route (plan, &of_responder, family);
  if (t2p_settings_get_dns (input->settings) == T2P_DNS_MODE_VIRTUAL)
    append_route (plan, family == AF_INET ? &pool->pool4 : &pool->pool6, family);
}

static void
append_captured (T2pnRoutePlan *plan, const T2pnRoutePlanInput *input, int family)
{
  const guint8 zero[16] = { 0 };
  T2pIpPrefix all;
  guint n = 0;
  const T2pIpPrefix *routes = t2p_settings_get_prefixes (input->settings, "routes", &n);

  switch (t2p_settings_get_capture (input->settings))
    {
    case T2P_CAPTURE_NONE:
      break;
    case T2P_CAPTURE_ROUTES:
      for (guint i = 0; i < n; i++)
        append_route (plan, &routes[i], family);
      break;
    case T2P_CAPTURE_DEFAULT:
      memset (&all, 0, sizeof all);
      all.address = t2p_ip_address_from_bytes (family, zero);
      append_route (plan, &all, family);
      break;
    }
}

static void
append_family (T2pnRoutePlan *plan, const T2pnRoutePlanInput *input, int family)
{
  const T2pnAddressPool *pool = &input->pool;

  if (family == AF_INET)
    append_address (plan, &pool->address4, pool->link_length4);
  else
    append_address (plan, &pool->address6, pool->link_length6);
  append_names (plan, input, family);
  append_captured (plan, input, family);
}

T2pnRoutePlan *
t2pn_netns_plan_new (const T2pnRoutePlanInput *input, const T2pnSnapshot *snapshot)
{
  T2pnRoutePlan *plan = g_new0 (T2pnRoutePlan, 1);

  plan->ifindex = input->ifindex;
  plan->mtu = t2p_settings_get_u32 (input->settings, "mtu");
  g_strlcpy (plan->ifname, input->ifname, sizeof plan->ifname);
  plan->addresses = g_array_new (FALSE, TRUE, sizeof (T2pnAddress));
  plan->bypass_routes = g_array_new (FALSE, TRUE, sizeof (T2pnRoute));
  plan->bypass_rules = g_array_new (FALSE, TRUE, sizeof (T2pnRule));
  plan->routes = g_array_new (FALSE, TRUE, sizeof (T2pnRoute));
  plan->capture_rules = g_array_new (FALSE, TRUE, sizeof (T2pnRule));
  append_family (plan, input, AF_INET);
  if (snapshot->has_ipv6 && snapshot->links_get_ipv6 &&
      t2p_settings_get_ipv6 (input->settings) != T2P_IPV6_MODE_LEAVE)
    append_family (plan, input, AF_INET6);
  return plan;
}
