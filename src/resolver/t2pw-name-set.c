/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-name-set.h"

#include <string.h>

struct _T2pwNameSet
{
  GHashTable *itself; /* names that match themselves */
  GHashTable *below;  /* domains whose names match */
};

static char *
fold_name (const char *name)
{
  char *folded = g_ascii_strdown (name, -1);
  gsize length = strlen (folded);

  if (length > 1 && folded[length - 1] == '.')
    folded[length - 1] = '\0';
  return folded;
}

/**
 * t2pw_name_set_new:
 * @patterns: (nullable): NULL-terminated; a dot at the end and the case do not matter
 */
T2pwNameSet *
t2pw_name_set_new (const char *const *patterns)
{
  T2pwNameSet *set = g_new0 (T2pwNameSet, 1);

  set->itself = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  set->below = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (gsize i = 0; patterns != NULL && patterns[i] != NULL; i++)
    {
      gboolean only_below = g_str_has_prefix (patterns[i], "*.");
      g_autofree char *name = fold_name (patterns[i] + (only_below ? 2 : 0));

      if (!only_below)
        g_hash_table_add (set->itself, g_strdup (name));
      g_hash_table_add (set->below, g_steal_pointer (&name));
    }
  return set;
}

void
t2pw_name_set_free (T2pwNameSet *set)
{
  g_hash_table_unref (set->itself);
  g_hash_table_unref (set->below);
  g_free (set);
}

/* @name: lower case, without a dot at its end */
gboolean
t2pw_name_set_contains (const T2pwNameSet *set, const char *name)
{
  if (g_hash_table_contains (set->itself, name))
    return TRUE;
  if (g_hash_table_size (set->below) == 0)
    return FALSE;
  for (const char *dot = strchr (name, '.'); dot != NULL; dot = strchr (dot + 1, '.'))
    if (g_hash_table_contains (set->below, dot + 1))
      return TRUE;
  return FALSE;
}
