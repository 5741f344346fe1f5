/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2p-limits.h"
#include "t2pw-rule-set.h"

#include <netinet/in.h>
#include <string.h>

static GHashTable *
files_of (const char *name, const char *text)
{
  GHashTable *files =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) g_bytes_unref);

  g_hash_table_insert (files, (gpointer) name, g_bytes_new_static (text, strlen (text)));
  return files;
}

static T2pwRuleSet *
set_of (const char *const *texts)
{
  g_autoptr (GError) error = NULL;
  T2pwRuleSet *set = t2pw_rule_set_new (texts, NULL, NULL, &error);

  g_assert_no_error (error);
  return set;
}

/* @where: a name or an address */
static T2pwRuleSubject
subject (const char *where, guint16 port, guint8 protocol)
{
  T2pwRuleSubject out = { .port = port, .protocol = protocol };

  if (!t2p_ip_address_parse (where, &out.address))
    out.name = where;
  return out;
}

static const char *
rule_for (const T2pwRuleSet *set, const char *where, guint16 port)
{
  const T2pwRuleSubject asked = subject (where, port, IPPROTO_TCP);
  T2pwDecision decision;

  g_assert_true (t2pw_rule_set_decide (set, &asked, &decision));
  if (decision.rule == NULL)
    g_assert_cmpint (decision.action, ==, T2P_RULE_PROXY);
  return decision.rule;
}

static void
test_first_match_wins (void)
{
  static const char *const texts[] = {
    "domain:www.corp.example -> reject",
    "domain-suffix:corp.example & port:443 -> proxy:2",
    "domain-suffix:corp.example -> direct",
    "cidr:192.0.2.128/25 -> drop",
    "cidr:192.0.2.0/24 -> direct",
    "port:25-26 -> reject",
    NULL,
  };
  g_autoptr (T2pwRuleSet) set = set_of (texts);

  g_assert_cmpstr (rule_for (set, "www.corp.example", 443), ==, texts[0]);
  g_assert_cmpstr (rule_for (set, "a.corp.example", 443), ==, texts[1]);
  g_assert_cmpstr (rule_for (set, "corp.example", 80), ==, texts[2]);
  g_assert_cmpstr (rule_for (set, "CORP.example.", 80), ==, texts[2]);
  g_assert_cmpstr (rule_for (set, "a.WWW.corp.example", 80), ==, texts[2]);
  g_assert_cmpstr (rule_for (set, "192.0.2.200", 25), ==, texts[3]);
  g_assert_cmpstr (rule_for (set, "192.0.2.100", 25), ==, texts[4]);
  g_assert_cmpstr (rule_for (set, "mail.example", 25), ==, texts[5]);
  g_assert_cmpstr (rule_for (set, "198.51.100.1", 26), ==, texts[5]);
  g_assert_cmpstr (rule_for (set, "notcorp.example", 27), ==, NULL);
  g_assert_cmpstr (rule_for (set, "corp.example.org", 24), ==, NULL);
  g_assert_cmpuint (t2pw_rule_set_get_last_proxy (set), ==, 2);
}

static void
test_decision_is_complete (void)
{
  static const char *const texts[] = { "protocol:udp -> drop", "any -> proxy:3", NULL };
  g_autoptr (T2pwRuleSet) set = set_of (texts);
  T2pwRuleSubject asked = subject ("192.0.2.1", 1, IPPROTO_UDP);
  T2pwDecision decision;

  g_assert_true (t2pw_rule_set_decide (set, &asked, &decision));
  g_assert_cmpint (decision.action, ==, T2P_RULE_DROP);
  asked.protocol = IPPROTO_TCP;
  g_assert_true (t2pw_rule_set_decide (set, &asked, &decision));
  g_assert_cmpint (decision.action, ==, T2P_RULE_PROXY);
  g_assert_cmpuint (decision.proxy, ==, 3);
}

/* A name has no address that a cidr could hold, an address no name. */
static void
test_unknown_matches_nothing (void)
{
  static const char *const texts[] = { "cidr:0.0.0.0/0 -> direct", "cidr:::/0 -> direct",
                                       "domain-suffix:example -> drop", NULL };
  g_autoptr (T2pwRuleSet) set = set_of (texts);

  g_assert_cmpstr (rule_for (set, "a.example", 1), ==, texts[2]);
  g_assert_cmpstr (rule_for (set, "a.test", 1), ==, NULL);
  g_assert_cmpstr (rule_for (set, "192.0.2.1", 1), ==, texts[0]);
  g_assert_cmpstr (rule_for (set, "2001:db8::1", 1), ==, texts[1]);
}

