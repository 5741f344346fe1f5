/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Towards the application: data goes to lwIP in chunks that become one segment each, up to 64
 * KiB, which leave as one super-packet. A chunk is never longer than half of the largest window
 * that the peer ever had, since lwIP sends a segment whole or not at all.
 *
 * Windows start small and are raised while memory lasts: lwIP's fields are set directly, the
 * receive window only where scaling was negotiated and never before the connection stands. */
#include "config.h"

#include "t2pw-pcb.h"

#include "t2pw-accelerator.h"
#include "t2pw-lwip.h"
#include "t2pw-pbuf.h"
#include "t2pw-pcb-lists.h"

#include <string.h>

#define HANDED_OVER_FROM_BYTES                                                                 \
  8192 /* smaller ones are copied, big buffers are not held for them */
#define UPDATE_FROM_BYTES (4 * TCP_MSS)

static gsize
chunk_bytes (const T2pwStream *stream)
{
  gsize half = stream->pcb->snd_wnd_max / 2;

  if (half >= stream->send_bytes)
    return stream->send_bytes;
  if (half >= stream->peer_mss)
    return half - half % stream->peer_mss;
  return half > 0 ? half : stream->peer_mss;
}

gsize
t2pw_pcb_get_room (T2pwStream *stream, gsize *out_chunk, guint *out_segments)
{
  const struct tcp_pcb *pcb = stream->pcb;

  *out_chunk = 0;
  *out_segments = 0;
  if (pcb == NULL || !stream->is_established || stream->wants_shutdown ||
      (pcb->state != ESTABLISHED && pcb->state != CLOSE_WAIT))
    return 0;
  *out_chunk = chunk_bytes (stream);
  *out_segments =
      pcb->snd_queuelen < TCP_SND_QUEUELEN ? TCP_SND_QUEUELEN - pcb->snd_queuelen : 0;
  return *out_segments > 0 ? pcb->snd_buf : 0;
}

gsize
t2pw_pcb_get_unacked (const T2pwStream *stream)
{
  const struct tcp_pcb *pcb = stream->pcb;
  guint32 sequences;

  if (pcb == NULL || !stream->is_established)
    return 0;
  sequences = pcb->snd_lbb - pcb->lastack;
  return sequences - (stream->is_shut_down && sequences > 0); /* one is the FIN's */
}

void
t2pw_pcb_grow_send (T2pwStream *stream, guint32 bytes)
{
  stream->pcb->snd_buf += bytes;
  stream->send_limit += bytes;
}

static gsize
last_unsent_bytes (const struct tcp_pcb *pcb)
{
  const struct tcp_seg *seg = pcb->unsent;

  if (seg == NULL)
    return 0;
  while (seg->next != NULL)
    seg = seg->next;
  return seg->len;
}

/* lwIP allocates a whole segment for each write: so a segment is what is written. It must not
 * be shorter than the last one that waits. */
static gboolean
write_segment (T2pwStream *stream, const guint8 *data, gsize length, gboolean has_more)
{
  struct tcp_pcb *pcb = stream->pcb;
  tcpwnd_size_t largest_window = pcb->snd_wnd_max;
  err_t result;

  pcb->snd_wnd_max = G_MAXUINT32;
  pcb->unsent_oversize = 0;
  pcb->mss = (u16_t) MAX (length, last_unsent_bytes (pcb));
  result = tcp_write (pcb, data, (u16_t) length,
                      TCP_WRITE_FLAG_COPY | (has_more ? TCP_WRITE_FLAG_MORE : 0));
  pcb->unsent_oversize = 0;
  pcb->mss = stream->send_bytes;
  pcb->snd_wnd_max = largest_window;
  return result == ERR_OK;
}

static gboolean
hand_over (T2pwStream *stream, T2pwBuffer *buffer, gsize length, gboolean has_more)
{
  gboolean is_written;

  t2pw_accelerator_arm (t2pw_pbuf_to_send (buffer, length));
  is_written = write_segment (stream, buffer->data, length, has_more);
  if (t2pw_accelerator_disarm () != NULL)
    t2pw_buffer_give (buffer);
  return is_written;
}

