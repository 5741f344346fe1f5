/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A resolver of the system answers everybody, so that a tunnel for some users cannot tell it
 * anything. Instead their questions are given another destination on the way out, the tunnel's
 * responder, whoever they were meant for: a name server in the network, or on this machine
 * (127.0.0.53, ::1). Connection tracking turns the answers back, so that they come from whom
 * the program has asked.
 *
 * The kernel has chosen the source address by then, an uplink's or loopback, so that it becomes
 * the tunnel's. A loopback source leaves by a link only when that has route_localnet, which
 * lets packets for 127/8 in as well: what comes out of the tunnel with such a destination
 * before anything was turned back is dropped. IPv6 has no such switch: it lets them out, drops
 * by itself what comes in for ::1, and delivers what was turned back to ::1 only by a route of
 * that link, t2pn_dns_redirect_make_loopback_route().
 *
 * What a resolver asks in its own name (systemd-resolved for nss-resolve) is not the user's. */
#include "config.h"

#include "t2pn-dns-redirect.h"

#include <linux/rtnetlink.h>
#include <string.h>

#define FIRST_METRIC 1024 /* the kernel's choice */
#define CHAIN_GUARD "dns-guard"
#define CHAIN_REDIRECT "dns-redirect"
#define CHAIN_SOURCE "dns-source"
#define CHAIN_REFUSE "dns-refuse"
#define QUESTION "meta l4proto { tcp, udp } th dport 53"

static void
append_address (GString *script, const char *before, const T2pIpAddress *address)
{
  char text[T2P_IP_STRLEN];

  t2p_ip_address_format (address, text);
  g_string_append_printf (script, "%s%s", before, text);
}

char *
t2pn_dns_redirect_match_users (const T2pnUidRange *users, guint n_users)
{
  GString *text = g_string_new ("meta skuid {");

  for (guint i = 0; i < n_users; i++)
    {
      g_string_append_printf (text, "%s %u", i > 0 ? "," : "", users[i].first);
      if (users[i].last != users[i].first)
        g_string_append_printf (text, "-%u", users[i].last);
    }
  g_string_append (text, " }");
  return g_string_free (text, FALSE);
}

/* Adding what is there changes nothing; then it is emptied. */
static void
append_chain (GString *script,
              const T2pnDnsRedirect *redirect,
              const char *name,
              const char *hook)
{
  g_string_append_printf (script, "add chain inet %s %s { type %s; policy accept; }\n",
                          redirect->table, name, hook);
  g_string_append_printf (script, "flush chain inet %s %s\n", redirect->table, name);
}

static void
begin_rule (GString *script, const T2pnDnsRedirect *redirect, const char *chain)
{
  g_string_append_printf (script, "add rule inet %s %s ", redirect->table, chain);
}

static void
append_own (GString *script, const T2pnDnsRedirect *redirect, const char *chain)
{
  begin_rule (script, redirect, chain);
  if (redirect->worker_uid != 0)
    g_string_append_printf (script, "meta skuid %u return\n", redirect->worker_uid);
  else
    g_string_append_printf (script, "meta mark %u return\n", redirect->mark);
}

T2pnRoute
t2pn_dns_redirect_make_loopback_route (int ifindex)
{
  const guint8 loopback[16] = { [15] = 1 };
  T2pIpAddress address = t2p_ip_address_from_bytes (AF_INET6, loopback);
  T2pnRoute route;

  memset (&route, 0, sizeof route);
  route.destination = t2p_ip_prefix_of (&address, 128);
  route.table = RT_TABLE_MAIN;
  route.type = RTN_LOCAL;
  route.protocol = T2PN_PROTOCOL;
  route.scope = RT_SCOPE_HOST;
  route.ifindex = ifindex;
  /* Of several tunnels each has its own: two of one metric would be taken for one. */
  route.metric = FIRST_METRIC + (guint32) ifindex;
  return route;
}

/* --- the chains */

