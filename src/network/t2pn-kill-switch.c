/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * The table is a text, made here from values, so that every case can be tested without a
 * kernel. One chain looks at what this machine sends, late enough that every rewriting and
 * rerouting by others has happened; a second one at what it forwards, when that is captured.
 * What is nobody's business passes first: loopback, links of tunnels, the workers' own sockets,
 * DHCP, neighbour discovery, and answers to those who began a connection from outside. Then
 * there is one chain for each arm, which the arm's users go through: what the capture leaves
 * outside returns from it, what the capture would have taken is refused.
 *
 * So the table needs to know nothing about routes: whatever leads captured traffic out of
 * another link than a tunnel's (no rules any more, a route by DHCP, a socket bound to a device)
 * is refused. It holds without the daemon, and does not change by itself then: a LAN that is
 * new since is refused as well.
 *
 * The output's chains see the link that the kernel chose first. What others reroute afterwards,
 * by a mark or another destination, is judged by that one.
 *
 * Sockets whose program has closed them have no uid any more, but may still have data. They are
 * told by their address, which is the tunnel's.
 *
 * Packet sockets (raw frames, for which CAP_NET_RAW is needed) pass by every table. */
#include "config.h"

#include "t2pn-kill-switch.h"

#include "t2pn-nft.h"

#include <string.h>

T2pnKillSwitch *
t2pn_kill_switch_new (void)
{
  T2pnKillSwitch *self = g_new0 (T2pnKillSwitch, 1);

  self->arms = g_ptr_array_new_with_free_func ((GDestroyNotify) t2pn_kill_switch_arm_free);
  self->marks = g_array_new (FALSE, FALSE, sizeof (guint32));
  self->worker_uids = g_array_new (FALSE, FALSE, sizeof (guint32));
  self->links = g_ptr_array_new_with_free_func (g_free);
  self->servers = g_array_new (FALSE, FALSE, sizeof (guint16));
  self->check_hosts = g_array_new (FALSE, TRUE, sizeof (T2pIpAddress));
  return self;
}

void
t2pn_kill_switch_free (T2pnKillSwitch *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->arms);
  g_array_unref (self->marks);
  g_array_unref (self->worker_uids);
  g_ptr_array_unref (self->links);
  g_array_unref (self->servers);
  g_array_unref (self->check_hosts);
  g_free (self);
}

T2pnKillSwitchArm *
t2pn_kill_switch_find_arm (const T2pnKillSwitch *self, guint32 owner_uid, const char *name)
{
  for (guint i = 0; i < self->arms->len; i++)
    {
      T2pnKillSwitchArm *arm = g_ptr_array_index (self->arms, i);

      if (arm->owner_uid == owner_uid && strcmp (arm->name, name) == 0)
        return arm;
    }
  return NULL;
}

static void
add_number (GArray *numbers, guint32 number)
{
  for (guint i = 0; i < numbers->len; i++)
    if (g_array_index (numbers, guint32, i) == number)
      return;
  g_array_append_val (numbers, number);
}

void
t2pn_kill_switch_add_mark (T2pnKillSwitch *self, guint32 mark)
{
  if (mark != 0)
    add_number (self->marks, mark);
}

void
t2pn_kill_switch_add_worker_uid (T2pnKillSwitch *self, guint32 uid)
{
  if (uid != 0)
    add_number (self->worker_uids, uid);
}

/* --- the text */

static guint
count_family (const GArray *prefixes, int family)
{
  guint n = 0;

  for (guint i = 0; i < prefixes->len; i++)
    if (g_array_index (prefixes, T2pIpPrefix, i).address.family == family)
      n++;
  return n;
}

/* Sets may overlap in themselves: two links with one network. */
static void
append_set (GString *text, const char *name, guint index, const GArray *prefixes, int family)
{
  if (count_family (prefixes, family) == 0)
    return;
  g_string_append_printf (text,
                          "  set %s%c-%u {\n    type ipv%c_addr; flags interval; "
                          "auto-merge\n    elements = { ",
                          name, family == AF_INET ? '4' : '6', index,
                          family == AF_INET ? '4' : '6');
  for (guint i = 0, n = 0; i < prefixes->len; i++)
    {
      const T2pIpPrefix *prefix = &g_array_index (prefixes, T2pIpPrefix, i);
      char formatted[T2P_PREFIX_STRLEN];

      if (prefix->address.family != family)
        continue;
      t2p_ip_prefix_format (prefix, formatted);
      g_string_append_printf (text, "%s%s", n++ > 0 ? ", " : "", formatted);
    }
  g_string_append (text, " }\n  }\n");
}

static void
append_sets (GString *text, const T2pnKillSwitchArm *arm, guint index)
{
  const int families[] = { AF_INET, AF_INET6 };

  for (guint i = 0; i < G_N_ELEMENTS (families); i++)
    {
      append_set (text, "own", index, arm->own, families[i]);
      append_set (text, "excluded", index, arm->excluded, families[i]);
      append_set (text, "lan", index, arm->lan, families[i]);
      append_set (text, "captured", index, arm->captured, families[i]);
    }
}