static void
test_no_rules (void)
{
  g_autoptr (T2pwRuleSet) set = set_of (NULL);

  g_assert_cmpstr (rule_for (set, "a.example", 1), ==, NULL);
  g_assert_cmpuint (t2pw_rule_set_get_last_proxy (set), ==, 0);
}

static void
test_files (void)
{
  static const char *const texts[] = {
    "domain-file:fd:list & port:80 -> reject",
    "domain-file:fd:list -> direct",
    NULL,
  };
  g_autoptr (GHashTable) files = files_of ("fd:list", "corp.example\n=one.example\n");
  g_autoptr (T2pwRuleSet) set = t2pw_rule_set_new (texts, files, NULL, NULL);

  g_assert_cmpstr (rule_for (set, "a.corp.example", 80), ==, texts[0]);
  g_assert_cmpstr (rule_for (set, "one.example", 443), ==, texts[1]);
  g_assert_cmpstr (rule_for (set, "a.one.example", 443), ==, NULL);
  g_assert_cmpstr (rule_for (set, "192.0.2.1", 80), ==, NULL);
}

static void
test_cidr_file (void)
{
  static const char *const texts[] = { "cidr-file:/etc/nets -> direct", NULL };
  g_autoptr (GHashTable) files = files_of ("/etc/nets", "192.0.2.0/24\n2001:db8::/32\n");
  g_autoptr (T2pwRuleSet) set = t2pw_rule_set_new (texts, files, NULL, NULL);

  g_assert_cmpstr (rule_for (set, "192.0.2.1", 80), ==, texts[0]);
  g_assert_cmpstr (rule_for (set, "2001:db8::1", 80), ==, texts[0]);
  g_assert_cmpstr (rule_for (set, "198.51.100.1", 80), ==, NULL);
  g_assert_cmpstr (rule_for (set, "a.example", 80), ==, NULL);
}

static gboolean
decide_for (const T2pwRuleSet *set, guint16 port, guint32 uid, const char **out_rule)
{
  T2pwRuleSubject asked = subject ("192.0.2.1", port, IPPROTO_TCP);
  T2pwDecision decision = { .rule = "untouched" };
  gboolean is_decided;

  asked.knows_user = uid != 0;
  asked.uid = uid;
  is_decided = t2pw_rule_set_decide (set, &asked, &decision);
  *out_rule = decision.rule;
  return is_decided;
}

/* The user is asked for only when nothing before decides and the rest of the rule holds. */
static void
test_users (void)
{
  static const char *const texts[] = { "port:25 -> reject",
                                       "port:80 & user:1000-1999 -> direct",
                                       "user:alice -> drop", NULL };
  g_autoptr (GHashTable) uids = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (T2pwRuleSet) set = NULL;
  const char *rule;

  g_hash_table_insert (uids, (gpointer) "alice", GUINT_TO_POINTER (2000));
  set = t2pw_rule_set_new (texts, NULL, uids, NULL);
  g_assert_true (decide_for (set, 25, 0, &rule));
  g_assert_cmpstr (rule, ==, texts[0]);
  g_assert_false (decide_for (set, 80, 0, &rule));
  g_assert_cmpstr (rule, ==, "untouched");
  g_assert_false (decide_for (set, 443, 0, &rule));
  g_assert_true (decide_for (set, 80, 1999, &rule));
  g_assert_cmpstr (rule, ==, texts[1]);
  g_assert_true (decide_for (set, 80, 2000, &rule));
  g_assert_cmpstr (rule, ==, texts[2]);
  g_assert_true (decide_for (set, 443, 1999, &rule));
  g_assert_null (rule);
  g_assert_true (decide_for (set, 443, T2PW_RULE_NOBODY, &rule));
  g_assert_null (rule);
}

static void
refused (const char *second, GHashTable *files, T2pError code, const char *message)
{
  const char *texts[] = { "any -> direct", second, NULL };
  g_autoptr (GError) error = NULL;

  g_assert_null (t2pw_rule_set_new (texts, files, NULL, &error));
  g_assert_error (error, T2P_ERROR, (gint) code);
  g_assert_cmpstr (error->message, ==, message);
}

