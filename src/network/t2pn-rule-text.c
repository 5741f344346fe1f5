/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-snapshot.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>

T2pnRule
t2pn_rule_make (int family, guint32 priority)
{
  T2pnRule rule;

  memset (&rule, 0, sizeof rule);
  rule.family = family;
  rule.priority = priority;
  rule.action = FR_ACT_TO_TBL;
  rule.protocol = T2PN_PROTOCOL;
  rule.suppress_prefix_length = -1;
  return rule;
}

static gboolean
selectors_equal (const T2pnRule *a, const T2pnRule *b)
{
  return a->is_inverted == b->is_inverted && t2p_ip_prefix_equal (&a->source, &b->source) &&
         t2p_ip_prefix_equal (&a->destination, &b->destination) &&
         strcmp (a->input, b->input) == 0 && strcmp (a->output, b->output) == 0 &&
         a->mark == b->mark && a->mask == b->mask && a->has_uid_range == b->has_uid_range &&
         a->uid_first == b->uid_first && a->uid_last == b->uid_last &&
         a->ip_protocol == b->ip_protocol && a->source_port_first == b->source_port_first &&
         a->source_port_last == b->source_port_last &&
         a->destination_port_first == b->destination_port_first &&
         a->destination_port_last == b->destination_port_last;
}

gboolean
t2pn_rule_equal (const T2pnRule *a, const T2pnRule *b)
{
  return a->family == b->family && a->priority == b->priority && a->action == b->action &&
         a->protocol == b->protocol && a->table == b->table &&
         a->suppress_prefix_length == b->suppress_prefix_length && selectors_equal (a, b);
}

gboolean
t2pn_route_equal (const T2pnRoute *a, const T2pnRoute *b)
{
  return t2p_ip_prefix_equal (&a->destination, &b->destination) && a->table == b->table &&
         a->type == b->type && a->protocol == b->protocol && a->metric == b->metric &&
         a->ifindex == b->ifindex && t2p_ip_address_equal (&a->gateway, &b->gateway);
}

static void
append_table (GString *text, guint32 table)
{
  if (table == RT_TABLE_MAIN)
    g_string_append (text, "main");
  else if (table == RT_TABLE_LOCAL)
    g_string_append (text, "local");
  else if (table == RT_TABLE_DEFAULT)
    g_string_append (text, "default");
  else
    g_string_append_printf (text, "%u", table);
}

static void
append_prefix (GString *text, const char *word, const T2pIpPrefix *prefix)
{
  char formatted[T2P_PREFIX_STRLEN];

  t2p_ip_prefix_format (prefix, formatted);
  g_string_append_printf (text, " %s %s", word, formatted);
}

static void
append_ports (GString *text, const char *word, guint16 first, guint16 last)
{
  if (first == 0)
    return;
  g_string_append_printf (text, " %s %u", word, first);
  if (last > first)
    g_string_append_printf (text, "-%u", last);
}

static void
append_mark (GString *text, const T2pnRule *rule)
{
  if (rule->mark == 0 && rule->mask == 0)
    return;
  g_string_append_printf (text, " fwmark 0x%x", rule->mark);
  if (rule->mask != G_MAXUINT32)
    g_string_append_printf (text, "/0x%x", rule->mask);
}

static void
append_selectors (GString *text, const T2pnRule *rule)
{
  if (rule->source.address.family != 0)
    append_prefix (text, "from", &rule->source);
  if (rule->destination.address.family != 0)
    append_prefix (text, "to", &rule->destination);
  append_mark (text, rule);
  if (rule->input[0] != '\0')
    g_string_append_printf (text, " iif %s", rule->input);
  if (rule->output[0] != '\0')
    g_string_append_printf (text, " oif %s", rule->output);
  if (rule->has_uid_range)
    g_string_append_printf (text, " uidrange %u-%u", rule->uid_first, rule->uid_last);
  if (rule->ip_protocol == IPPROTO_TCP || rule->ip_protocol == IPPROTO_UDP)
    g_string_append (text, rule->ip_protocol == IPPROTO_TCP ? " ipproto tcp" : " ipproto udp");
  else if (rule->ip_protocol != 0)
    g_string_append_printf (text, " ipproto %u", rule->ip_protocol);
  append_ports (text, "sport", rule->source_port_first, rule->source_port_last);
  append_ports (text, "dport", rule->destination_port_first, rule->destination_port_last);
}

static const char *
action_name (guint8 action)
{
  switch (action)
    {
    case FR_ACT_UNREACHABLE:
      return "unreachable";
    case FR_ACT_PROHIBIT:
      return "prohibit";
    case FR_ACT_BLACKHOLE:
      return "blackhole";
    case FR_ACT_NOP:
      return "nop";
    default: /* goto has a target that is of no use to us */
      return "goto";
    }
}

char *
t2pn_rule_to_text (const T2pnRule *rule)
{
  GString *text = g_string_new (rule->is_inverted ? "not priority" : "priority");

  g_string_append_printf (text, " %u", rule->priority);
  append_selectors (text, rule);
  if (rule->action == FR_ACT_TO_TBL)
    {
      g_string_append (text, " lookup ");
      append_table (text, rule->table);
    }
  else
    g_string_append_printf (text, " %s", action_name (rule->action));
  if (rule->suppress_prefix_length >= 0)
    g_string_append_printf (text, " suppress_prefixlength %d", rule->suppress_prefix_length);
  return g_string_free (text, FALSE);
}

static const char *
type_prefix (guint8 type)
{
  switch (type)
    {
    case RTN_UNICAST:
      return "";
    case RTN_LOCAL:
      return "local ";
    case RTN_BROADCAST:
      return "broadcast ";
    case RTN_MULTICAST:
      return "multicast ";
    case RTN_ANYCAST:
      return "anycast ";
    case RTN_THROW:
      return "throw ";
    case RTN_UNREACHABLE:
      return "unreachable ";
    case RTN_PROHIBIT:
      return "prohibit ";
    case RTN_BLACKHOLE:
      return "blackhole ";
    default:
      return "unknown ";
    }
}

char *
t2pn_route_to_text (const T2pnRoute *route, const char *ifname)
{
  GString *text = g_string_new (type_prefix (route->type));
  char formatted[T2P_PREFIX_STRLEN];

  t2p_ip_prefix_format (&route->destination, formatted);
  g_string_append (text, route->destination.length == 0 ? "default" : formatted);
  if (route->gateway.family != 0)
    {
      t2p_ip_address_format (&route->gateway, formatted);
      g_string_append_printf (text, " via %s", formatted);
    }
  if (route->ifindex != 0 && ifname != NULL)
    g_string_append_printf (text, " dev %s", ifname);
  g_string_append (text, " table ");
  append_table (text, route->table);
  if (route->metric != 0)
    g_string_append_printf (text, " metric %u", route->metric);
  return g_string_free (text, FALSE);
}
