/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-journal-file.h"
#include "t2pn-journal-undo.h"
#include "t2pn-orphans.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

/* --- writing down */

gboolean
t2pn_journal_begin_step (T2pnJournal *journal, const char *name, GError **error)
{
  t2pn_journal_add_step (journal, name);
  return t2pn_journal_write (journal, error);
}

const char *
t2pn_journal_get_step (const T2pnJournal *journal)
{
  const T2pnJournalStep *step;

  if (journal->steps->len == 0)
    return NULL;
  step = g_ptr_array_index (journal->steps, journal->steps->len - 1);
  return step->name;
}

static T2pnJournalStep *
find_step (T2pnJournal *journal, const char *name)
{
  for (guint i = journal->steps->len; i > 0; i--)
    {
      T2pnJournalStep *step = g_ptr_array_index (journal->steps, i - 1);

      if (strcmp (step->name, name) == 0)
        return step;
    }
  return NULL;
}

static T2pnJournalStep *
last_step (T2pnJournal *journal)
{
  if (journal->steps->len == 0)
    return t2pn_journal_add_step (journal, "");
  return g_ptr_array_index (journal->steps, journal->steps->len - 1);
}

static T2pnEntry *
add_entry (T2pnJournalStep *step, T2pnEntryKind kind)
{
  T2pnEntry *entry = g_new0 (T2pnEntry, 1);

  entry->kind = kind;
  g_ptr_array_add (step->entries, entry);
  return entry;
}

gboolean
t2pn_journal_add_device (T2pnJournal *journal, const char *ifname, int ifindex, GError **error)
{
  T2pnEntry *entry = add_entry (last_step (journal), T2PN_ENTRY_DEVICE);

  g_strlcpy (entry->u.device.name, ifname, sizeof entry->u.device.name);
  entry->u.device.ifindex = ifindex;
  return t2pn_journal_write (journal, error);
}

gboolean
t2pn_journal_add_socket (T2pnJournal *journal, const char *path, GError **error)
{
  add_entry (last_step (journal), T2PN_ENTRY_SOCKET)->u.socket = g_strdup (path);
  return t2pn_journal_write (journal, error);
}

gboolean
t2pn_journal_add_worker (T2pnJournal *journal, pid_t pid, GError **error)
{
  T2pnProcess process;

  if (!t2pn_process_identify (pid, &process))
    return TRUE; /* nobody is left to be ended */
  add_entry (last_step (journal), T2PN_ENTRY_WORKER)->u.worker = process;
  return t2pn_journal_write (journal, error);
}

static gboolean
has_rule (const T2pnJournalStep *step, const T2pnRule *rule)
{
  for (guint i = 0; i < step->entries->len; i++)
    {
      const T2pnEntry *entry = g_ptr_array_index (step->entries, i);

      if (entry->kind == T2PN_ENTRY_RULE && t2pn_rule_equal (&entry->u.rule, rule))
        return TRUE;
    }
  return FALSE;
}

static gboolean
has_table (const T2pnJournalStep *step, T2pnEntryKind kind, guint32 table)
{
  for (guint i = 0; i < step->entries->len; i++)
    {
      const T2pnEntry *entry = g_ptr_array_index (step->entries, i);

      if (entry->kind == kind && entry->u.table == table)
        return TRUE;
    }
  return FALSE;
}

/* Of a private table its number says enough, however many routes it has. */
static void
add_route (T2pnJournalStep *step, const T2pnRoute *route)
{
  T2pnEntryKind kind =
      route->protocol == RTPROT_STATIC ? T2PN_ENTRY_STATIC_TABLE : T2PN_ENTRY_TABLE;

  if (route->table == RT_TABLE_MAIN)
    add_entry (step, T2PN_ENTRY_ROUTE)->u.route = *route;
  else if (!has_table (step, kind, route->table))
    add_entry (step, kind)->u.table = route->table;
}

