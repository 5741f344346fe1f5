/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-netlink-message.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>

#ifndef FRA_MAX
#error "linux/fib_rules.h is too old"
#endif

static gsize
address_bytes (int family)
{
  return family == AF_INET ? 4 : 16;
}

static gboolean
is_ip (int family)
{
  return family == AF_INET || family == AF_INET6;
}

/* The kernel's attributes are no more trusted to have the right length than anybody's. */
static gboolean
get_address (struct nlattr *attribute, int family, T2pIpAddress *out_address)
{
  if (attribute == NULL || (gsize) nla_len (attribute) != address_bytes (family))
    return FALSE;
  *out_address = t2p_ip_address_from_bytes (family, nla_data (attribute));
  return TRUE;
}

static guint32
get_u32 (struct nlattr *attribute, guint32 fallback)
{
  if (attribute == NULL || nla_len (attribute) < (int) sizeof (guint32))
    return fallback;
  return nla_get_u32 (attribute);
}

static void
get_prefix (struct nlattr *attribute, int family, guint8 length, T2pIpPrefix *out_prefix)
{
  T2pIpAddress address;

  if (!get_address (attribute, family, &address))
    return;
  *out_prefix = t2p_ip_prefix_of (&address, MIN (length, t2p_ip_address_bits (&address)));
}

static void
get_name (struct nlattr *attribute, char out_name[IFNAMSIZ])
{
  if (attribute != NULL)
    nla_strlcpy (out_name, attribute, IFNAMSIZ);
}

gboolean
t2pn_netlink_parse_link (struct nlmsghdr *header, T2pnLink *out_link)
{
  struct nlattr *attributes[IFLA_MAX + 1];
  const struct ifinfomsg *info;

  if (!nlmsg_valid_hdr (header, sizeof *info) ||
      nlmsg_parse (header, sizeof *info, attributes, IFLA_MAX, NULL) < 0)
    return FALSE;
  info = nlmsg_data (header);
  /* A link that leaves a bridge is announced as deleted, with AF_BRIDGE. */
  if (info->ifi_family != AF_UNSPEC)
    return FALSE;
  memset (out_link, 0, sizeof *out_link);
  out_link->ifindex = info->ifi_index;
  out_link->flags = info->ifi_flags;
  out_link->mtu = get_u32 (attributes[IFLA_MTU], 0);
  get_name (attributes[IFLA_IFNAME], out_link->name);
  return TRUE;
}

gboolean
t2pn_netlink_parse_address (struct nlmsghdr *header, T2pnAddress *out_address)
{
  struct nlattr *attributes[IFA_MAX + 1];
  struct nlattr *own;
  const struct ifaddrmsg *info;
  guint32 flags;

  if (!nlmsg_valid_hdr (header, sizeof *info) ||
      nlmsg_parse (header, sizeof *info, attributes, IFA_MAX, NULL) < 0)
    return FALSE;
  info = nlmsg_data (header);
  /* On a point-to-point link IFA_ADDRESS is the peer, and IFA_LOCAL is ours. */
  own = attributes[IFA_LOCAL] != NULL ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
  memset (out_address, 0, sizeof *out_address);
  if (!is_ip (info->ifa_family) || !get_address (own, info->ifa_family, &out_address->address))
    return FALSE;
  flags = get_u32 (attributes[IFA_FLAGS], info->ifa_flags);
  out_address->ifindex = info->ifa_index;
  out_address->length = info->ifa_prefixlen;
  out_address->without_prefix_route = (flags & IFA_F_NOPREFIXROUTE) != 0;
  return TRUE;
}

static void
get_first_hop (struct nlattr *multipath, int family, T2pnRoute *route)
{
  struct nlattr *attributes[RTA_MAX + 1];
  struct rtnexthop *hop = nla_data (multipath);
  int length = nla_len (multipath);

  if (length < (int) sizeof *hop || hop->rtnh_len < sizeof *hop || hop->rtnh_len > length)
    return;
  route->ifindex = hop->rtnh_ifindex;
  if (nla_parse (attributes, RTA_MAX,
                 (struct nlattr *) (void *) ((guint8 *) hop + RTNH_LENGTH (0)),
                 hop->rtnh_len - (int) sizeof *hop, NULL) == 0)
    get_address (attributes[RTA_GATEWAY], family, &route->gateway);
}

