/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sockets that answer by the uplink, whatever the tunnel captures: in IPv6 those that are bound
 * to an address of the uplink, in both families servers for datagrams that are bound to none.
 */
#include "config.h"

#include "t2pn-route-methods.h"
#include "t2pn-route-rules-private.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

/* A machine with more has no use for the rest, and our rules would double its list. */
#define MAX_UPLINK_ADDRESSES 512
#define MAX_UDP_SERVERS 64 /* those with the lowest ports */
#define LAST_WELL_KNOWN_PORT 1023

static gboolean
is_uplink_address (const T2pnRuleBuilder *builder, const T2pnAddress *address)
{
  return address->address.family == builder->family &&
         !t2p_ip_address_is_loopback (&address->address) &&
         !t2p_ip_address_is_link_local (&address->address) &&
         !t2pn_route_methods_is_own_link (builder->input, address->ifindex);
}

/* A socket that connects has no source port yet when it is routed, or one of the upper range.
 */
static void
select_tcp_servers (T2pnRule *rule)
{
  rule->ip_protocol = IPPROTO_TCP;
  rule->source_port_first = 1;
  rule->source_port_last = LAST_WELL_KNOWN_PORT;
}

static void
append_from_uplinks (const T2pnRuleBuilder *builder, T2pnRuleSlot slot)
{
  guint n = 0;

  for (guint i = 0; i < builder->snapshot->addresses->len && n < MAX_UPLINK_ADDRESSES; i++)
    {
      const T2pnAddress *address =
          &g_array_index (builder->snapshot->addresses, T2pnAddress, i);
      T2pnRule rule = t2pn_rule_builder_make (builder, slot);

      if (!is_uplink_address (builder, address))
        continue;
      rule.source.address = address->address;
      rule.source.length = 128;
      if (builder->flags & T2PN_RULES_REJECTED)
        select_tcp_servers (&rule);
      if (slot == T2PN_SLOT_ANSWER_END)
        rule.action = FR_ACT_UNREACHABLE;
      else
        rule.table = RT_TABLE_MAIN;
      t2pn_rule_builder_append_for_users (builder, builder->plan->bypass_rules, &rule);
      n++;
    }
}

/* For its owner alone: nobody else's packets go past the tunnel for it. */
static void
append_udp_server (const T2pnRuleBuilder *builder, const T2pnUdpServer *server)
{
  T2pnRule rule = t2pn_rule_builder_make (builder, T2PN_SLOT_ANSWERS);

  g_strlcpy (rule.input, "lo", sizeof rule.input);
  rule.ip_protocol = IPPROTO_UDP;
  rule.source_port_first = server->port;
  rule.source_port_last = server->port;
  rule.has_uid_range = TRUE;
  rule.uid_first = server->uid;
  rule.uid_last = server->uid;
  rule.table = RT_TABLE_MAIN;
  g_array_append_val (builder->plan->bypass_rules, rule);
}

static void
append_udp_servers (const T2pnRuleBuilder *builder)
{
  const GArray *servers = builder->snapshot->udp_servers;
  guint n = 0;

  for (guint i = 0; i < servers->len && n < MAX_UDP_SERVERS; i++)
    {
      const T2pnUdpServer *server = &g_array_index (servers, T2pnUdpServer, i);

      if (server->family != builder->family ||
          !t2pn_rule_builder_is_captured (builder, server->uid))
        continue;
      append_udp_server (builder, server);
      n++;
    }
}

void
t2pn_route_answers_append (const T2pnRuleBuilder *builder)
{
  append_udp_servers (builder);
  if (builder->family == AF_INET6)
    append_from_uplinks (builder, T2PN_SLOT_ANSWERS);
}

void
t2pn_route_answers_append_end (const T2pnRuleBuilder *builder)
{
  if (builder->family == AF_INET6)
    append_from_uplinks (builder, T2PN_SLOT_ANSWER_END);
}
