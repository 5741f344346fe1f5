/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A stream is made when its SYN is accepted. lwIP's side of it (the pcb) can end before ours:
 * then the stream leaves the flow table, but stays until the owner has read what had arrived.
 * `closed` is the last event, and the only one after a reset.
 *
 * Events are noted while packets are fed and told by a task later in the turn, so a burst of
 * packets makes one `readable`. A handler may abort the stream; stack->running is how we
 * notice.
 *
 * Memory: the window is opened only while the stack's budget lasts; a stream that got less is
 * in the list T2PW_LIST_STARVED and goes on when memory came free. Meanwhile a stream whose
 * owner reads keeps a small window, and one whose application reads a small send buffer.
 * Windows grow by doubling while they limit the flow and the sum of what was granted is below
 * half of the budget; windows of flows that fell silent are taken back (t2pw-stack.c). */
#include "config.h"

#include "t2p-limits.h"
#include "t2pw-pcb.h"
#include "t2pw-stack-private.h"

#include <string.h>

/* lwIP's own; T2P_FLOW_BUFFER_BYTES less the one byte that an unscaled window cannot say. */
#define FIRST_WINDOW_BYTES (T2P_FLOW_BUFFER_BYTES - 1)

/* --- lists */

void
t2pw_stream_link (T2pwStream *stream, T2pwStreamList list)
{
  T2pwStreamLink *link = &stream->links[list];
  T2pwStream **head = &stream->stack->lists[list];

  if (link->pprev != NULL)
    return;
  link->next = *head;
  link->pprev = head;
  if (link->next != NULL)
    link->next->links[list].pprev = &link->next;
  *head = stream;
  /* Both are looked at when a turn ends; the owner may have acted outside of one. */
  if (list == T2PW_LIST_ACK || list == T2PW_LIST_STARVED)
    t2pw_stack_need_turn_end (stream->stack);
}

void
t2pw_stream_unlink (T2pwStream *stream, T2pwStreamList list)
{
  T2pwStreamLink *link = &stream->links[list];

  if (link->pprev == NULL)
    return;
  *link->pprev = link->next;
  if (link->next != NULL)
    link->next->links[list].pprev = link->pprev;
  link->next = NULL;
  link->pprev = NULL;
}

/* --- life */

T2pwStream *
t2pw_stream_new (T2pwStack *stack,
                 const T2pwFlowId *id,
                 const T2pwStreamHandler *handler,
                 gpointer user_data)
{
  T2pwStream *stream = g_new0 (T2pwStream, 1);

  stream->node.id = *id;
  stream->node.kind = T2PW_FLOW_STREAM;
  stream->stack = stack;
  stream->handler = handler;
  stream->user_data = user_data;
  stream->is_in_table = TRUE;
  t2pw_flow_hash_insert (&stack->flows, &stream->node);
  t2pw_buffer_pool_charge (&stack->pool, T2PW_CONNECTION_BYTES);
  stack->counters.streams++;
  stack->counters.streams_opened++;
  return stream;
}

static gsize
granted (const T2pwStream *stream)
{
  gsize first = FIRST_WINDOW_BYTES;

  return (stream->receive_limit > first ? stream->receive_limit - first : 0) +
         (stream->send_limit > first ? stream->send_limit - first : 0);
}

static void
drop_table_and_lists (T2pwStream *stream)
{
  if (stream->is_in_table)
    t2pw_flow_hash_remove (&stream->stack->flows, &stream->node);
  stream->is_in_table = FALSE;
  for (guint list = 0; list < T2PW_N_LISTS; list++)
    t2pw_stream_unlink (stream, list);
}

void
t2pw_stream_lost_pcb (T2pwStream *stream, gboolean was_reset)
{
  T2pwStack *stack = stream->stack;

  stream->pcb = NULL;
  stream->was_reset = was_reset;
  stack->granted_bytes -= granted (stream);
  stream->receive_limit = stream->send_limit = 0;
  stack->out_of_order_bytes -= stream->out_of_order_bytes;
  stream->out_of_order_bytes = 0;
  t2pw_buffer_pool_charge (&stack->pool, -(gssize) stream->tx_charged_bytes);
  stream->tx_charged_bytes = 0;
  drop_table_and_lists (stream);
  t2pw_stream_link (stream, T2PW_LIST_ENDED);
  t2pw_stream_notify (stream, T2PW_EVENT_GONE);
}

