/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plan-fixture.h"

#define OWN 7 /* index of the tunnel's link */

static T2pnRoutePlanInput
make_input (const T2pSettings *settings, const T2pnSnapshot *snapshot)
{
  T2pnRoutePlanInput input = {
    .settings = settings,
    .ifindex = OWN,
    .ifname = "t2p0",
    .ids = { .mark = 0x2370, .table = 23700, .override_table = 23701, .rule_priority = 5404 },
    .owner_uid = 1000,
    .proxy_has_ipv4 = TRUE,
    .proxy_has_ipv6 = TRUE,
  };
  g_autoptr (GError) error = NULL;

  t2pn_address_pool_choose (settings, snapshot, NULL, "seed", &input.pool, &error);
  g_assert_no_error (error);
  /* The derived prefix is tested elsewhere; here a short one reads better. */
  input.pool.pool6 = parse_prefix ("fd00:1::/64");
  t2p_ip_address_parse ("fd00:1::1", &input.pool.address6);
  t2p_ip_address_parse ("fd00:1::2", &input.pool.responder6);
  return input;
}

static void
assert_plan (const T2pnRoutePlanInput *input,
             const T2pnSnapshot *snapshot,
             const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pnRoutePlan) plan = t2pn_route_plan_new (input, snapshot, &error);
  g_autofree char *text = NULL;

  g_assert_no_error (error);
  text = t2pn_route_plan_to_text (plan);
  g_assert_cmpstr (text, ==, expected);
}

static void
assert_settings_plan (const char *settings_text, gboolean is_root, const char *expected)
{
  g_autoptr (T2pSettings) settings = make_settings (settings_text, is_root);
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  T2pnRoutePlanInput input = make_input (settings, snapshot);

  assert_plan (&input, snapshot, expected);
}

#define ADDRESSES                                                                              \
  "ip -4 address add 198.18.0.1/30 dev t2p0\n"                                                 \
  "ip -6 address add fd00:1::1/126 dev t2p0\n"

static void
test_none (void)
{
  assert_settings_plan ("", TRUE, ADDRESSES);
}

static void
test_none_virtual (void)
{
  assert_settings_plan ("'dns': <'virtual'>", TRUE,
                        ADDRESSES
                        "ip -4 route add 198.18.0.0/18 dev t2p0 table main proto 142\n"
                        "ip -6 route add fd00:1::/64 dev t2p0 table main proto 142\n");
}

#define BYPASS4                                                                                \
  "ip -4 rule add priority 5404 fwmark 0x2370 lookup main protocol 142\n"                      \
  "ip -4 rule add priority 5405 fwmark 0x2370 unreachable protocol 142\n"                      \
  "ip -4 rule add priority 5410 lookup main suppress_prefixlength 0 protocol 142\n"
#define BYPASS6_BEGIN                                                                          \
  "ip -6 rule add priority 5404 fwmark 0x2370 lookup main protocol 142\n"                      \
  "ip -6 rule add priority 5405 fwmark 0x2370 unreachable protocol 142\n"
#define BYPASS6_MAIN                                                                           \
  "ip -6 rule add priority 5410 lookup main suppress_prefixlength 0 protocol 142\n"
#define DEFAULT_BYPASS                                                                         \
  BYPASS4 BYPASS6_BEGIN                                                                        \
      "ip -6 rule add priority 5406 from 2001:db8:1::7/128 lookup main protocol "              \
      "142\n" BYPASS6_MAIN                                                                     \
      "ip -6 rule add priority 5411 from 2001:db8:1::7/128 unreachable protocol 142\n"
#define REJECT_BYPASS                                                                          \
  BYPASS4 BYPASS6_BEGIN "ip -6 rule add priority 5406 from 2001:db8:1::7/128 ipproto tcp "     \
                        "sport 1-1023 lookup main "                                            \
                        "protocol 142\n" BYPASS6_MAIN                                          \
                        "ip -6 rule add priority 5411 from 2001:db8:1::7/128 ipproto tcp "     \
                        "sport 1-1023 unreachable "                                            \
                        "protocol 142\n"
#define MULTICAST                                                                              \
  "ip -4 route add throw 224.0.0.0/4 table 23700 proto 142\n"                                  \
  "ip -4 route add throw 255.255.255.255/32 table 23700 proto 142\n"
