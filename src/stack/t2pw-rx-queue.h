/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/uio.h>

G_BEGIN_DECLS

struct pbuf;

/** T2pwRxQueue: what arrived on a stream and was not passed on yet, in the packets' own memory.
 */
typedef struct
{
  struct pbuf *head, *tail;
  gsize bytes;
} T2pwRxQueue;

/* Takes a whole chain. */
void t2pw_rx_queue_append (T2pwRxQueue *queue, struct pbuf *chain);
/* *out_is_all: what was filled in is everything that waits. */
guint t2pw_rx_queue_peek (const T2pwRxQueue *queue,
                          struct iovec *iov,
                          guint max,
                          gboolean *out_is_all);
/* Returns how many bytes were there to be taken: at most @length. */
gsize t2pw_rx_queue_consume (T2pwRxQueue *queue, gsize length);
void t2pw_rx_queue_clear (T2pwRxQueue *queue);

G_END_DECLS