void
t2pw_stream_free (T2pwStream *stream)
{
  T2pwStack *stack = stream->stack;

  if (stack->running == stream)
    stack->running = NULL;
  if (stack->reserving == stream)
    t2pw_stream_give_back_reserved (stack);
  t2pw_pcb_abort (stream);
  drop_table_and_lists (stream);
  t2p_reactor_cancel (stack->reactor, &stream->task);
  t2pw_rx_queue_clear (&stream->rx);
  t2pw_buffer_pool_charge (&stack->pool, -(gssize) T2PW_CONNECTION_BYTES);
  stack->counters.streams--;
  g_free (stream);
}

/* --- events */

static gboolean
is_finished (const T2pwStream *stream)
{
  return stream->pcb == NULL &&
         (stream->was_reset || (stream->rx.bytes == 0 && stream->end_was_seen));
}

static void
finish (T2pwStream *stream)
{
  stream->handler->closed (stream, stream->was_reset, stream->user_data);
  t2pw_stream_free (stream);
}

static void
run_events_cb (T2pTask *task)
{
  T2pwStream *stream =
      (T2pwStream *) (gpointer) ((guint8 *) task - offsetof (T2pwStream, task));
  T2pwStack *stack = stream->stack;
  guint events = stream->events;

  stream->events = 0;
  stack->running = stream;
  if ((events & T2PW_EVENT_READABLE) != 0 && !stream->was_reset)
    stream->handler->readable (stream, stream->user_data);
  if (stack->running == stream && (events & T2PW_EVENT_WRITABLE) != 0 && stream->pcb != NULL)
    {
      stream->wants_room = FALSE;
      stream->handler->writable (stream, stream->user_data);
    }
  if (stack->running == stream && is_finished (stream))
    finish (stream);
  stack->running = NULL;
}

void
t2pw_stream_notify (T2pwStream *stream, guint events)
{
  stream->events |= (guint8) events;
  t2p_reactor_defer (stream->stack->reactor, &stream->task, run_events_cb);
}

/* --- from the application */

static gboolean
may_grow (T2pwStream *stream, guint32 bytes)
{
  T2pwStack *stack = stream->stack;

  if (!t2pw_buffer_pool_has_room (&stack->pool, bytes, T2PW_GROW_BELOW) ||
      stack->granted_bytes + bytes > stack->pool.limit_bytes / 2)
    return FALSE;
  stack->granted_bytes += bytes;
  t2pw_stream_link (stream, T2PW_LIST_GROWN);
  return TRUE;
}

/* Memory is short: what is unread counts against the window, and the rest has to wait. */
static void
open_small_window (T2pwStream *stream, guint32 bytes)
{
  guint32 unread = (guint32) stream->rx.bytes;

  stream->window_debt += bytes;
  t2pw_stream_link (stream, T2PW_LIST_STARVED);
  if (unread < T2PW_SMALL_WINDOW_BYTES)
    stream->window_debt -=
        t2pw_pcb_open_window (stream, stream->window_debt, T2PW_SMALL_WINDOW_BYTES - unread);
}

static void
open_window (T2pwStream *stream, guint32 bytes)
{
  T2pwStack *stack = stream->stack;
  guint32 growth = stream->receive_limit;

  if (!t2pw_buffer_pool_has_room (&stack->pool, 0, T2PW_HOLD_BELOW))
    {
      open_small_window (stream, bytes);
      return;
    }
  if (t2pw_pcb_is_window_narrow (stream) && growth * 2 <= T2P_FLOW_BUFFER_UP_MAX_BYTES &&
      may_grow (stream, growth))
    {
      stream->receive_limit += growth;
      bytes += growth;
    }
  t2pw_pcb_open_window (stream, bytes, stream->receive_limit);
}

