/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Pure functions: a packet in, the bytes of an answer out. Errors are sent in the name of the
 * destination, since there is no router that the application could know; they quote as much of
 * the packet as the RFCs allow, so that the kernel finds the socket. */
#include "config.h"

#include "t2pw-reply.h"

#include "t2p-checksum.h"

#include <netinet/in.h>

#define REPLY_TTL 64
#define ICMP_HEADER_BYTES 8
#define ICMPV4_QUOTE_MAX_BYTES 548 /* RFC 1812 section 4.3.2.3: 576 in all */

#define ICMP_DEST_UNREACHABLE 3
#define ICMP_CODE_PROTOCOL 2
#define ICMPV6_DEST_UNREACHABLE 1
#define ICMPV6_PARAMETER_PROBLEM 4
#define ICMPV6_CODE_NEXT_HEADER 1

#define NO_CODE -1

static gboolean
begin_reply (const T2pwPacket *packet, guint8 protocol, gsize payload_bytes, T2pWriter *writer)
{
  T2pIpHeader ip = { .source = packet->ip.destination,
                     .destination = packet->ip.source,
                     .protocol = protocol,
                     .ttl = REPLY_TTL,
                     .dont_fragment = TRUE };

  return t2p_ip_header_write (writer, &ip, payload_bytes);
}

static void
finish_sum (
    const T2pwPacket *packet, guint8 protocol, guint8 *body, gsize length, gsize checksum_at)
{
  gboolean has_pseudo = protocol != IPPROTO_ICMP;
  guint32 sum = has_pseudo ? t2p_checksum_pseudo (&packet->ip.destination, &packet->ip.source,
                                                  protocol, length)
                           : 0;

  t2p_store_be16 (body + checksum_at, 0);
  t2p_store_be16 (body + checksum_at,
                  t2p_checksum_finish (t2p_checksum_add (sum, body, length)));
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
  T2pWriter writer;
  guint8 *body;

  t2p_writer_init (&writer, out, T2PW_REPLY_MAX_BYTES);
  if ((tcp->flags & T2P_TCP_RST) != 0 ||
      !begin_reply (packet, IPPROTO_TCP, T2P_TCP_HEADER_BYTES, &writer) ||
      (body = t2p_writer_reserve (&writer, T2P_TCP_HEADER_BYTES)) == NULL)
    return 0;
  t2p_store_be16 (body, tcp->destination_port);
  t2p_store_be16 (body + 2, tcp->source_port);
  t2p_store_be32 (body + 4, has_ack ? tcp->acknowledgement : 0);
  t2p_store_be32 (body + 8, has_ack ? 0 : tcp->sequence + segment_length (tcp));
  body[12] = T2P_TCP_HEADER_BYTES / 4 << 4;
  body[13] = (guint8) (T2P_TCP_RST | (has_ack ? 0 : T2P_TCP_ACK));
  t2p_store_be32 (body + 14, 0);
  t2p_store_be16 (body + 18, 0);
  finish_sum (packet, IPPROTO_TCP, body, T2P_TCP_HEADER_BYTES, T2P_TCP_CHECKSUM_AT);
  return t2p_writer_length (&writer);
}

static gsize
write_error (const T2pwPacket *packet, guint8 type, guint8 code, guint32 pointer, guint8 *out)
{
  gboolean is_v4 = packet->ip.version == 4;
  guint8 protocol = is_v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
  gsize most = is_v4 ? ICMPV4_QUOTE_MAX_BYTES
                     : T2PW_REPLY_MAX_BYTES - T2P_IPV6_HEADER_BYTES - ICMP_HEADER_BYTES;
  gsize quoted = MIN (packet->ip.total_bytes, most);
  T2pWriter writer;
  guint8 *body;

  t2p_writer_init (&writer, out, T2PW_REPLY_MAX_BYTES);
  if (!begin_reply (packet, protocol, ICMP_HEADER_BYTES + quoted, &writer) ||
      (body = t2p_writer_reserve (&writer, ICMP_HEADER_BYTES)) == NULL)
    return 0;
  body[0] = type;
  body[1] = code;
  t2p_store_be16 (body + 2, 0);
  t2p_store_be32 (body + 4, pointer);
  if (!t2p_writer_bytes (&writer, packet->bytes, quoted))
    return 0;
  finish_sum (packet, protocol, body, ICMP_HEADER_BYTES + quoted, 2);
  return t2p_writer_length (&writer);
}

/* Codes of "destination unreachable": RFC 792, RFC 1812 section 5.2.7.1; RFC 4443 section 3.1.
 */
static int
code_of_refusal (T2pRefusal refusal, gboolean is_v4)
{
  switch (refusal)
    {
    case T2P_REFUSAL_NET_UNREACHABLE:
      return 0;
    case T2P_REFUSAL_HOST_UNREACHABLE:
      return is_v4 ? 1 : 3;
    case T2P_REFUSAL_PORT_UNREACHABLE:
      return is_v4 ? 3 : 4;
    case T2P_REFUSAL_ADMIN_PROHIBITED:
      return is_v4 ? 13 : 1;
    case T2P_REFUSAL_RESET:
    case T2P_REFUSAL_SILENCE:
      return NO_CODE;
    }
  return NO_CODE;
}

gsize
t2pw_reply_icmp (const T2pwPacket *packet, T2pRefusal refusal, guint8 *out)
{
  gboolean is_v4 = packet->ip.version == 4;
  int code = code_of_refusal (refusal, is_v4);

  if (code == NO_CODE)
    return 0;
  return write_error (packet, is_v4 ? ICMP_DEST_UNREACHABLE : ICMPV6_DEST_UNREACHABLE,
                      (guint8) code, 0, out);
}

gsize
t2pw_reply_bad_protocol (const T2pwPacket *packet, guint8 *out)
{
  if (packet->ip.version == 4)
    return write_error (packet, ICMP_DEST_UNREACHABLE, ICMP_CODE_PROTOCOL, 0, out);
  return write_error (packet, ICMPV6_PARAMETER_PROBLEM, ICMPV6_CODE_NEXT_HEADER,
                      packet->ip.protocol_at, out);
}
