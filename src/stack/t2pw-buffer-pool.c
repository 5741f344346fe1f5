/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A buffer holds the longest packet, since its length is not known before it was read. Those
 * that are given back are kept for the next packet (the warmest first), up to a number that a
 * burst needs; the rest returns to the system. The pool's counter is the memory budget of the
 * whole stack: whoever holds memory for a peer charges it here. */
#include "config.h"

#include "t2pw-buffer-pool.h"

#define FREE_BUFFERS_KEPT 32

void
t2pw_buffer_pool_init (T2pwBufferPool *pool, gsize limit_bytes)
{
  *pool = (T2pwBufferPool){ .limit_bytes = limit_bytes };
}

void
t2pw_buffer_pool_clear (T2pwBufferPool *pool)
{
  while (pool->free != NULL)
    {
      T2pwBuffer *buffer = pool->free;

      pool->free = buffer->next;
      g_free (buffer);
    }
  pool->n_free = 0;
}

T2pwBuffer *
t2pw_buffer_pool_take (T2pwBufferPool *pool)
{
  return t2pw_buffer_pool_has_room (pool, sizeof (T2pwBuffer), 8)
             ? t2pw_buffer_pool_take_spare (pool)
             : NULL;
}

T2pwBuffer *
t2pw_buffer_pool_take_spare (T2pwBufferPool *pool)
{
  T2pwBuffer *buffer = pool->free;

  if (buffer != NULL)
    {
      pool->free = buffer->next;
      pool->n_free--;
    }
  else
    buffer = g_malloc (sizeof *buffer);
  buffer->pool = pool;
  buffer->next = NULL;
  pool->used_bytes += sizeof *buffer;
  return buffer;
}

void
t2pw_buffer_give (T2pwBuffer *buffer)
{
  T2pwBufferPool *pool = buffer->pool;

  pool->used_bytes -= sizeof *buffer;
  if (pool->n_free >= FREE_BUFFERS_KEPT)
    {
      g_free (buffer);
      return;
    }
  buffer->next = pool->free;
  pool->free = buffer;
  pool->n_free++;
}
