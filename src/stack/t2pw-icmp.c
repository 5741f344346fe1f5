/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * An application learns of a failure by an ICMP error that quotes what it has sent: its kernel
 * finds the socket by the addresses and ports in the quotation, and by nothing else. So an
 * error may come later than the packet, when that is long gone: headers that say the same are
 * made anew. What the kernel put into the rest of the header (id, TTL, options) it has no use
 * for.
 *
 * Errors go out in the name of the destination, since the application knows of no router. */
#include "config.h"

#include "t2pw-icmp.h"

#include "t2p-icmp.h"
#include "t2pw-stack-private.h"

#include <netinet/in.h>

#define MAX_ERROR_BYTES T2P_ICMPV6_MAX_ERROR_BYTES /* the longer of both */
#define IPV6_MIN_MTU_BYTES 1280                    /* kernels ignore less: RFC 8201 section 4 */
#define IPV4_MIN_MTU_BYTES 576                     /* and mistrust less: RFC 1191 section 3 */

/** Quotation: the beginning of a datagram as the application's kernel may have sent it. */
typedef struct
{
  T2pIpHeader ip;
  guint8 bytes[MAX_ERROR_BYTES];
  gsize length;
} Quotation;

static void
send_written (T2pwStack *stack, const T2pWriter *writer)
{
  t2pw_stack_send_reply (stack, writer->start, t2p_writer_length (writer));
}

gboolean
t2pw_icmp_refuse (T2pwStack *stack, const T2pwPacket *packet, T2pRefusal refusal)
{
  guint8 reply[MAX_ERROR_BYTES];
  T2pWriter writer;

  t2p_writer_init (&writer, reply, sizeof reply);
  if (stack->config.icmp == T2PW_ICMP_DROP ||
      !t2p_icmp_write_refusal (&writer, packet->bytes, packet->ip.total_bytes, &packet->ip,
                               refusal))
    return FALSE;
  send_written (stack, &writer);
  return TRUE;
}

gboolean
t2pw_icmp_refuse_protocol (T2pwStack *stack, const T2pwPacket *packet)
{
  guint8 reply[MAX_ERROR_BYTES];
  T2pWriter writer;

  t2p_writer_init (&writer, reply, sizeof reply);
  if (stack->config.icmp == T2PW_ICMP_DROP ||
      !t2p_icmp_write_bad_protocol (&writer, packet->bytes, packet->ip.total_bytes,
                                    &packet->ip))
    return FALSE;
  send_written (stack, &writer);
  return TRUE;
}

gboolean
t2pw_icmp_tell_time_exceeded (T2pwStack *stack, const T2pwPacket *packet)
{
  const T2pwStackConfig *config = &stack->config;
  guint8 reply[MAX_ERROR_BYTES];
  T2pWriter writer;

  t2p_writer_init (&writer, reply, sizeof reply);
  if (config->icmp == T2PW_ICMP_DROP ||
      !t2p_icmp_write_time_exceeded (&writer, packet->bytes, packet->ip.total_bytes,
                                     &packet->ip,
                                     packet->ip.version == 4 ? &config->hop4 : &config->hop6))
    return FALSE;
  send_written (stack, &writer);
  return TRUE;
}

/* --- about datagrams of which only the payload is left */

static gboolean
quote (Quotation *quotation, const T2pwFlowKey *key, const guint8 *data, gsize length)
{
  gboolean is_v4 = key->source.address.family == AF_INET;
  T2pWriter writer;

  t2p_writer_init (&writer, quotation->bytes, sizeof quotation->bytes);
  if (!t2p_udp_packet_write_headers (&writer, &key->source, &key->destination, data, length,
                                     T2P_UDP_CHECKSUM_FULL))
    return FALSE;
  quotation->ip =
      (T2pIpHeader){ .source = key->source.address,
                     .destination = key->destination.address,
                     .version = is_v4 ? 4 : 6,
                     .protocol = IPPROTO_UDP,
                     .header_bytes = is_v4 ? T2P_IPV4_HEADER_BYTES : T2P_IPV6_HEADER_BYTES,
                     .total_bytes = t2p_writer_length (&writer) + length };
  t2p_writer_bytes (&writer, data, MIN (length, t2p_writer_room (&writer)));
  quotation->length = t2p_writer_length (&writer);
  return TRUE;
}

/**
 * t2pw_stack_refuse_datagram:
 * @stack: a stack
 * @key: as the `datagram` handler was given it
 * @data: (array length=length): the datagram, or the beginning of it
 * @length: its length
 * @refusal: what the application is to learn; %T2P_REFUSAL_RESET is port unreachable
 *
 * Tells an application, now or later, that a datagram of it went nowhere: with a connected
 * socket its next call fails. Does nothing with `icmp=drop`.
 */
void
t2pw_stack_refuse_datagram (T2pwStack *stack,
                            const T2pwFlowKey *key,
                            const guint8 *data,
                            gsize length,
                            T2pRefusal refusal)
{
  guint8 reply[MAX_ERROR_BYTES];
  Quotation quotation;
  T2pWriter writer;

  t2p_writer_init (&writer, reply, sizeof reply);
  if (stack->config.icmp != T2PW_ICMP_DROP && quote (&quotation, key, data, length) &&
      t2p_icmp_write_refusal (&writer, quotation.bytes, quotation.length, &quotation.ip,
                              refusal))
    send_written (stack, &writer);
}

/**
 * t2pw_stack_tell_too_big:
 * @stack: a stack
 * @key: as the `datagram` handler was given it
 * @data: (array length=length): one datagram, whole
 * @length: its length
 * @most_payload_bytes: the longest payload that would have passed
 *
 * Tells an application that a datagram of it cannot be carried for its length: its kernel makes
 * shorter packets from now on, or refuses longer datagrams with EMSGSIZE. No path of IP may
 * carry less than 576 bytes (IPv6: 1,280) in a packet, so less is not told; then a datagram
 * that fits all the same, and still cannot be carried, is lost without a word. Does nothing
 * with `icmp=drop`: path MTU discovery breaks with that everywhere.
 */
void
t2pw_stack_tell_too_big (T2pwStack *stack,
                         const T2pwFlowKey *key,
                         const guint8 *data,
                         gsize length,
                         gsize most_payload_bytes)
{
  guint8 reply[MAX_ERROR_BYTES];
  Quotation quotation;
  T2pWriter writer;
  gsize mtu;

  if (stack->config.icmp == T2PW_ICMP_DROP || !quote (&quotation, key, data, length))
    return;
  mtu = quotation.ip.header_bytes + T2P_UDP_HEADER_BYTES + most_payload_bytes;
  mtu = MAX (mtu, quotation.ip.version == 4 ? IPV4_MIN_MTU_BYTES : IPV6_MIN_MTU_BYTES);
  t2p_writer_init (&writer, reply, sizeof reply);
  if (mtu < quotation.ip.total_bytes &&
      t2p_icmp_write_too_big (&writer, quotation.bytes, quotation.length, &quotation.ip,
                              (guint32) mtu))
    send_written (stack, &writer);
}
