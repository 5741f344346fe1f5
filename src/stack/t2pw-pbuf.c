/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * lwIP's "custom" buffers: it calls us when the last reference is gone. The descriptor stands
 * at the start of a buffer's headroom; for sending, lwIP wants descriptor, headers and data in
 * one piece, which they are. */
#include "config.h"

#include "t2pw-pbuf.h"

#include <stddef.h>
#include <string.h>

G_STATIC_ASSERT (T2PW_BUFFER_HEADROOM >= sizeof (struct pbuf_custom) + PBUF_TRANSPORT);

typedef struct
{
  struct pbuf_custom custom; /* first */
  T2pwBufferPool *pool;
  gsize charged_bytes;
  guint8 bytes[];
} PbufCopy;

static void
give_buffer_cb (struct pbuf *p)
{
  t2pw_buffer_give ((T2pwBuffer *) (gpointer) ((guint8 *) p - offsetof (T2pwBuffer, headroom)));
}

static void
free_copy_cb (struct pbuf *p)
{
  PbufCopy *copy = (PbufCopy *) (gpointer) p;

  t2pw_buffer_pool_charge (copy->pool, -(gssize) copy->charged_bytes);
  g_free (copy);
}

static struct pbuf *
dress (T2pwBuffer *buffer, guint8 *bytes, gsize length, pbuf_type type)
{
  struct pbuf_custom *custom = (struct pbuf_custom *) (gpointer) buffer->headroom;

  custom->custom_free_function = give_buffer_cb;
  return pbuf_alloced_custom (PBUF_RAW, (u16_t) length, type, custom, bytes, (u16_t) length);
}

struct pbuf *
t2pw_pbuf_of_buffer (T2pwBuffer *buffer, guint8 *bytes, gsize length)
{
  return dress (buffer, bytes, length, PBUF_REF);
}

struct pbuf *
t2pw_pbuf_to_send (T2pwBuffer *buffer, gsize length)
{
  return dress (buffer, buffer->data, length, PBUF_RAM);
}

struct pbuf *
t2pw_pbuf_copy (T2pwBufferPool *pool, const guint8 *bytes, gsize length)
{
  PbufCopy *copy = g_malloc (sizeof *copy + length);

  copy->pool = pool;
  copy->charged_bytes = sizeof *copy + length;
  t2pw_buffer_pool_charge (pool, (gssize) copy->charged_bytes);
  memcpy (copy->bytes, bytes, length);
  copy->custom.custom_free_function = free_copy_cb;
  return pbuf_alloced_custom (PBUF_RAW, (u16_t) length, PBUF_REF, &copy->custom, copy->bytes,
                              (u16_t) length);
}
