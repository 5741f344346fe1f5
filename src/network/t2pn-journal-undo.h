/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-journal-entry.h"

G_BEGIN_DECLS

/* Carries out the undoing of entries, with the state of the machine looked at once. */
typedef struct _T2pnUndo T2pnUndo;

/**
 * t2pn_undo_new:
 * @label: "tunnel 3", begins each line
 * @is_dry_run: only tell
 * @lines: (nullable) (element-type utf8): gets a line for each thing that is there to be undone
 */
T2pnUndo *t2pn_undo_new (const char *label, gboolean is_dry_run, GPtrArray *lines);
void t2pn_undo_free (T2pnUndo *undo);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pnUndo, t2pn_undo_free)

/* Succeeds when there is nothing left of @entry, or it is no longer ours. */
gboolean t2pn_undo_entry (T2pnUndo *undo, const T2pnEntry *entry, GError **error);
/* Every route of @table that has the tag @protocol. */
gboolean t2pn_undo_table (T2pnUndo *undo, guint32 table, guint8 protocol, GError **error);

G_END_DECLS
