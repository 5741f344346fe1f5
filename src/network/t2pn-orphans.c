/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-orphans.h"

#include "t2pn-journal-file.h"
#include "t2pn-journal-undo.h"

#include <linux/rtnetlink.h>

struct _T2pnOrphans
{
  T2pnUndo *undo;
  GHashTable *spared; /* set of tables */
  gboolean is_expected;
};

T2pnOrphans *
t2pn_orphans_new (gboolean is_dry_run, GPtrArray *lines)
{
  T2pnOrphans *orphans = g_new0 (T2pnOrphans, 1);

  orphans->undo = t2pn_undo_new ("left over", is_dry_run, lines);
  orphans->spared = g_hash_table_new (NULL, NULL);
  return orphans;
}

void
t2pn_orphans_free (T2pnOrphans *orphans)
{
  if (orphans == NULL)
    return;
  t2pn_undo_free (orphans->undo);
  g_hash_table_unref (orphans->spared);
  g_free (orphans);
}

void
t2pn_orphans_expect (T2pnOrphans *orphans)
{
  orphans->is_expected = TRUE;
}

static void
spare (T2pnOrphans *orphans, guint32 table)
{
  g_hash_table_add (orphans->spared, GUINT_TO_POINTER (table));
}

void
t2pn_orphans_spare (T2pnOrphans *orphans, const T2pnJournal *journal)
{
  for (guint i = 0; i < journal->steps->len; i++)
    {
      const T2pnJournalStep *step = g_ptr_array_index (journal->steps, i);

      for (guint j = 0; j < step->entries->len; j++)
        {
          const T2pnEntry *entry = g_ptr_array_index (step->entries, j);

          if (entry->kind == T2PN_ENTRY_RULE)
            spare (orphans, entry->u.rule.table);
          else if (entry->kind == T2PN_ENTRY_TABLE || entry->kind == T2PN_ENTRY_STATIC_TABLE)
            spare (orphans, entry->u.table);
        }
    }
}

/* Somebody else's, or of a tunnel whose link or address is still there. */
static void
spare_what_is_used (T2pnOrphans *orphans, const T2pnSnapshot *snapshot)
{
  for (guint i = 0; i < snapshot->routes->len; i++)
    {
      const T2pnRoute *route = &g_array_index (snapshot->routes, T2pnRoute, i);

      if (route->protocol != T2PN_PROTOCOL || route->type == RTN_UNICAST)
        spare (orphans, route->table);
    }
  for (guint i = 0; i < snapshot->rules->len; i++)
    {
      const T2pnRule *rule = &g_array_index (snapshot->rules, T2pnRule, i);

      if (rule->protocol != T2PN_PROTOCOL ||
          (rule->source.address.family != 0 &&
           t2pn_snapshot_is_local (snapshot, &rule->source.address)))
        spare (orphans, rule->table);
    }
}

static gboolean
is_orphan (T2pnOrphans *orphans, const T2pnRule *rule)
{
  return rule->protocol == T2PN_PROTOCOL && rule->table != 0 &&
         (rule->table < RT_TABLE_DEFAULT || rule->table > RT_TABLE_LOCAL) &&
         !g_hash_table_contains (orphans->spared, GUINT_TO_POINTER (rule->table));
}

gboolean
t2pn_orphans_remove (T2pnOrphans *orphans, GError **error)
{
  g_autoptr (T2pnSnapshot) snapshot = NULL;

  if (!orphans->is_expected)
    return TRUE;
  snapshot = t2pn_snapshot_take (error);
  if (snapshot == NULL)
    return FALSE;
  spare_what_is_used (orphans, snapshot);
  for (guint i = 0; i < snapshot->rules->len; i++)
    {
      T2pnEntry entry = { .kind = T2PN_ENTRY_RULE,
                          .u.rule = g_array_index (snapshot->rules, T2pnRule, i) };

      if (is_orphan (orphans, &entry.u.rule) &&
          (!t2pn_undo_entry (orphans->undo, &entry, error) ||
           !t2pn_undo_table (orphans->undo, entry.u.rule.table, T2PN_PROTOCOL, error)))
        return FALSE;
    }
  return TRUE;
}
