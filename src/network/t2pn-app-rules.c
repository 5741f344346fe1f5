/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Routing rules know users and marks, and nothing of programs. So whose traffic it is, is
 * decided once for each connection, by nftables, when its first packet has been routed as if
 * there were no tunnel; the connection gets a mark, and each of its packets gets it from there
 * and is routed again. That makes the source address the uplink's, which the tunnel does not
 * mind.
 *
 * To go by connections is what leaves three things alone that a mark on each packet of an app
 * would break: answers to connections from outside, connections that were open before, and
 * programs that mark their packets themselves because they know better. For the same reason
 * all of the traffic is marked when some apps are excluded: a packet that was routed into the
 * tunnel has the tunnel's source address, and could not be let out any more.
 *
 * The lower half of the connection's mark is ours, the upper half is left as it is. Names of
 * cgroups contain no quotes: t2pn-app-search.c takes no others.
 *
 * A cgroup that is made later is in no rule yet, and nftables knows none by its name. What it
 * sends is dropped by a second table until we have looked. The kernel numbers cgroups in the
 * order in which they are made, and shows each before it makes the next: so when a search sees
 * a cgroup, the search after it sees all with lower numbers, and "not looked at" is any that
 * has a higher one. Only what lies directly in a folder that is searched is held: nothing else
 * can be an app, and of nothing else are we told.
 *
 * nftables wants the path of a cgroup, and finds its number there. It gets that of our
 * descriptor, so that a cgroup that is removed meanwhile, by a user who wants to disturb, does
 * not have everything else refused. */
#include "config.h"

#include "t2pn-app-rules.h"

#define MARK_MASK 0xffffu
#define STAYS_HERE "oifname \"lo\" meta l4proto { tcp, udp } th dport != 53"
#define BEGUN_BEFORE "tcp flags & (fin | syn | rst | ack) != syn"

static void G_GNUC_PRINTF (4, 5) append_rule (
    GString *script, const T2pnAppRules *rules, const char *chain, const char *format, ...)
{
  va_list args;

  g_string_append_printf (script, "add rule inet %s %s ", rules->table, chain);
  va_start (args, format);
  g_string_append_vprintf (script, format, args);
  va_end (args);
  g_string_append_c (script, '\n');
}

static void
append_chains (GString *script, const T2pnAppRules *rules)
{
  const char *const chains[] = { "apps", "apps-decide", "apps-capture" };

  g_string_append_printf (script, "add table inet %s\n", rules->table);
  for (guint i = 0; i < G_N_ELEMENTS (chains); i++)
    g_string_append_printf (
        script, "add chain inet %s %s%s\nflush chain inet %s %s\n", rules->table, chains[i],
        i == 0 ? " { type route hook output priority -150; policy accept; }" : "", rules->table,
        chains[i]);
}

/* Packets. Of what stays on this machine only questions to a resolver are of interest. */
static void
append_packets (GString *script, const T2pnAppRules *rules)
{
  append_rule (script, rules, "apps", "meta mark != 0 return");
  if (rules->worker_uid != 0)
    append_rule (script, rules, "apps", "meta skuid %u return", rules->worker_uid);
  append_rule (script, rules, "apps", STAYS_HERE " return");
  append_rule (script, rules, "apps", "ct direction reply return");
  append_rule (script, rules, "apps", "ct mark and 0x%x == 0x%x meta mark set 0x%x return",
               MARK_MASK, rules->mark, rules->mark);
  append_rule (script, rules, "apps", "ct state new jump apps-decide");
}

static void
append_users (GString *script, const T2pnAppRules *rules, const char *chain)
{
  g_autoptr (GString) set = g_string_new (NULL);

  if (rules->n_users == 0)
    return;
  for (guint i = 0; i < rules->n_users; i++)
    {
      const T2pnUidRange *range = &rules->users[i];

      g_string_append_printf (set, "%s%u", i > 0 ? ", " : "", range->first);
      if (range->last != range->first)
        g_string_append_printf (set, "-%u", range->last);
    }
  append_rule (script, rules, chain, "meta skuid != { %s } return", set->str);
}

/* As nftables looks below T2PN_CGROUP_ROOT. (transfer full) */
static char *
path_of (int fd, const char *path)
{
  return fd >= 0 ? g_strdup_printf ("../../../proc/self/fd/%d", fd) : g_strdup (path);
}

