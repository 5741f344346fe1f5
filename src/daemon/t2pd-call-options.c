/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-call-options.h"

#include "t2p-error.h"
#include "t2p-quote.h"

static const T2pdCallOption *
find (const T2pdCallOption *known, const char *name)
{
  /* Every method may show a dialog, so every method knows this one. */
  static const T2pdCallOption interactive = { "interactive", "b" };

  if (g_str_equal (name, interactive.name))
    return &interactive;
  for (; known != NULL && known->name != NULL; known++)
    if (g_str_equal (name, known->name))
      return known;
  return NULL;
}

static gboolean
check_one (const char *name, GVariant *value, const T2pdCallOption *known, GError **error)
{
  const T2pdCallOption *option = find (known, name);
  g_autofree char *quoted = NULL;

  if (option != NULL && g_variant_is_of_type (value, G_VARIANT_TYPE (option->type)))
    return TRUE;
  quoted = t2p_quote (name);
  if (option == NULL)
    g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                 "option %s: unknown to this method", quoted);
  else
    g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                 "option %s: type '%.32s' seen, '%s' expected", quoted,
                 g_variant_get_type_string (value), option->type);
  return FALSE;
}

/**
 * t2pd_call_options_check:
 * @options: an `a{sv}`
 * @known: (nullable) (array zero-terminated=1): what the method knows besides `interactive`
 *
 * Refuses options that are unknown, have another type, or are there twice.
 *
 * Returns: %FALSE with %T2P_ERROR_INVALID_ARGUMENT, naming the option
 *
 * Since: 0.1
 */
gboolean
t2pd_call_options_check (GVariant *options, const T2pdCallOption *known, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  GVariantIter iter;
  const char *name;
  GVariant *value;

  g_variant_iter_init (&iter, options);
  while (g_variant_iter_next (&iter, "{&sv}", &name, &value))
    {
      g_autoptr (GVariant) owned = value;

      if (!check_one (name, owned, known, error))
        return FALSE;
      if (!g_hash_table_add (seen, (gpointer) name))
        {
          g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                       "option '%s': seen twice, once expected", name);
          return FALSE;
        }
    }
  return TRUE;
}

gboolean
t2pd_call_options_get_bool (GVariant *options, const char *name, gboolean fallback)
{
  gboolean value = fallback;

  g_variant_lookup (options, name, "b", &value);
  return value;
}

guint32
t2pd_call_options_get_u32 (GVariant *options, const char *name, guint32 fallback)
{
  guint32 value = fallback;

  g_variant_lookup (options, name, "u", &value);
  return value;
}

/* The answer lives as long as @options, or is @fallback itself. */
const char *
t2pd_call_options_get_string (GVariant *options, const char *name, const char *fallback)
{
  const char *value = fallback;

  g_variant_lookup (options, name, "&s", &value);
  return value;
}
