/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * No proxy carries pings. So what becomes of one is the user's choice: an honest error (what he
 * gets when he has not chosen), an answer by ourselves, which says no more than that the tunnel
 * is there, no word at all, or somebody above who has another way (`direct`).
 *
 * An error about a ping quotes it without its data: kernels, and programs with raw sockets,
 * find whose it was by identifier and sequence number. */
#include "config.h"

#include "t2pw-echo.h"

#include "t2pw-icmp.h"
#include "t2pw-stack-private.h"

#include <netinet/in.h>

#define QUOTED_BYTES (T2P_IPV6_HEADER_BYTES + T2P_ICMP_HEADER_BYTES)

static guint8
protocol_of (const T2pwEcho *echo)
{
  return echo->source.family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
}

/**
 * t2pw_stack_send_echo_reply:
 * @stack: a stack
 * @echo: the ping that is answered; id, sequence and data are those of the answer, and ttl is
 *   how many more hops it may go
 *
 * Returns: %FALSE when it was dropped: too long for IP, or the device takes no more
 */
gboolean
t2pw_stack_send_echo_reply (T2pwStack *stack, const T2pwEcho *echo)
{
  T2pIpHeader ip = { .source = echo->destination,
                     .destination = echo->source,
                     .protocol = protocol_of (echo),
                     .ttl = echo->ttl };
  guint8 header[T2P_ICMP_HEADER_BYTES];

  if (stack->config.icmp == T2PW_ICMP_DROP)
    return FALSE;
  t2p_icmp_echo_write_header (header, &ip.source, &ip.destination, TRUE, &echo->message);
  return t2pw_datagram_out_send_message (&stack->datagrams, &ip, header, echo->message.data,
                                         echo->message.length);
}

/* The ping as its sender may have sent it, without data. */
static gsize
quote (const T2pwEcho *echo, T2pIpHeader *ip, guint8 out[QUOTED_BYTES])
{
  T2pIcmpEcho message = { .id = echo->message.id, .sequence = echo->message.sequence };
  T2pWriter writer;
  guint8 *header;

  *ip = (T2pIpHeader){ .source = echo->source,
                       .destination = echo->destination,
                       .version = echo->source.family == AF_INET ? 4 : 6,
                       .protocol = protocol_of (echo),
                       .ttl = 1 };
  t2p_writer_init (&writer, out, QUOTED_BYTES);
  if (!t2p_ip_header_write (&writer, ip, T2P_ICMP_HEADER_BYTES))
    return 0;
  ip->header_bytes = t2p_writer_length (&writer);
  header = t2p_writer_reserve (&writer, T2P_ICMP_HEADER_BYTES);
  if (header == NULL)
    return 0;
  t2p_icmp_echo_write_header (header, &ip->source, &ip->destination, FALSE, &message);
  ip->total_bytes = t2p_writer_length (&writer);
  return ip->total_bytes;
}

/**
 * t2pw_stack_send_echo_error:
 * @stack: a stack
 * @echo: the ping; its data is not looked at
 * @from: the router that says so, of the same family
 * @error: what it says
 *
 * Passes on what has become of a ping on its way. Nothing but errors that a router may send.
 */
void
t2pw_stack_send_echo_error (T2pwStack *stack,
                            const T2pwEcho *echo,
                            const T2pIpAddress *from,
                            const T2pIcmpError *error)
{
  guint8 quoted[QUOTED_BYTES], reply[T2P_ICMPV6_MAX_ERROR_BYTES];
  T2pIpHeader ip;
  gsize length = quote (echo, &ip, quoted);
  T2pWriter writer;

  t2p_writer_init (&writer, reply, sizeof reply);
  if (stack->config.icmp != T2PW_ICMP_DROP && length > 0 &&
      t2p_icmp_write_error (&writer, quoted, length, &ip, from, error))
    t2pw_stack_send_reply (stack, reply, t2p_writer_length (&writer));
}

static void
answer_ourselves (T2pwStack *stack, const T2pwPacket *packet, const T2pwEcho *echo)
{
  T2pwEcho reply = *echo;

  reply.ttl = T2PW_REPLY_TTL;
  t2pw_stack_send_echo_reply (stack, &reply);
}

static void
pass_on (T2pwStack *stack, const T2pwPacket *packet, const T2pwEcho *echo)
{
  T2pRefusal refusal = T2P_REFUSAL_ADMIN_PROHIBITED;

  if (stack->handler->echo != NULL && stack->handler->echo (echo, &refusal, stack->user_data))
    return;
  t2pw_icmp_refuse (stack, packet, refusal);
  stack->counters.dropped_echo++;
}

void
t2pw_echo_take (T2pwStack *stack, const T2pwPacket *packet)
{
  T2pwEcho echo = { .source = packet->ip.source,
                    .destination = packet->ip.destination,
                    .ttl = (guint8) (packet->ip.ttl - 1) };

  if (!t2p_icmp_echo_parse (packet->bytes, &packet->ip, &echo.message))
    {
      stack->counters.dropped_malformed++;
      return;
    }
  switch (stack->config.icmp)
    {
    case T2PW_ICMP_UNREACHABLE:
      t2pw_icmp_refuse (stack, packet, T2P_REFUSAL_ADMIN_PROHIBITED);
      stack->counters.dropped_echo++;
      break;
    case T2PW_ICMP_REPLY:
      answer_ourselves (stack, packet, &echo);
      break;
    case T2PW_ICMP_DROP:
      stack->counters.dropped_echo++;
      break;
    case T2PW_ICMP_DIRECT:
      pass_on (stack, packet, &echo);
      break;
    }
}
