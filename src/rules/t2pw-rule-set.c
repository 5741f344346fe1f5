/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Rules are tried in their order, and the first of which every match holds decides; a set has
 * at most T2P_MAX_LIST_ENTRIES of them. What may be long are the files that they name: each is
 * parsed once into a table that answers by binary search, whichever rules use it.
 *
 * Whose flow it is costs a question to another process, so the user is looked at last, and only
 * when everything else of a rule holds: a set without `user:` never asks, and one with it asks
 * for the flows alone that depend on it. */
#include "config.h"

#include "t2pw-rule-set.h"

#include "t2p-error.h"
#include "t2p-limits.h"
#include "t2pw-cidr-table.h"
#include "t2pw-domain-table.h"

#include <string.h>

typedef struct
{
  T2pRule *parsed;
  const T2pwCidrTable *cidrs;     /* of `cidr-file:`, owned by the set */
  const T2pwDomainTable *domains; /* of `domain-file:` */
} Rule;

struct _T2pwRuleSet
{
  GArray *rules;          /* Rule */
  GHashTable *cidr_files; /* name → T2pwCidrTable */
  GHashTable *domain_files;
};

/* How much may still be read while a set is made. */
typedef struct
{
  GHashTable *files; /* name → GBytes */
  gsize bytes_left;
  guint entries_left;
} Sources;

/* --- making one */

static GBytes *
find_content (Sources *sources, const char *name, GError **error)
{
  GBytes *content = sources->files != NULL ? g_hash_table_lookup (sources->files, name) : NULL;
  gsize size;

  if (content == NULL)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS,
                   "%s: the file was not handed over, expected its content", name);
      return NULL;
    }
  size = g_bytes_get_size (content);
  if (size > sources->bytes_left)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED,
                   "%s: has %" G_GSIZE_FORMAT " bytes, expected at most %d in all files of the "
                   "rules",
                   name, size, T2P_MAX_RULE_FILE_BYTES);
      return NULL;
    }
  sources->bytes_left -= size;
  return content;
}

static gboolean
load_cidrs (T2pwRuleSet *set, Rule *rule, Sources *sources, GError **error)
{
  const char *name = rule->parsed->cidr_file;
  T2pwCidrTable *table;
  GBytes *content;

  if (name == NULL)
    return TRUE;
  rule->cidrs = g_hash_table_lookup (set->cidr_files, name);
  if (rule->cidrs != NULL)
    return TRUE;
  content = find_content (sources, name, error);
  if (content == NULL)
    return FALSE;
  table = t2pw_cidr_table_parse (content, &sources->entries_left, error);
  if (table == NULL)
    {
      g_prefix_error (error, "%s: ", name);
      return FALSE;
    }
  g_hash_table_insert (set->cidr_files, g_strdup (name), table);
  rule->cidrs = table;
  return TRUE;
}

static gboolean
load_domains (T2pwRuleSet *set, Rule *rule, Sources *sources, GError **error)
{
  const char *name = rule->parsed->domain_file;
  T2pwDomainTable *table;
  GBytes *content;

  if (name == NULL)
    return TRUE;
  rule->domains = g_hash_table_lookup (set->domain_files, name);
  if (rule->domains != NULL)
    return TRUE;
  content = find_content (sources, name, error);
  if (content == NULL)
    return FALSE;
  table = t2pw_domain_table_parse (content, &sources->entries_left, error);
  if (table == NULL)
    {
      g_prefix_error (error, "%s: ", name);
      return FALSE;
    }
  g_hash_table_insert (set->domain_files, g_strdup (name), table);
  rule->domains = table;
  return TRUE;
}

static gboolean
find_user (T2pUserRange *user, GHashTable *uids, GError **error)
{
  gpointer uid;

  if (user->name == NULL)
    return TRUE;
  if (uids != NULL && g_hash_table_lookup_extended (uids, user->name, NULL, &uid))
    {
      user->first = user->last = GPOINTER_TO_UINT (uid);
      return TRUE;
    }
  g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS,
               "there is no user '%s', expected a name, a uid or a range of uids", user->name);
  return FALSE;
}

static gboolean
add_rule (
    T2pwRuleSet *set, const char *text, Sources *sources, GHashTable *uids, GError **error)
{
  Rule rule = { .parsed = t2p_rule_parse (text, error) };

  if (rule.parsed == NULL)
    return FALSE;
  if (!find_user (&rule.parsed->user, uids, error) ||
      !load_cidrs (set, &rule, sources, error) || !load_domains (set, &rule, sources, error))
    {
      t2p_rule_free (rule.parsed);
      return FALSE;
    }
  g_array_append_val (set->rules, rule);
  return TRUE;
}

static void
rule_clear (gpointer data)
{
  t2p_rule_free (((Rule *) data)->parsed);
}

static T2pwRuleSet *
set_new_empty (void)
{
  T2pwRuleSet *set = g_new0 (T2pwRuleSet, 1);

  set->rules = g_array_new (FALSE, FALSE, sizeof (Rule));
  g_array_set_clear_func (set->rules, rule_clear);
  set->cidr_files = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                           (GDestroyNotify) t2pw_cidr_table_free);
  set->domain_files = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                             (GDestroyNotify) t2pw_domain_table_free);
  return set;
}