#define DEFAULT_CAPTURE                                                                        \
  "ip -4 rule add priority 5407 from 198.18.0.1/32 iif lo lookup 23700 protocol 142\n"         \
  "ip -4 rule add priority 5412 from 0.0.0.0/32 iif lo lookup 23700 protocol 142\n"            \
  "ip -6 rule add priority 5412 iif lo lookup 23700 protocol 142\n"

#define QUESTIONS(family, selectors, table)                                                    \
  "ip -" family " rule add priority 5409 " selectors " ipproto udp dport 53 lookup " table     \
  " protocol 142\n"                                                                            \
  "ip -" family " rule add priority 5409 " selectors " ipproto tcp dport 53 lookup " table     \
  " protocol 142\n"                                                                            \
  "ip -" family " rule add priority 5409 " selectors " ipproto udp dport 853 lookup " table    \
  " protocol 142\n"                                                                            \
  "ip -" family " rule add priority 5409 " selectors " ipproto tcp dport 853 lookup " table    \
  " protocol 142\n"

static void
test_default_system (void)
{
  assert_settings_plan (
      "'capture': <'default'>", TRUE,
      ADDRESSES DEFAULT_BYPASS
      "ip -4 route add 198.18.0.0/18 dev t2p0 table 23700 proto 142\n" MULTICAST
      "ip -4 route add default dev t2p0 table 23700 proto 142\n"
      "ip -6 route add fd00:1::/64 dev t2p0 table 23700 proto 142\n"
      "ip -6 route add default dev t2p0 table 23700 proto 142\n"
      "ip -4 rule add priority 5407 from 198.18.0.1/32 iif lo lookup 23700 protocol "
      "142\n" QUESTIONS (
          "4", "from 0.0.0.0/32 iif lo",
          "23700") "ip -4 rule add priority 5412 from 0.0.0.0/32 iif lo lookup 23700 protocol "
                   "142\n" QUESTIONS ("6", "iif lo",
                                      "23700") "ip -6 rule add priority 5412 iif lo lookup "
                                               "23700 protocol 142\n");
}

/* Nobody else's look-ups are touched, the bypass rules of everybody included. */
static void
test_default_user (void)
{
  assert_settings_plan (
      "'capture': <'default'>, 'dns': <'off'>, 'ipv6': <'leave'>", FALSE,
      "ip -4 address add 198.18.0.1/30 dev t2p0\n"
      "ip -4 rule add priority 5404 fwmark 0x2370 lookup main protocol 142\n"
      "ip -4 rule add priority 5405 fwmark 0x2370 unreachable protocol 142\n"
      "ip -4 rule add priority 5410 uidrange 1000-1000 lookup main suppress_prefixlength 0 "
      "protocol 142\n" MULTICAST "ip -4 route add default dev t2p0 table 23700 proto 142\n"
      "ip -4 rule add priority 5407 from 198.18.0.1/32 iif lo uidrange 1000-1000 lookup 23700 "
      "protocol 142\n"
      "ip -4 rule add priority 5412 from 0.0.0.0/32 iif lo uidrange 1000-1000 lookup 23700 "
      "protocol 142\n");
}

static void
test_reject_ipv6 (void)
{
  assert_settings_plan (
      "'capture': <'default'>, 'dns': <'off'>, 'ipv6': <'reject'>", TRUE,
      "ip -4 address add 198.18.0.1/30 dev t2p0\n" REJECT_BYPASS MULTICAST
      "ip -4 route add default dev t2p0 table 23700 proto 142\n"
      "ip -6 route add unreachable default table 23700 proto 142\n" DEFAULT_CAPTURE);
}

static void
test_auto_goes_by_proxy (void)
{
  g_autoptr (T2pSettings) settings =
      make_settings ("'capture': <'default'>, 'dns': <'off'>", TRUE);
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  T2pnRoutePlanInput input = make_input (settings, snapshot);

  input.proxy_has_ipv6 = FALSE;
  assert_plan (&input, snapshot,
               "ip -4 address add 198.18.0.1/30 dev t2p0\n" REJECT_BYPASS MULTICAST
               "ip -4 route add default dev t2p0 table 23700 proto 142\n"
               "ip -6 route add unreachable default table 23700 proto 142\n" DEFAULT_CAPTURE);
}

