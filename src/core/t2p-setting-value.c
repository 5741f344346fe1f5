/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-setting-value.h"

#include "t2p-limits.h"
#include "t2p-quote.h"
#include "t2p-setting-entry.h"
#include "t2p-setting-error.h"

#include <string.h>

/* Theory of operation. A value is judged in this order: its type, its size, its format, and
 * only then whether this version carries it out; so NotSupported means a good value. */

#define FIRST_RESERVED_TABLE 253 /* default, main, local */
#define LAST_RESERVED_TABLE 255

/* --- lists */

static gboolean
fill_list (T2pSettingValue *value, const T2pSettingKey *key, GVariant *variant, GError **error)
{
  const gsize n = g_variant_n_children (variant);
  GVariantIter iter;
  const char *text = NULL;
  guint index = 0;

  if (n > key->maximum)
    return t2p_setting_refuse_code (key->name, T2P_ERROR_LIMIT_EXCEEDED, error,
                                    "has %" G_GSIZE_FORMAT " entries, expected at most %u", n,
                                    key->maximum);
  if (n < key->minimum)
    return t2p_setting_refuse (key->name, error, "is empty, expected at least one entry");
  g_variant_iter_init (&iter, variant);
  for (; g_variant_iter_next (&iter, "&s", &text); index++)
    {
      GError *cause = NULL;

      if (!t2p_setting_entry_take (value, key, text, &cause))
        return t2p_setting_refuse_entry (key->name, index, cause, error);
    }
  return TRUE;
}

/* --- single values */

static gboolean
is_listed (const char *choices, const char *text)
{
  g_auto (GStrv) words = g_strsplit (choices, "|", -1);

  return g_strv_contains ((const char *const *) words, text);
}

static gboolean
check_choice (const T2pSettingKey *key, const char *text, GError **error)
{
  g_autofree char *seen = NULL;
  g_autofree char *words = NULL;

  if (key->choices == NULL || is_listed (key->choices, text))
    return TRUE;
  seen = t2p_quote (text);
  words = t2p_setting_choices_to_words (key->choices);
  return t2p_setting_refuse (key->name, error, "%s is unknown, expected %s", seen, words);
}

static gboolean
check_pool (const T2pSettingValue *value, const T2pSettingKey *key, GError **error)
{
  const T2pIpPrefix *prefix = &g_array_index (value->prefixes, T2pIpPrefix, 0);
  const gboolean wants_v6 = g_str_has_suffix (key->name, "6");
  char seen[T2P_PREFIX_STRLEN];

  if ((prefix->address.family == AF_INET6) == wants_v6 && prefix->length >= key->minimum &&
      prefix->length <= key->maximum)
    return TRUE;
  t2p_ip_prefix_format (prefix, seen);
  return t2p_setting_refuse (key->name, error, "%s does not fit, expected %s, /%u to /%u", seen,
                             wants_v6 ? "IPv6" : "IPv4", key->minimum, key->maximum);
}

static gboolean
fill_string (T2pSettingValue *value,
             const T2pSettingKey *key,
             GVariant *variant,
             GError **error)
{
  const char *text = g_variant_get_string (variant, NULL);
  g_autoptr (GError) cause = NULL;

  if (text[0] == '\0' &&
      (key->format == T2P_SETTING_FORMAT_CIDR || g_strcmp0 (key->default_text, "") == 0))
    return TRUE;
  if (!check_choice (key, text, error))
    return FALSE;
  if (!t2p_setting_entry_take (value, key, text, &cause))
    return t2p_setting_refuse (key->name, error, "%s", cause->message);
  return key->format != T2P_SETTING_FORMAT_CIDR || check_pool (value, key, error);
}

static gboolean
check_number (const T2pSettingKey *key, guint32 number, GError **error)
{
  if (number < key->minimum || number > key->maximum)
    return t2p_setting_refuse (key->name, error, "is %u, expected %u to %u", number,
                               key->minimum, key->maximum);
  if (strcmp (key->name, "route-table") == 0 && number >= FIRST_RESERVED_TABLE &&
      number <= LAST_RESERVED_TABLE)
    return t2p_setting_refuse (key->name, error,
                               "is %u, expected none of the system's own, %d to %d", number,
                               FIRST_RESERVED_TABLE, LAST_RESERVED_TABLE);
  return TRUE;
}

static const char *
type_words (const char *type)
{
  switch (type[0])
    {
    case 's':
      return "a string";
    case 'u':
      return "an unsigned 32-bit number";
    case 'b':
      return "a boolean";
    case 'a':
      return "a list of strings";
    default:
      return "a value";
    }
}

static gboolean
check_type (const T2pSettingKey *key, GVariant *variant, GError **error)
{
  g_autofree char *seen = NULL;

  if (g_variant_is_of_type (variant, G_VARIANT_TYPE (key->type)))
    return TRUE;
  seen = t2p_quote (g_variant_get_type_string (variant));
  return t2p_setting_refuse (key->name, error, "has type %s, expected '%s' (%s)", seen,
                             key->type, type_words (key->type));
}

