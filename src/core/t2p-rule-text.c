/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-rule-text.h"

#include "t2p-error.h"
#include "t2p-host-name.h"
#include "t2p-limits.h"
#include "t2p-quote.h"

#include <netinet/in.h>
#include <string.h>

/* Theory of operation. `MATCH & MATCH -> ACTION`: a flow takes the action when every match
 * holds, so a kind that stands there twice is a mistake (write two rules for "or"). A comma
 * separates entries of a list on the command line, which is why it is no "and". A match that
 * holds always, `any`, stands alone. */

#define ARROW "->"
#define FD_PREFIX "fd:"
#define KINDS                                                                                  \
  "domain:, domain-suffix:, domain-file:, cidr:, cidr-file:, port:, protocol:, user: or any"

static gboolean G_GNUC_PRINTF (2, 3) refuse (GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  if (error != NULL)
    *error = g_error_new_valist (T2P_ERROR, T2P_ERROR_INVALID_SETTINGS, format, args);
  va_end (args);
  return FALSE;
}

/* --- matches */

static gboolean
take_name (const char *value, char **out_name, GError **error)
{
  g_autofree char *seen = t2p_quote (value);
  char *name;

  if (!t2p_host_name_is_valid (value))
    return refuse (error, "%s is no domain name, expected such as corp.example", seen);
  name = g_ascii_strdown (value, -1);
  if (g_str_has_suffix (name, "."))
    name[strlen (name) - 1] = '\0';
  *out_name = name;
  return TRUE;
}

static gboolean
take_domain (T2pRule *rule, const char *value, GError **error)
{
  return take_name (value, &rule->domain, error);
}

static gboolean
take_domain_suffix (T2pRule *rule, const char *value, GError **error)
{
  return take_name (value, &rule->domain_suffix, error);
}

static gboolean
take_file (const char *value, char **out_file, GError **error)
{
  g_autofree char *seen = t2p_quote (value);

  if (!g_path_is_absolute (value) &&
      !(g_str_has_prefix (value, FD_PREFIX) && value[strlen (FD_PREFIX)] != '\0'))
    return refuse (error, "%s is no file, expected an absolute path or fd:NAME", seen);
  *out_file = g_strdup (value);
  return TRUE;
}

static gboolean
take_domain_file (T2pRule *rule, const char *value, GError **error)
{
  return take_file (value, &rule->domain_file, error);
}

static gboolean
take_cidr (T2pRule *rule, const char *value, GError **error)
{
  return t2p_ip_prefix_parse (value, &rule->cidr, error);
}

static gboolean
take_cidr_file (T2pRule *rule, const char *value, GError **error)
{
  return take_file (value, &rule->cidr_file, error);
}

static gboolean
take_port (T2pRule *rule, const char *value, GError **error)
{
  g_auto (GStrv) ends = g_strsplit (value, "-", 3);
  const guint n = g_strv_length (ends);
  g_autofree char *seen = t2p_quote (value);
  guint64 first = 0;
  guint64 last = 0;

  if (n < 1 || n > 2 ||
      !g_ascii_string_to_unsigned (ends[0], 10, 0, G_MAXUINT16, &first, NULL) ||
      !g_ascii_string_to_unsigned (ends[n - 1], 10, first, G_MAXUINT16, &last, NULL))
    return refuse (error, "%s is no port, expected 0 to 65535, or a range such as 8000-8999",
                   seen);
  rule->first_port = (guint16) first;
  rule->last_port = (guint16) last;
  return TRUE;
}

static gboolean
take_protocol (T2pRule *rule, const char *value, GError **error)
{
  g_autofree char *seen = t2p_quote (value);

  if (strcmp (value, "tcp") != 0 && strcmp (value, "udp") != 0)
    return refuse (error, "%s is no protocol, expected tcp or udp", seen);
  rule->protocol = value[0] == 't' ? IPPROTO_TCP : IPPROTO_UDP;
  return TRUE;
}

static gboolean
take_user (T2pRule *rule, const char *value, GError **error)
{
  return t2p_user_range_parse (value, &rule->user, error);
}

typedef struct
{
  const char *name;
  T2pRuleMatch match;
  gboolean (*take) (T2pRule *rule, const char *value, GError **error);
} Kind;

