/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-reactor.h"
#include "t2pw-buffer-pool.h"

#include <linux/virtio_net.h>
#include <sys/uio.h>

G_BEGIN_DECLS

/** T2pwTunQueueHandler: what happens on the device. */
typedef struct
{
  /* @vnet is NULL on a plain device. Return TRUE to keep @buffer (its data holds the packet).
   */
  gboolean (*packet) (const struct virtio_net_hdr *vnet,
                      T2pwBuffer *buffer,
                      gsize length,
                      gpointer user_data);
  /* The device is gone; the queue does nothing any more. */
  void (*lost) (const GError *error, gpointer user_data);
} T2pwTunQueueHandler;

typedef struct _T2pwQueuedPacket T2pwQueuedPacket;

/** T2pwTunQueue: one queue of the TUN device; embedded in the stack. */
typedef struct
{
  T2pWatch watch;
  T2pReactor *reactor;
  T2pwBufferPool *pool;
  const T2pwTunQueueHandler *handler;
  gpointer user_data;
  gboolean has_vnet_header;
  T2pwQueuedPacket *waiting, **waiting_tail; /* for room in the device */
  gsize waiting_bytes;
  guint64 rx_packets, rx_bytes, tx_packets, tx_bytes, write_errors;
} T2pwTunQueue;

/* Takes @fd. Errors: G_IO_ERROR; then @fd is closed too. */
gboolean t2pw_tun_queue_open (T2pwTunQueue *queue,
                              T2pReactor *reactor,
                              int fd,
                              gboolean has_vnet_header,
                              T2pwBufferPool *pool,
                              const T2pwTunQueueHandler *handler,
                              gpointer user_data,
                              GError **error);
void t2pw_tun_queue_close (T2pwTunQueue *queue);
/* Writes one packet, or keeps a copy of it while the device has no room. FALSE: dropped. @vnet
 * is ignored on a plain device. */
gboolean t2pw_tun_queue_write (T2pwTunQueue *queue,
                               const struct virtio_net_hdr *vnet,
                               const struct iovec *parts,
                               guint n_parts);

G_END_DECLS
