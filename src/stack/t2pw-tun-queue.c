/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * One read gives one packet, or one super-packet of up to 64 KiB when the device was opened
 * with a vnet header and offloads; one writev sends one. Reading stops after a burst, so that
 * streams and other descriptors get their turn; the watch is level-triggered and comes back.
 *
 * A device that takes no more packets makes us keep copies, in order, up to a bound; behind it
 * packets are dropped like on any full link, and TCP sends them again. When the device
 * vanishes, the queue stops by itself and says so once. */
#include "config.h"

#include "t2pw-tun-queue.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define PACKETS_PER_TURN 64
#define BYTES_PER_TURN (1024 * 1024)
#define MAX_WAITING_BYTES (4 * 1024 * 1024) /* a few milliseconds of a fast link */
#define KEPT_BELOW 7                        /* eighths of the memory limit */
#define MAX_PARTS 4

struct _T2pwQueuedPacket
{
  T2pwQueuedPacket *next;
  gsize length;
  guint8 bytes[];
};

static void
stop_watching (T2pwTunQueue *queue)
{
  int fd = queue->watch.fd;

  if (fd < 0)
    return;
  t2p_reactor_remove (queue->reactor, &queue->watch);
  close (fd);
}

static void
lose (T2pwTunQueue *queue, int saved_errno)
{
  g_autoptr (GError) error = NULL;

  stop_watching (queue);
  g_set_error (&error, G_IO_ERROR, g_io_error_from_errno (saved_errno),
               "the tun queue is gone: %s", g_strerror (saved_errno));
  queue->handler->lost (error, queue->user_data);
}

/* --- out */

static void
drop_first_waiting (T2pwTunQueue *queue)
{
  T2pwQueuedPacket *packet = queue->waiting;

  queue->waiting = packet->next;
  if (queue->waiting == NULL)
    queue->waiting_tail = &queue->waiting;
  queue->waiting_bytes -= packet->length;
  t2pw_buffer_pool_charge (queue->pool, -(gssize) packet->length);
  g_free (packet);
}

static gboolean
keep_for_later (T2pwTunQueue *queue, const struct iovec *parts, guint n_parts, gsize length)
{
  T2pwQueuedPacket *packet;
  guint8 *to;

  if (queue->waiting_bytes + length > MAX_WAITING_BYTES ||
      !t2pw_buffer_pool_has_room (queue->pool, length, KEPT_BELOW))
    return FALSE;
  packet = g_malloc (sizeof *packet + length);
  packet->next = NULL;
  packet->length = length;
  to = packet->bytes;
  for (guint i = 0; i < n_parts; i++)
    {
      memcpy (to, parts[i].iov_base, parts[i].iov_len);
      to += parts[i].iov_len;
    }
  if (queue->waiting == NULL)
    t2p_reactor_modify (queue->reactor, &queue->watch, EPOLLIN | EPOLLOUT);
  *queue->waiting_tail = packet;
  queue->waiting_tail = &packet->next;
  queue->waiting_bytes += length;
  t2pw_buffer_pool_charge (queue->pool, (gssize) length);
  return TRUE;
}

static gboolean
is_full (int saved_errno)
{
  return saved_errno == EAGAIN || saved_errno == ENOBUFS;
}

static gssize
write_parts (T2pwTunQueue *queue, const struct iovec *parts, guint n_parts)
{
  gssize written;

  do
    written = writev (queue->watch.fd, parts, (int) n_parts);
  while (written < 0 && errno == EINTR);
  return written;
}

static void
write_waiting (T2pwTunQueue *queue)
{
  while (queue->waiting != NULL)
    {
      struct iovec part = { queue->waiting->bytes, queue->waiting->length };

      if (write_parts (queue, &part, 1) < 0)
        {
          if (is_full (errno))
            return;
          queue->write_errors++;
        }
      drop_first_waiting (queue);
    }
  t2p_reactor_modify (queue->reactor, &queue->watch, EPOLLIN);
}

static gsize
total_bytes (const struct iovec *parts, guint n_parts)
{
  gsize total = 0;

  for (guint i = 0; i < n_parts; i++)
    total += parts[i].iov_len;
  return total;
}