static void
add_network (T2pnJournalStep *step,
             const GArray *addresses,
             const GArray *routes,
             const GArray *rules)
{
  for (guint i = 0; addresses != NULL && i < addresses->len; i++)
    add_entry (step, T2PN_ENTRY_ADDRESS)->u.address = g_array_index (addresses, T2pnAddress, i);
  for (guint i = 0; routes != NULL && i < routes->len; i++)
    add_route (step, &g_array_index (routes, T2pnRoute, i));
  for (guint i = 0; rules != NULL && i < rules->len; i++)
    if (!has_rule (step, &g_array_index (rules, T2pnRule, i)))
      add_entry (step, T2PN_ENTRY_RULE)->u.rule = g_array_index (rules, T2pnRule, i);
}

gboolean
t2pn_journal_add_network (T2pnJournal *journal,
                          const GArray *addresses,
                          const GArray *routes,
                          const GArray *rules,
                          GError **error)
{
  add_network (last_step (journal), addresses, routes, rules);
  return t2pn_journal_write (journal, error);
}

gboolean
t2pn_journal_add_step_network (T2pnJournal *journal,
                               const char *step,
                               const GArray *addresses,
                               const GArray *routes,
                               const GArray *rules,
                               GError **error)
{
  T2pnJournalStep *found = find_step (journal, step);

  add_network (found != NULL ? found : last_step (journal), addresses, routes, rules);
  return t2pn_journal_write (journal, error);
}

gboolean
t2pn_journal_set_step_network (T2pnJournal *journal,
                               const char *step,
                               const GArray *addresses,
                               const GArray *routes,
                               const GArray *rules,
                               GError **error)
{
  T2pnJournalStep *found = find_step (journal, step);

  if (found == NULL)
    found = last_step (journal);
  for (guint i = found->entries->len; i > 0; i--)
    {
      const T2pnEntry *entry = g_ptr_array_index (found->entries, i - 1);

      if (entry->kind == T2PN_ENTRY_ADDRESS || entry->kind == T2PN_ENTRY_ROUTE ||
          entry->kind == T2PN_ENTRY_TABLE || entry->kind == T2PN_ENTRY_STATIC_TABLE ||
          entry->kind == T2PN_ENTRY_RULE)
        g_ptr_array_remove_index (found->entries, i - 1);
    }
  add_network (found, addresses, routes, rules);
  return t2pn_journal_write (journal, error);
}

gboolean
t2pn_journal_add_resolvconf (T2pnJournal *journal, const char *record, GError **error)
{
  add_entry (last_step (journal), T2PN_ENTRY_RESOLVCONF)->u.resolvconf = g_strdup (record);
  return t2pn_journal_write (journal, error);
}

gboolean
t2pn_journal_add_resolv_conf (T2pnJournal *journal, const T2pnResolvConf *saved, GError **error)
{
  T2pnResolvConf *copy = g_new0 (T2pnResolvConf, 1);

  *copy = *saved;
  copy->path = g_strdup (saved->path);
  copy->link_target = g_strdup (saved->link_target);
  copy->content = g_strdup (saved->content);
  copy->ours = g_strdup (saved->ours);
  copy->temporary = g_strdup (saved->temporary);
  add_entry (last_step (journal), T2PN_ENTRY_RESOLV_CONF)->u.resolv_conf = copy;
  return t2pn_journal_write (journal, error);
}

static gboolean
has_nft_table (const T2pnJournalStep *step, const char *name)
{
  for (guint i = 0; i < step->entries->len; i++)
    {
      const T2pnEntry *entry = g_ptr_array_index (step->entries, i);

      if (entry->kind == T2PN_ENTRY_NFT_TABLE && strcmp (entry->u.nft_table, name) == 0)
        return TRUE;
    }
  return FALSE;
}

