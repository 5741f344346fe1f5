/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Datagrams of one flow and one length that are sent in one turn leave as one USO super-packet,
 * which the kernel takes apart again, or not at all when a socket with UDP_GRO waits for it. A
 * shorter datagram may be the last of it. Anything else sends first what was gathered, so the
 * order of a flow stays; so does the end of the turn. */
#include "config.h"

#include "t2pw-datagram-out.h"

#include "t2p-udp-header.h"
#include "t2pw-packet.h"

#include <string.h>

#define MAX_GATHERED 64 /* what the kernel's own senders may put together */
#define MAX_HEADER_BYTES (T2P_IPV6_HEADER_BYTES + T2P_UDP_HEADER_BYTES)
#define MAX_GATHERED_BYTES (T2P_IP_MAX_PACKET_BYTES - MAX_HEADER_BYTES)

static gsize
header_bytes (const T2pwFlowKey *key)
{
  return T2P_UDP_HEADER_BYTES + (key->source.address.family == AF_INET ? T2P_IPV4_HEADER_BYTES
                                                                       : T2P_IPV6_HEADER_BYTES);
}

/* @datagram_bytes: 0 for a single one. */
static gboolean
send_packet (T2pwDatagramOut *out,
             const T2pwFlowKey *key,
             const guint8 *data,
             gsize length,
             gsize datagram_bytes)
{
  T2pUdpChecksum checksum =
      out->queue->has_vnet_header ? T2P_UDP_CHECKSUM_PARTIAL : T2P_UDP_CHECKSUM_FULL;
  struct virtio_net_hdr vnet = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                 .csum_offset = T2P_UDP_CHECKSUM_AT };
  guint8 headers[MAX_HEADER_BYTES];
  struct iovec parts[2];
  T2pWriter writer;

  t2p_writer_init (&writer, headers, sizeof headers);
  if (!t2p_udp_packet_write_headers (&writer, &key->destination, &key->source, data, length,
                                     checksum))
    return FALSE;
  vnet.csum_start = (guint16) (t2p_writer_length (&writer) - T2P_UDP_HEADER_BYTES);
  if (datagram_bytes > 0)
    {
      vnet.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
      vnet.gso_size = (guint16) datagram_bytes;
      vnet.hdr_len = (guint16) t2p_writer_length (&writer);
    }
  parts[0] = (struct iovec){ headers, t2p_writer_length (&writer) };
  parts[1] = (struct iovec){ (gpointer) data, length };
  return t2pw_tun_queue_write (out->queue, &vnet, parts, G_N_ELEMENTS (parts));
}

void
t2pw_datagram_out_flush (T2pwDatagramOut *out)
{
  if (out->buffer == NULL)
    return;
  send_packet (out, &out->key, out->buffer->data, out->bytes,
               out->n > 1 ? out->datagram_bytes : 0);
  t2pw_buffer_give (g_steal_pointer (&out->buffer));
}

static gboolean
append (T2pwDatagramOut *out, const guint8 *data, gsize length)
{
  memcpy (out->buffer->data + out->bytes, data, length);
  out->bytes += length;
  out->n++;
  if (length < out->datagram_bytes || out->n == MAX_GATHERED)
    t2pw_datagram_out_flush (out);
  return TRUE;
}

static gboolean
fits_behind (const T2pwDatagramOut *out, const T2pwFlowId *id, gsize length)
{
  return out->buffer != NULL && length <= out->datagram_bytes &&
         out->bytes + length <= MAX_GATHERED_BYTES && memcmp (&out->id, id, sizeof *id) == 0;
}

gboolean
t2pw_datagram_out_send (T2pwDatagramOut *out,
                        const T2pwFlowKey *key,
                        const guint8 *data,
                        gsize length)
{
  gboolean gathers = key->source.address.family == AF_INET ? out->gathers_v4 : out->gathers_v6;
  T2pwFlowId id;

  if (header_bytes (key) + length > out->mtu)
    return FALSE;
  if (!gathers || length == 0)
    {
      t2pw_datagram_out_flush (out);
      return send_packet (out, key, data, length, 0);
    }
  id = t2pw_flow_id (&key->source.address, key->source.port, &key->destination.address,
                     key->destination.port);
  if (fits_behind (out, &id, length))
    return append (out, data, length);
  t2pw_datagram_out_flush (out);
  out->buffer = t2pw_buffer_pool_take (out->pool);
  if (out->buffer == NULL)
    return send_packet (out, key, data, length, 0);
  out->id = id;
  out->key = *key;
  out->bytes = out->n = 0;
  out->datagram_bytes = length;
  return append (out, data, length);
}