/**
 * t2pw_stream_peek:
 * @stream: a stream
 * @iov: (out caller-allocates) (array length=max): filled with what waits, in order
 * @max: room in @iov
 * @out_at_end: (out): whether the application's FIN stands right behind what was filled in
 *
 * Returns: how many were filled; they stay valid until t2pw_stream_consume()
 */
guint
t2pw_stream_peek (T2pwStream *stream, struct iovec *iov, guint max, gboolean *out_at_end)
{
  gboolean is_all;
  guint n = t2pw_rx_queue_peek (&stream->rx, iov, max, &is_all);

  *out_at_end = is_all && stream->has_end;
  if (*out_at_end && !stream->end_was_seen)
    {
      stream->end_was_seen = TRUE;
      if (is_finished (stream))
        t2pw_stream_notify (stream, T2PW_EVENT_GONE);
    }
  return n;
}

/**
 * t2pw_stream_consume:
 * @stream: a stream
 * @length: bytes that were passed on, at most what waits
 *
 * Frees the first @length bytes and lets the application send as many more.
 */
void
t2pw_stream_consume (T2pwStream *stream, gsize length)
{
  guint32 taken = (guint32) t2pw_rx_queue_consume (&stream->rx, length);

  stream->was_active = TRUE;
  if (stream->pcb != NULL)
    open_window (stream, taken);
  else if (is_finished (stream))
    t2pw_stream_notify (stream, T2PW_EVENT_GONE);
}

/* --- to the application */

void
t2pw_stream_give_back_reserved (T2pwStack *stack)
{
  for (guint i = 0; i < stack->n_reserved; i++)
    t2pw_buffer_give (stack->reserved[i]);
  stack->n_reserved = 0;
  stack->reserving = NULL;
}

static void
wait_for_room (T2pwStream *stream, gboolean is_for_memory)
{
  stream->wants_room = TRUE;
  if (is_for_memory && stream->pcb != NULL)
    t2pw_stream_link (stream, T2PW_LIST_STARVED);
}

static gsize
room_after_growing (T2pwStream *stream, gsize want, gsize *out_chunk, guint *out_segments)
{
  gsize room = t2pw_pcb_get_room (stream, out_chunk, out_segments);
  guint32 growth = stream->send_limit;

  if (*out_segments > 0 && room < MIN (want, *out_chunk) &&
      growth + growth <= T2P_FLOW_BUFFER_DOWN_MAX_BYTES + 2 && may_grow (stream, growth))
    {
      t2pw_pcb_grow_send (stream, growth);
      room += growth;
    }
  return room;
}

/* Of @room, what the memory allows now. The first bound is that of t2pw_stream_feed_starved(),
 * or streams would be woken for nothing, again and again. */
static gsize
room_in_memory (const T2pwStream *stream, gsize room)
{
  const T2pwBufferPool *pool = &stream->stack->pool;
  gsize waiting = stream->tx_charged_bytes;

  if (t2pw_buffer_pool_has_room (pool, 0, T2PW_HOLD_BELOW))
    return room;
  if (waiting >= T2PW_SMALL_WINDOW_BYTES ||
      !t2pw_buffer_pool_has_room (pool, 0, T2PW_PASS_BELOW))
    return 0;
  return MIN (room, T2PW_SMALL_WINDOW_BYTES - waiting);
}

/**
 * t2pw_stream_reserve:
 * @stream: a stream
 * @want: bytes that could be used
 * @iov: (out caller-allocates) (array length=max): buffers to fill, in order
 * @max: room in @iov
 *
 * Ends any earlier reservation, of this or another stream.
 *
 * Returns: how many iovecs were filled; 0 when nothing can be taken now: then `writable`
 * follows
 */