/* IPv6 is switched off for new links, but others have it: it must not leak. */
static void
test_no_ipv6_on_new_links (void)
{
  g_autoptr (T2pSettings) settings =
      make_settings ("'capture': <'default'>, 'dns': <'off'>, 'ipv6': <'on'>", TRUE);
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  T2pnRoutePlanInput input = make_input (settings, snapshot);

  snapshot->links_get_ipv6 = FALSE;
  assert_plan (&input, snapshot,
               "ip -4 address add 198.18.0.1/30 dev t2p0\n" REJECT_BYPASS MULTICAST
               "ip -4 route add default dev t2p0 table 23700 proto 142\n"
               "ip -6 route add unreachable default table 23700 proto 142\n" DEFAULT_CAPTURE);
}

static void
test_excludes_are_thrown (void)
{
  assert_settings_plan (
      "'capture': <'default'>, 'dns': <'off'>, 'ipv6': <'leave'>, 'lan': <'connected'>, "
      "'exclude-routes': <['10.0.0.0/8', '2001:db8::/32']>",
      TRUE,
      "ip -4 address add 198.18.0.1/30 dev t2p0\n" BYPASS4
      "ip -4 route add throw 10.0.0.0/8 table 23700 proto 142\n" MULTICAST
      "ip -4 route add default dev t2p0 table 23700 proto 142\n"
      "ip -4 rule add priority 5407 from 198.18.0.1/32 iif lo lookup 23700 protocol 142\n"
      "ip -4 rule add priority 5412 from 0.0.0.0/32 iif lo lookup 23700 protocol 142\n");
}

/* Not even the LAN is looked for in main. */
static void
test_no_lan (void)
{
  assert_settings_plan (
      "'capture': <'default'>, 'dns': <'off'>, 'ipv6': <'leave'>, 'lan': <'none'>", TRUE,
      "ip -4 address add 198.18.0.1/30 dev t2p0\n"
      "ip -4 rule add priority 5404 fwmark 0x2370 lookup main protocol 142\n"
      "ip -4 rule add priority 5405 fwmark 0x2370 unreachable protocol 142\n"
      "ip -4 route add default dev t2p0 table 23700 proto 142\n"
      "ip -4 rule add priority 5407 from 198.18.0.1/32 iif lo lookup 23700 protocol 142\n"
      "ip -4 rule add priority 5412 from 0.0.0.0/32 iif lo lookup 23700 protocol 142\n");
}

static char *
plan_text (const char *settings_text, const T2pnSnapshot *snapshot)
{
  g_autoptr (T2pSettings) settings = make_settings (settings_text, TRUE);
  T2pnRoutePlanInput input = make_input (settings, snapshot);
  g_autoptr (T2pnRoutePlan) plan = NULL;

  input.resolver_uid = 193;
  plan = t2pn_route_plan_renew (&input, snapshot);
  return t2pn_route_plan_to_text (plan);
}

static void
assert_has (const char *text, const char *line)
{
  if (strstr (text, line) == NULL)
    g_error ("%s\nlacks: %s", text, line);
}

static guint
count (const char *text, const char *part)
{
  guint n = 0;

  for (const char *at = strstr (text, part); at != NULL; at = strstr (at + 1, part))
    n++;
  return n;
}

/* The resolver asks before the rules that would take its questions, but after table X. */
static void
test_resolver_is_believed (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  const char *line = "ip -4 rule add priority 5408 uidrange 193-193 lookup main "
                     "suppress_prefixlength 0 protocol 142\n";
  g_autofree char *text = plan_text ("'capture': <'default'>", snapshot);
  g_autofree char *user = plan_text ("'capture': <'default'>, 'scope': <'user'>", snapshot);

  assert_has (text, line);
  g_assert_cmpuint (count (text, "uidrange"), ==, 2);
  assert_has (user, "5409 from 0.0.0.0/32 iif lo uidrange 1000-1000 ipproto udp dport 53");
  g_assert_null (strstr (user, "193-193"));
}

/* Names that are the machine's own resolver's business, and nobody's. */
static void
test_questions_stay (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  const char *const settings[] = {
    "'capture': <'default'>, 'dns': <'off'>",
    "'capture': <'default'>, 'dns-domains': <['corp.example']>",
    "'capture': <'default'>, 'lan': <'none'>", /* where all is captured anyway */
    "'capture': <'routes'>, 'routes': <['203.0.113.0/24']>, 'dns': <'virtual'>",
  };

  for (guint i = 0; i < G_N_ELEMENTS (settings); i++)
    {
      g_autofree char *text = plan_text (settings[i], snapshot);

      g_assert_null (strstr (text, "dport"));
      g_assert_null (strstr (text, "193-193"));
    }
}