static gboolean
parse_route (struct nlmsghdr *header, T2pnRoute *out_route)
{
  struct nlattr *attributes[RTA_MAX + 1];
  const struct rtmsg *info;
  const guint8 zero[16] = { 0 };

  if (!nlmsg_valid_hdr (header, sizeof *info) ||
      nlmsg_parse (header, sizeof *info, attributes, RTA_MAX, NULL) < 0)
    return FALSE;
  info = nlmsg_data (header);
  if (!is_ip (info->rtm_family))
    return FALSE;
  memset (out_route, 0, sizeof *out_route);
  out_route->destination.address = t2p_ip_address_from_bytes (info->rtm_family, zero);
  get_prefix (attributes[RTA_DST], info->rtm_family, info->rtm_dst_len,
              &out_route->destination);
  out_route->table = get_u32 (attributes[RTA_TABLE], info->rtm_table);
  out_route->type = info->rtm_type;
  out_route->protocol = info->rtm_protocol;
  out_route->scope = info->rtm_scope;
  out_route->metric = get_u32 (attributes[RTA_PRIORITY], 0);
  out_route->ifindex = (int) get_u32 (attributes[RTA_OIF], 0);
  get_address (attributes[RTA_GATEWAY], info->rtm_family, &out_route->gateway);
  if (attributes[RTA_MULTIPATH] != NULL)
    get_first_hop (attributes[RTA_MULTIPATH], info->rtm_family, out_route);
  return TRUE;
}

gboolean
t2pn_netlink_parse_route (struct nlmsghdr *header, T2pnRoute *out_route)
{
  const struct rtmsg *info = nlmsg_data (header);

  return nlmsg_valid_hdr (header, sizeof *info) && (info->rtm_flags & RTM_F_CLONED) == 0 &&
         parse_route (header, out_route);
}

static void
get_ports (struct nlattr *attribute, guint16 *out_first, guint16 *out_last)
{
  struct fib_rule_port_range range;

  if (attribute == NULL || nla_len (attribute) < (int) sizeof range)
    return;
  memcpy (&range, nla_data (attribute), sizeof range);
  *out_first = range.start;
  *out_last = range.end;
}

static void
get_rule_selectors (struct nlattr **attributes, T2pnRule *rule)
{
  struct fib_rule_uid_range uids;

  rule->mark = get_u32 (attributes[FRA_FWMARK], 0);
  rule->mask = get_u32 (attributes[FRA_FWMASK], 0);
  get_name (attributes[FRA_IIFNAME], rule->input);
  get_name (attributes[FRA_OIFNAME], rule->output);
  if (attributes[FRA_UID_RANGE] != NULL &&
      nla_len (attributes[FRA_UID_RANGE]) >= (int) sizeof uids)
    {
      memcpy (&uids, nla_data (attributes[FRA_UID_RANGE]), sizeof uids);
      rule->has_uid_range = TRUE;
      rule->uid_first = uids.start;
      rule->uid_last = uids.end;
    }
  if (attributes[FRA_IP_PROTO] != NULL && nla_len (attributes[FRA_IP_PROTO]) >= 1)
    rule->ip_protocol = nla_get_u8 (attributes[FRA_IP_PROTO]);
  get_ports (attributes[FRA_SPORT_RANGE], &rule->source_port_first, &rule->source_port_last);
  get_ports (attributes[FRA_DPORT_RANGE], &rule->destination_port_first,
             &rule->destination_port_last);
}

