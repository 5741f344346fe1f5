/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-flow-table.h"
#include "t2pw-virtual-names.h"

G_BEGIN_DECLS

/* What waits while a way is being opened, for each application socket; all that wait count as
 * the stack's memory. */
#define T2PW_DATAGRAM_MAX_WAITING 32
#define T2PW_DATAGRAM_MAX_WAITING_BYTES (64 * 1024)

/**
 * T2pwDatagramConfig:
 * @owner: whose flows they are
 * @policy: how they leave; outlives the relay
 * @table: all flows of the worker, with those of streams
 * @virtual_names: (nullable)
 * @idle_timeout_ms: after which a silent application socket is forgotten
 */
typedef struct
{
  T2pReactor *reactor;
  T2pwRelay *owner;
  const T2pwFlowPolicy *policy;
  T2pwFlowTable *table;
  T2pwVirtualNames *virtual_names;
  guint idle_timeout_ms;
} T2pwDatagramConfig;

typedef struct
{
  guint64 opened;  /* application sockets that got a way */
  guint64 refused; /* application sockets, or destinations of theirs, that got none */
  guint64 dropped; /* datagrams: no room while a way opened, or on it */
  guint flows;     /* application sockets, now */
} T2pwDatagramCounters;

typedef struct _T2pwDatagramRelay T2pwDatagramRelay;

T2pwDatagramRelay *t2pw_datagram_relay_new (const T2pwDatagramConfig *config);
void t2pw_datagram_relay_free (T2pwDatagramRelay *relay);
void t2pw_datagram_relay_set_stack (T2pwDatagramRelay *relay, T2pwStack *stack);

gboolean t2pw_datagram_relay_take (T2pwDatagramRelay *relay,
                                   const T2pwFlowKey *key,
                                   const guint8 *data,
                                   gsize length,
                                   gsize datagram_bytes);
void t2pw_datagram_relay_refuse_new (T2pwDatagramRelay *relay);
gboolean t2pw_datagram_relay_evict (T2pwDatagramRelay *relay);
void t2pw_datagram_relay_flush (T2pwDatagramRelay *relay);
const T2pwDatagramCounters *t2pw_datagram_relay_get_counters (const T2pwDatagramRelay *relay);

/* Of one application socket; frees it and its flow. */
void t2pw_datagram_socket_close (T2pwDatagramSocket *socket);
/* The upstream in use, for people; "" while there is none. */
const char *t2pw_datagram_socket_get_label (const T2pwDatagramSocket *socket);

G_END_DECLS