static void
add_server (T2pnSnapshot *snapshot, int family, guint16 port, guint32 uid)
{
  T2pnUdpServer server = { family, port, uid };

  g_array_append_val (snapshot->udp_servers, server);
}

static void
test_udp_servers (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  g_autofree char *all = NULL, *user = NULL, *many = NULL;

  add_server (snapshot, AF_INET, 53, 0);
  add_server (snapshot, AF_INET, 5000, 1000);
  add_server (snapshot, AF_INET, 5000, 1001);
  add_server (snapshot, AF_INET6, 5000, 1001);
  all = plan_text ("'capture': <'default'>, 'dns': <'off'>", snapshot);
  assert_has (all,
              "ip -4 rule add priority 5406 iif lo uidrange 0-0 ipproto udp sport 53 lookup "
              "main");
  g_assert_cmpuint (count (all, "ip -4 rule add priority 5406"), ==, 3);
  g_assert_cmpuint (count (all, "sport 5000"), ==, 3);
  user = plan_text ("'capture': <'default'>, 'dns': <'off'>, 'scope': <'user'>", snapshot);
  assert_has (user, "ip -4 rule add priority 5406 iif lo uidrange 1000-1000 ipproto udp "
                    "sport 5000 lookup main");
  g_assert_cmpuint (count (user, "sport"), ==, 1);
  for (guint i = 0; i < 500; i++)
    add_server (snapshot, AF_INET6, (guint16) (6000 + i), 0);
  many = plan_text ("'capture': <'default'>, 'dns': <'off'>", snapshot);
  g_assert_cmpuint (count (many, "sport"), ==, 3 + 64);
}

/* Containers on a bridge: captured but for what is on their link, also as questions; answers
 * of servers on this machine and of the tunnel are not captured again. */
static void
test_forwarded (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  g_autofree char *text = NULL, *quiet = NULL;

  add_link (snapshot, 3, "docker0");
  add_address (snapshot, 3, "172.17.0.1", 16);
  add_route (snapshot, "172.17.0.0/16", 3, RT_TABLE_MAIN);
  quiet = plan_text ("'capture': <'default'>", snapshot);
  g_assert_null (strstr (quiet, "not "));
  g_assert_null (strstr (quiet, "iif t2p0"));
  g_assert_null (strstr (quiet, "docker0"));
  text = plan_text ("'capture': <'default'>, 'forwarded': <true>", snapshot);
  assert_has (text,
              "ip -4 rule add priority 5404 iif t2p0 lookup main suppress_prefixlength 0");
  assert_has (text, "ip -4 rule add priority 5405 iif t2p0 unreachable protocol 142");
  assert_has (text, "ip -4 rule add not priority 5413 iif lo lookup 23700 protocol 142");
  assert_has (text, "ip -6 rule add not priority 5413 iif lo lookup 23700 protocol 142");
  assert_has (text, "ip -4 rule add priority 5409 iif docker0 ipproto tcp dport 853 lookup "
                    "23700 protocol 142");
  g_assert_cmpuint (count (text, "iif docker0"), ==, 4);
  g_assert_null (strstr (text, "iif eth0"));
}

/* The mark of what containers answer is led out, whoever our own sockets are told by. */
static void
test_forwarded_answers (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  g_autofree char *marked = plan_text ("'capture': <'default'>, 'forwarded': <true>", snapshot);
  g_autofree char *bound =
      plan_text ("'capture': <'default'>, 'forwarded': <true>, 'loop-avoidance': "
                 "<'bind-interface'>",
                 snapshot);

  g_assert_cmpuint (count (marked, "ip -4 rule add priority 5404 fwmark 0x2370 lookup main"),
                    ==, 1);
  g_assert_cmpuint (count (bound, "ip -4 rule add priority 5404 fwmark 0x2370 lookup main"), ==,
                    1);
  g_assert_cmpuint (count (bound, "ip -6 rule add priority 5405 fwmark 0x2370 unreachable"), ==,
                    1);
}

static void
test_forwarded_override (void)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  g_autofree char *text = NULL;

  add_route (snapshot, "0.0.0.0/1", 2, RT_TABLE_MAIN);
  g_array_index (snapshot->routes, T2pnRoute, snapshot->routes->len - 1).protocol = RTPROT_DHCP;
  text = plan_text ("'capture': <'default'>, 'forwarded': <true>", snapshot);
  assert_has (text, "ip -4 rule add not priority 5407 iif lo lookup 23701 protocol 142");
}

