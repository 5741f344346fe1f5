/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pure: a segment in, the bytes of an answer out, in the name of the destination. */
#include "config.h"

#include "t2pw-reply.h"

#include "t2p-checksum.h"

#include <netinet/in.h>

#define REPLY_TTL 64

static guint16
checksum (const T2pIpHeader *ip, const guint8 *tcp)
{
  guint32 sum =
      t2p_checksum_pseudo (&ip->source, &ip->destination, IPPROTO_TCP, T2P_TCP_HEADER_BYTES);

  return t2p_checksum_finish (t2p_checksum_add (sum, tcp, T2P_TCP_HEADER_BYTES));
}

/* How much of the sequence space a segment takes. */
static guint32
segment_length (const T2pTcpHeader *tcp)
{
  return (guint32) tcp->payload_bytes + ((tcp->flags & T2P_TCP_SYN) != 0) +
         ((tcp->flags & T2P_TCP_FIN) != 0);
}

gsize
t2pw_reply_reset (const T2pwPacket *packet, guint8 *out)
{
  const T2pTcpHeader *tcp = &packet->tcp;
  gboolean has_ack = (tcp->flags & T2P_TCP_ACK) != 0;
  T2pIpHeader ip = { .source = packet->ip.destination,
                     .destination = packet->ip.source,
                     .protocol = IPPROTO_TCP,
                     .ttl = REPLY_TTL,
                     .dont_fragment = TRUE };
  T2pWriter writer;
  guint8 *body;

  t2p_writer_init (&writer, out, T2PW_RESET_MAX_BYTES);
  if ((tcp->flags & T2P_TCP_RST) != 0 ||
      !t2p_ip_header_write (&writer, &ip, T2P_TCP_HEADER_BYTES) ||
      (body = t2p_writer_reserve (&writer, T2P_TCP_HEADER_BYTES)) == NULL)
    return 0;
  t2p_store_be16 (body, tcp->destination_port);
  t2p_store_be16 (body + 2, tcp->source_port);
  t2p_store_be32 (body + 4, has_ack ? tcp->acknowledgement : 0);
  t2p_store_be32 (body + 8, has_ack ? 0 : tcp->sequence + segment_length (tcp));
  body[12] = T2P_TCP_HEADER_BYTES / 4 << 4;
  body[13] = (guint8) (T2P_TCP_RST | (has_ack ? 0 : T2P_TCP_ACK));
  t2p_store_be32 (body + 14, 0);
  t2p_store_be16 (body + T2P_TCP_CHECKSUM_AT, 0);
  t2p_store_be16 (body + 18, 0);
  t2p_store_be16 (body + T2P_TCP_CHECKSUM_AT, checksum (&ip, body));
  return t2p_writer_length (&writer);
}
