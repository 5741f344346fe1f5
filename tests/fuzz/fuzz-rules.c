/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes are a rule, a list of prefixes and a list of names, or refused; and each entry of a
 * list is found by the table that was made of it. */
#include "config.h"

#include "fuzz.h"

#include "t2p-rule-text.h"
#include "t2pw-cidr-table.h"
#include "t2pw-domain-table.h"
#include "t2pw-rule-lines.h"

#define MOST 64

static void
check_rule (const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pRule) rule = t2p_rule_parse (text, &error);
  g_autoptr (T2pRule) again = NULL;

  g_assert_true ((rule == NULL) == (error != NULL));
  if (rule == NULL)
    return;
  again = t2p_rule_parse (rule->text, NULL);
  g_assert_nonnull (again);
  g_assert_cmpuint (again->matches, ==, rule->matches);
  g_assert_cmpint (again->action, ==, rule->action);
  g_assert_cmpuint (again->proxy, ==, rule->proxy);
}

static void
check_prefixes (GBytes *content)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pwCidrTable) table = NULL;
  T2pwRuleLines lines;
  guint left = MOST;

  table = t2pw_cidr_table_parse (content, &left, &error);
  g_assert_true ((table == NULL) == (error != NULL));
  if (table == NULL)
    return;
  g_assert_cmpuint (t2pw_cidr_table_get_size (table), <=, MOST - left);
  t2pw_rule_lines_init (&lines, content, MOST);
  while (t2pw_rule_lines_next (&lines, NULL))
    {
      T2pIpPrefix prefix;

      g_assert_true (t2p_ip_prefix_parse (lines.entry, &prefix, NULL));
      g_assert_true (t2pw_cidr_table_contains (table, &prefix.address));
    }
  g_assert_cmpuint (lines.entries_left, ==, left);
}

static void
check_names (GBytes *content)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pwDomainTable) table = NULL;
  T2pwRuleLines lines;
  guint left = MOST;

  table = t2pw_domain_table_parse (content, &left, &error);
  g_assert_true ((table == NULL) == (error != NULL));
  if (table == NULL)
    return;
  g_assert_cmpuint (t2pw_domain_table_get_size (table), <=, MOST - left);
  t2pw_rule_lines_init (&lines, content, MOST);
  while (t2pw_rule_lines_next (&lines, NULL))
    g_assert_true (
        t2pw_domain_table_contains (table, lines.entry + strspn (lines.entry, "=.*")));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (GBytes) content = g_bytes_new_static (data, size);

  check_rule (text);
  check_prefixes (content);
  check_names (content);
  return 0;
}
