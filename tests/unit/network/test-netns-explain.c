/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What we say about the kernel's rules, and what the kernel says itself. */
#include "config.h"

#include "netns-fixture.h"
#include "t2pn-flow-route.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>

#define OWNER 12345

static const char *const destinations[] = {
  "127.0.0.1",        "192.0.2.7",   "192.0.2.9",       "192.0.2.255",
  "198.51.100.1",     "203.0.113.5", "100.64.1.1",      "10.1.2.3",
  "198.18.0.1",       "198.18.0.2",  "198.18.9.9",      "224.0.0.251",
  "240.1.2.3",        "::1",         "2001:db8:1::7",   "2001:db8:1::55",
  "2001:db8:ffff::1", "fd00:1::1",   "2001:db8:bad::1", "2001:db8:beef::1",
};

/* The same link, table and verdict for each flow, whatever the machine looks like. */
static void
compare (const T2pnSnapshot *snapshot, const T2pnFlow *flow, const char *text)
{
  g_autoptr (GError) error = NULL;
  T2pnWalk walk = t2pn_explain_walk (snapshot, flow);
  T2pnRouteAnswer answer;

  t2pn_flow_route_ask (flow, &answer, &error);
  g_assert_no_error (error);
  g_test_message ("%s uid %u mark 0x%x%s: errno %d table %u link %d type %u", text, flow->uid,
                  flow->mark, flow->source.family != 0 ? " bound" : "", answer.errsv,
                  answer.table, answer.ifindex, answer.type);
  g_assert_cmpint (walk.end == T2PN_WALK_ROUTED, ==, answer.errsv == 0);
  if (answer.errsv != 0)
    return;
  g_assert_nonnull (walk.route);
  /* From a bound socket multicast goes out of the link that has the address: no look-up. */
  if (answer.type == RTN_MULTICAST && answer.table == RT_TABLE_UNSPEC)
    return;
  g_assert_cmpuint (walk.route->table, ==, answer.table);
  /* What is local goes out of lo, whatever link has the address. */
  if (answer.type != RTN_LOCAL)
    g_assert_cmpint (walk.route->ifindex, ==, answer.ifindex);
}

static void
compare_all (void)
{
  const guint32 uids[] = { 0, OWNER };
  const guint32 marks[] = { 0, 0x2370, 0x80000 };
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pnSnapshot) snapshot = t2pn_snapshot_take (&error);

  g_assert_no_error (error);
  for (gsize i = 0; i < G_N_ELEMENTS (destinations); i++)
    for (gsize j = 0; j < G_N_ELEMENTS (uids); j++)
      for (gsize k = 0; k < G_N_ELEMENTS (marks); k++)
        for (guint bound = 0; bound < 2; bound++)
          {
            T2pnFlow flow = {
              .uid = uids[j], .mark = marks[k], .protocol = IPPROTO_TCP, .port = 443
            };

            g_assert_true (t2p_ip_address_parse (destinations[i], &flow.destination));
            if (bound)
              t2p_ip_address_parse (flow.destination.family == AF_INET ? "192.0.2.7"
                                                                       : "2001:db8:1::7",
                                    &flow.source);
            compare (snapshot, &flow, destinations[i]);
          }
}

static void
test_agrees (gconstpointer settings)
{
  char *runtime_dir = make_runtime_dir ();
  Tunnel *tunnel;
  g_autoptr (GError) error = NULL;

  compare_all ();
  tunnel = tunnel_new (runtime_dir, settings);
  bring_up (tunnel);
  compare_all ();
  take_down (tunnel);
  t2pn_journal_undo (tunnel->journal, &error);
  g_assert_no_error (error);
  tunnel_free (tunnel);
  remove_runtime_dir (runtime_dir);
}

static void
test_port (void)
{
  T2pnFlow flow = { .protocol = IPPROTO_TCP, .port = 53 };
  T2pnRouteAnswer answer;
  g_autoptr (GError) error = NULL;

  must ("ip rule add priority 7000 ipproto tcp dport 53 unreachable");
  g_assert_true (t2p_ip_address_parse ("198.51.100.1", &flow.destination));
  compare_all ();
  t2pn_flow_route_ask (&flow, &answer, &error);
  g_assert_no_error (error);
  g_assert_cmpint (answer.errsv, ==, ENETUNREACH);
  flow.port = 443;
  t2pn_flow_route_ask (&flow, &answer, &error);
  g_assert_cmpint (answer.errsv, ==, 0);
  must ("ip rule del priority 7000");
}

int
main (int argc, char **argv)
{
  static const char *const variants[] = {
    "'capture': <'routes'>, 'routes': <['203.0.113.0/24', '10.0.0.0/8']>, "
    "'exclude-routes': <['10.1.0.0/16']>",
    DEFAULT_SYSTEM,
    DEFAULT_SYSTEM ", 'scope': <'user'>",
    DEFAULT_SYSTEM ", 'exclude-routes': <['203.0.113.0/24', '2001:db8:beef::/48']>",
    DEFAULT_SYSTEM ", 'lan': <'none'>",
    "'capture': <'default'>, 'ipv6': <'reject'>",
  };

  g_test_init (&argc, &argv, NULL);
  if (unshare (CLONE_NEWNET) != 0)
    {
      printf ("1..0 # SKIP needs root for a network namespace of its own\n");
      return 0;
    }
  make_machine ();
  for (guint i = 0; i < G_N_ELEMENTS (variants); i++)
    {
      g_autofree char *path = g_strdup_printf ("/netns/explain/agrees-with-the-kernel/%u", i);

      g_test_add_data_func (path, variants[i], test_agrees);
    }
  g_test_add_func ("/netns/explain/ports-are-looked-at", test_port);
  return g_test_run ();
}