/* What DHCP put into main goes by table X, but for what of main is right within it. */
static void
test_override (void)
{
  g_autoptr (T2pSettings) settings = make_settings (
      "'capture': <'default'>, 'dns': <'off'>, 'ipv6': <'leave'>, 'scope': <'user'>", TRUE);
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  T2pnRoutePlanInput input = make_input (settings, snapshot);

  add_route (snapshot, "192.0.0.0/2", 2, RT_TABLE_MAIN);
  g_array_index (snapshot->routes, T2pnRoute, snapshot->routes->len - 1).protocol = RTPROT_DHCP;
  assert_plan (
      &input, snapshot,
      "ip -4 address add 198.18.0.1/30 dev t2p0\n"
      "ip -4 rule add priority 5404 fwmark 0x2370 lookup main protocol 142\n"
      "ip -4 rule add priority 5405 fwmark 0x2370 unreachable protocol 142\n"
      "ip -4 rule add priority 5410 uidrange 1000-1000 lookup main suppress_prefixlength 0 "
      "protocol 142\n" MULTICAST "ip -4 route add default dev t2p0 table 23700 proto 142\n"
      "ip -4 route add 192.0.0.0/2 dev t2p0 table 23701 proto 142\n"
      "ip -4 route add throw 224.0.0.0/4 table 23701 proto 142\n"
      "ip -4 route add throw 255.255.255.255/32 table 23701 proto 142\n"
      "ip -4 route add throw 192.168.1.0/24 table 23701 proto 142\n"
      "ip -4 rule add priority 5407 from 198.18.0.1/32 iif lo uidrange 1000-1000 lookup 23700 "
      "protocol 142\n"
      "ip -4 rule add priority 5407 from 0.0.0.0/32 iif lo uidrange 1000-1000 lookup 23701 "
      "protocol 142\n"
      "ip -4 rule add priority 5412 from 0.0.0.0/32 iif lo uidrange 1000-1000 lookup 23700 "
      "protocol 142\n");
}

static void
test_routes (void)
{
  assert_settings_plan (
      "'capture': <'routes'>, 'routes': <['203.0.113.0/24', '2001:db8:9::/48']>, "
      "'exclude-routes': <['203.0.113.128/25']>",
      TRUE,
      ADDRESSES
      "ip -4 rule add priority 5404 fwmark 0x2370 lookup main protocol 142\n"
      "ip -4 rule add priority 5405 fwmark 0x2370 unreachable protocol 142\n"
      "ip -6 rule add priority 5404 fwmark 0x2370 lookup main protocol 142\n"
      "ip -6 rule add priority 5405 fwmark 0x2370 unreachable protocol 142\n"
      "ip -6 rule add priority 5406 from 2001:db8:1::7/128 lookup main protocol 142\n"
      "ip -4 route add throw 203.0.113.128/25 table 23700 proto 142\n"
      "ip -4 route add 203.0.113.0/24 dev t2p0 table 23700 proto 142\n"
      "ip -6 route add 2001:db8:9::/48 dev t2p0 table 23700 proto 142\n"
      "ip -4 rule add priority 5407 from 198.18.0.1/32 iif lo lookup 23700 protocol 142\n"
      "ip -4 rule add priority 5412 from 0.0.0.0/32 iif lo lookup 23700 protocol 142\n"
      "ip -6 rule add priority 5412 iif lo lookup 23700 protocol 142\n");
}

/* A family without routes gets no rules, a route given twice is one. */
static void
test_routes_of_one_family (void)
{
  assert_settings_plan (
      "'capture': <'routes'>, 'scope': <'user'>, 'routes': <['203.0.113.0/24', "
      "'203.0.113.0/24']>",
      TRUE,
      ADDRESSES
      "ip -4 rule add priority 5404 fwmark 0x2370 lookup main protocol 142\n"
      "ip -4 rule add priority 5405 fwmark 0x2370 unreachable protocol 142\n"
      "ip -4 route add 203.0.113.0/24 dev t2p0 table 23700 proto 142\n"
      "ip -4 rule add priority 5407 from 198.18.0.1/32 iif lo uidrange 1000-1000 lookup 23700 "
      "protocol 142\n"
      "ip -4 rule add priority 5412 from 0.0.0.0/32 iif lo uidrange 1000-1000 lookup 23700 "
      "protocol 142\n");
}

