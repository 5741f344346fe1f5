/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-dns-cache.h"

#include "t2p-limits.h"

#include <string.h>

typedef struct
{
  GList link; /* in `by_use` */
  char *key;
  gint64 stored_us;
  gsize bytes; /* all that it costs */
  T2pDnsAnswer answer;
  guint8 message[];
} Entry;

struct _T2pwDnsCache
{
  GHashTable *entries; /* key → Entry */
  GQueue by_use;       /* the one used longest ago first */
  gsize bytes;
};

/**
 * t2pw_dns_key_make:
 *
 * Questions of the same key may share an answer: name, type and class, and the flags that
 * change what a server says.
 */
void
t2pw_dns_key_make (const T2pDnsQuery *query, char out_key[T2PW_DNS_KEY_STRLEN])
{
  guint flags = (query->recursion_desired ? 1 : 0) | (query->checking_disabled ? 2 : 0) |
                (query->authentic_data ? 4 : 0) | (query->has_edns ? 8 : 0) |
                (query->dnssec_ok ? 16 : 0);

  g_snprintf (out_key, T2PW_DNS_KEY_STRLEN, "%02x%04x%04x%s", flags, query->type, query->klass,
              query->name.text);
}

T2pwDnsCache *
t2pw_dns_cache_new (void)
{
  T2pwDnsCache *cache = g_new0 (T2pwDnsCache, 1);

  cache->entries = g_hash_table_new (g_str_hash, g_str_equal);
  return cache;
}

static void
entry_drop (T2pwDnsCache *cache, Entry *entry)
{
  g_hash_table_remove (cache->entries, entry->key);
  g_queue_unlink (&cache->by_use, &entry->link);
  cache->bytes -= entry->bytes;
  g_free (entry->key);
  g_free (entry);
}

void
t2pw_dns_cache_flush (T2pwDnsCache *cache)
{
  for (GList *link; (link = g_queue_peek_head_link (&cache->by_use)) != NULL;)
    entry_drop (cache, link->data);
}

void
t2pw_dns_cache_free (T2pwDnsCache *cache)
{
  t2pw_dns_cache_flush (cache);
  g_hash_table_unref (cache->entries);
  g_free (cache);
}

static void
make_room (T2pwDnsCache *cache, gsize bytes)
{
  while (cache->by_use.length >= T2P_DNS_CACHE_MAX_ENTRIES ||
         (cache->by_use.length > 0 && cache->bytes + bytes > T2P_DNS_CACHE_MAX_BYTES))
    entry_drop (cache, g_queue_peek_head (&cache->by_use));
}

/**
 * t2pw_dns_cache_add:
 * @key: of the question
 * @message: copied, in the place of what was known
 * @answer: @message, decoded; what may not be kept is not
 */
void
t2pw_dns_cache_add (T2pwDnsCache *cache,
                    const char *key,
                    const guint8 *message,
                    const T2pDnsAnswer *answer,
                    gint64 now_us)
{
  Entry *entry = g_hash_table_lookup (cache->entries, key);
  gsize bytes = sizeof *entry + answer->length + strlen (key) + 1;

  if (entry != NULL)
    entry_drop (cache, entry);
  if (answer->ttl_s == 0 || answer->length > T2P_DNS_CACHE_MAX_ANSWER_BYTES)
    return;
  make_room (cache, bytes);
  entry = g_malloc (sizeof *entry + answer->length);
  entry->link = (GList){ .data = entry };
  entry->key = g_strdup (key);
  entry->stored_us = now_us;
  entry->bytes = bytes;
  entry->answer = *answer;
  memcpy (entry->message, message, answer->length);
  g_hash_table_insert (cache->entries, entry->key, entry);
  g_queue_push_tail_link (&cache->by_use, &entry->link);
  cache->bytes += bytes;
}

/**
 * t2pw_dns_cache_find:
 * @out_kept: (out caller-allocates): valid until the cache is touched again
 *
 * Returns: %FALSE when nothing is known that still holds
 */
gboolean
t2pw_dns_cache_find (T2pwDnsCache *cache, const char *key, gint64 now_us, T2pwDnsKept *out_kept)
{
  Entry *entry = g_hash_table_lookup (cache->entries, key);
  gint64 age_s = entry != NULL ? (now_us - entry->stored_us) / G_USEC_PER_SEC : 0;

  if (entry == NULL)
    return FALSE;
  if (age_s >= entry->answer.ttl_s)
    {
      entry_drop (cache, entry);
      return FALSE;
    }
  g_queue_unlink (&cache->by_use, &entry->link);
  g_queue_push_tail_link (&cache->by_use, &entry->link);
  *out_kept = (T2pwDnsKept){ .message = entry->message,
                             .answer = &entry->answer,
                             .age_s = (guint32) age_s };
  return TRUE;
}

guint
t2pw_dns_cache_get_n_entries (const T2pwDnsCache *cache)
{
  return cache->by_use.length;
}

gsize
t2pw_dns_cache_get_bytes (const T2pwDnsCache *cache)
{
  return cache->bytes;
}
