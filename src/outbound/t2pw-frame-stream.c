/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Frames that are sent in one turn leave in one call, by a task. What the carrier does not take
 * waits, bounded, for its edge; a frame is queued whole or not at all. Reading uses a buffer of
 * the worker's; only the beginning of a frame whose end has not come is kept. An idle stream
 * holds no memory. */
#include "config.h"

#include "t2pw-frame-stream.h"

#include <errno.h>
#include <string.h>

#define FIRST_OUT_BYTES 8192
#define READS_PER_TURN 4

static void out_cb (T2pTask *task);
static void in_cb (T2pTask *task);

static void
edge_readable_cb (T2pwCarrier *carrier, gpointer user_data)
{
  T2pwFrameStream *stream = user_data;

  t2p_reactor_defer (stream->context->reactor, &stream->in_task, in_cb);
}

static void
edge_writable_cb (T2pwCarrier *carrier, gpointer user_data)
{
  T2pwFrameStream *stream = user_data;

  stream->is_full = FALSE;
  t2p_reactor_defer (stream->context->reactor, &stream->out_task, out_cb);
}

static const T2pwCarrierHandler carrier_handler = {
  .readable = edge_readable_cb,
  .writable = edge_writable_cb,
};

/* --- sending */

static void
forget_output (T2pwFrameStream *stream)
{
  g_clear_pointer (&stream->out, g_free);
  stream->out_at = stream->out_length = stream->out_capacity = 0;
}

static void
out_cb (T2pTask *task)
{
  T2pwFrameStream *stream = T2P_OWNER_OF (task, T2pwFrameStream, out_task);

  while (stream->out_at < stream->out_length && !stream->is_full)
    {
      struct iovec iov = { stream->out + stream->out_at, stream->out_length - stream->out_at };
      gssize sent = t2pw_carrier_send (stream->carrier, &iov, 1);

      if (sent > 0)
        stream->out_at += (gsize) sent;
      else if (sent < 0 && errno == EAGAIN)
        stream->is_full = TRUE;
      else
        {
          stream->handler->ended (stream, "broke the connection");
          return;
        }
    }
  if (stream->out_at == stream->out_length)
    forget_output (stream);
}

static gboolean
make_room (T2pwFrameStream *stream, gsize length)
{
  gsize needed = stream->out_length - stream->out_at + length;

  if (needed > T2PW_FRAME_STREAM_MAX_BYTES)
    return FALSE;
  if (stream->out_length + length <= stream->out_capacity)
    return TRUE;
  if (stream->out_at > 0)
    {
      stream->out_length -= stream->out_at;
      memmove (stream->out, stream->out + stream->out_at, stream->out_length);
      stream->out_at = 0;
    }
  while (stream->out_capacity < needed)
    stream->out_capacity = MAX (stream->out_capacity * 2, FIRST_OUT_BYTES);
  stream->out = g_realloc (stream->out, stream->out_capacity);
  return TRUE;
}

gboolean
t2pw_frame_stream_send (T2pwFrameStream *stream,
                        const guint8 *header,
                        gsize header_bytes,
                        const guint8 *data,
                        gsize length)
{
  T2pWriter writer;

  if (stream->carrier == NULL || !make_room (stream, header_bytes + length))
    return FALSE;
  t2p_writer_init (&writer, stream->out + stream->out_length,
                   stream->out_capacity - stream->out_length);
  t2p_writer_bytes (&writer, header, header_bytes);
  t2p_writer_bytes (&writer, data, length);
  stream->out_length += t2p_writer_length (&writer);
  t2p_reactor_defer (stream->context->reactor, &stream->out_task, out_cb);
  return TRUE;
}

/* --- receiving */

/* FALSE when the stream is gone. */
static gboolean
take_frames (T2pwFrameStream *stream, const guint8 *bytes, gsize length)
{
  gboolean is_gone = FALSE;
  gsize at = 0;
  T2pDecode result;

  do
    {
      gsize used = 0;

      stream->is_gone = &is_gone;
      result = stream->handler->frame (stream, bytes + at, length - at, &used);
      if (is_gone)
        return FALSE;
      stream->is_gone = NULL;
      at += used;
    }
  while (result == T2P_DECODE_DONE);
  if (result == T2P_DECODE_BAD)
    {
      stream->handler->ended (stream, "sent a frame that makes no sense");
      return FALSE;
    }
  stream->n_partial = length - at;
  if (stream->n_partial > 0)
    stream->partial = g_memdup2 (bytes + at, stream->n_partial);
  return TRUE;
}

/* FALSE when there is no more to be read for now, or the stream is gone. */
static gboolean
read_frames (T2pwFrameStream *stream)
{
  gsize capacity;
  guint8 *buffer = t2pw_udp_io_get_scratch (stream->context->udp, &capacity);
  gsize held = stream->n_partial; /* less than a frame, and so than the buffer */
  struct iovec iov = { buffer + held, capacity - held };
  gssize got = t2pw_carrier_receive (stream->carrier, &iov, 1);

  if (got < 0 && errno == EAGAIN)
    return FALSE;
  if (got <= 0)
    {
      stream->handler->ended (stream, got == 0 ? "hung up" : "broke the connection");
      return FALSE;
    }
  if (held > 0)
    memcpy (buffer, stream->partial, held);
  g_clear_pointer (&stream->partial, g_free);
  stream->n_partial = 0;
  return take_frames (stream, buffer, held + (gsize) got);
}

static void
in_cb (T2pTask *task)
{
  T2pwFrameStream *stream = T2P_OWNER_OF (task, T2pwFrameStream, in_task);
  T2pReactor *reactor = stream->context->reactor;

  for (guint i = 0; i < READS_PER_TURN; i++)
    if (!read_frames (stream))
      return;
  t2p_reactor_defer (reactor, task, in_cb);
}

/* --- the stream */

/**
 * t2pw_frame_stream_init:
 * @stream: all zero, or cleared
 * @context: with datagrams
 * @carrier: (transfer full): an open one
 */
void
t2pw_frame_stream_init (T2pwFrameStream *stream,
                        const T2pwOutboundContext *context,
                        T2pwCarrier *carrier,
                        const T2pwFrameStreamHandler *handler)
{
  *stream = (T2pwFrameStream){ .context = context, .handler = handler, .carrier = carrier };
  t2pw_carrier_hand_over (carrier, &carrier_handler, stream);
  t2p_reactor_defer (context->reactor, &stream->in_task, in_cb);
}

/* Closes the carrier. */
void
t2pw_frame_stream_clear (T2pwFrameStream *stream)
{
  if (stream->carrier == NULL)
    return;
  t2p_reactor_cancel (stream->context->reactor, &stream->out_task);
  t2p_reactor_cancel (stream->context->reactor, &stream->in_task);
  t2pw_carrier_close (g_steal_pointer (&stream->carrier), FALSE);
  forget_output (stream);
  g_clear_pointer (&stream->partial, g_free);
  if (stream->is_gone != NULL)
    *stream->is_gone = TRUE;
  stream->is_gone = NULL;
}

gboolean
t2pw_frame_stream_is_open (const T2pwFrameStream *stream)
{
  return stream->carrier != NULL;
}