static void
append_destinations (GString *script, const T2pnDnsRedirect *redirect)
{
  append_chain (script, redirect, CHAIN_REDIRECT, "nat hook output priority -100");
  append_own (script, redirect, CHAIN_REDIRECT);
  for (guint i = 0; redirect->who[i] != NULL; i++)
    {
      begin_rule (script, redirect, CHAIN_REDIRECT);
      g_string_append_printf (script, "meta nfproto ipv4 %s " QUESTION, redirect->who[i]);
      append_address (script, " dnat ip to ", &redirect->pool.responder4);
      g_string_append_c (script, '\n');
      if (!redirect->has_ipv6)
        continue;
      begin_rule (script, redirect, CHAIN_REDIRECT);
      g_string_append_printf (script, "meta nfproto ipv6 %s " QUESTION, redirect->who[i]);
      append_address (script, " dnat ip6 to ", &redirect->pool.responder6);
      g_string_append_c (script, '\n');
    }
}

static void
append_source (GString *script, const T2pnDnsRedirect *redirect, gboolean is_v4)
{
  const T2pnAddressPool *pool = &redirect->pool;
  const char *family = is_v4 ? "ip" : "ip6";
  const T2pIpAddress *own = is_v4 ? &pool->address4 : &pool->address6;

  begin_rule (script, redirect, CHAIN_SOURCE);
  g_string_append_printf (script, "oifname \"%s\" %s daddr", redirect->ifname, family);
  append_address (script, " ", is_v4 ? &pool->responder4 : &pool->responder6);
  g_string_append_printf (script, " %s saddr", family);
  append_address (script, " != ", own);
  g_string_append_printf (script, " " QUESTION " snat %s to", family);
  append_address (script, " ", own);
  g_string_append_c (script, '\n');
}

static void
append_sources (GString *script, const T2pnDnsRedirect *redirect)
{
  append_chain (script, redirect, CHAIN_SOURCE, "nat hook postrouting priority 100");
  append_source (script, redirect, TRUE);
  if (redirect->has_ipv6)
    append_source (script, redirect, FALSE);
}

static void
append_refusals (GString *script, const T2pnDnsRedirect *redirect)
{
  append_chain (script, redirect, CHAIN_REFUSE, "filter hook output priority 0");
  if (redirect->has_ipv6)
    return;
  append_own (script, redirect, CHAIN_REFUSE);
  for (guint i = 0; redirect->who[i] != NULL; i++)
    {
      begin_rule (script, redirect, CHAIN_REFUSE);
      g_string_append_printf (script,
                              "meta nfproto ipv6 %s tcp dport 53 reject with tcp reset\n",
                              redirect->who[i]);
      begin_rule (script, redirect, CHAIN_REFUSE);
      g_string_append_printf (script, "meta nfproto ipv6 %s udp dport 53 reject\n",
                              redirect->who[i]);
    }
}

/* Before connection tracking, which restores loopback addresses of answers. */
static void
append_guard (GString *script, const T2pnDnsRedirect *redirect)
{
  append_chain (script, redirect, CHAIN_GUARD, "filter hook prerouting priority -300");
  begin_rule (script, redirect, CHAIN_GUARD);
  g_string_append_printf (script, "iifname \"%s\" ip daddr 127.0.0.0/8 drop\n",
                          redirect->ifname);
}

char *
t2pn_dns_redirect_to_script (const T2pnDnsRedirect *redirect)
{
  GString *script = g_string_new (NULL);

  g_string_append_printf (script, "add table inet %s\n", redirect->table);
  append_guard (script, redirect);
  append_destinations (script, redirect);
  append_sources (script, redirect);
  append_refusals (script, redirect);
  return g_string_free (script, FALSE);
}

char *
t2pn_dns_redirect_to_undo_script (const char *table)
{
  static const char *const chains[] = { CHAIN_REDIRECT, CHAIN_SOURCE, CHAIN_REFUSE,
                                        CHAIN_GUARD };
  GString *script = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (chains); i++)
    {
      g_string_append_printf (script, "flush chain inet %s %s\n", table, chains[i]);
      g_string_append_printf (script, "delete chain inet %s %s\n", table, chains[i]);
    }
  return g_string_free (script, FALSE);
}