guint
t2pw_stream_reserve (T2pwStream *stream, gsize want, struct iovec *iov, guint max)
{
  T2pwStack *stack = stream->stack;
  gsize chunk, free_room, room;
  guint segments, n = 0;

  t2pw_stream_give_back_reserved (stack);
  free_room = MIN (room_after_growing (stream, want, &chunk, &segments), want);
  room = room_in_memory (stream, free_room);
  if (room > chunk && chunk > 0)
    room -= room % chunk; /* a sliver behind full segments would cost a packet of its own */
  max = MIN (MIN (max, segments), T2PW_MAX_RESERVED_BUFFERS);
  while (n < max && room > 0)
    {
      T2pwBuffer *buffer = t2pw_buffer_pool_take (&stack->pool);

      if (buffer == NULL)
        break;
      iov[n] = (struct iovec){ buffer->data, MIN (chunk, room) };
      room -= iov[n].iov_len;
      stack->reserved[n++] = buffer;
    }
  stack->n_reserved = n;
  stack->reserved_chunk = chunk;
  stack->reserving = stream;
  if (n == 0)
    wait_for_room (stream, free_room > 0);
  return n;
}

/**
 * t2pw_stream_commit:
 * @stream: the stream that reserved last
 * @length: bytes that were filled in, from the start of the first iovec, without a gap
 *
 * Sends them; gives back the rest.
 */
void
t2pw_stream_commit (T2pwStream *stream, gsize length)
{
  T2pwStack *stack = stream->stack;
  gboolean is_written = TRUE;
  guint used = 0;

  g_return_if_fail (stack->reserving == stream || length == 0);
  if (stack->reserving != stream)
    return;
  for (; length > 0 && used < stack->n_reserved && is_written; used++)
    {
      gsize part = MIN (length, stack->reserved_chunk);

      length -= part;
      is_written = t2pw_pcb_write (stream, stack->reserved[used], part, length > 0);
    }
  stack->n_reserved -= used;
  memmove (stack->reserved, stack->reserved + used,
           stack->n_reserved * sizeof stack->reserved[0]);
  t2pw_stream_give_back_reserved (stack);
  if (used == 0)
    return;
  stream->was_active = TRUE;
  if (is_written)
    t2pw_pcb_push (stream);
  else
    t2pw_pcb_abort (stream); /* bytes are lost: better a reset than a gap */
}

/**
 * t2pw_stream_shutdown:
 * @stream: a stream
 *
 * Sends a FIN behind what was committed. Reading goes on.
 */
void
t2pw_stream_shutdown (T2pwStream *stream)
{
  stream->wants_shutdown = TRUE;
  t2pw_pcb_shutdown (stream);
  t2pw_pcb_settle (stream);
}

/**
 * t2pw_stream_abort:
 * @stream: (transfer full): a stream
 *
 * Sends a RST and frees @stream; `closed` is not called.
 */
void
t2pw_stream_abort (T2pwStream *stream)
{
  t2pw_stream_free (stream);
}

/**
 * t2pw_stream_get_unacked:
 * @stream: a stream
 * @out_progress_us: (out): when some of it was last acknowledged, in the reactor's time; 0:
 *   never
 *
 * Returns: how many of the committed bytes the application has not acknowledged
 */
gsize
t2pw_stream_get_unacked (const T2pwStream *stream, gint64 *out_progress_us)
{
  *out_progress_us = stream->progress_us;
  return t2pw_pcb_get_unacked (stream);
}

void
t2pw_stream_get_key (const T2pwStream *stream, T2pwFlowKey *out_key)
{
  t2pw_flow_id_to_key (&stream->node.id, out_key);
}

/* --- memory */

void
t2pw_stream_shrink (T2pwStream *stream)
{
  gsize before = granted (stream);

  t2pw_pcb_shrink (stream);
  stream->stack->granted_bytes -= before - granted (stream);
  if (granted (stream) == 0)
    t2pw_stream_unlink (stream, T2PW_LIST_GROWN);
}

void
t2pw_stream_feed_starved (T2pwStack *stack)
{
  while (stack->lists[T2PW_LIST_STARVED] != NULL &&
         t2pw_buffer_pool_has_room (&stack->pool, 0, T2PW_HOLD_BELOW))
    {
      T2pwStream *stream = stack->lists[T2PW_LIST_STARVED];
      guint32 debt = stream->window_debt;

      t2pw_stream_unlink (stream, T2PW_LIST_STARVED);
      stream->window_debt = 0;
      if (debt > 0)
        open_window (stream, debt);
      if (stream->wants_room)
        t2pw_stream_notify (stream, T2PW_EVENT_WRITABLE);
    }
}
