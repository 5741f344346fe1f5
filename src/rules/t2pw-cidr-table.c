/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Prefixes nest or are apart. Sorted by address, the wider first, a prefix follows the one that
 * holds it with nothing but others held by it in between: one pass drops what is held. Of those
 * that are left, which are apart, only the last one that begins at or before an address can
 * hold it. */
#include "config.h"

#include "t2pw-cidr-table.h"

#include "t2pw-rule-lines.h"

#include <string.h>

struct _T2pwCidrTable
{
  GArray *prefixes; /* T2pIpPrefix, sorted and apart */
};

static gint
compare_addresses (const T2pIpAddress *a, const T2pIpAddress *b)
{
  if (a->family != b->family)
    return a->family < b->family ? -1 : 1;
  return memcmp (a->bytes, b->bytes, sizeof a->bytes);
}

static gint
compare_prefixes (gconstpointer a, gconstpointer b)
{
  const T2pIpPrefix *first = a;
  const T2pIpPrefix *second = b;
  gint order = compare_addresses (&first->address, &second->address);

  return order != 0 ? order : (gint) first->length - (gint) second->length;
}

static gboolean
parse_prefix (const T2pwRuleLines *lines, T2pIpPrefix *out_prefix, GError **error)
{
  T2pIpPrefix seen;

  if (!t2p_ip_interface_parse (lines->entry, &seen, NULL))
    return t2pw_rule_lines_refuse (
        lines, error, "is no CIDR, expected such as 192.0.2.0/24 or 2001:db8::/32");
  *out_prefix = t2p_ip_prefix_of (&seen.address, seen.length);
  if (!t2p_ip_prefix_equal (out_prefix, &seen))
    return t2pw_rule_lines_refuse (lines, error,
                                   "has bits set after its prefix of %u bits, expected none",
                                   (guint) seen.length);
  return TRUE;
}

static void
sort_and_drop_held (GArray *prefixes)
{
  guint kept = 0;

  g_array_sort (prefixes, compare_prefixes);
  for (guint i = 0; i < prefixes->len; i++)
    {
      const T2pIpPrefix *prefix = &g_array_index (prefixes, T2pIpPrefix, i);

      if (kept > 0 && t2p_ip_prefix_contains (&g_array_index (prefixes, T2pIpPrefix, kept - 1),
                                              &prefix->address))
        continue;
      g_array_index (prefixes, T2pIpPrefix, kept++) = *prefix;
    }
  g_array_set_size (prefixes, kept);
}

/**
 * t2pw_cidr_table_parse:
 * @entries_left: (inout): how many entries may be read, and may be read after these
 *
 * Returns: (transfer full): the table
 */
T2pwCidrTable *
t2pw_cidr_table_parse (GBytes *content, guint *entries_left, GError **error)
{
  g_autoptr (T2pwCidrTable) table = g_new0 (T2pwCidrTable, 1);
  g_autoptr (GError) local = NULL;
  T2pwRuleLines lines;

  table->prefixes = g_array_new (FALSE, FALSE, sizeof (T2pIpPrefix));
  t2pw_rule_lines_init (&lines, content, *entries_left);
  while (t2pw_rule_lines_next (&lines, &local))
    {
      T2pIpPrefix prefix;

      if (!parse_prefix (&lines, &prefix, error))
        return NULL;
      g_array_append_val (table->prefixes, prefix);
    }
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }
  sort_and_drop_held (table->prefixes);
  *entries_left = lines.entries_left;
  return g_steal_pointer (&table);
}

void
t2pw_cidr_table_free (T2pwCidrTable *table)
{
  g_array_unref (table->prefixes);
  g_free (table);
}

gboolean
t2pw_cidr_table_contains (const T2pwCidrTable *table, const T2pIpAddress *address)
{
  guint low = 0;
  guint high = table->prefixes->len;

  /* everything before `low` begins at or before the address, nothing from `high` on does */
  while (low < high)
    {
      const guint middle = low + (high - low) / 2;
      const T2pIpPrefix *prefix = &g_array_index (table->prefixes, T2pIpPrefix, middle);

      if (compare_addresses (&prefix->address, address) <= 0)
        low = middle + 1;
      else
        high = middle;
    }
  return low > 0 && t2p_ip_prefix_contains (
                        &g_array_index (table->prefixes, T2pIpPrefix, low - 1), address);
}

guint
t2pw_cidr_table_get_size (const T2pwCidrTable *table)
{
  return table->prefixes->len;
}
