/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2p-rule-text.h"

#include <netinet/in.h>

static T2pRule *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  T2pRule *rule = t2p_rule_parse (text, &error);

  g_assert_no_error (error);
  g_assert_nonnull (rule);
  return rule;
}

static void
refused (const char *text, const char *message)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (t2p_rule_parse (text, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS);
  g_assert_cmpstr (error->message, ==, message);
}

static void
test_every_kind (void)
{
  g_autoptr (T2pRule) rule =
      parse (" domain:WWW.Corp.Example. & domain-suffix:Corp.example&domain-file:fd:names & "
             "cidr:192.0.2.0/24 & cidr-file:/etc/nets & port:8000-8999 & protocol:udp & "
             "user:alice->proxy:2 ");

  g_assert_cmpuint (rule->matches, ==, 0xff);
  g_assert_cmpstr (rule->domain, ==, "www.corp.example");
  g_assert_cmpstr (rule->domain_suffix, ==, "corp.example");
  g_assert_cmpstr (rule->domain_file, ==, "fd:names");
  g_assert_cmpuint (rule->cidr.length, ==, 24);
  g_assert_cmpstr (rule->cidr_file, ==, "/etc/nets");
  g_assert_cmpuint (rule->first_port, ==, 8000);
  g_assert_cmpuint (rule->last_port, ==, 8999);
  g_assert_cmpuint (rule->protocol, ==, IPPROTO_UDP);
  g_assert_cmpstr (rule->user.name, ==, "alice");
  g_assert_cmpint (rule->action, ==, T2P_RULE_PROXY);
  g_assert_cmpuint (rule->proxy, ==, 2);
  g_assert_true (g_str_has_prefix (rule->text, "domain:WWW"));
  g_assert_true (g_str_has_suffix (rule->text, "->proxy:2"));
}

static void
test_actions (void)
{
  static const struct
  {
    const char *text;
    T2pRuleAction action;
  } cases[] = {
    { "any -> proxy", T2P_RULE_PROXY },
    { "any -> direct", T2P_RULE_DIRECT },
    { "any->reject", T2P_RULE_REJECT },
    { "  any  ->  drop  ", T2P_RULE_DROP },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (T2pRule) rule = parse (cases[i].text);

      g_assert_cmpuint (rule->matches, ==, 0);
      g_assert_cmpint (rule->action, ==, cases[i].action);
      g_assert_cmpuint (rule->proxy, ==, 0);
    }
}

static void
test_one_port_and_uids (void)
{
  g_autoptr (T2pRule) rule = parse ("port:443 & user:1000-1999 -> direct");
  g_autoptr (T2pRule) one = parse ("user:0 & protocol:tcp -> direct");

  g_assert_cmpuint (rule->first_port, ==, 443);
  g_assert_cmpuint (rule->last_port, ==, 443);
  g_assert_null (rule->user.name);
  g_assert_cmpuint (rule->user.first, ==, 1000);
  g_assert_cmpuint (rule->user.last, ==, 1999);
  g_assert_cmpuint (one->user.last, ==, 0);
  g_assert_cmpuint (one->protocol, ==, IPPROTO_TCP);
}

/* A name of a file may have an arrow in it: the last one counts. */
static void
test_last_arrow (void)
{
  g_autoptr (T2pRule) rule = parse ("cidr-file:/a->b -> drop");

  g_assert_cmpstr (rule->cidr_file, ==, "/a->b");
}

#define EXPECTED_KINDS                                                                         \
  "expected domain:, domain-suffix:, domain-file:, cidr:, cidr-file:, port:, protocol:, "      \
  "user: or any"
#define EXPECTED_ACTIONS "expected proxy, proxy:N (1 to 16), direct, reject or drop"

static void
test_refused (void)
{
  static const char *const cases[][2] = {
    { "", "'' has no ->, expected MATCH -> ACTION" },
    { "domain:a.example", "'domain:a.example' has no ->, expected MATCH -> ACTION" },
    { "-> direct", "has no match, " EXPECTED_KINDS },
    { "host:a.example -> direct", "'host:a.example' is no match, " EXPECTED_KINDS },
    { "any & port:1 -> direct", "'any' is no match, " EXPECTED_KINDS },
    { "port:1 & -> direct", "'' is no match, " EXPECTED_KINDS },
    { "any -> nowhere", "'nowhere' is no action, " EXPECTED_ACTIONS },
    { "any ->", "'' is no action, " EXPECTED_ACTIONS },
    { "any -> proxy:0", "'proxy:0' is no action, " EXPECTED_ACTIONS },
    { "any -> proxy:17", "'proxy:17' is no action, " EXPECTED_ACTIONS },
    { "any -> proxy:", "'proxy:' is no action, " EXPECTED_ACTIONS },
    { "port:80 & port:443 -> direct",
      "port: is there twice, expected it once (all matches must hold)" },
    { "port:65536 -> direct",
      "'65536' is no port, expected 0 to 65535, or a range such as 8000-8999" },
    { "port:9-8 -> direct",
      "'9-8' is no port, expected 0 to 65535, or a range such as 8000-8999" },
    { "port: -> direct", "'' is no port, expected 0 to 65535, or a range such as 8000-8999" },
    { "port:1-2-3 -> direct",
      "'1-2-3' is no port, expected 0 to 65535, or a range such as 8000-8999" },
    { "protocol:icmp -> direct", "'icmp' is no protocol, expected tcp or udp" },
    { "domain:*.example -> direct",
      "'*.example' is no domain name, expected such as corp.example" },
    { "domain-suffix:192.0.2.1 -> direct",
      "'192.0.2.1' is no domain name, expected such as corp.example" },
    { "cidr-file:list -> direct", "'list' is no file, expected an absolute path or fd:NAME" },
    { "domain-file:fd: -> direct", "'fd:' is no file, expected an absolute path or fd:NAME" },
    { "user:-a -> direct",
      "'-a' is no user, expected a name, a uid, or a range such as 1000-1999" },
    { "user:4294967295 -> direct",
      "'4294967295' is no user, expected a name, a uid, or a range such as 1000-1999" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    refused (cases[i][0], cases[i][1]);
}

static void
test_cidr_errors_are_those_of_prefixes (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (t2p_rule_parse ("cidr:192.0.2.1/24 -> direct", &error));
  g_assert_nonnull (strstr (error->message, "expected 192.0.2.0/24"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rule-text/every-kind", test_every_kind);
  g_test_add_func ("/rule-text/actions", test_actions);
  g_test_add_func ("/rule-text/one-port-and-uids", test_one_port_and_uids);
  g_test_add_func ("/rule-text/the-last-arrow-counts", test_last_arrow);
  g_test_add_func ("/rule-text/refused-with-what-is-expected", test_refused);
  g_test_add_func ("/rule-text/cidr-errors", test_cidr_errors_are_those_of_prefixes);
  return g_test_run ();
}
