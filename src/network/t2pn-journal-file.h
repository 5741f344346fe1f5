/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-journal-entry.h"
#include "t2pn-journal.h"

G_BEGIN_DECLS

/* The journal as a file. What is done with it stands in t2pn-journal.c. */

typedef struct
{
  char *name;
  GPtrArray *entries; /* of T2pnEntry, in the order in which they were done */
} T2pnJournalStep;

struct _T2pnJournal
{
  char *tunnel_id;
  char *path;
  char *netns; /* the network namespace that the entries are of */
  T2pnProcess owner;
  GPtrArray *steps;    /* of T2pnJournalStep */
  gboolean is_damaged; /* not all of the file could be understood */
};

/* Of the calling process, as text. (transfer full) */
char *t2pn_journal_current_netns (void);
T2pnJournalStep *t2pn_journal_add_step (T2pnJournal *journal, const char *name);
gboolean t2pn_journal_write (const T2pnJournal *journal, GError **error);
/* As it stands, whoever owns it. Refuses a file that somebody else could have written
 * (G_IO_ERROR_PERMISSION_DENIED), and one that is none. Of a damaged one it has what could be
 * understood. */
T2pnJournal *t2pn_journal_read (const char *runtime_dir, const char *tunnel_id, GError **error);
/* Out of the way of the next start, kept for whoever wants to know: TUNNEL-ID.json.bad. */
gboolean
t2pn_journal_set_aside (const char *runtime_dir, const char *tunnel_id, GError **error);
/* Ids of all journals, whoever owns them. (transfer full) */
char **t2pn_journal_list_all (const char *runtime_dir);
/* One at a time: a repair and the start of a daemon may fall together. A descriptor to be
 * closed, -1 when there is no folder. */
int t2pn_journal_lock_folder (const char *runtime_dir);

G_END_DECLS