static void
test_users (void)
{
  g_autoptr (T2pSettings) settings = make_settings (
      "'capture': <'routes'>, 'ipv6': <'leave'>, 'routes': <['203.0.113.0/24']>", TRUE);
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  T2pnRoutePlanInput input = make_input (settings, snapshot);
  const T2pnUidRange users[] = { { 1000, 1000 }, { 2000, 2999 } };

  input.users = users;
  input.n_users = G_N_ELEMENTS (users);
  assert_plan (
      &input, snapshot,
      "ip -4 address add 198.18.0.1/30 dev t2p0\n"
      "ip -4 rule add priority 5404 fwmark 0x2370 lookup main protocol 142\n"
      "ip -4 rule add priority 5405 fwmark 0x2370 unreachable protocol 142\n"
      "ip -4 route add 203.0.113.0/24 dev t2p0 table 23700 proto 142\n"
      "ip -4 rule add priority 5407 from 198.18.0.1/32 iif lo uidrange 1000-1000 lookup "
      "23700 protocol 142\n"
      "ip -4 rule add priority 5407 from 198.18.0.1/32 iif lo uidrange 2000-2999 lookup "
      "23700 protocol 142\n"
      "ip -4 rule add priority 5412 from 0.0.0.0/32 iif lo uidrange 1000-1000 lookup "
      "23700 protocol 142\n"
      "ip -4 rule add priority 5412 from 0.0.0.0/32 iif lo uidrange 2000-2999 lookup "
      "23700 protocol 142\n");
}

static void
test_worker_uid_replaces_mark (void)
{
  g_autoptr (T2pSettings) settings = make_settings (
      "'capture': <'routes'>, 'ipv6': <'leave'>, 'routes': <['203.0.113.0/24']>", TRUE);
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  T2pnRoutePlanInput input = make_input (settings, snapshot);

  input.worker_uid = 990;
  assert_plan (
      &input, snapshot,
      "ip -4 address add 198.18.0.1/30 dev t2p0\n"
      "ip -4 rule add priority 5404 uidrange 990-990 lookup main protocol 142\n"
      "ip -4 rule add priority 5405 uidrange 990-990 unreachable protocol 142\n"
      "ip -4 route add 203.0.113.0/24 dev t2p0 table 23700 proto 142\n"
      "ip -4 rule add priority 5407 from 198.18.0.1/32 iif lo lookup 23700 protocol "
      "142\n"
      "ip -4 rule add priority 5412 from 0.0.0.0/32 iif lo lookup 23700 protocol 142\n");
}

/* Where other programs' rules would have led our sockets, before unreachable; what could not
 * have selected them is not followed. */
static void
test_follows_foreign_tables (void)
{
  g_autoptr (T2pSettings) settings = make_settings (
      "'capture': <'routes'>, 'ipv6': <'leave'>, 'routes': <['203.0.113.0/24']>", TRUE);
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  T2pnRoutePlanInput input;
  T2pnRule *rule;

  add_rule (snapshot, AF_INET, 5270, 52); /* was asked before ours */
  add_rule (snapshot, AF_INET, 10000, 100)->source = parse_prefix ("192.168.1.0/24");
  rule = add_rule (snapshot, AF_INET, 10001, 101);
  rule->is_inverted = TRUE; /* wg-quick */
  rule->mark = 0xca6c;
  rule->mask = G_MAXUINT32;
  rule = add_rule (snapshot, AF_INET, 10002, 102);
  rule->mark = 0x4000; /* somebody else's sockets */
  rule->mask = 0x4000;
  g_strlcpy (add_rule (snapshot, AF_INET, 10003, 103)->input, "docker0", IFNAMSIZ);
  add_rule (snapshot, AF_INET6, 10004, 104);
  input = make_input (settings, snapshot);
  assert_plan (
      &input, snapshot,
      "ip -4 address add 198.18.0.1/30 dev t2p0\n"
      "ip -4 rule add priority 5404 fwmark 0x2370 lookup main protocol 142\n"
      "ip -4 rule add priority 5404 from 192.168.1.0/24 fwmark 0x2370 lookup 100 "
      "protocol 142\n"
      "ip -4 rule add priority 5404 fwmark 0x2370 lookup 101 protocol 142\n"
      "ip -4 rule add priority 5405 fwmark 0x2370 unreachable protocol 142\n"
      "ip -4 route add 203.0.113.0/24 dev t2p0 table 23700 proto 142\n"
      "ip -4 rule add priority 5407 from 198.18.0.1/32 iif lo lookup 23700 protocol "
      "142\n"
      "ip -4 rule add priority 5412 from 0.0.0.0/32 iif lo lookup 23700 protocol 142\n");
}

