/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-buffer-pool.h"
#include "t2pw-flow-hash.h"
#include "t2pw-packet.h"

G_BEGIN_DECLS

#define T2PW_REASSEMBLY_SOURCES                                                                \
  64 /* groups of sources that are told apart when room is short */

/** T2pwReassembly: packets of which a part has come; embedded in the stack. */
typedef struct
{
  T2pwBufferPool *pool;
  T2pwFlowHash table;                        /* of Assembly */
  GQueue by_age;                             /* the same, oldest first */
  GQueue by_source[T2PW_REASSEMBLY_SOURCES]; /* the same, each oldest first */
  gsize source_bytes[T2PW_REASSEMBLY_SOURCES];
  gsize held_bytes;
  guint64 reassembled;    /* packets */
  guint64 dropped;        /* fragments that did not become part of one */
  guint64 dropped_memory; /* of those, for want of the stack's memory */
} T2pwReassembly;

void t2pw_reassembly_init (T2pwReassembly *reassembly, T2pwBufferPool *pool);
void t2pw_reassembly_clear (T2pwReassembly *reassembly);
/* Takes a copy of a fragment. Returns (transfer full): the whole packet when this was what it
 * lacked, else NULL. */
T2pwBuffer *t2pw_reassembly_take (T2pwReassembly *reassembly,
                                  const T2pwPacket *fragment,
                                  gint64 now_us,
                                  gsize *out_length);
/* Forgets what has waited for too long. Returns when to look again; 0: nothing waits. */
gint64 t2pw_reassembly_expire (T2pwReassembly *reassembly, gint64 now_us);

G_END_DECLS
