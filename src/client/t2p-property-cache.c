/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-property-cache.h"

typedef struct
{
  GVariant *value;
  const char *
      *strv; /* of an "as" value, made when first asked for; the strings are the value's */
} Slot;

struct _T2pPropertyCache
{
  GObject *owner;
  const T2pCachedProperty *rows;
  GParamSpec *const *pspecs;
  guint n_rows;
  Slot slots[];
};

T2pPropertyCache *
t2p_property_cache_new (GObject *owner,
                        const T2pCachedProperty *rows,
                        GParamSpec *const *pspecs,
                        guint n_rows)
{
  T2pPropertyCache *cache = g_malloc0 (sizeof *cache + n_rows * sizeof (Slot));

  cache->owner = owner;
  cache->rows = rows;
  cache->pspecs = pspecs;
  cache->n_rows = n_rows;
  return cache;
}

static void
slot_clear (Slot *slot)
{
  g_clear_pointer (&slot->value, g_variant_unref);
  g_clear_pointer (&slot->strv, g_free);
}

void
t2p_property_cache_free (T2pPropertyCache *cache)
{
  for (guint i = 0; i < cache->n_rows; i++)
    slot_clear (&cache->slots[i]);
  g_free (cache);
}

static gboolean
slot_set (Slot *slot, GVariant *value)
{
  if (slot->value != NULL && g_variant_equal (slot->value, value))
    return FALSE;
  slot_clear (slot);
  slot->value = g_variant_ref (value);
  return TRUE;
}

void
t2p_property_cache_update (T2pPropertyCache *cache, GVariant *properties)
{
  g_object_freeze_notify (cache->owner);
  for (guint i = 0; i < cache->n_rows; i++)
    {
      const T2pCachedProperty *row = &cache->rows[i];
      g_autoptr (GVariant) value = NULL;

      if (row->bus_name == NULL)
        continue;
      value = g_variant_lookup_value (properties, row->bus_name, G_VARIANT_TYPE (row->type));
      if (value != NULL && slot_set (&cache->slots[i], value))
        g_object_notify_by_pspec (cache->owner, cache->pspecs[i]);
    }
  g_object_thaw_notify (cache->owner);
}

void
t2p_property_cache_clear (T2pPropertyCache *cache)
{
  g_object_freeze_notify (cache->owner);
  for (guint i = 0; i < cache->n_rows; i++)
    if (cache->slots[i].value != NULL)
      {
        slot_clear (&cache->slots[i]);
        g_object_notify_by_pspec (cache->owner, cache->pspecs[i]);
      }
  g_object_thaw_notify (cache->owner);
}

const char *
t2p_property_cache_string (const T2pPropertyCache *cache, guint id)
{
  GVariant *value = cache->slots[id].value;

  return value != NULL ? g_variant_get_string (value, NULL) : "";
}

const char *const *
t2p_property_cache_strv (T2pPropertyCache *cache, guint id)
{
  static const char *const none[] = { NULL };
  Slot *slot = &cache->slots[id];

  if (slot->value == NULL)
    return none;
  if (slot->strv == NULL)
    slot->strv = g_variant_get_strv (slot->value, NULL);
  return slot->strv;
}

guint64
t2p_property_cache_number (const T2pPropertyCache *cache, guint id)
{
  GVariant *value = cache->slots[id].value;

  if (value == NULL)
    return 0;
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_BOOLEAN))
    return g_variant_get_boolean (value);
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_INT32))
    return (guint64) g_variant_get_int32 (value);
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_UINT32))
    return g_variant_get_uint32 (value);
  return g_variant_get_uint64 (value);
}

void
t2p_property_cache_get (T2pPropertyCache *cache, guint id, GValue *value)
{
  const char *type = cache->rows[id].type;

  if (g_str_equal (type, "s"))
    g_value_set_string (value, t2p_property_cache_string (cache, id));
  else if (g_str_equal (type, "as"))
    g_value_set_boxed (value, t2p_property_cache_strv (cache, id));
  else if (g_str_equal (type, "b"))
    g_value_set_boolean (value, t2p_property_cache_number (cache, id) != 0);
  else if (g_str_equal (type, "i"))
    g_value_set_int (value, (int) t2p_property_cache_number (cache, id));
  else if (g_str_equal (type, "u"))
    g_value_set_uint (value, (guint) t2p_property_cache_number (cache, id));
  else
    g_value_set_uint64 (value, t2p_property_cache_number (cache, id));
}