static const Kind kinds[] = {
  { "domain:", T2P_RULE_MATCH_DOMAIN, take_domain },
  { "domain-suffix:", T2P_RULE_MATCH_DOMAIN_SUFFIX, take_domain_suffix },
  { "domain-file:", T2P_RULE_MATCH_DOMAIN_FILE, take_domain_file },
  { "cidr:", T2P_RULE_MATCH_CIDR, take_cidr },
  { "cidr-file:", T2P_RULE_MATCH_CIDR_FILE, take_cidr_file },
  { "port:", T2P_RULE_MATCH_PORT, take_port },
  { "protocol:", T2P_RULE_MATCH_PROTOCOL, take_protocol },
  { "user:", T2P_RULE_MATCH_USER, take_user },
};

static const Kind *
kind_of (const char *match)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (g_str_has_prefix (match, kinds[i].name))
      return &kinds[i];
  return NULL;
}

static gboolean
take_match (T2pRule *rule, const char *match, GError **error)
{
  const Kind *kind = kind_of (match);
  g_autofree char *seen = t2p_quote (match);

  if (kind == NULL)
    return refuse (error, "%s is no match, expected " KINDS, seen);
  if ((rule->matches & kind->match) != 0)
    return refuse (error, "%s is there twice, expected it once (all matches must hold)",
                   kind->name);
  rule->matches |= kind->match;
  return kind->take (rule, match + strlen (kind->name), error);
}

static gboolean
take_matches (T2pRule *rule, const char *text, gsize length, GError **error)
{
  g_autofree char *left = g_strstrip (g_strndup (text, length));
  g_auto (GStrv) matches = g_strsplit (left, "&", -1);

  if (strcmp (left, "any") == 0)
    return TRUE;
  if (matches[0] == NULL)
    return refuse (error, "has no match, expected " KINDS);
  for (guint i = 0; matches[i] != NULL; i++)
    if (!take_match (rule, g_strstrip (matches[i]), error))
      return FALSE;
  return TRUE;
}

/* --- actions */

static gboolean
take_proxy (T2pRule *rule, const char *index)
{
  guint64 number = 0;

  if (!g_ascii_string_to_unsigned (index, 10, 1, T2P_MAX_PROXIES, &number, NULL))
    return FALSE;
  rule->action = T2P_RULE_PROXY;
  rule->proxy = (guint) number;
  return TRUE;
}

static gboolean
take_action (T2pRule *rule, const char *text, GError **error)
{
  static const struct
  {
    const char *name;
    T2pRuleAction action;
  } actions[] = {
    { "proxy", T2P_RULE_PROXY },
    { "direct", T2P_RULE_DIRECT },
    { "reject", T2P_RULE_REJECT },
    { "drop", T2P_RULE_DROP },
  };
  g_autofree char *action = g_strstrip (g_strdup (text));
  g_autofree char *seen = t2p_quote (action);

  for (guint i = 0; i < G_N_ELEMENTS (actions); i++)
    if (strcmp (action, actions[i].name) == 0)
      {
        rule->action = actions[i].action;
        return TRUE;
      }
  if (g_str_has_prefix (action, "proxy:") && take_proxy (rule, action + strlen ("proxy:")))
    return TRUE;
  return refuse (error,
                 "%s is no action, expected proxy, proxy:N (1 to %d), direct, reject or drop",
                 seen, T2P_MAX_PROXIES);
}

/* --- the whole */

/**
 * t2p_rule_parse:
 * @text: `MATCH [& MATCH…] -> ACTION`
 * @error: return location for %T2P_ERROR_INVALID_SETTINGS
 *
 * Pure: no file is opened and no user looked up.
 *
 * Returns: (transfer full): the rule
 *
 * Since: 0.1
 */
T2pRule *
t2p_rule_parse (const char *text, GError **error)
{
  const char *arrow = g_strrstr (text, ARROW);
  g_autoptr (T2pRule) rule = g_new0 (T2pRule, 1);
  g_autofree char *seen = NULL;

  if (arrow == NULL)
    {
      seen = t2p_quote (text);
      refuse (error, "%s has no " ARROW ", expected MATCH " ARROW " ACTION", seen);
      return NULL;
    }
  rule->text = g_strstrip (g_strdup (text));
  if (!take_matches (rule, text, (gsize) (arrow - text), error) ||
      !take_action (rule, arrow + strlen (ARROW), error))
    return NULL;
  return g_steal_pointer (&rule);
}

void
t2p_rule_free (T2pRule *rule)
{
  if (rule == NULL)
    return;
  g_free (rule->text);
  g_free (rule->domain);
  g_free (rule->domain_suffix);
  g_free (rule->domain_file);
  g_free (rule->cidr_file);
  t2p_user_range_clear (&rule->user);
  g_free (rule);
}
