/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Chained buckets, a power of two of them, doubled when there is more than one node for each.
 * The hash is keyed by a secret of this process, since the ports and addresses are chosen by
 * whoever sends packets: nobody can aim at one bucket. */
#include "config.h"

#include "t2pw-flow-hash.h"

#include <string.h>
#include <sys/random.h>

#define FIRST_BITS 8

static inline guint64
mix (guint64 a, guint64 b)
{
  unsigned __int128 product = (unsigned __int128) a * b;

  return (guint64) product ^ (guint64) (product >> 64);
}

guint64
t2pw_flow_hash_words (const T2pwFlowHash *table, const guint64 *words, guint n)
{
  guint64 hash = table->secret[0];

  /* Each step multiplies two values that both depend on the secret. */
  for (guint i = 0; i < n; i++)
    hash = mix (hash ^ words[i], table->secret[1] + i * 2) + words[i];
  return mix (hash ^ table->secret[1], hash | 1) ^ hash;
}

void
t2pw_flow_hash_init (T2pwFlowHash *table)
{
  *table = (T2pwFlowHash){ .bits = FIRST_BITS };
  table->buckets = g_new0 (T2pwFlowNode *, 1u << FIRST_BITS);
  if (getrandom (table->secret, sizeof table->secret, 0) != sizeof table->secret)
    for (guint i = 0; i < 4; i++)
      ((guint32 *) table->secret)[i] = g_random_int ();
  table->secret[1] |= 1;
}

void
t2pw_flow_hash_clear (T2pwFlowHash *table)
{
  g_clear_pointer (&table->buckets, g_free);
  table->count = 0;
}

static T2pwFlowNode **
bucket_of (const T2pwFlowHash *table, guint64 hash)
{
  return &table->buckets[hash >> (64 - table->bits)];
}

static void
grow (T2pwFlowHash *table)
{
  T2pwFlowNode **old = table->buckets;
  gsize n_old = (gsize) 1 << table->bits;

  table->bits++;
  table->buckets = g_new0 (T2pwFlowNode *, n_old * 2);
  for (gsize i = 0; i < n_old; i++)
    while (old[i] != NULL)
      {
        T2pwFlowNode *node = old[i];
        T2pwFlowNode **bucket = bucket_of (table, node->hash);

        old[i] = node->next;
        node->next = *bucket;
        *bucket = node;
      }
  g_free (old);
}

void
t2pw_flow_hash_insert (T2pwFlowHash *table, T2pwFlowNode *node)
{
  T2pwFlowNode **bucket;

  if (table->count >> table->bits != 0)
    grow (table);
  node->hash = t2pw_flow_hash_words (table, node->id.words, G_N_ELEMENTS (node->id.words));
  bucket = bucket_of (table, node->hash);
  node->next = *bucket;
  *bucket = node;
  table->count++;
}

void
t2pw_flow_hash_remove (T2pwFlowHash *table, T2pwFlowNode *node)
{
  T2pwFlowNode **at = bucket_of (table, node->hash);

  while (*at != NULL && *at != node)
    at = &(*at)->next;
  if (*at == NULL)
    return;
  *at = node->next;
  node->next = NULL;
  table->count--;
}

T2pwFlowNode *
t2pw_flow_hash_find (const T2pwFlowHash *table, const T2pwFlowId *id)
{
  guint64 hash = t2pw_flow_hash_words (table, id->words, G_N_ELEMENTS (id->words));
  T2pwFlowNode *node = *bucket_of (table, hash);

  while (node != NULL && (node->hash != hash || memcmp (&node->id, id, sizeof *id) != 0))
    node = node->next;
  return node;
}

T2pwFlowNode *
t2pw_flow_hash_first (const T2pwFlowHash *table)
{
  for (gsize i = 0; i < (gsize) 1 << table->bits; i++)
    if (table->buckets[i] != NULL)
      return table->buckets[i];
  return NULL;
}

T2pwFlowId
t2pw_flow_id (const T2pIpAddress *source,
              guint16 source_port,
              const T2pIpAddress *destination,
              guint16 destination_port)
{
  T2pwFlowId id;

  memcpy (&id.words[0], source->bytes, 16);
  memcpy (&id.words[2], destination->bytes, 16);
  id.words[4] = (guint64) source->family << 32 | (guint64) source_port << 16 | destination_port;
  return id;
}

void
t2pw_flow_id_to_key (const T2pwFlowId *id, T2pwFlowKey *out_key)
{
  memset (out_key, 0, sizeof *out_key);
  out_key->source.address.family = (guint8) (id->words[4] >> 32);
  out_key->destination.address.family = out_key->source.address.family;
  memcpy (out_key->source.address.bytes, &id->words[0], 16);
  memcpy (out_key->destination.address.bytes, &id->words[2], 16);
  out_key->source.port = (guint16) (id->words[4] >> 16);
  out_key->destination.port = (guint16) id->words[4];
}