static void
append_match (GString *text,
              const char *direction,
              const char *name,
              guint index,
              const GArray *prefixes,
              const char *verdict)
{
  if (count_family (prefixes, AF_INET) > 0)
    g_string_append_printf (text, "    ip %s @%s4-%u %s\n", direction, name, index, verdict);
  if (count_family (prefixes, AF_INET6) > 0)
    g_string_append_printf (text, "    ip6 %s @%s6-%u %s\n", direction, name, index, verdict);
}

static void
append_arm (GString *text, const T2pnKillSwitchArm *arm, guint index)
{
  g_string_append_printf (text, "  chain arm-%u {\n", index);
  append_match (text, "daddr", "excluded", index, arm->excluded, "return");
  if (arm->guards_dns)
    g_string_append (text, "    meta l4proto { tcp, udp } th dport { 53, 853 } goto refuse\n");
  append_match (text, "daddr", "lan", index, arm->lan, "return");
  append_match (text, "daddr", "captured", index, arm->captured, "goto refuse");
  if (arm->captures_all)
    g_string_append (text, "    meta nfproto ipv4 goto refuse\n");
  if (arm->captures_all && arm->captures_ipv6)
    g_string_append (text, "    meta nfproto ipv6 goto refuse\n");
  g_string_append (text, "  }\n");
}

static void
append_numbers (GString *text, const char *match, const GArray *numbers)
{
  if (numbers->len == 0)
    return;
  g_string_append_printf (text, "    %s { ", match);
  for (guint i = 0; i < numbers->len; i++)
    g_string_append_printf (text, "%s%u", i > 0 ? ", " : "",
                            g_array_index (numbers, guint32, i));
  g_string_append (text, " } accept\n");
}

static void
append_links (GString *text, const T2pnKillSwitch *self)
{
  g_string_append (text, "    oifname { \"lo\"");
  for (guint i = 0; i < self->links->len; i++)
    g_string_append_printf (text, ", \"%s\"", (const char *) self->links->pdata[i]);
  for (guint i = 0; i < self->arms->len; i++)
    {
      const T2pnKillSwitchArm *arm = g_ptr_array_index (self->arms, i);

      if (!g_ptr_array_find_with_equal_func (self->links, arm->ifname, g_str_equal, NULL))
        g_string_append_printf (text, ", \"%s\"", arm->ifname);
    }
  g_string_append (text, " } accept\n");
}

/* What the network itself needs, in both families. */
static void
append_network (GString *text)
{
  g_string_append (
      text, "    meta nfproto ipv4 udp sport 68 udp dport 67 accept\n"
            "    meta nfproto ipv6 udp sport 546 udp dport 547 accept\n"
            "    ip protocol igmp accept\n"
            "    icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, "
            "nd-neighbor-advert, mld-listener-query, mld-listener-report, mld-listener-done, "
            "mld2-listener-report } accept\n");
}

/* Connections that were open before the kernel kept track of them look as if they began with
 * the packet that it sees first. Those of servers here must not end: somebody may sit at the
 * other end of ssh. No connection can be begun by such a packet. */
static void
append_servers (GString *text, const GArray *servers)
{
  if (servers->len == 0)
    return;
  g_string_append (text, "    tcp flags & (fin | syn | rst | ack) != syn tcp sport { ");
  for (guint i = 0; i < servers->len; i++)
    g_string_append_printf (text, "%s%u", i > 0 ? ", " : "",
                            g_array_index (servers, guint16, i));
  g_string_append (text, " } accept\n");
}

/* Without them a proxy of this machine would be cut off from where it goes. */
static void
append_passing (GString *text, const T2pnKillSwitchArm *arm)
{
  append_numbers (text, "meta skuid", arm->passing_uids);
  for (guint i = 0; i < arm->passing_peers->len; i++)
    {
      const T2pnBypassPeer *peer = &g_array_index (arm->passing_peers, T2pnBypassPeer, i);
      char formatted[T2P_IP_STRLEN];

      t2p_ip_address_format (&peer->address, formatted);
      g_string_append_printf (text, "    meta skuid %u ip%s daddr %s accept\n", peer->uid,
                              peer->address.family == AF_INET ? "" : "6", formatted);
    }
}

static void
append_check_hosts (GString *text, const GArray *hosts)
{
  for (guint i = 0; i < hosts->len; i++)
    {
      const T2pIpAddress *address = &g_array_index (hosts, T2pIpAddress, i);
      char formatted[T2P_IP_STRLEN];

      t2p_ip_address_format (address, formatted);
      g_string_append_printf (text, "    meta skuid 0 ip%s daddr %s tcp dport 80 accept\n",
                              address->family == AF_INET ? "" : "6", formatted);
    }
}

static void
append_portal (GString *text, gboolean is_open)
{
  if (is_open)
    g_string_append (text, "    tcp dport { 80, 443 } accept\n"
                           "    meta l4proto { tcp, udp } th dport 53 accept\n");
}

