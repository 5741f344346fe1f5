/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-stack.h"

G_BEGIN_DECLS

/** T2pwFlowId: a flow key packed for hashing and comparing; IPv4 in the first half of a pair.
 */
typedef struct
{
  guint64 words[5]; /* source, destination (two each), then both ports and the family */
} T2pwFlowId;

typedef enum
{
  T2PW_FLOW_HELD_SYN,
  T2PW_FLOW_STREAM,
} T2pwFlowKind;

/** T2pwFlowNode: embedded first in whatever a flow is at the moment. */
typedef struct _T2pwFlowNode T2pwFlowNode;
struct _T2pwFlowNode
{
  T2pwFlowNode *next;
  guint64 hash;
  T2pwFlowId id;
  T2pwFlowKind kind;
};

/** T2pwFlowHash: O(1) from a packet to its flow; grows, allocates no nodes. */
typedef struct
{
  T2pwFlowNode **buckets;
  guint bits;
  guint count;
  guint64 secret[2];
} T2pwFlowHash;

void t2pw_flow_hash_init (T2pwFlowHash *table);
void t2pw_flow_hash_clear (T2pwFlowHash *table); /* the nodes are not freed */
void t2pw_flow_hash_insert (T2pwFlowHash *table, T2pwFlowNode *node);
void t2pw_flow_hash_remove (T2pwFlowHash *table, T2pwFlowNode *node);
T2pwFlowNode *t2pw_flow_hash_find (const T2pwFlowHash *table, const T2pwFlowId *id);
/* Any node, or NULL: for taking the table down. */
T2pwFlowNode *t2pw_flow_hash_first (const T2pwFlowHash *table);
/* A keyed hash of @n words; also for sequence numbers and counters per destination. */
guint64 t2pw_flow_hash_words (const T2pwFlowHash *table, const guint64 *words, guint n);

T2pwFlowId t2pw_flow_id (const T2pIpAddress *source,
                         guint16 source_port,
                         const T2pIpAddress *destination,
                         guint16 destination_port);
void t2pw_flow_id_to_key (const T2pwFlowId *id, T2pwFlowKey *out_key);

G_END_DECLS