static void
test_refused (void)
{
  g_autoptr (GHashTable) files = files_of ("fd:a", "192.0.2.0/24\nsecret\n");
  g_autofree char *blank = g_strnfill (T2P_MAX_RULE_FILE_BYTES + 1, '\n');
  g_autofree char *too_long = g_strdup_printf (
      "rules: entry 2: fd:b: has %d bytes, expected at most %d in all files of the rules",
      T2P_MAX_RULE_FILE_BYTES + 1, T2P_MAX_RULE_FILE_BYTES);

  g_hash_table_insert (files, (gpointer) "fd:b",
                       g_bytes_new_static (blank, T2P_MAX_RULE_FILE_BYTES + 1));
  refused ("any", files, T2P_ERROR_INVALID_SETTINGS,
           "rules: entry 2: 'any' has no ->, expected MATCH -> ACTION");
  refused ("cidr-file:fd:a -> drop", files, T2P_ERROR_INVALID_SETTINGS,
           "rules: entry 2: fd:a: line 2: is no CIDR, expected such as 192.0.2.0/24 or "
           "2001:db8::/32");
  refused ("cidr-file:fd:b -> drop", files, T2P_ERROR_LIMIT_EXCEEDED, too_long);
  refused ("cidr-file:fd:c -> drop", files, T2P_ERROR_INVALID_SETTINGS,
           "rules: entry 2: fd:c: the file was not handed over, expected its content");
  refused ("cidr-file:fd:c -> drop", NULL, T2P_ERROR_INVALID_SETTINGS,
           "rules: entry 2: fd:c: the file was not handed over, expected its content");
  refused ("user:bob -> drop", files, T2P_ERROR_INVALID_SETTINGS,
           "rules: entry 2: there is no user 'bob', expected a name, a uid or a range of uids");
}

static void
test_too_many (void)
{
  const char *texts[T2P_MAX_LIST_ENTRIES + 2] = { NULL };
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i <= T2P_MAX_LIST_ENTRIES; i++)
    texts[i] = "any -> direct";
  g_assert_null (t2pw_rule_set_new (texts, NULL, NULL, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED);
}

/* The bound on entries is one for all files. */
static void
test_entries_of_all_files (void)
{
  static const char *const texts[] = { "cidr-file:fd:a -> drop",
                                       "cidr-file:fd:a & port:1 -> drop",
                                       "cidr-file:fd:b -> drop", NULL };
  g_autoptr (GString) many = g_string_new (NULL);
  g_autoptr (GHashTable) files = NULL;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < T2P_MAX_RULE_FILE_ENTRIES; i++)
    g_string_append (many, "::\n");
  files = files_of ("fd:a", many->str);
  g_hash_table_insert (files, (gpointer) "fd:b", g_bytes_new_static ("#\n::\n", 5));
  g_assert_null (t2pw_rule_set_new (texts, files, NULL, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED);
  g_assert_cmpstr (error->message, ==, "rules: entry 3: fd:b: line 2: is one entry too many");
}

/* That on bytes, too. */
static void
test_bytes_of_all_files (void)
{
  static const char *const texts[] = { "cidr-file:fd:a -> drop", "domain-file:fd:b -> drop",
                                       NULL };
  g_autofree char *blank = g_strnfill (T2P_MAX_RULE_FILE_BYTES, '\n');
  g_autoptr (GHashTable) files = files_of ("fd:a", blank);
  g_autoptr (GError) error = NULL;

  g_hash_table_insert (files, (gpointer) "fd:b", g_bytes_new_static ("\n", 1));
  g_assert_null (t2pw_rule_set_new (texts, files, NULL, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED);
  g_assert_nonnull (strstr (error->message, "entry 2: fd:b: has 1 bytes"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rule-set/first-match-wins", test_first_match_wins);
  g_test_add_func ("/rule-set/decision-is-complete", test_decision_is_complete);
  g_test_add_func ("/rule-set/what-is-unknown-matches-nothing", test_unknown_matches_nothing);
  g_test_add_func ("/rule-set/no-rules", test_no_rules);
  g_test_add_func ("/rule-set/domain-file", test_files);
  g_test_add_func ("/rule-set/cidr-file", test_cidr_file);
  g_test_add_func ("/rule-set/users-are-asked-for-last", test_users);
  g_test_add_func ("/rule-set/refused", test_refused);
  g_test_add_func ("/rule-set/too-many", test_too_many);
  g_test_add_func ("/rule-set/entries-of-all-files", test_entries_of_all_files);
  g_test_add_func ("/rule-set/bytes-of-all-files", test_bytes_of_all_files);
  return g_test_run ();
}
