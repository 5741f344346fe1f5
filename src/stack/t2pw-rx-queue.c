/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * lwIP hands over what is in order as a chain of its buffers. The chain is taken apart (lwIP's
 * total length has 16 bits, a queue may be longer) and each buffer is freed, and so goes back
 * to the pool, as soon as its last byte was passed on. */
#include "config.h"

#include "t2pw-rx-queue.h"

#include <lwip/pbuf.h>

static void
free_one (struct pbuf *p)
{
  p->next = NULL;
  p->tot_len = p->len;
  pbuf_free (p);
}

void
t2pw_rx_queue_append (T2pwRxQueue *queue, struct pbuf *chain)
{
  while (chain != NULL)
    {
      struct pbuf *p = chain;

      chain = p->next;
      if (p->len == 0)
        {
          free_one (p);
          continue;
        }
      p->next = NULL;
      if (queue->tail != NULL)
        queue->tail->next = p;
      else
        queue->head = p;
      queue->tail = p;
      queue->bytes += p->len;
    }
}

guint
t2pw_rx_queue_peek (const T2pwRxQueue *queue,
                    struct iovec *iov,
                    guint max,
                    gboolean *out_is_all)
{
  const struct pbuf *p = queue->head;
  guint n = 0;

  for (; p != NULL && n < max; p = p->next)
    iov[n++] = (struct iovec){ p->payload, p->len };
  *out_is_all = p == NULL;
  return n;
}

gsize
t2pw_rx_queue_consume (T2pwRxQueue *queue, gsize length)
{
  gsize left = MIN (length, queue->bytes);
  gsize taken = left;

  queue->bytes -= taken;
  while (left > 0 && left >= queue->head->len)
    {
      struct pbuf *p = queue->head;

      left -= p->len;
      queue->head = p->next;
      free_one (p);
    }
  if (queue->head == NULL)
    queue->tail = NULL;
  else if (left > 0)
    {
      queue->head->payload = (guint8 *) queue->head->payload + left;
      queue->head->len = (u16_t) (queue->head->len - left);
    }
  return taken;
}

void
t2pw_rx_queue_clear (T2pwRxQueue *queue)
{
  t2pw_rx_queue_consume (queue, queue->bytes);
}