static void
append_users (GString *text, const T2pnKillSwitchArm *arm)
{
  g_string_append (text, "    meta skuid { ");
  for (guint i = 0; i < arm->users->len; i++)
    {
      const T2pnUidRange *range = &g_array_index (arm->users, T2pnUidRange, i);

      if (range->first == range->last)
        g_string_append_printf (text, "%s%u", i > 0 ? ", " : "", range->first);
      else
        g_string_append_printf (text, "%s%u-%u", i > 0 ? ", " : "", range->first, range->last);
    }
  g_string_append (text, " }");
}

static void
append_jump (GString *text, const T2pnKillSwitchArm *arm, guint index)
{
  if (arm->users->len == 0)
    {
      g_string_append_printf (text, "    jump arm-%u\n", index);
      return;
    }
  append_users (text, arm);
  g_string_append_printf (text, " jump arm-%u\n", index);
}

static void
append_output (GString *text, const T2pnKillSwitch *self)
{
  g_string_append (text, "  chain output {\n"
                         "    type filter hook output priority 200; policy accept\n");
  append_links (text, self);
  append_numbers (text, "meta mark", self->marks);
  append_numbers (text, "meta skuid", self->worker_uids);
  append_network (text);
  for (guint i = 0; i < self->arms->len; i++)
    append_match (text, "saddr", "own", i,
                  ((const T2pnKillSwitchArm *) self->arms->pdata[i])->own, "goto refuse");
  g_string_append (text, "    ct direction reply accept\n"
                         "    meta l4proto { icmp, ipv6-icmp } ct state related accept\n");
  for (guint i = 0; i < self->arms->len; i++)
    append_passing (text, self->arms->pdata[i]);
  append_servers (text, self->servers);
  append_check_hosts (text, self->check_hosts);
  append_portal (text, self->is_portal_open);
  for (guint i = 0; i < self->arms->len; i++)
    append_jump (text, self->arms->pdata[i], i);
  g_string_append (text, "  }\n");
}

static gboolean
forwards (const T2pnKillSwitch *self)
{
  for (guint i = 0; i < self->arms->len; i++)
    if (((const T2pnKillSwitchArm *) self->arms->pdata[i])->is_forwarded)
      return TRUE;
  return FALSE;
}

static void
append_forward (GString *text, const T2pnKillSwitch *self)
{
  if (!forwards (self))
    return;
  g_string_append (text, "  chain forward {\n"
                         "    type filter hook forward priority 200; policy accept\n");
  append_links (text, self);
  g_string_append (text, "    ct direction reply accept\n"
                         "    meta l4proto { icmp, ipv6-icmp } ct state related accept\n");
  for (guint i = 0; i < self->arms->len; i++)
    if (((const T2pnKillSwitchArm *) self->arms->pdata[i])->is_forwarded)
      g_string_append_printf (text, "    jump arm-%u\n", i);
  g_string_append (text, "  }\n");
}

static gboolean
guards_local_dns (const T2pnKillSwitchArm *arm)
{
  return arm->guards_dns && arm->users->len > 0;
}

/* A redirect of the tunnel's takes its users' questions out of loopback; without it the
 * machine's resolver would ask them by the uplink, as somebody else. Whether they were taken
 * out is known behind the output only, where nothing can be refused with more than an error. */
static void
append_local_dns (GString *text, const T2pnKillSwitch *self)
{
  gboolean is_begun = FALSE;

  for (guint i = 0; i < self->arms->len; i++)
    {
      const T2pnKillSwitchArm *arm = g_ptr_array_index (self->arms, i);

      if (!guards_local_dns (arm))
        continue;
      if (!is_begun)
        g_string_append (text, "  chain postrouting {\n"
                               "    type filter hook postrouting priority 0; policy accept\n");
      is_begun = TRUE;
      append_users (text, arm);
      g_string_append (text, " oifname \"lo\" meta l4proto { tcp, udp } th dport 53 drop\n");
    }
  if (is_begun)
    g_string_append (text, "  }\n");
}

char *
t2pn_kill_switch_to_script (const T2pnKillSwitch *self)
{
  GString *text = g_string_new ("add table inet " T2PN_NFT_TABLE "\n"
                                "delete table inet " T2PN_NFT_TABLE "\n");

  if (self->arms->len == 0)
    return g_string_free (text, FALSE);
  g_string_append (text, "table inet " T2PN_NFT_TABLE " {\n");
  for (guint i = 0; i < self->arms->len; i++)
    append_sets (text, self->arms->pdata[i], i);
  /* At once, and with the truth: nobody should wait for a timeout. */
  g_string_append (text, "  chain refuse {\n"
                         "    meta l4proto tcp reject with tcp reset\n"
                         "    reject with icmpx admin-prohibited\n"
                         "  }\n");
  for (guint i = 0; i < self->arms->len; i++)
    append_arm (text, self->arms->pdata[i], i);
  append_output (text, self);
  append_forward (text, self);
  append_local_dns (text, self);
  g_string_append (text, "}\n");
  return g_string_free (text, FALSE);
}
