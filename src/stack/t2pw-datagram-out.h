/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip-header.h"
#include "t2pw-buffer-pool.h"
#include "t2pw-flow-hash.h"
#include "t2pw-tun-queue.h"

G_BEGIN_DECLS

#define T2PW_REPLY_TTL 64 /* of what we make ourselves */

/** T2pwDatagramOut: datagrams on their way to applications; embedded in the stack. */
typedef struct
{
  T2pwTunQueue *queue;
  T2pwBufferPool *pool;
  guint mtu;
  guint32 next_fragment_id;
  gboolean gathers_v4, gathers_v6; /* the device takes USO super-packets */
  /* what was gathered: all of one flow and one length, the last may be shorter */
  T2pwBuffer *buffer;
  T2pwFlowId id;
  T2pwFlowKey key;
  gsize bytes, datagram_bytes;
  guint n;
} T2pwDatagramOut;

/* FALSE: dropped, too long for IP or the device takes no more. */
gboolean t2pw_datagram_out_send (T2pwDatagramOut *out,
                                 const T2pwFlowKey *key,
                                 const guint8 *data,
                                 gsize length);
/* Sends a message of a header of 8 bytes, checksum included, and @length bytes of data; in
 * fragments when it is longer than the MTU. Of @ip, addresses, protocol and TTL are used. */
gboolean t2pw_datagram_out_send_message (T2pwDatagramOut *out,
                                         const T2pIpHeader *ip,
                                         const guint8 *header,
                                         const guint8 *data,
                                         gsize length);
/* Sends what was gathered. */
void t2pw_datagram_out_flush (T2pwDatagramOut *out);

G_END_DECLS
