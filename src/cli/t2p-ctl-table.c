/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-ctl-table.h"

#include "t2p-ctl-terminal.h"

#define GAP 2

struct _T2pCtlTable
{
  const T2pCtlColumn *columns;
  guint n_columns;
  GPtrArray *rows; /* of char ** */
};

T2pCtlTable *
t2p_ctl_table_new (const T2pCtlColumn *columns, guint n_columns)
{
  T2pCtlTable *table = g_new (T2pCtlTable, 1);

  table->columns = columns;
  table->n_columns = n_columns;
  table->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) g_strfreev);
  return table;
}

void
t2p_ctl_table_free (T2pCtlTable *table)
{
  g_ptr_array_unref (table->rows);
  g_free (table);
}

void
t2p_ctl_table_take_row (T2pCtlTable *table, char **cells)
{
  g_return_if_fail (g_strv_length (cells) == table->n_columns);

  g_ptr_array_add (table->rows, cells);
}

/* 0 for a column that nothing stands in. */
static guint
column_width (const T2pCtlTable *table, guint column)
{
  guint width = 0;

  for (guint i = 0; i < table->rows->len; i++)
    {
      char **cells = g_ptr_array_index (table->rows, i);

      width = MAX (width, t2p_ctl_columns (cells[column]));
    }
  return width > 0 ? MAX (width, t2p_ctl_columns (table->columns[column].title)) : 0;
}

static void
append_blanks (GString *line, guint n)
{
  while (n-- > 0)
    g_string_append_c (line, ' ');
}

static void
append_cell (GString *line, const char *text, guint width, gboolean is_number)
{
  const guint blanks = width - t2p_ctl_columns (text);

  if (line->len > 0)
    append_blanks (line, GAP);
  if (is_number)
    append_blanks (line, blanks);
  g_string_append (line, text);
  if (!is_number)
    append_blanks (line, blanks);
}

static void
append_line (GString *out, GString *line)
{
  while (line->len > 0 && line->str[line->len - 1] == ' ')
    g_string_truncate (line, line->len - 1);
  g_string_append_len (out, line->str, (gssize) line->len);
  g_string_append_c (out, '\n');
  g_string_truncate (line, 0);
}

static void
append_header (const T2pCtlTable *table, const guint *widths, GString *out, GString *line)
{
  for (guint i = 0; i < table->n_columns; i++)
    {
      g_autofree char *title = NULL;

      if (widths[i] == 0)
        continue;
      title = t2p_ctl_colour (T2P_CTL_COLOUR_BOLD, table->columns[i].title);
      append_cell (line, title, widths[i], table->columns[i].is_number);
    }
  append_line (out, line);
}

char *
t2p_ctl_table_to_string (const T2pCtlTable *table)
{
  g_autofree guint *widths = g_new0 (guint, table->n_columns);
  g_autoptr (GString) line = g_string_new (NULL);
  GString *out = g_string_new (NULL);

  for (guint i = 0; i < table->n_columns; i++)
    widths[i] = column_width (table, i);
  append_header (table, widths, out, line);
  for (guint row = 0; row < table->rows->len; row++)
    {
      char **cells = g_ptr_array_index (table->rows, row);

      for (guint i = 0; i < table->n_columns; i++)
        if (widths[i] > 0)
          append_cell (line, cells[i], widths[i], table->columns[i].is_number);
      append_line (out, line);
    }
  return g_string_free (out, FALSE);
}
