/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-buffer-pool.h"

#include <lwip/pbuf.h>

G_BEGIN_DECLS

/* Our memory in lwIP's clothes. For the lwIP files of this folder only. */

/* @buffer itself as a packet buffer: it goes back to its pool when lwIP has done with it.
 * @bytes lies inside of its data. */
struct pbuf *t2pw_pbuf_of_buffer (T2pwBuffer *buffer, guint8 *bytes, gsize length);
/* The same for data that lwIP is to send: headers will be written in front of it. */
struct pbuf *t2pw_pbuf_to_send (T2pwBuffer *buffer, gsize length);
/* A copy in memory of its own, charged to @pool. */
struct pbuf *t2pw_pbuf_copy (T2pwBufferPool *pool, const guint8 *bytes, gsize length);

G_END_DECLS