gboolean
t2pw_pcb_write (T2pwStream *stream, T2pwBuffer *buffer, gsize length, gboolean has_more)
{
  gboolean is_written;

  if (stream->stack->has_handover && length >= HANDED_OVER_FROM_BYTES)
    return hand_over (stream, buffer, length, has_more);
  is_written = write_segment (stream, buffer->data, length, has_more);
  t2pw_buffer_give (buffer);
  return is_written;
}

void
t2pw_pcb_push (T2pwStream *stream)
{
  if (stream->pcb == NULL)
    return;
  t2pw_pcb_enter (stream);
  tcp_output (stream->pcb);
  t2pw_pcb_leave (stream);
  t2pw_pcb_settle (stream);
}

void
t2pw_pcb_shutdown (T2pwStream *stream)
{
  struct tcp_pcb *pcb = stream->pcb;

  if (pcb == NULL || stream->is_shut_down || !stream->is_established || pcb->unsent != NULL)
    return;
  stream->is_shut_down = TRUE;
  t2pw_pcb_enter (stream);
  tcp_shutdown (pcb, 0, 1);
  t2pw_pcb_leave (stream);
}

void
t2pw_pcb_abort (T2pwStream *stream)
{
  struct tcp_pcb *pcb = stream->pcb;

  if (pcb == NULL)
    return;
  t2pw_pcb_enter (stream);
  tcp_err (pcb, NULL);
  tcp_abort (pcb);
  t2pw_pcb_leave (stream);
  t2pw_stream_lost_pcb (stream, TRUE);
}

void
t2pw_pcb_send_ack (T2pwStream *stream)
{
  gboolean is_owed = stream->ack_was_held;

  t2pw_stream_unlink (stream, T2PW_LIST_ACK);
  stream->ack_was_held = stream->ack_is_due = FALSE;
  if (stream->pcb == NULL ||
      (!is_owed && (stream->pcb->flags & (TF_ACK_DELAY | TF_ACK_NOW)) == 0))
    return;
  t2pw_pcb_enter (stream);
  tcp_send_empty_ack (stream->pcb);
  t2pw_pcb_leave (stream);
}

/* --- windows */

/* lwIP announces more only from half of its constant window or one of its segments on, which
 * are larger here than a small window is: half of @limit is what it is to go by. */
static gboolean
is_to_be_announced (struct tcp_pcb *pcb, guint32 limit)
{
  u16_t mss = pcb->mss;
  guint32 news;

  pcb->mss = (u16_t) MIN (mss, MAX (limit / 2, TCP_MSS));
  news = tcp_update_rcv_ann_wnd (pcb);
  pcb->mss = mss;
  return news >= UPDATE_FROM_BYTES;
}

guint32
t2pw_pcb_open_window (T2pwStream *stream, guint32 bytes, guint32 limit)
{
  struct tcp_pcb *pcb = stream->pcb;
  guint32 before, window;

  if (pcb == NULL)
    return 0;
  before = pcb->rcv_wnd;
  window = MIN (before + bytes, MIN (limit, stream->receive_limit));
  pcb->rcv_wnd = MAX (window, before);
  if (is_to_be_announced (pcb, limit))
    {
      tcp_ack_now (pcb);
      stream->ack_is_due = TRUE;
      t2pw_stream_link (stream, T2PW_LIST_ACK);
    }
  return pcb->rcv_wnd - before;
}

gboolean
t2pw_pcb_is_window_narrow (const T2pwStream *stream)
{
  const struct tcp_pcb *pcb = stream->pcb;

  return pcb != NULL && stream->is_established && (pcb->flags & TF_WND_SCALE) != 0 &&
         pcb->rcv_wnd < stream->receive_limit / 2;
}

void
t2pw_pcb_shrink (T2pwStream *stream)
{
  struct tcp_pcb *pcb = stream->pcb;

  stream->receive_limit = MIN (stream->receive_limit, TCP_WND);
  if (pcb == NULL || pcb->unsent != NULL || pcb->unacked != NULL)
    return;
  pcb->snd_buf = MIN (pcb->snd_buf, TCP_SND_BUF);
  stream->send_limit = pcb->snd_buf;
}