gboolean
t2pw_tun_queue_write (T2pwTunQueue *queue,
                      const struct virtio_net_hdr *vnet,
                      const struct iovec *parts,
                      guint n_parts)
{
  struct iovec all[MAX_PARTS + 1];
  guint n = 0;
  gsize length = total_bytes (parts, n_parts);

  g_return_val_if_fail (n_parts <= MAX_PARTS, FALSE);
  if (queue->watch.fd < 0)
    return FALSE;
  if (queue->has_vnet_header)
    all[n++] = (struct iovec){ (gpointer) vnet, sizeof *vnet };
  for (guint i = 0; i < n_parts; i++)
    all[n++] = parts[i];
  queue->tx_packets++;
  queue->tx_bytes += length;
  if (queue->waiting == NULL && write_parts (queue, all, n) >= 0)
    return TRUE;
  if ((queue->waiting != NULL || is_full (errno)) &&
      keep_for_later (queue, all, n, length + (queue->has_vnet_header ? sizeof *vnet : 0)))
    return TRUE;
  queue->write_errors++;
  return FALSE;
}

/* --- in */

/* Bytes of the packet, 0 when there is none now, -1 with errno when the device is gone. */
static gssize
read_packet (T2pwTunQueue *queue, T2pwBuffer *buffer, struct virtio_net_hdr *vnet)
{
  gsize header = queue->has_vnet_header ? sizeof *vnet : 0;
  struct iovec parts[] = { { vnet, header }, { buffer->data, sizeof buffer->data } };
  gssize got;

  do
    got = header > 0 ? readv (queue->watch.fd, parts, 2)
                     : read (queue->watch.fd, buffer->data, sizeof buffer->data);
  while (got < 0 && errno == EINTR);
  if (got < 0 && is_full (errno))
    return 0;
  if (got == 0)
    errno = ENODEV;
  /* A packet of nothing but a header is malformed; one byte makes it look like one. */
  return got <= 0 ? -1 : MAX (got - (gssize) header, 1);
}

static gssize
take_one (T2pwTunQueue *queue)
{
  struct virtio_net_hdr vnet = { 0 };
  T2pwBuffer *buffer = t2pw_buffer_pool_take (queue->pool);
  gssize length;

  /* Without memory the handler keeps no payload, but acknowledgements and resets free some. */
  if (buffer == NULL)
    buffer = t2pw_buffer_pool_take_spare (queue->pool);
  length = read_packet (queue, buffer, &vnet);
  if (length > 0)
    {
      queue->rx_packets++;
      queue->rx_bytes += (gsize) length;
      if (queue->handler->packet (queue->has_vnet_header ? &vnet : NULL, buffer, (gsize) length,
                                  queue->user_data))
        return length;
    }
  t2pw_buffer_give (buffer);
  return length;
}

static void
read_burst (T2pwTunQueue *queue)
{
  gsize bytes = 0;

  for (guint packets = 0; packets < PACKETS_PER_TURN && bytes < BYTES_PER_TURN; packets++)
    {
      gssize length = take_one (queue);

      if (length == 0 || queue->watch.fd < 0)
        return;
      if (length < 0)
        {
          lose (queue, errno);
          return;
        }
      bytes += (gsize) length;
    }
}

static void
ready_cb (T2pWatch *watch, guint32 events)
{
  T2pwTunQueue *queue = (T2pwTunQueue *) watch;
  guint64 before = queue->rx_packets;

  if ((events & EPOLLOUT) != 0)
    write_waiting (queue);
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0)
    read_burst (queue);
  if ((events & (EPOLLERR | EPOLLHUP)) != 0 && queue->watch.fd >= 0 &&
      queue->rx_packets == before)
    lose (queue, ENODEV);
}

gboolean
t2pw_tun_queue_open (T2pwTunQueue *queue,
                     T2pReactor *reactor,
                     int fd,
                     gboolean has_vnet_header,
                     T2pwBufferPool *pool,
                     const T2pwTunQueueHandler *handler,
                     gpointer user_data,
                     GError **error)
{
  *queue = (T2pwTunQueue){ .watch.fd = -1,
                           .reactor = reactor,
                           .pool = pool,
                           .handler = handler,
                           .user_data = user_data,
                           .has_vnet_header = has_vnet_header };
  queue->waiting_tail = &queue->waiting;
  if (t2p_reactor_add (reactor, &queue->watch, fd, EPOLLIN, ready_cb, error))
    return TRUE;
  close (fd);
  return FALSE;
}

void
t2pw_tun_queue_close (T2pwTunQueue *queue)
{
  stop_watching (queue);
  while (queue->waiting != NULL)
    drop_first_waiting (queue);
}