/* The address of another tunnel is no uplink's: its sockets would leave by the uplink. */
static void
test_own_links_are_no_uplinks (void)
{
  g_autoptr (T2pSettings) settings =
      make_settings ("'capture': <'routes'>, 'routes': <['2001:db8:9::/48']>", TRUE);
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  T2pnRoutePlanInput input = make_input (settings, snapshot);
  const int own[] = { OWN, 8 };

  add_address (snapshot, OWN, "fd00:1::1", 126);
  add_address (snapshot, 8, "fd00:2::1", 126);
  input.own_ifindexes = own;
  input.n_own_ifindexes = G_N_ELEMENTS (own);
  assert_plan (&input, snapshot,
               ADDRESSES
               "ip -6 rule add priority 5404 fwmark 0x2370 lookup main protocol 142\n"
               "ip -6 rule add priority 5405 fwmark 0x2370 unreachable protocol 142\n"
               "ip -6 rule add priority 5406 from 2001:db8:1::7/128 lookup main protocol 142\n"
               "ip -6 route add 2001:db8:9::/48 dev t2p0 table 23700 proto 142\n"
               "ip -6 rule add priority 5412 iif lo lookup 23700 protocol 142\n");
}

static void
test_explicit_address (void)
{
  assert_settings_plan (
      "'capture': <'routes'>, 'routes': <['203.0.113.0/24']>, 'ipv6': <'leave'>, "
      "'addresses': <['10.20.0.5/8']>, 'dns': <'virtual'>",
      TRUE,
      "ip -4 address add 10.20.0.5/8 dev t2p0 noprefixroute\n"
      "ip -4 rule add priority 5404 fwmark 0x2370 lookup main protocol 142\n"
      "ip -4 rule add priority 5405 fwmark 0x2370 unreachable protocol 142\n"
      "ip -4 route add 10.20.0.6/32 dev t2p0 table main proto 142\n"
      "ip -4 route add 198.18.0.0/18 dev t2p0 table 23700 proto 142\n"
      "ip -4 route add 203.0.113.0/24 dev t2p0 table 23700 proto 142\n"
      "ip -4 rule add priority 5407 from 10.20.0.5/32 iif lo lookup 23700 protocol 142\n"
      "ip -4 rule add priority 5412 from 0.0.0.0/32 iif lo lookup 23700 protocol 142\n");
}

static void
assert_conflict (T2pnSnapshot *snapshot, const char *settings_text, const char *culprit)
{
  g_autoptr (T2pSettings) settings = make_settings (settings_text, TRUE);
  g_autoptr (T2pnSnapshot) clean = make_snapshot ();
  T2pnRoutePlanInput input = make_input (settings, clean);
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pnRoutePlan) plan = t2pn_route_plan_new (&input, snapshot, &error);

  g_assert_null (plan);
  g_assert_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT);
  g_assert_nonnull (strstr (error->message, culprit));
}

static void
test_conflicts (void)
{
  const char *routes = "'capture': <'routes'>, 'routes': <['203.0.113.0/24']>";
  g_autoptr (T2pnSnapshot) table = make_snapshot ();
  g_autoptr (T2pnSnapshot) rule = make_snapshot ();
  g_autoptr (T2pnSnapshot) pool = make_snapshot ();

  add_route (table, "10.1.0.0/16", 2, 23700);
  assert_conflict (table, routes, "10.1.0.0/16");
  add_rule (rule, AF_INET, 5407, 77);
  assert_conflict (rule, routes, "5407 lookup 77");
  add_route (pool, "198.18.0.0/18", 2, RT_TABLE_MAIN);
  assert_conflict (pool, "'dns': <'virtual'>", "198.18.0.0/18");
}

