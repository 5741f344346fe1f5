/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-journal.h"

G_BEGIN_DECLS

/* What a damaged journal could not tell: rules that are tagged as ours and look up a private
 * table through which nothing can pass, and the routes that are left in it. Nothing is looked
 * for unless something was lost. */
typedef struct _T2pnOrphans T2pnOrphans;

/* @lines: (nullable): as for t2pn_repair() */
T2pnOrphans *t2pn_orphans_new (gboolean is_dry_run, GPtrArray *lines);
void t2pn_orphans_free (T2pnOrphans *orphans);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pnOrphans, t2pn_orphans_free)

/* Tables of @journal, whose owner lives, have an owner. */
void t2pn_orphans_spare (T2pnOrphans *orphans, const T2pnJournal *journal);
/* Something was lost. */
void t2pn_orphans_expect (T2pnOrphans *orphans);
gboolean t2pn_orphans_remove (T2pnOrphans *orphans, GError **error);

G_END_DECLS
