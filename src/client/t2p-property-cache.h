/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Private to the library: the last known values of a remote object's properties. A GObject
 * class gives one row per property, indexed by its property id; rows without a bus name are the
 * class's own. Values of another type than the row says are ignored: the bus is not trusted to
 * be well. */

typedef struct
{
  const char *bus_name; /* "StateReason" */
  const char *type;     /* "s" */
} T2pCachedProperty;

typedef struct _T2pPropertyCache T2pPropertyCache;

/* @owner: the GObject that is notified; not referenced, it owns the cache. @pspecs and @rows
 * have
 * @n_rows places and live as long as the program. */
T2pPropertyCache *t2p_property_cache_new (GObject *owner,
                                          const T2pCachedProperty *rows,
                                          GParamSpec *const *pspecs,
                                          guint n_rows);
void t2p_property_cache_free (T2pPropertyCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pPropertyCache, t2p_property_cache_free)

/* Takes over what @properties (a{sv}) says and notifies of what it changed, after all of it is
 * in place. */
void t2p_property_cache_update (T2pPropertyCache *cache, GVariant *properties);
/* Forgets everything, with notifications. */
void t2p_property_cache_clear (T2pPropertyCache *cache);

/* "" and 0 while unknown. The string stays the cache's own until the property changes. */
const char *t2p_property_cache_string (const T2pPropertyCache *cache, guint id);
const char *const *t2p_property_cache_strv (T2pPropertyCache *cache, guint id);
guint64 t2p_property_cache_number (const T2pPropertyCache *cache, guint id);
/* For get_property(): rows of type s, as, b, i, u, t. */
void t2p_property_cache_get (T2pPropertyCache *cache, guint id, GValue *value);

G_END_DECLS
