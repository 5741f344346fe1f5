/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * What lwIP sends is changed here in three ways:
 *
 * - With a vnet header the checksum is left to the kernel (NEEDS_CSUM), which for packets that
 *   stay on this machine means to nobody; and a segment longer than the peer's MSS goes out as
 *   one TSO super-packet.
 * - A SYN-ACK gets our window scale and the MSS that fits the device; lwIP has constants there.
 * - A pure ACK that says something new, made while packets of a burst are fed, is held back:
 *   one for each flow and turn is enough. Duplicate ACKs go out at once, since the peer counts
 *   them. The ACK of a FIN waits like a delayed one: mostly our own FIN follows and takes it
 *   along. */
#include "config.h"

#include "t2pw-emit.h"

#include "t2p-checksum.h"

#include <linux/if_tun.h>
#include <netinet/in.h>

#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_MSS 2
#define OPTION_WINDOW_SCALE 3
#define MAX_PARTS 4

/** What we have to know of a packet of lwIP's own making: its layout can be trusted. */
typedef struct
{
  struct pbuf *p;
  guint8 *ip, *tcp;
  gsize address_bytes, ip_bytes, tcp_bytes, payload_bytes;
  guint8 flags;
} OutPacket;

static OutPacket
look_at (struct pbuf *p)
{
  OutPacket out = { .p = p, .ip = p->payload };
  gboolean is_v4 = out.ip[0] >> 4 == 4;

  out.address_bytes = is_v4 ? 4 : 16;
  out.ip_bytes = is_v4 ? T2P_IPV4_HEADER_BYTES : T2P_IPV6_HEADER_BYTES;
  out.tcp = out.ip + out.ip_bytes;
  out.tcp_bytes = (gsize) (out.tcp[12] >> 4) * 4;
  out.payload_bytes = p->tot_len - out.ip_bytes - out.tcp_bytes;
  out.flags = out.tcp[13];
  return out;
}

static const guint8 *
source_at (const OutPacket *out)
{
  return out->ip + (out->address_bytes == 4 ? 12 : 8);
}

static T2pwStream *
stream_of (T2pwStack *stack, const OutPacket *out)
{
  int family = out->address_bytes == 4 ? AF_INET : AF_INET6;
  T2pIpAddress from = t2p_ip_address_from_bytes (family, source_at (out));
  T2pIpAddress to = t2p_ip_address_from_bytes (family, source_at (out) + out->address_bytes);
  T2pwFlowId id =
      t2pw_flow_id (&to, t2p_load_be16 (out->tcp + 2), &from, t2p_load_be16 (out->tcp));
  T2pwFlowNode *node = t2pw_flow_hash_find (&stack->flows, &id);

  return node != NULL && node->kind == T2PW_FLOW_STREAM ? (T2pwStream *) node : NULL;
}

static guint32
pseudo_sum (const OutPacket *out)
{
  guint32 sum = t2p_checksum_add (0, source_at (out), out->address_bytes * 2);

  sum = t2p_checksum_add_be16 (sum, IPPROTO_TCP);
  return t2p_checksum_add_be16 (sum, (guint16) (out->tcp_bytes + out->payload_bytes));
}

static void
rewrite_syn_options (const T2pwStack *stack, OutPacket *out)
{
  gsize headers = out->ip_bytes + T2P_TCP_HEADER_BYTES;
  guint16 mss = (guint16) (MAX (stack->config.mtu, headers + 512) - headers);

  for (gsize at = T2P_TCP_HEADER_BYTES; at + 2 < out->tcp_bytes;)
    {
      guint8 *option = out->tcp + at;

      if (option[0] == OPTION_END)
        return;
      if (option[0] == OPTION_MSS)
        t2p_store_be16 (option + 2, mss);
      if (option[0] == OPTION_WINDOW_SCALE)
        option[2] = T2PW_RECEIVE_SCALE;
      at += option[0] == OPTION_NOP ? 1 : MAX (option[1], 2);
    }
}

static void
write_full_checksum (OutPacket *out)
{
  guint32 sum = pseudo_sum (out);

  t2p_store_be16 (out->tcp + T2P_TCP_CHECKSUM_AT, 0);
  sum = t2p_checksum_add (sum, out->tcp, out->tcp_bytes + out->payload_bytes);
  t2p_store_be16 (out->tcp + T2P_TCP_CHECKSUM_AT, t2p_checksum_finish (sum));
}

static struct virtio_net_hdr
leave_to_kernel (OutPacket *out, const T2pwStream *stream)
{
  struct virtio_net_hdr vnet = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                 .csum_start = (guint16) out->ip_bytes,
                                 .csum_offset = T2P_TCP_CHECKSUM_AT };

  t2p_store_be16 (out->tcp + T2P_TCP_CHECKSUM_AT, t2p_checksum_fold (pseudo_sum (out)));
  if (stream != NULL && out->payload_bytes > stream->peer_mss)
    {
      vnet.gso_type =
          out->address_bytes == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
      vnet.gso_size = stream->peer_mss;
      vnet.hdr_len = (guint16) (out->ip_bytes + out->tcp_bytes);
    }
  return vnet;
}

/* Whether this is an ACK that may wait for the end of the turn. */
static gboolean
hold_back (T2pwStack *stack, T2pwStream *stream, const OutPacket *out)
{
  if (!stack->coalesces_acks || stream == NULL || !stream->is_established ||
      out->payload_bytes > 0 || out->flags != T2P_TCP_ACK ||
      t2p_load_be32 (out->tcp + 8) == stream->last_ack)
    return FALSE;
  stream->ack_was_held = TRUE;
  stream->ack_is_due = stream->ack_is_due || !stream->has_end;
  t2pw_stream_link (stream, T2PW_LIST_ACK);
  return TRUE;
}

static void
note_ack (T2pwStream *stream, const OutPacket *out)
{
  stream->last_ack = t2p_load_be32 (out->tcp + 8);
  stream->ack_was_held = stream->ack_is_due = FALSE;
  t2pw_stream_unlink (stream, T2PW_LIST_ACK);
}

void
t2pw_emit (T2pwStack *stack, struct pbuf *p)
{
  OutPacket out = look_at (p);
  T2pwStream *stream = stack->entered != NULL ? stack->entered : stream_of (stack, &out);
  struct virtio_net_hdr vnet = { 0 };
  struct iovec parts[MAX_PARTS];
  guint n_parts = 0;

  if (hold_back (stack, stream, &out))
    return;
  if (stream != NULL && (out.flags & T2P_TCP_ACK) != 0)
    note_ack (stream, &out);
  if ((out.flags & T2P_TCP_SYN) != 0)
    rewrite_syn_options (stack, &out);
  if (stack->queue.has_vnet_header)
    vnet = leave_to_kernel (&out, stream);
  else if ((out.flags & T2P_TCP_SYN) != 0)
    write_full_checksum (&out);
  for (; p != NULL && n_parts < MAX_PARTS; p = p->next)
    parts[n_parts++] = (struct iovec){ p->payload, p->len };
  t2pw_tun_queue_write (&stack->queue, &vnet, parts, n_parts);
}
