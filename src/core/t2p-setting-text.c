/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-quote.h"
#include "t2p-setting-error.h"

#include <string.h>

/* --- what a person typed after `key=` becomes a value of the declared type */

/* A comma may be part of a password: it separates upstreams only where a new one begins. */
static gboolean
upstream_begins (const char *text)
{
  const char *separator;

  text += strspn (text, " ");
  if (strspn (text, ",") > 0 || text[0] == '\0')
    return TRUE;
  separator = text + strcspn (text, ":/@,%");
  if (g_str_has_prefix (separator, "://"))
    return TRUE;
  return (separator[0] == ',' || separator[0] == '\0') &&
         (g_str_has_prefix (text, "direct") || g_str_has_prefix (text, "reject"));
}

static const char *
entry_end (const T2pSettingKey *key, const char *text)
{
  const char *comma = strchr (text, ',');

  while (comma != NULL && key->format == T2P_SETTING_FORMAT_URI && !upstream_begins (comma + 1))
    comma = strchr (comma + 1, ',');
  return comma != NULL ? comma : text + strlen (text);
}

static GVariant *
parse_list (const T2pSettingKey *key, const char *text)
{
  GVariantBuilder builder;
  gboolean has_more = text[strspn (text, " ")] != '\0';

  g_variant_builder_init (&builder, G_VARIANT_TYPE_STRING_ARRAY);
  while (has_more)
    {
      const char *end = entry_end (key, text);
      g_autofree char *entry = g_strstrip (g_strndup (text, (gsize) (end - text)));

      g_variant_builder_add (&builder, "s", entry);
      has_more = end[0] == ',';
      text = end + (has_more ? 1 : 0);
    }
  return g_variant_builder_end (&builder);
}

static GVariant *
parse_bool (const T2pSettingKey *key, const char *text, GError **error)
{
  g_autofree char *seen = NULL;

  if (strcmp (text, "yes") == 0 || strcmp (text, "true") == 0)
    return g_variant_new_boolean (TRUE);
  if (strcmp (text, "no") == 0 || strcmp (text, "false") == 0)
    return g_variant_new_boolean (FALSE);
  seen = t2p_quote (text);
  t2p_setting_refuse (key->name, error, "%s is no truth value, expected yes or no", seen);
  return NULL;
}

static GVariant *
parse_u32 (const T2pSettingKey *key, const char *text, GError **error)
{
  const gboolean is_hex = g_str_has_prefix (text, "0x") || g_str_has_prefix (text, "0X");
  g_autofree char *seen = NULL;
  guint64 number = 0;

  if (g_ascii_string_to_unsigned (is_hex ? text + 2 : text, is_hex ? 16 : 10, 0, G_MAXUINT32,
                                  &number, NULL))
    return g_variant_new_uint32 ((guint32) number);
  seen = t2p_quote (text);
  t2p_setting_refuse (key->name, error, "%s is no number, expected 0 to %u, decimal or 0x…",
                      seen, G_MAXUINT32);
  return NULL;
}

/**
 * t2p_setting_parse_text:
 * @key: name of a setting
 * @text: what a person typed: lists are separated by commas, booleans are yes, no, true or
 *   false, numbers decimal or 0x
 * @error: return location for %T2P_ERROR_INVALID_SETTINGS
 *
 * Looks at the type only; t2p_settings_new() judges the value.
 *
 * Returns: (transfer floating): a value of the type of @key
 *
 * Since: 0.1
 */
GVariant *
t2p_setting_parse_text (const char *key, const char *text, GError **error)
{
  const T2pSettingKey *row = t2p_setting_key_find (key);

  g_return_val_if_fail (key != NULL && text != NULL, NULL);

  if (row == NULL)
    {
      t2p_setting_refuse_unknown (key, error);
      return NULL;
    }
  if (!g_utf8_validate (text, -1, NULL))
    {
      t2p_setting_refuse (row->name, error, "is no UTF-8");
      return NULL;
    }
  if (strcmp (row->type, "as") == 0)
    return parse_list (row, text);
  if (strcmp (row->type, "b") == 0)
    return parse_bool (row, text, error);
  if (strcmp (row->type, "u") == 0)
    return parse_u32 (row, text, error);
  return g_variant_new_string (text);
}