static void
append_groups (GString *script,
               const T2pnAppRules *rules,
               const GArray *groups,
               const char *verdict)
{
  for (guint i = 0; i < groups->len; i++)
    {
      const T2pnAppGroup *group = &g_array_index (groups, T2pnAppGroup, i);
      g_autofree char *path = path_of (group->fd, group->path);

      append_rule (script, rules, "apps-decide", "socket cgroupv2 level %u \"%s\" %s",
                   group->level, path, verdict);
    }
}

char *
t2pn_app_rules_make_script (const T2pnAppRules *rules)
{
  GString *script = g_string_new (NULL);

  append_chains (script, rules);
  append_packets (script, rules);
  /* Whatever is no beginning was begun before us. */
  append_rule (script, rules, "apps-decide", BEGUN_BEFORE " return");
  append_users (script, rules, "apps-decide");
  append_groups (script, rules, rules->attached, "goto apps-capture");
  append_groups (script, rules, rules->excluded, "return");
  if (rules->apps != NULL)
    append_groups (script, rules, rules->apps, "goto apps-capture");
  else
    append_rule (script, rules, "apps-decide", "goto apps-capture");
  append_rule (script, rules, "apps-capture", "ct mark set ct mark and 0x%x or 0x%x",
               ~MARK_MASK, rules->mark);
  append_rule (script, rules, "apps-capture", "meta mark set 0x%x", rules->mark);
  return g_string_free (script, FALSE);
}

/* --- what is not looked at yet */

char *
t2pn_app_rules_make_hold_table_name (const char *table)
{
  return g_strconcat (table, "-hold", NULL);
}

/* Behind the chain that marks what is captured. */
static void
append_hold_table (GString *script, const T2pnAppRules *rules)
{
  const char *table = rules->table;

  g_string_append_printf (script,
                          "add table inet %s { flags owner; }\n"
                          "add set inet %s folders { type cgroupsv2; }\n"
                          "add chain inet %s hold { type filter hook output priority -149; "
                          "policy accept; }\n"
                          "flush chain inet %s hold\n"
                          "flush set inet %s folders\n",
                          table, table, table, table, table);
}

/* Returns the highest level of one. */
static guint
append_folders (GString *script, const T2pnAppRules *rules, const GArray *folders)
{
  guint highest = 0;

  if (folders->len == 0)
    return 0;
  g_string_append_printf (script, "add element inet %s folders { ", rules->table);
  for (guint i = 0; i < folders->len; i++)
    {
      const T2pnAppGroup *folder = &g_array_index (folders, T2pnAppGroup, i);
      g_autofree char *path = path_of (folder->fd, folder->path);

      g_string_append_printf (script, "%s\"%s\"", i > 0 ? ", " : "", path);
      highest = MAX (highest, folder->level);
    }
  g_string_append (script, " }\n");
  return highest;
}

static void
append_held (GString *script, const T2pnAppRules *rules)
{
  append_rule (script, rules, "hold", "meta mark != 0 return");
  if (rules->worker_uid != 0)
    append_rule (script, rules, "hold", "meta skuid %u return", rules->worker_uid);
  append_rule (script, rules, "hold", STAYS_HERE " return");
  append_rule (script, rules, "hold", "ct direction reply return");
  append_rule (script, rules, "hold", "ct state != new return");
  append_rule (script, rules, "hold", BEGUN_BEFORE " return");
  append_users (script, rules, "hold");
}

char *
t2pn_app_rules_make_hold_script (const T2pnAppRules *rules,
                                 const GArray *folders,
                                 int newest_fd)
{
  GString *script = g_string_new (NULL);
  g_autofree char *table = t2pn_app_rules_make_hold_table_name (rules->table);
  g_autofree char *newest = path_of (newest_fd, NULL);
  T2pnAppRules held = *rules;
  guint highest;

  held.table = table;
  append_hold_table (script, &held);
  highest = append_folders (script, &held, folders);
  append_held (script, &held);
  if (folders->len > 0) /* by path: the root comes first */
    append_rule (script, &held, "hold", "socket cgroupv2 level 1 > \"%s\" drop", newest);
  for (guint level = 1; level <= highest; level++)
    append_rule (script, &held, "hold",
                 "socket cgroupv2 level %u @folders socket cgroupv2 level %u > \"%s\" drop",
                 level, level + 1, newest);
  return g_string_free (script, FALSE);
}
