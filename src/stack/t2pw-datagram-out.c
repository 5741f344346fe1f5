/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Datagrams of one flow and one length that are sent in one turn leave as one USO super-packet,
 * which the kernel takes apart again, or not at all when a socket with UDP_GRO waits for it. A
 * shorter datagram may be the last of it. Anything else sends first what was gathered, so the
 * order of a flow stays; so does the end of the turn.
 *
 * A datagram that is longer than the MTU leaves in fragments, which the application's kernel
 * puts together again: there is no router between that could not carry them, and nobody at the
 * other end of the proxy would understand an error. Ids begin at random and count: a kernel
 * forgets the last of 65,536 long before the first comes again. */
#include "config.h"

#include "t2pw-datagram-out.h"

#include "t2p-udp-header.h"
#include "t2pw-packet.h"

#include <netinet/in.h>
#include <string.h>

#define MAX_GATHERED 64        /* what the kernel's own senders may put together */
#define MESSAGE_HEADER_BYTES 8 /* of UDP and of ICMP */
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

/* --- fragments */

/* @parts: two of payload, behind room for the header. */
static gboolean
write_packet (T2pwDatagramOut *out, const T2pIpHeader *ip, struct iovec parts[3])
{
  struct virtio_net_hdr vnet = { 0 };
  guint8 header[T2P_IPV6_HEADER_BYTES + T2P_IPV6_FRAGMENT_HEADER_BYTES];
  T2pWriter writer;

  t2p_writer_init (&writer, header, sizeof header);
  if (!t2p_ip_header_write (&writer, ip, parts[1].iov_len + parts[2].iov_len))
    return FALSE;
  parts[0] = (struct iovec){ header, t2p_writer_length (&writer) };
  return t2pw_tun_queue_write (out->queue, &vnet, parts, 3);
}

/* What a fragment that is not the last carries. */
static gsize
fragment_bytes (const T2pwDatagramOut *out, guint8 family)
{
  gsize header = family == AF_INET ? T2P_IPV4_HEADER_BYTES
                                   : T2P_IPV6_HEADER_BYTES + T2P_IPV6_FRAGMENT_HEADER_BYTES;
  gsize room = out->mtu - header;

  return room - room % 8;
}

static gboolean
send_fragments (T2pwDatagramOut *out,
                T2pIpHeader *ip,
                const guint8 *header,
                const guint8 *data,
                gsize length)
{
  gsize most = fragment_bytes (out, ip->source.family);
  gsize total = MESSAGE_HEADER_BYTES + length;

  ip->is_fragment = TRUE;
  ip->fragment_id = out->next_fragment_id++;
  for (gsize at = 0; at < total; at += most)
    {
      gsize piece = MIN (most, total - at);
      gsize of_header = at == 0 ? MESSAGE_HEADER_BYTES : 0;
      struct iovec parts[3] = {
        [1] = { (gpointer) header, of_header },
        [2] = { (gpointer) (data + at + of_header - MESSAGE_HEADER_BYTES), piece - of_header },
      };

      ip->fragment_offset = (guint16) at;
      ip->more_fragments = at + piece < total;
      if (!write_packet (out, ip, parts))
        return FALSE; /* the others would wait for it in vain */
    }
  return TRUE;
}

gboolean
t2pw_datagram_out_send_message (T2pwDatagramOut *out,
                                const T2pIpHeader *ip,
                                const guint8 *header,
                                const guint8 *data,
                                gsize length)
{
  gsize ip_bytes = ip->source.family == AF_INET ? T2P_IPV4_HEADER_BYTES : T2P_IPV6_HEADER_BYTES;
  gsize most = T2P_IP_MAX_PACKET_BYTES - MESSAGE_HEADER_BYTES -
               (ip->source.family == AF_INET ? T2P_IPV4_HEADER_BYTES : 0);
  struct iovec parts[3] = {
    [1] = { (gpointer) header, MESSAGE_HEADER_BYTES }, [2] = { (gpointer) data, length }
  };
  T2pIpHeader own = *ip;

  if (length > most)
    return FALSE;
  if (ip_bytes + MESSAGE_HEADER_BYTES + length > out->mtu)
    return send_fragments (out, &own, header, data, length);
  own.dont_fragment = TRUE;
  return write_packet (out, &own, parts);
}

static gboolean
send_long (T2pwDatagramOut *out, const T2pwFlowKey *key, const guint8 *data, gsize length)
{
  guint8 headers[MAX_HEADER_BYTES];
  T2pIpHeader ip = { .source = key->destination.address,
                     .destination = key->source.address,
                     .protocol = IPPROTO_UDP,
                     .ttl = T2PW_REPLY_TTL };
  T2pWriter writer;

  t2p_writer_init (&writer, headers, sizeof headers);
  return t2p_udp_packet_write_headers (&writer, &key->destination, &key->source, data, length,
                                       T2P_UDP_CHECKSUM_FULL) &&
         t2pw_datagram_out_send_message (out, &ip, writer.at - T2P_UDP_HEADER_BYTES, data,
                                         length);
}

/* --- one packet for several datagrams */

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
    {
      t2pw_datagram_out_flush (out);
      return send_long (out, key, data, length);
    }
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