static gboolean
check_format (T2pSettingValue *value,
              const T2pSettingKey *key,
              GVariant *variant,
              GError **error)
{
  switch (key->type[0])
    {
    case 'a':
      return fill_list (value, key, variant, error);
    case 's':
      return fill_string (value, key, variant, error);
    case 'u':
      return check_number (key, g_variant_get_uint32 (variant), error);
    default:
      return TRUE;
    }
}

/* --- what this version carries out */

static char *
value_text (GVariant *variant)
{
  if (g_variant_is_of_type (variant, G_VARIANT_TYPE_STRING))
    return g_variant_dup_string (variant, NULL);
  if (g_variant_is_of_type (variant, G_VARIANT_TYPE_UINT32))
    return g_strdup_printf ("%u", g_variant_get_uint32 (variant));
  if (g_variant_is_of_type (variant, G_VARIANT_TYPE_BOOLEAN))
    return g_strdup (g_variant_get_boolean (variant) ? "true" : "false");
  return g_strdup_printf ("%" G_GSIZE_FORMAT " entries", g_variant_n_children (variant));
}

static gboolean
check_supported (const T2pSettingKey *key, GVariant *variant, GError **error)
{
  const gboolean is_empty_list = key->type[0] == 'a' && g_variant_n_children (variant) == 0;
  g_autofree char *text = value_text (variant);
  g_autofree char *seen = NULL;
  g_autofree char *words = NULL;

  if (key->supported == NULL || is_empty_list || strcmp (text, key->supported) == 0 ||
      is_listed (key->supported, text))
    return TRUE;
  seen = t2p_quote (text);
  words = key->supported[0] != '\0' ? t2p_setting_choices_to_words (key->supported)
                                    : g_strdup ("nothing");
  return t2p_setting_refuse_code (key->name, T2P_ERROR_NOT_SUPPORTED, error,
                                  "%s is not carried out by this version, expected %s", seen,
                                  words);
}

/* --- the whole */

static void
value_prepare (T2pSettingValue *value, const T2pSettingKey *key)
{
  t2p_setting_value_clear (value);
  switch (key->format)
    {
    case T2P_SETTING_FORMAT_URI:
      value->endpoints = g_ptr_array_new_with_free_func ((GDestroyNotify) t2p_endpoint_unref);
      break;
    case T2P_SETTING_FORMAT_CIDR:
    case T2P_SETTING_FORMAT_INTERFACE:
    case T2P_SETTING_FORMAT_ADDRESS:
      value->prefixes = g_array_new (FALSE, FALSE, sizeof (T2pIpPrefix));
      break;
    case T2P_SETTING_FORMAT_USER:
      value->users = g_array_new (FALSE, FALSE, sizeof (T2pUserRange));
      g_array_set_clear_func (value->users, (GDestroyNotify) t2p_user_range_clear);
      break;
    case T2P_SETTING_FORMAT_RULE:
      value->rules = g_ptr_array_new_with_free_func ((GDestroyNotify) t2p_rule_free);
      break;
    case T2P_SETTING_FORMAT_TEXT:
    case T2P_SETTING_FORMAT_CHOICE:
    case T2P_SETTING_FORMAT_FLAG:
    case T2P_SETTING_FORMAT_NUMBER:
    case T2P_SETTING_FORMAT_DOMAIN:
    case T2P_SETTING_FORMAT_HOST_PORT:
    case T2P_SETTING_FORMAT_LINK:
    case T2P_SETTING_FORMAT_APP:
      break;
    }
}

static GVariant *
display_uris (const GPtrArray *endpoints)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_STRING_ARRAY);
  for (guint i = 0; i < endpoints->len; i++)
    g_variant_builder_add (&builder, "s",
                           t2p_endpoint_get_display (g_ptr_array_index (endpoints, i)));
  return g_variant_builder_end (&builder);
}

/**
 * t2p_setting_value_fill:
 * @value: a value; what it held is dropped
 * @key: its row of the table
 * @variant: what the caller wants it to be
 * @error: return location for %T2P_ERROR_INVALID_SETTINGS, %T2P_ERROR_LIMIT_EXCEEDED or
 *   %T2P_ERROR_NOT_SUPPORTED
 *
 * Returns: whether @variant is a good value that this version carries out; if not, @value is
 *   half filled and only good to be cleared
 *
 * Since: 0.1
 */
gboolean
t2p_setting_value_fill (T2pSettingValue *value,
                        const T2pSettingKey *key,
                        GVariant *variant,
                        GError **error)
{
  value_prepare (value, key);
  if (!check_type (key, variant, error) || !check_format (value, key, variant, error) ||
      !check_supported (key, variant, error))
    return FALSE;
  value->variant = value->endpoints != NULL
                       ? g_variant_ref_sink (display_uris (value->endpoints))
                       : g_variant_ref_sink (variant);
  if (key->type[0] == 'a')
    value->strv = g_variant_get_strv (value->variant, NULL);
  return TRUE;
}

void
t2p_setting_value_clear (T2pSettingValue *value)
{
  g_clear_pointer (&value->strv, g_free);
  g_clear_pointer (&value->variant, g_variant_unref);
  g_clear_pointer (&value->prefixes, g_array_unref);
  g_clear_pointer (&value->users, g_array_unref);
  g_clear_pointer (&value->endpoints, g_ptr_array_unref);
  g_clear_pointer (&value->rules, g_ptr_array_unref);
  value->is_set = FALSE;
}
