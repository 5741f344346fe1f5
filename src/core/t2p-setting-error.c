/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-setting-error.h"

#include "t2p-quote.h"

#include <stdarg.h>
#include <string.h>

#define MAX_KEY_BYTES 32 /* what is longer is like no key of ours */

static gboolean G_GNUC_PRINTF (4, 0)
    refuse_va (const char *key, T2pError code, GError **error, const char *format, va_list args)
{
  g_autofree char *reason = g_strdup_vprintf (format, args);

  g_set_error (error, T2P_ERROR, (int) code, "%s: %s", key, reason);
  return FALSE;
}

gboolean
t2p_setting_refuse (const char *key, GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  refuse_va (key, T2P_ERROR_INVALID_SETTINGS, error, format, args);
  va_end (args);
  return FALSE;
}

gboolean
t2p_setting_refuse_code (
    const char *key, T2pError code, GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  refuse_va (key, code, error, format, args);
  va_end (args);
  return FALSE;
}

gboolean
t2p_setting_refuse_entry (const char *key, guint index, GError *cause, GError **error)
{
  g_autoptr (GError) owned = cause;

  return t2p_setting_refuse (key, error, "entry %u: %s", index + 1, owned->message);
}

char *
t2p_setting_choices_to_words (const char *choices)
{
  g_auto (GStrv) words = g_strsplit (choices, "|", -1);
  GString *out = g_string_new (words[0]);

  for (guint i = 1; words[0] != NULL && words[i] != NULL; i++)
    g_string_append_printf (out, words[i + 1] == NULL ? " or %s" : ", %s", words[i]);
  return g_string_free (out, FALSE);
}

/* Levenshtein's distance, for names of at most MAX_KEY_BYTES. */
static guint
distance (const char *a, const char *b)
{
  const gsize n = strlen (b);
  guint row[MAX_KEY_BYTES + 1];

  for (guint j = 0; j <= n; j++)
    row[j] = j;
  for (guint i = 0; a[i] != '\0'; i++)
    {
      guint diagonal = row[0];

      row[0] = i + 1;
      for (guint j = 0; j < n; j++)
        {
          const guint changed = diagonal + (a[i] == b[j] ? 0 : 1);

          diagonal = row[j + 1];
          row[j + 1] = MIN (changed, MIN (row[j], row[j + 1]) + 1);
        }
    }
  return row[n];
}

static const char *
nearest_key (const char *name)
{
  const char *nearest = NULL;
  guint least = MAX_KEY_BYTES;

  if (strlen (name) > MAX_KEY_BYTES)
    return NULL;
  for (const T2pSettingKey *key = t2p_setting_keys (); key->name != NULL; key++)
    {
      const guint d = distance (name, key->name);

      if (d < least && d <= 1 + strlen (key->name) / 3)
        {
          least = d;
          nearest = key->name;
        }
    }
  return nearest;
}

gboolean
t2p_setting_refuse_unknown (const char *name, GError **error)
{
  const gboolean is_plain =
      strlen (name) <= MAX_KEY_BYTES && name[0] != '\0' &&
      strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen (name);
  g_autofree char *shown = is_plain ? g_strdup (name) : t2p_quote (name);
  const char *nearest = nearest_key (name);

  if (nearest != NULL)
    return t2p_setting_refuse (shown, error, "unknown setting, expected perhaps '%s'", nearest);
  return t2p_setting_refuse (shown, error, "unknown setting, expected one such as 'proxies'");
}