/**
 * t2pw_rule_set_new:
 * @texts: (nullable): `MATCH -> ACTION`, NULL-terminated
 * @files: (nullable) (element-type utf8 GBytes): content by the name that rules give it
 * @uids: (nullable) (element-type utf8 guint): uid by the name that rules give it
 * @error: return location for %T2P_ERROR_INVALID_SETTINGS and %T2P_ERROR_LIMIT_EXCEEDED; tells
 *   entry, file and line, never what stands in a file
 *
 * Returns: (transfer full): the set
 */
T2pwRuleSet *
t2pw_rule_set_new (const char *const *texts,
                   GHashTable *files,
                   GHashTable *uids,
                   GError **error)
{
  g_autoptr (T2pwRuleSet) set = set_new_empty ();
  Sources sources = { files, T2P_MAX_RULE_FILE_BYTES, T2P_MAX_RULE_FILE_ENTRIES };

  for (guint i = 0; texts != NULL && texts[i] != NULL; i++)
    {
      if (i == T2P_MAX_LIST_ENTRIES)
        {
          g_set_error (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED,
                       "rules: saw more than %d entries, expected at most that",
                       T2P_MAX_LIST_ENTRIES);
          return NULL;
        }
      if (!add_rule (set, texts[i], &sources, uids, error))
        {
          g_prefix_error (error, "rules: entry %u: ", i + 1);
          return NULL;
        }
    }
  return g_steal_pointer (&set);
}

void
t2pw_rule_set_free (T2pwRuleSet *set)
{
  g_array_unref (set->rules);
  g_hash_table_unref (set->cidr_files);
  g_hash_table_unref (set->domain_files);
  g_free (set);
}

/* --- asking it */

static gsize
name_length (const char *name)
{
  const gsize length = strlen (name);

  return length > 0 && name[length - 1] == '.' ? length - 1 : length;
}

static gboolean
is_name (const char *name, const char *domain)
{
  const gsize length = name_length (name);

  return length == strlen (domain) && g_ascii_strncasecmp (name, domain, length) == 0;
}

static gboolean
is_name_below (const char *name, const char *domain)
{
  const gsize length = name_length (name);
  const gsize tail = strlen (domain);

  if (length <= tail)
    return is_name (name, domain);
  return name[length - tail - 1] == '.' &&
         g_ascii_strncasecmp (name + length - tail, domain, tail) == 0;
}

static gboolean
name_holds (const Rule *rule, const char *name)
{
  const T2pRule *parsed = rule->parsed;

  if (parsed->domain == NULL && parsed->domain_suffix == NULL && rule->domains == NULL)
    return TRUE;
  return name != NULL && (parsed->domain == NULL || is_name (name, parsed->domain)) &&
         (parsed->domain_suffix == NULL || is_name_below (name, parsed->domain_suffix)) &&
         (rule->domains == NULL || t2pw_domain_table_contains (rule->domains, name));
}

static gboolean
address_holds (const Rule *rule, const T2pIpAddress *address)
{
  const T2pRule *parsed = rule->parsed;
  const gboolean has_cidr = (parsed->matches & T2P_RULE_MATCH_CIDR) != 0;

  if (!has_cidr && rule->cidrs == NULL)
    return TRUE;
  return address->family != AF_UNSPEC &&
         (!has_cidr || t2p_ip_prefix_contains (&parsed->cidr, address)) &&
         (rule->cidrs == NULL || t2pw_cidr_table_contains (rule->cidrs, address));
}

/* The user aside; what costs least first. */
static gboolean
rest_holds (const Rule *rule, const T2pwRuleSubject *subject)
{
  const T2pRule *parsed = rule->parsed;

  if ((parsed->matches & T2P_RULE_MATCH_PROTOCOL) != 0 && parsed->protocol != subject->protocol)
    return FALSE;
  if ((parsed->matches & T2P_RULE_MATCH_PORT) != 0 &&
      (subject->port < parsed->first_port || subject->port > parsed->last_port))
    return FALSE;
  return name_holds (rule, subject->name) && address_holds (rule, &subject->address);
}

static gboolean
user_holds (const T2pRule *rule, guint32 uid)
{
  return uid != T2PW_RULE_NOBODY && uid >= rule->user.first && uid <= rule->user.last;
}

/**
 * t2pw_rule_set_decide:
 * @out_decision: (out): the action of the first rule that matches, or the default, `proxy`
 *
 * Returns: %FALSE when that depends on the user, who is not known: then nothing was decided
 */
gboolean
t2pw_rule_set_decide (const T2pwRuleSet *set,
                      const T2pwRuleSubject *subject,
                      T2pwDecision *out_decision)
{
  for (guint i = 0; i < set->rules->len; i++)
    {
      const Rule *rule = &g_array_index (set->rules, Rule, i);
      const T2pRule *parsed = rule->parsed;
      const gboolean has_user = (parsed->matches & T2P_RULE_MATCH_USER) != 0;

      if (!rest_holds (rule, subject))
        continue;
      if (has_user && !subject->knows_user)
        return FALSE;
      if (has_user && !user_holds (parsed, subject->uid))
        continue;
      *out_decision = (T2pwDecision){ parsed->action, parsed->proxy, parsed->text };
      return TRUE;
    }
  *out_decision = (T2pwDecision){ .action = T2P_RULE_PROXY };
  return TRUE;
}

guint
t2pw_rule_set_get_last_proxy (const T2pwRuleSet *set)
{
  guint last = 0;

  for (guint i = 0; i < set->rules->len; i++)
    last = MAX (last, g_array_index (set->rules, Rule, i).parsed->proxy);
  return last;
}
