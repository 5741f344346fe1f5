/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions to name servers on the link, when the tunnel answers every name: main would let
 * them out. The machine's own resolver goes by what it was told about each link, other links'
 * servers for their domains among it; the tunnel would not know those. What it asks goes where
 * main leads, its default route and what table X overrides excepted. */
#include "config.h"

#include "t2pn-route-methods.h"
#include "t2pn-route-rules-private.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

#define MAX_FORWARDING_LINKS 32

static const guint16 ports[] = { 53, 853 }; /* DNS; DNS over TLS and QUIC */
static const guint8 protocols[] = { IPPROTO_UDP, IPPROTO_TCP };

static gboolean
is_wanted (const T2pnRuleBuilder *builder)
{
  const T2pSettings *settings = builder->input->settings;

  return t2p_settings_get_dns (settings) != T2P_DNS_MODE_OFF &&
         g_strv_contains (t2p_settings_get_strv (settings, "dns-domains"), ".");
}

static void
append_resolver (const T2pnRuleBuilder *builder)
{
  T2pnRule rule = t2pn_rule_builder_make (builder, T2PN_SLOT_RESOLVER);
  guint32 uid = builder->input->resolver_uid;

  if (uid == 0 || builder->input->ids.app_mark != 0 ||
      !t2pn_rule_builder_is_captured (builder, uid))
    return;
  rule.has_uid_range = TRUE;
  rule.uid_first = uid;
  rule.uid_last = uid;
  rule.table = RT_TABLE_MAIN;
  rule.suppress_prefix_length = 0;
  g_array_append_val (builder->plan->bypass_rules, rule);
}

static void
select_question (T2pnRule *rule, guint index)
{
  rule->ip_protocol = protocols[index % G_N_ELEMENTS (protocols)];
  rule->destination_port_first = ports[index / G_N_ELEMENTS (protocols)];
  rule->destination_port_last = rule->destination_port_first;
}

static void
append_questions (const T2pnRuleBuilder *builder)
{
  for (guint i = 0; i < G_N_ELEMENTS (ports) * G_N_ELEMENTS (protocols); i++)
    {
      T2pnRule rule = t2pn_rule_builder_make (builder, T2PN_SLOT_DNS);

      rule.table = builder->input->ids.table;
      select_question (&rule, i);
      t2pn_rule_builder_append_unbound (builder, &rule);
    }
}

/* --- forwarded ones */

static gboolean
has_default (const T2pnRuleBuilder *builder, int ifindex)
{
  for (guint i = 0; i < builder->snapshot->routes->len; i++)
    {
      const T2pnRoute *route = &g_array_index (builder->snapshot->routes, T2pnRoute, i);

      if (route->ifindex == ifindex && route->destination.length == 0 &&
          route->table == RT_TABLE_MAIN && route->type == RTN_UNICAST)
        return TRUE;
    }
  return FALSE;
}

static gboolean
has_address (const T2pnRuleBuilder *builder, int ifindex)
{
  for (guint i = 0; i < builder->snapshot->addresses->len; i++)
    {
      const T2pnAddress *address =
          &g_array_index (builder->snapshot->addresses, T2pnAddress, i);

      if (address->ifindex == ifindex && address->address.family == builder->family)
        return TRUE;
    }
  return FALSE;
}

/* From containers and the like, not from the Internet to a name server behind this machine. */
static gboolean
is_inner_link (const T2pnRuleBuilder *builder, const T2pnLink *link)
{
  return g_strcmp0 (link->name, "lo") != 0 &&
         !t2pn_route_methods_is_own_link (builder->input, link->ifindex) &&
         has_address (builder, link->ifindex) && !has_default (builder, link->ifindex);
}

static void
append_of_link (const T2pnRuleBuilder *builder, const T2pnLink *link)
{
  for (guint i = 0; i < G_N_ELEMENTS (ports) * G_N_ELEMENTS (protocols); i++)
    {
      T2pnRule rule = t2pn_rule_builder_make (builder, T2PN_SLOT_DNS);

      g_strlcpy (rule.input, link->name, sizeof rule.input);
      rule.table = builder->input->ids.table;
      select_question (&rule, i);
      g_array_append_val (builder->plan->capture_rules, rule);
    }
}

static void
append_forwarded (const T2pnRuleBuilder *builder)
{
  guint n = 0;

  for (guint i = 0; i < builder->snapshot->links->len && n < MAX_FORWARDING_LINKS; i++)
    {
      const T2pnLink *link = &g_array_index (builder->snapshot->links, T2pnLink, i);

      if (!is_inner_link (builder, link))
        continue;
      append_of_link (builder, link);
      n++;
    }
}

void
t2pn_route_dns_append (const T2pnRuleBuilder *builder)
{
  if (!is_wanted (builder))
    return;
  append_resolver (builder);
  append_questions (builder);
  if (t2p_settings_get_bool (builder->input->settings, "forwarded"))
    append_forwarded (builder);
}
