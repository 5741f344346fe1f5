/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What stands before the data of a buffer: lwIP's descriptor, then room for the headers that it
 * writes in front of data on its way out. */
#define T2PW_BUFFER_HEADROOM 192
#define T2PW_BUFFER_BYTES 65584 /* an IPv6 packet may have 65,535 bytes behind its header */

typedef struct _T2pwBufferPool T2pwBufferPool;

/** T2pwBuffer: one packet's worth of memory. */
typedef struct _T2pwBuffer T2pwBuffer;
struct _T2pwBuffer
{
  T2pwBufferPool *pool;
  T2pwBuffer *next;
  _Alignas(16) guint8 headroom[T2PW_BUFFER_HEADROOM];
  guint8 data[T2PW_BUFFER_BYTES];
};

/** T2pwBufferPool: hands out buffers, and counts all memory that the stack holds. */
struct _T2pwBufferPool
{
  T2pwBuffer *free;
  guint n_free;
  gsize used_bytes; /* buffers in use, and what t2pw_buffer_pool_charge() was told */
  gsize limit_bytes;
};

void t2pw_buffer_pool_init (T2pwBufferPool *pool, gsize limit_bytes);
void t2pw_buffer_pool_clear (T2pwBufferPool *pool);
/* NULL when the limit is reached. */
T2pwBuffer *t2pw_buffer_pool_take (T2pwBufferPool *pool);
/* Beyond the limit: to be given back before another one is taken. */
T2pwBuffer *t2pw_buffer_pool_take_spare (T2pwBufferPool *pool);
void t2pw_buffer_give (T2pwBuffer *buffer);

/* Memory that did not come from the pool. */
static inline void
t2pw_buffer_pool_charge (T2pwBufferPool *pool, gssize bytes)
{
  pool->used_bytes += (gsize) bytes;
}

/* Whether @bytes more would still be within @eighths of the limit. */
static inline gboolean
t2pw_buffer_pool_has_room (const T2pwBufferPool *pool, gsize bytes, guint eighths)
{
  return pool->used_bytes + bytes <= pool->limit_bytes / 8 * eighths;
}

G_END_DECLS
