/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Rows and columns for people: a header, two spaces between columns, numbers to the right. A
 * column without any text is left out. */

typedef struct
{
  const char *title;
  gboolean is_number;
} T2pCtlColumn;

typedef struct _T2pCtlTable T2pCtlTable;

/* @columns lives as long as the table; titles are translated already. */
T2pCtlTable *t2p_ctl_table_new (const T2pCtlColumn *columns, guint n_columns);
void t2p_ctl_table_free (T2pCtlTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pCtlTable, t2p_ctl_table_free)

/* @cells: one per column (transfer full: the array and the strings). Cells are printed as they
 * are: t2p_ctl_printable() is the caller's business. */
void t2p_ctl_table_take_row (T2pCtlTable *table, char **cells);
/* Header and rows, each ending with a line feed; lines have no blanks at their end. */
char *t2p_ctl_table_to_string (const T2pCtlTable *table);

G_END_DECLS
