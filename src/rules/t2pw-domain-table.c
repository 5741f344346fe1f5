/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A name is kept from its end to its beginning, with a dot behind it: "www.corp.example" is
 * "elpmaxe.proc.www.". So "corp.example" covers it exactly if "elpmaxe.proc." is how it begins,
 * and names are to domains what addresses are to prefixes: they nest or are apart. The table is
 * sorted, what another entry covers is dropped, and of the rest only the last one that is not
 * behind a name can cover it. Entries of one name alone have a table of their own.
 *
 * A hash would need no sorting, but whoever writes the list could make its entries collide.
 *
 * All text is in one block; entries are offsets into it. */
#include "config.h"

#include "t2pw-domain-table.h"

#include "t2p-host-name.h"
#include "t2pw-rule-lines.h"

#include <string.h>

struct _T2pwDomainTable
{
  GString *text;    /* reversed names, each with its zero */
  GArray *suffixes; /* guint32, offsets into @text: sorted, and none covers another */
  GArray *names;    /* likewise: names that are meant alone */
};

static const char *
text_at (const T2pwDomainTable *table, const GArray *offsets, guint index)
{
  return table->text->str + g_array_index (offsets, guint32, index);
}

/* FALSE when @name is longer than any name is. */
static gboolean
reverse (const char *name, char out_reversed[T2PW_RULE_ENTRY_BYTES])
{
  gsize length = strlen (name);

  if (length > 0 && name[length - 1] == '.')
    length--;
  if (length + 2 > T2PW_RULE_ENTRY_BYTES)
    return FALSE;
  for (gsize i = 0; i < length; i++)
    out_reversed[i] = g_ascii_tolower (name[length - 1 - i]);
  out_reversed[length] = '.';
  out_reversed[length + 1] = '\0';
  return TRUE;
}

static gboolean
take_entry (T2pwDomainTable *table, const T2pwRuleLines *lines, GError **error)
{
  const gboolean is_alone = lines->entry[0] == '=';
  const char *name = lines->entry;
  char reversed[T2PW_RULE_ENTRY_BYTES];
  guint32 offset = (guint32) table->text->len;

  if (is_alone || name[0] == '.')
    name += 1;
  else if (g_str_has_prefix (name, "*."))
    name += 2;
  if (!t2p_host_name_is_valid (name) || !reverse (name, reversed))
    return t2pw_rule_lines_refuse (
        lines, error, "is no domain name, expected such as corp.example or =www.corp.example");
  g_string_append_len (table->text, reversed, (gssize) strlen (reversed) + 1);
  g_array_append_val (is_alone ? table->names : table->suffixes, offset);
  return TRUE;
}

static gint
compare_offsets (gconstpointer a, gconstpointer b, gpointer user_data)
{
  const T2pwDomainTable *table = user_data;

  return strcmp (table->text->str + *(const guint32 *) a,
                 table->text->str + *(const guint32 *) b);
}

static void
drop_covered (T2pwDomainTable *table)
{
  guint kept = 0;

  for (guint i = 0; i < table->suffixes->len; i++)
    if (kept == 0 || !g_str_has_prefix (text_at (table, table->suffixes, i),
                                        text_at (table, table->suffixes, kept - 1)))
      {
        const guint32 offset = g_array_index (table->suffixes, guint32, i);

        g_array_index (table->suffixes, guint32, kept++) = offset;
      }
  g_array_set_size (table->suffixes, kept);
}

/**
 * t2pw_domain_table_parse:
 * @entries_left: (inout): how many entries may be read, and may be read after these
 *
 * Returns: (transfer full): the table
 */
T2pwDomainTable *
t2pw_domain_table_parse (GBytes *content, guint *entries_left, GError **error)
{
  g_autoptr (T2pwDomainTable) table = g_new0 (T2pwDomainTable, 1);
  g_autoptr (GError) local = NULL;
  T2pwRuleLines lines;

  table->text = g_string_new (NULL);
  table->suffixes = g_array_new (FALSE, FALSE, sizeof (guint32));
  table->names = g_array_new (FALSE, FALSE, sizeof (guint32));
  t2pw_rule_lines_init (&lines, content, *entries_left);
  while (t2pw_rule_lines_next (&lines, &local))
    if (!take_entry (table, &lines, error))
      return NULL;
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }
  g_array_sort_with_data (table->suffixes, compare_offsets, table);
  g_array_sort_with_data (table->names, compare_offsets, table);
  drop_covered (table);
  *entries_left = lines.entries_left;
  return g_steal_pointer (&table);
}

void
t2pw_domain_table_free (T2pwDomainTable *table)
{
  g_string_free (table->text, TRUE);
  g_array_unref (table->suffixes);
  g_array_unref (table->names);
  g_free (table);
}

/* The last of @offsets that is not behind @reversed, or NULL. */
static const char *
last_before (const T2pwDomainTable *table, const GArray *offsets, const char *reversed)
{
  guint low = 0;
  guint high = offsets->len;

  while (low < high)
    {
      const guint middle = low + (high - low) / 2;

      if (strcmp (text_at (table, offsets, middle), reversed) <= 0)
        low = middle + 1;
      else
        high = middle;
    }
  return low > 0 ? text_at (table, offsets, low - 1) : NULL;
}

gboolean
t2pw_domain_table_contains (const T2pwDomainTable *table, const char *name)
{
  char reversed[T2PW_RULE_ENTRY_BYTES];
  const char *suffix;
  const char *alone;

  if (!reverse (name, reversed))
    return FALSE;
  suffix = last_before (table, table->suffixes, reversed);
  if (suffix != NULL && g_str_has_prefix (reversed, suffix))
    return TRUE;
  alone = last_before (table, table->names, reversed);
  return alone != NULL && strcmp (alone, reversed) == 0;
}

guint
t2pw_domain_table_get_size (const T2pwDomainTable *table)
{
  return table->suffixes->len + table->names->len;
}