gboolean
t2pn_journal_add_nft_table (T2pnJournal *journal,
                            const char *step,
                            const char *name,
                            GError **error)
{
  T2pnJournalStep *found = find_step (journal, step);

  if (found == NULL)
    found = last_step (journal);
  if (has_nft_table (found, name))
    return TRUE;
  add_entry (found, T2PN_ENTRY_NFT_TABLE)->u.nft_table = g_strdup (name);
  return t2pn_journal_write (journal, error);
}

gboolean
t2pn_journal_add_cgroup (T2pnJournal *journal,
                         const char *step,
                         const char *path,
                         GError **error)
{
  T2pnJournalStep *found = find_step (journal, step);

  g_return_val_if_fail (found != NULL, FALSE);

  add_entry (found, T2PN_ENTRY_CGROUP)->u.cgroup = g_strdup (path);
  return t2pn_journal_write (journal, error);
}

static const T2pnEntry *
find_entry (const T2pnJournal *journal, T2pnEntryKind kind)
{
  for (guint i = journal->steps->len; i > 0; i--)
    {
      const T2pnJournalStep *step = g_ptr_array_index (journal->steps, i - 1);

      for (guint j = step->entries->len; j > 0; j--)
        {
          const T2pnEntry *entry = g_ptr_array_index (step->entries, j - 1);

          if (entry->kind == kind)
            return entry;
        }
    }
  return NULL;
}

const char *
t2pn_journal_get_socket (const T2pnJournal *journal)
{
  const T2pnEntry *entry = find_entry (journal, T2PN_ENTRY_SOCKET);

  return entry != NULL ? entry->u.socket : NULL;
}

gboolean
t2pn_journal_get_device (const T2pnJournal *journal, const char **out_ifname, int *out_ifindex)
{
  const T2pnEntry *entry = find_entry (journal, T2PN_ENTRY_DEVICE);

  if (entry == NULL)
    return FALSE;
  *out_ifname = entry->u.device.name;
  *out_ifindex = entry->u.device.ifindex;
  return TRUE;
}

char **
t2pn_journal_list_abandoned (const char *runtime_dir)
{
  g_auto (GStrv) all = t2pn_journal_list_all (runtime_dir);
  g_autoptr (GStrvBuilder) ids = g_strv_builder_new ();

  for (guint i = 0; all[i] != NULL; i++)
    {
      g_autoptr (T2pnJournal) journal = t2pn_journal_read (runtime_dir, all[i], NULL);

      if (journal != NULL && !t2pn_process_is_alive (&journal->owner))
        g_strv_builder_add (ids, all[i]);
    }
  return g_strv_builder_end (ids);
}

/* --- undoing */

/* Keeps the first failure, and goes on. */
static void
keep_first (GError **first, GError *failure)
{
  if (failure == NULL)
    return;
  if (*first == NULL)
    *first = failure;
  else
    g_error_free (failure);
}

static void
undo_entries (const T2pnJournalStep *step, T2pnUndo *undo, GError **first)
{
  for (guint i = step->entries->len; i > 0; i--)
    {
      GError *failure = NULL;

      if (!t2pn_undo_entry (undo, g_ptr_array_index (step->entries, i - 1), &failure))
        keep_first (first, failure);
    }
}

static gboolean
take_result (GError *first, GError **error)
{
  if (first == NULL)
    return TRUE;
  g_propagate_error (error, first);
  return FALSE;
}

gboolean
t2pn_journal_undo_step (T2pnJournal *journal, const char *name, GError **error)
{
  g_autoptr (T2pnUndo) undo = t2pn_undo_new (journal->tunnel_id, FALSE, NULL);
  GError *first = NULL;
  GError *failure = NULL;

  for (guint i = journal->steps->len; i > 0; i--)
    {
      const T2pnJournalStep *step = g_ptr_array_index (journal->steps, i - 1);

      if (strcmp (step->name, name) != 0)
        continue;
      undo_entries (step, undo, &first);
      if (first == NULL)
        g_ptr_array_remove_index (journal->steps, i - 1);
      break;
    }
  if (!t2pn_journal_write (journal, &failure))
    keep_first (&first, failure);
  return take_result (first, error);
}