gboolean
t2pn_netlink_parse_rule (struct nlmsghdr *header, T2pnRule *out_rule)
{
  struct nlattr *attributes[FRA_MAX + 1];
  const struct fib_rule_hdr *info;

  if (!nlmsg_valid_hdr (header, sizeof *info) ||
      nlmsg_parse (header, sizeof *info, attributes, FRA_MAX, NULL) < 0)
    return FALSE;
  info = nlmsg_data (header);
  if (!is_ip (info->family))
    return FALSE;
  *out_rule = t2pn_rule_make (info->family, get_u32 (attributes[FRA_PRIORITY], 0));
  out_rule->action = info->action;
  out_rule->is_inverted = (info->flags & FIB_RULE_INVERT) != 0;
  out_rule->table = get_u32 (attributes[FRA_TABLE], info->table);
  out_rule->protocol = 0;
  if (attributes[FRA_PROTOCOL] != NULL && nla_len (attributes[FRA_PROTOCOL]) >= 1)
    out_rule->protocol = nla_get_u8 (attributes[FRA_PROTOCOL]);
  out_rule->suppress_prefix_length =
      (int) get_u32 (attributes[FRA_SUPPRESS_PREFIXLEN], G_MAXUINT32);
  get_prefix (attributes[FRA_SRC], info->family, info->src_len, &out_rule->source);
  get_prefix (attributes[FRA_DST], info->family, info->dst_len, &out_rule->destination);
  get_rule_selectors (attributes, out_rule);
  return TRUE;
}

static struct nl_msg *
start_message (int type, int flags, const void *header, size_t header_bytes)
{
  struct nl_msg *message = nlmsg_alloc_simple (type, flags);

  if (message == NULL ||
      nlmsg_append (message, (void *) header, header_bytes, NLMSG_ALIGNTO) < 0)
    g_error ("out of memory"); /* lint: as every allocation of GLib would */
  return message;
}

static void
put (struct nl_msg *message, int attribute, const void *data, gsize length)
{
  if (nla_put (message, attribute, (int) length, data) < 0)
    g_error ("out of memory"); /* lint: as every allocation of GLib would */
}

static void
put_u32 (struct nl_msg *message, int attribute, guint32 value)
{
  put (message, attribute, &value, sizeof value);
}

static void
put_u8 (struct nl_msg *message, int attribute, guint8 value)
{
  put (message, attribute, &value, sizeof value);
}

static void
put_address (struct nl_msg *message, int attribute, const T2pIpAddress *address)
{
  put (message, attribute, address->bytes, address_bytes (address->family));
}

struct nl_msg *
t2pn_netlink_build_address (const T2pnAddress *address, int type, int flags)
{
  struct ifaddrmsg info = {
    .ifa_family = address->address.family,
    .ifa_prefixlen = address->length,
    .ifa_index = (guint32) address->ifindex,
  };
  struct nl_msg *message = start_message (type, flags, &info, sizeof info);
  guint32 address_flags = address->without_prefix_route ? IFA_F_NOPREFIXROUTE : 0;

  if (address->address.family == AF_INET6)
    address_flags |= IFA_F_NODAD; /* nobody else is on this link */
  put_address (message, IFA_LOCAL, &address->address);
  put_address (message, IFA_ADDRESS, &address->address);
  put_u32 (message, IFA_FLAGS, address_flags);
  return message;
}

struct nl_msg *
t2pn_netlink_build_route (const T2pnRoute *route, int type, int flags)
{
  struct rtmsg info = {
    .rtm_family = route->destination.address.family,
    .rtm_dst_len = route->destination.length,
    .rtm_table = route->table < 256 ? route->table : RT_TABLE_UNSPEC,
    .rtm_protocol = route->protocol,
    .rtm_scope = route->scope,
    .rtm_type = route->type,
  };
  struct nl_msg *message = start_message (type, flags, &info, sizeof info);

  if (route->destination.length > 0)
    put_address (message, RTA_DST, &route->destination.address);
  put_u32 (message, RTA_TABLE, route->table);
  if (route->ifindex != 0)
    put_u32 (message, RTA_OIF, (guint32) route->ifindex);
  if (route->gateway.family != 0)
    put_address (message, RTA_GATEWAY, &route->gateway);
  if (route->metric != 0)
    put_u32 (message, RTA_PRIORITY, route->metric);
  return message;
}

static void
put_ports (struct nl_msg *message, int attribute, guint16 first, guint16 last)
{
  struct fib_rule_port_range range = { first, last };

  if (first != 0)
    put (message, attribute, &range, sizeof range);
}