/* A plan that is renewed is whole, whatever else there is. */
static void
test_renewed_in_spite_of_conflicts (void)
{
  g_autoptr (T2pSettings) settings = make_settings ("'capture': <'default'>", TRUE);
  g_autoptr (T2pnSnapshot) clean = make_snapshot ();
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  T2pnRoutePlanInput input = make_input (settings, clean);
  g_autoptr (T2pnRoutePlan) expected = t2pn_route_plan_renew (&input, clean);
  g_autoptr (T2pnRoutePlan) plan = NULL;
  g_autofree char *expected_text = t2pn_route_plan_to_text (expected);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  add_rule (snapshot, AF_INET, 5404, RT_TABLE_MAIN);
  add_route (snapshot, "10.1.0.0/16", 2, 23700);
  plan = t2pn_route_plan_renew (&input, snapshot);
  text = t2pn_route_plan_to_text (plan);
  g_assert_cmpstr (text, ==, expected_text);
  g_assert_false (t2pn_route_plan_check (plan, &input, snapshot, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_ROUTE_CONFLICT);
}

/* Two foreign rules that differ by their mark alone are one rule of ours. */
static void
test_follows_a_table_once (void)
{
  g_autoptr (T2pSettings) settings = make_settings ("'capture': <'default'>", TRUE);
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  T2pnRoutePlanInput input = make_input (settings, snapshot);
  g_autoptr (T2pnRoutePlan) plan = NULL;
  g_autofree char *text = NULL;
  T2pnRule *inverted = add_rule (snapshot, AF_INET, 9000, 77);

  inverted->is_inverted = TRUE;
  inverted->mark = 0x1;
  inverted->mask = G_MAXUINT32;
  add_rule (snapshot, AF_INET, 9001, 77);
  plan = t2pn_route_plan_renew (&input, snapshot);
  text = t2pn_route_plan_to_text (plan);
  g_assert_nonnull (strstr (text, "lookup 77"));
  g_assert_null (strstr (strstr (text, "lookup 77") + 1, "lookup 77"));
}

/* What is there of an earlier run of ours is no conflict: update() meets its own rules. */
static void
test_own_rules_are_no_conflict (void)
{
  g_autoptr (T2pSettings) settings = make_settings ("'capture': <'default'>", TRUE);
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  T2pnRoutePlanInput input = make_input (settings, snapshot);
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pnRoutePlan) plan = NULL;

  add_rule (snapshot, AF_INET, 5406, 23700)->protocol = T2PN_PROTOCOL;
  plan = t2pn_route_plan_new (&input, snapshot, &error);
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/route-plan/none/only-addresses", test_none);
  g_test_add_func ("/route-plan/none/virtual-dns-routes-the-pools-in-main", test_none_virtual);
  g_test_add_func ("/route-plan/default/system", test_default_system);
  g_test_add_func ("/route-plan/default/user-touches-nobody-else", test_default_user);
  g_test_add_func ("/route-plan/default/reject-ipv6-is-unreachable", test_reject_ipv6);
  g_test_add_func ("/route-plan/default/auto-goes-by-the-proxy", test_auto_goes_by_proxy);
  g_test_add_func ("/route-plan/default/no-ipv6-on-new-links", test_no_ipv6_on_new_links);
  g_test_add_func ("/route-plan/default/excludes-are-thrown", test_excludes_are_thrown);
  g_test_add_func ("/route-plan/default/no-lan", test_no_lan);
  g_test_add_func ("/route-plan/default/overrides-main", test_override);
  g_test_add_func ("/route-plan/dns/resolver-is-believed", test_resolver_is_believed);
  g_test_add_func ("/route-plan/dns/questions-that-stay", test_questions_stay);
  g_test_add_func ("/route-plan/udp-servers", test_udp_servers);
  g_test_add_func ("/route-plan/forwarded", test_forwarded);
  g_test_add_func ("/route-plan/forwarded-answers", test_forwarded_answers);
  g_test_add_func ("/route-plan/forwarded-by-table-x", test_forwarded_override);
  g_test_add_func ("/route-plan/routes/both-families", test_routes);
  g_test_add_func ("/route-plan/routes/one-family", test_routes_of_one_family);
  g_test_add_func ("/route-plan/routes/users", test_users);
  g_test_add_func ("/route-plan/worker-uid-replaces-mark", test_worker_uid_replaces_mark);
  g_test_add_func ("/route-plan/follows-foreign-tables", test_follows_foreign_tables);
  g_test_add_func ("/route-plan/own-links-are-no-uplinks", test_own_links_are_no_uplinks);
  g_test_add_func ("/route-plan/explicit-address-brings-no-prefix", test_explicit_address);
  g_test_add_func ("/route-plan/conflicts-name-the-culprit", test_conflicts);
  g_test_add_func ("/route-plan/own-rules-are-no-conflict", test_own_rules_are_no_conflict);
  g_test_add_func ("/route-plan/renewed-in-spite-of-conflicts",
                   test_renewed_in_spite_of_conflicts);
  g_test_add_func ("/route-plan/follows-a-table-once", test_follows_a_table_once);
  return g_test_run ();
}
