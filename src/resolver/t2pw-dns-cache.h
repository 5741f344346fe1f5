/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-dns-answer.h"

G_BEGIN_DECLS

/* Two hexadecimal digits of flags, four each of type and class, the name, NUL. */
#define T2PW_DNS_KEY_STRLEN (10 + T2P_DNS_NAME_STRLEN)

/** T2pwDnsKept: an answer as it was kept. */
typedef struct
{
  const guint8 *message;
  const T2pDnsAnswer *answer;
  guint32 age_s;
} T2pwDnsKept;

/* Answers by what was asked, for as long as they say. The least recently used goes first when
 * there are T2P_DNS_CACHE_MAX_ENTRIES or _BYTES of them. */
typedef struct _T2pwDnsCache T2pwDnsCache;

void t2pw_dns_key_make (const T2pDnsQuery *query, char out_key[T2PW_DNS_KEY_STRLEN]);

T2pwDnsCache *t2pw_dns_cache_new (void);
void t2pw_dns_cache_free (T2pwDnsCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwDnsCache, t2pw_dns_cache_free)
void t2pw_dns_cache_flush (T2pwDnsCache *cache);

void t2pw_dns_cache_add (T2pwDnsCache *cache,
                         const char *key,
                         const guint8 *message,
                         const T2pDnsAnswer *answer,
                         gint64 now_us);
gboolean t2pw_dns_cache_find (T2pwDnsCache *cache,
                              const char *key,
                              gint64 now_us,
                              T2pwDnsKept *out_kept);
guint t2pw_dns_cache_get_n_entries (const T2pwDnsCache *cache);
gsize t2pw_dns_cache_get_bytes (const T2pwDnsCache *cache);

G_END_DECLS