static void
put_rule_selectors (struct nl_msg *message, const T2pnRule *rule)
{
  struct fib_rule_uid_range uids = { rule->uid_first, rule->uid_last };

  if (rule->source.address.family != 0)
    put_address (message, FRA_SRC, &rule->source.address);
  if (rule->destination.address.family != 0)
    put_address (message, FRA_DST, &rule->destination.address);
  if (rule->input[0] != '\0')
    put (message, FRA_IIFNAME, rule->input, strlen (rule->input) + 1);
  if (rule->output[0] != '\0')
    put (message, FRA_OIFNAME, rule->output, strlen (rule->output) + 1);
  if (rule->mark != 0 || rule->mask != 0)
    {
      put_u32 (message, FRA_FWMARK, rule->mark);
      put_u32 (message, FRA_FWMASK, rule->mask);
    }
  if (rule->has_uid_range)
    put (message, FRA_UID_RANGE, &uids, sizeof uids);
  if (rule->ip_protocol != 0)
    put_u8 (message, FRA_IP_PROTO, rule->ip_protocol);
  put_ports (message, FRA_SPORT_RANGE, rule->source_port_first, rule->source_port_last);
  put_ports (message, FRA_DPORT_RANGE, rule->destination_port_first,
             rule->destination_port_last);
}

struct nl_msg *
t2pn_netlink_build_rule (const T2pnRule *rule, int type, int flags)
{
  struct fib_rule_hdr info = {
    .family = rule->family,
    .src_len = rule->source.length,
    .dst_len = rule->destination.length,
    .table = rule->table < 256 ? rule->table : RT_TABLE_UNSPEC,
    .action = rule->action,
    .flags = rule->is_inverted ? FIB_RULE_INVERT : 0,
  };
  struct nl_msg *message = start_message (type, flags, &info, sizeof info);

  put_u32 (message, FRA_PRIORITY, rule->priority);
  put_u8 (message, FRA_PROTOCOL, rule->protocol);
  if (rule->table != 0)
    put_u32 (message, FRA_TABLE, rule->table);
  if (rule->suppress_prefix_length >= 0)
    put_u32 (message, FRA_SUPPRESS_PREFIXLEN, (guint32) rule->suppress_prefix_length);
  put_rule_selectors (message, rule);
  return message;
}

struct nl_msg *
t2pn_netlink_build_question (const T2pnFlow *flow)
{
  struct rtmsg info = {
    .rtm_family = flow->destination.family,
    .rtm_dst_len = (unsigned char) t2p_ip_address_bits (&flow->destination),
    .rtm_flags = RTM_F_LOOKUP_TABLE,
  };
  struct nl_msg *message;
  guint16 port = GUINT16_TO_BE (flow->port);

  if (flow->source.family != 0)
    info.rtm_src_len = (unsigned char) t2p_ip_address_bits (&flow->source);
  message = start_message (RTM_GETROUTE, 0, &info, sizeof info);
  put_address (message, RTA_DST, &flow->destination);
  if (flow->source.family != 0)
    put_address (message, RTA_SRC, &flow->source);
  put_u32 (message, RTA_UID, flow->uid);
  put_u32 (message, RTA_MARK, flow->mark);
  put_u8 (message, RTA_IP_PROTO, flow->protocol);
  if (port != 0)
    put (message, RTA_DPORT, &port, sizeof port);
  return message;
}

gboolean
t2pn_netlink_parse_answer (struct nlmsghdr *header,
                           T2pnRoute *out_route,
                           T2pIpAddress *out_source)
{
  struct nlattr *attributes[RTA_MAX + 1];
  T2pnRoute route;

  if (header->nlmsg_type != RTM_NEWROUTE || !parse_route (header, &route) ||
      nlmsg_parse (header, sizeof (struct rtmsg), attributes, RTA_MAX, NULL) < 0)
    return FALSE;
  *out_route = route;
  get_address (attributes[RTA_PREFSRC], route.destination.address.family, out_source);
  return TRUE;
}