static gboolean
undo_all (T2pnJournal *journal, gboolean is_dry_run, GPtrArray *lines, GError **error)
{
  g_autofree char *label = g_strdup_printf ("tunnel %s", journal->tunnel_id);
  g_autoptr (T2pnUndo) undo = t2pn_undo_new (label, is_dry_run, lines);
  g_autofree char *here = t2pn_journal_current_netns ();
  GError *first = NULL;

  if (strcmp (here, journal->netns) != 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                   "the journal of tunnel %s is of another network namespace",
                   journal->tunnel_id);
      return FALSE;
    }
  for (guint i = journal->steps->len; i > 0; i--)
    undo_entries (g_ptr_array_index (journal->steps, i - 1), undo, &first);
  if (first == NULL && !is_dry_run)
    {
      g_ptr_array_set_size (journal->steps, 0);
      if (!journal->is_damaged)
        unlink (journal->path);
    }
  return take_result (first, error);
}

gboolean
t2pn_journal_undo (T2pnJournal *journal, GError **error)
{
  return undo_all (journal, FALSE, NULL, error);
}

static void
add_line (GPtrArray *lines, char *line)
{
  if (lines != NULL)
    g_ptr_array_add (lines, line);
  else
    g_free (line);
}

/* Whether the journal of @id, which could not be read or not quite, is out of the way. */
static gboolean
set_aside (
    const char *runtime_dir, const char *id, gboolean dry_run, GPtrArray *lines, GError **error)
{
  add_line (lines, g_strdup_printf ("tunnel %s: warning: its journal is damaged and is set "
                                    "aside as %s.json.bad",
                                    id, id));
  return dry_run || t2pn_journal_set_aside (runtime_dir, id, error);
}

static gboolean
is_unreadable (const GError *failure)
{
  return failure != NULL &&
         !g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED);
}

/* One journal. Notes tables that it vouches for, or that something was lost with it. */
static gboolean
repair_one (const char *runtime_dir,
            const char *id,
            gboolean dry_run,
            GPtrArray *lines,
            T2pnOrphans *orphans,
            GError **error)
{
  GError *failure = NULL;
  g_autoptr (T2pnJournal) journal = t2pn_journal_read (runtime_dir, id, &failure);
  gboolean is_bad = is_unreadable (failure) || (journal != NULL && journal->is_damaged);

  if (journal != NULL && t2pn_process_is_alive (&journal->owner))
    {
      t2pn_orphans_spare (orphans, journal);
      return TRUE;
    }
  /* Of another namespace, or of none that could be read: nothing of it is here to be undone. */
  if (journal != NULL && (!is_bad || journal->netns[0] != '\0'))
    undo_all (journal, dry_run, lines, &failure);
  if (is_bad)
    {
      g_clear_error (&failure);
      t2pn_orphans_expect (orphans);
      return set_aside (runtime_dir, id, dry_run, lines, error);
    }
  return take_result (failure, error);
}

gboolean
t2pn_repair (const char *runtime_dir, gboolean dry_run, GPtrArray *out_lines, GError **error)
{
  int lock = t2pn_journal_lock_folder (runtime_dir);
  g_auto (GStrv) ids = t2pn_journal_list_all (runtime_dir);
  g_autoptr (T2pnOrphans) orphans = t2pn_orphans_new (dry_run, out_lines);
  GError *first = NULL;
  GError *failure = NULL;

  for (guint i = 0; ids[i] != NULL; i++, failure = NULL)
    if (!repair_one (runtime_dir, ids[i], dry_run, out_lines, orphans, &failure))
      keep_first (&first, failure);
  if (!t2pn_orphans_remove (orphans, &failure))
    keep_first (&first, failure);
  if (lock >= 0)
    close (lock);
  return take_result (first, error);
}
