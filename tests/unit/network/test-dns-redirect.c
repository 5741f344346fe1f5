/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-dns-redirect.h"

#include <string.h>

static const char *const user[] = { "meta skuid { 4001 }", NULL };
static const char *const two[] = { "meta skuid { 4001 }", "meta mark 7", NULL };

static void
parse (const char *text, T2pIpAddress *address)
{
  g_assert_true (t2p_ip_address_parse (text, address));
}

static T2pnDnsRedirect
make_redirect (const char *const *who)
{
  T2pnDnsRedirect redirect = {
    .table = "tun2proxy-3", .ifname = "t2p0", .mark = 77, .who = who, .has_ipv6 = TRUE
  };

  parse ("198.18.0.1", &redirect.pool.address4);
  parse ("198.18.0.2", &redirect.pool.responder4);
  parse ("fd00::1", &redirect.pool.address6);
  parse ("fd00::2", &redirect.pool.responder6);
  return redirect;
}

static void
test_whole (void)
{
  T2pnDnsRedirect redirect = make_redirect (user);
  g_autofree char *script = t2pn_dns_redirect_to_script (&redirect);

  g_assert_cmpstr (
      script, ==,
      "add table inet tun2proxy-3\n"
      "add chain inet tun2proxy-3 dns-guard { type filter hook prerouting priority -300; "
      "policy "
      "accept; }\n"
      "flush chain inet tun2proxy-3 dns-guard\n"
      "add rule inet tun2proxy-3 dns-guard iifname \"t2p0\" ip daddr 127.0.0.0/8 drop\n"
      "add chain inet tun2proxy-3 dns-redirect { type nat hook output priority -100; policy "
      "accept; }\n"
      "flush chain inet tun2proxy-3 dns-redirect\n"
      "add rule inet tun2proxy-3 dns-redirect meta mark 77 return\n"
      "add rule inet tun2proxy-3 dns-redirect meta nfproto ipv4 meta skuid { 4001 } "
      "meta l4proto { tcp, udp } th dport 53 dnat ip to 198.18.0.2\n"
      "add rule inet tun2proxy-3 dns-redirect meta nfproto ipv6 meta skuid { 4001 } "
      "meta l4proto { tcp, udp } th dport 53 dnat ip6 to fd00::2\n"
      "add chain inet tun2proxy-3 dns-source { type nat hook postrouting priority 100; policy "
      "accept; }\n"
      "flush chain inet tun2proxy-3 dns-source\n"
      "add rule inet tun2proxy-3 dns-source oifname \"t2p0\" ip daddr 198.18.0.2 ip saddr != "
      "198.18.0.1 meta l4proto { tcp, udp } th dport 53 snat ip to 198.18.0.1\n"
      "add rule inet tun2proxy-3 dns-source oifname \"t2p0\" ip6 daddr fd00::2 ip6 saddr != "
      "fd00::1 meta l4proto { tcp, udp } th dport 53 snat ip6 to fd00::1\n"
      "add chain inet tun2proxy-3 dns-refuse { type filter hook output priority 0; policy "
      "accept; }\n"
      "flush chain inet tun2proxy-3 dns-refuse\n");
}

static void
test_undo (void)
{
  g_autofree char *script = t2pn_dns_redirect_to_undo_script ("tun2proxy-3");

  g_assert_true (g_str_has_prefix (script, "flush chain inet tun2proxy-3 dns-redirect\n"
                                           "delete chain inet tun2proxy-3 dns-redirect\n"));
  g_assert_null (strstr (script, "table"));
}

static void
test_without_ipv6 (void)
{
  T2pnDnsRedirect redirect = make_redirect (user);
  g_autofree char *script = NULL;

  redirect.has_ipv6 = FALSE;
  script = t2pn_dns_redirect_to_script (&redirect);
  g_assert_null (strstr (script, "dnat ip6"));
  g_assert_null (strstr (script, "snat ip6"));
  g_assert_nonnull (strstr (script, "dns-refuse meta mark 77 return\n"));
  g_assert_nonnull (
      strstr (script, "meta nfproto ipv6 meta skuid { 4001 } tcp dport 53 reject with tcp"));
  g_assert_nonnull (
      strstr (script, "meta nfproto ipv6 meta skuid { 4001 } udp dport 53 reject\n"));
}

static void
test_worker_uid (void)
{
  T2pnDnsRedirect redirect = make_redirect (two);
  g_autofree char *script = NULL;

  redirect.worker_uid = 4100;
  script = t2pn_dns_redirect_to_script (&redirect);
  g_assert_nonnull (strstr (script, "dns-redirect meta skuid 4100 return\n"));
  g_assert_null (strstr (script, "mark 77"));
  g_assert_nonnull (strstr (script, "nfproto ipv4 meta mark 7 meta l4proto"));
}

static void
test_users (void)
{
  const T2pnUidRange users[] = { { 1000, 1000 }, { 2000, 2999 }, { 0, 4294967294 } };
  g_autofree char *one = t2pn_dns_redirect_match_users (users, 1);
  g_autofree char *all = t2pn_dns_redirect_match_users (users, 3);

  g_assert_cmpstr (one, ==, "meta skuid { 1000 }");
  g_assert_cmpstr (all, ==, "meta skuid { 1000, 2000-2999, 0-4294967294 }");
}

static void
test_loopback_route (void)
{
  T2pnRoute route = t2pn_dns_redirect_make_loopback_route (7);
  T2pnRoute other = t2pn_dns_redirect_make_loopback_route (8);
  g_autofree char *text = t2pn_route_to_text (&route, "t2p0");

  g_assert_cmpstr (text, ==, "local ::1/128 dev t2p0 table main metric 1031");
  g_assert_cmpuint (route.metric, !=, other.metric);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dns-redirect/whole", test_whole);
  g_test_add_func ("/dns-redirect/undo-leaves-the-table", test_undo);
  g_test_add_func ("/dns-redirect/without-ipv6-those-questions-are-refused", test_without_ipv6);
  g_test_add_func ("/dns-redirect/uid-of-the-workers-instead-of-the-mark", test_worker_uid);
  g_test_add_func ("/dns-redirect/users", test_users);
  g_test_add_func ("/dns-redirect/route-for-answers-to-loopback", test_loopback_route);
  return g_test_run ();
}
