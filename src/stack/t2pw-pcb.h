/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-stack-private.h"

G_BEGIN_DECLS

/* One stream's side of lwIP. Each call enters lwIP with this stream alone. */

/* Feeds the SYN whose TCP header (options included) is in @packet; sets stream->pcb. FALSE:
 * lwIP did not take it. */
gboolean t2pw_pcb_open (T2pwStream *stream, T2pwPacket *packet);
/* TRUE: @buffer was kept. */
gboolean t2pw_pcb_input (T2pwStream *stream, T2pwPacket *packet, T2pwBuffer *buffer);

/* Bytes that may be written now; *out_chunk: the most in one segment. */
gsize t2pw_pcb_get_room (T2pwStream *stream, gsize *out_chunk, guint *out_segments);
/* Bytes that were written and not acknowledged; lwIP's send buffer knows whole segments only.
 */
gsize t2pw_pcb_get_unacked (const T2pwStream *stream);
/* Raises the bound of what waits to be sent by @bytes. */
void t2pw_pcb_grow_send (T2pwStream *stream, guint32 bytes);
/* Queues the first @length bytes of @buffer's data, at most one chunk, and takes @buffer. FALSE
 * when lwIP has no memory. */
gboolean
t2pw_pcb_write (T2pwStream *stream, T2pwBuffer *buffer, gsize length, gboolean has_more);
void t2pw_pcb_push (T2pwStream *stream);
/* Opens the receive window by @bytes, up to @limit; returns by how many. */
guint32 t2pw_pcb_open_window (T2pwStream *stream, guint32 bytes, guint32 limit);
/* Whether the application fills its window. */
gboolean t2pw_pcb_is_window_narrow (const T2pwStream *stream);
/* Windows back to the first size, where nothing is under way. */
void t2pw_pcb_shrink (T2pwStream *stream);
/* Sends the FIN, once everything before it has been sent. */
void t2pw_pcb_shutdown (T2pwStream *stream);
/* RST; stream->pcb is NULL then. */
void t2pw_pcb_abort (T2pwStream *stream);
void t2pw_pcb_send_ack (T2pwStream *stream);

/* For t2pw-lwip.c: what has to be looked at after lwIP ran for @stream. */
void t2pw_pcb_settle (T2pwStream *stream);

G_END_DECLS
