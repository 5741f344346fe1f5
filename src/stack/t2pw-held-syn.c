/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A SYN waits here, as a copy of its headers, until it is known whether the destination can be
 * reached. Then it is fed to lwIP as if it came just now, or refused. Meanwhile the
 * application's kernel sends it again: those copies are swallowed. A RST, or a SYN with another
 * sequence number, means that the application has given up on this one.
 *
 * Bounds: T2P_MAX_HELD_SYNS in all, T2P_MAX_HELD_SYNS_PER_DESTINATION for one address and port.
 * The latter are counted in a fixed array by a keyed hash: two destinations may share a
 * counter, which makes the bound stricter for them, never laxer. */
#include "config.h"

#include "t2p-checksum.h"
#include "t2p-limits.h"
#include "t2pw-icmp.h"
#include "t2pw-pcb.h"
#include "t2pw-reply.h"
#include "t2pw-stack-private.h"

static guint16 *
counter_of (T2pwStack *stack, const T2pwFlowId *id)
{
  guint64 words[3] = { id->words[2], id->words[3], id->words[4] & 0xffff };
  guint64 hash = t2pw_flow_hash_words (&stack->flows, words, G_N_ELEMENTS (words));

  return &stack->held_by_destination[hash % T2PW_DESTINATION_COUNTERS];
}

static void
refuse_packet (T2pwStack *stack, const T2pwPacket *packet, T2pRefusal refusal)
{
  guint8 reply[T2PW_RESET_MAX_BYTES];

  if (refusal == T2P_REFUSAL_SILENCE ||
      (refusal != T2P_REFUSAL_RESET && t2pw_icmp_refuse (stack, packet, refusal)))
    return;
  t2pw_stack_send_reply (stack, reply, t2pw_reply_reset (packet, reply));
}

static gboolean
has_place (T2pwStack *stack, const guint16 *counter)
{
  return stack->counters.held_syns < T2P_MAX_HELD_SYNS &&
         *counter < T2P_MAX_HELD_SYNS_PER_DESTINATION;
}

static T2pwHeldSyn *
copy_syn (T2pwStack *stack, const T2pwPacket *packet, const T2pwFlowId *id, guint16 *counter)
{
  T2pwHeldSyn *syn = g_new0 (T2pwHeldSyn, 1);

  syn->node.id = *id;
  syn->node.kind = T2PW_FLOW_HELD_SYN;
  syn->stack = stack;
  syn->sequence = packet->tcp.sequence;
  syn->length = packet->ip.header_bytes + packet->tcp.header_bytes;
  memcpy (syn->bytes, packet->bytes, syn->length);
  syn->destination_counter = counter;
  ++*counter;
  stack->counters.held_syns++;
  t2pw_buffer_pool_charge (&stack->pool, sizeof *syn);
  t2pw_flow_hash_insert (&stack->flows, &syn->node);
  return syn;
}

void
t2pw_held_syn_take (T2pwStack *stack, const T2pwPacket *packet, const T2pwFlowId *id)
{
  guint16 *counter = counter_of (stack, id);
  gboolean has_memory;
  T2pwFlowKey key;

  if (packet->ip.header_bytes + packet->tcp.header_bytes > T2PW_HELD_SYN_MAX_BYTES)
    {
      stack->counters.dropped_malformed++;
      return;
    }
  if (!has_place (stack, counter))
    {
      stack->counters.dropped_syn++;
      return;
    }
  has_memory = t2pw_buffer_pool_has_room (&stack->pool, sizeof (T2pwHeldSyn), T2PW_OPEN_BELOW);
  if (!has_memory || stack->counters.streams >= stack->config.max_streams)
    {
      stack->counters.dropped_memory += !has_memory;
      stack->counters.syns_refused++;
      refuse_packet (stack, packet, T2P_REFUSAL_RESET);
      return;
    }
  t2pw_flow_id_to_key (id, &key);
  stack->handler->connecting (copy_syn (stack, packet, id, counter), &key, stack->user_data);
}

void
t2pw_held_syn_free (T2pwHeldSyn *syn)
{
  T2pwStack *stack = syn->stack;

  t2pw_flow_hash_remove (&stack->flows, &syn->node);
  --*syn->destination_counter;
  stack->counters.held_syns--;
  t2pw_buffer_pool_charge (&stack->pool, -(gssize) sizeof *syn);
  g_free (syn);
}

void
t2pw_held_syn_input (T2pwHeldSyn *syn, const T2pwPacket *packet)
{
  T2pwStack *stack = syn->stack;
  T2pwFlowId id = syn->node.id;
  guint8 flags = packet->tcp.flags;
  gboolean is_reset = (flags & T2P_TCP_RST) != 0 && packet->tcp.sequence - syn->sequence <= 1;
  gboolean is_new = (flags & (T2P_TCP_SYN | T2P_TCP_ACK | T2P_TCP_RST)) == T2P_TCP_SYN &&
                    packet->tcp.sequence != syn->sequence;

  if (!is_reset && !is_new)
    return;
  stack->handler->abandoned (syn, stack->user_data);
  t2pw_held_syn_free (syn);
  if (is_new)
    t2pw_held_syn_take (stack, packet, &id);
}

/* The copy, parsed again: it was found whole when it came. */
static gboolean
parse_copy (T2pwHeldSyn *syn, T2pwPacket *packet)
{
  static const struct virtio_net_hdr vouched = { .flags = VIRTIO_NET_HDR_F_DATA_VALID };
  gsize total = syn->length;

  /* Data of a fast open was cut off; the length says so. */
  if (syn->bytes[0] >> 4 == 4)
    {
      t2p_store_be16 (syn->bytes + 2, (guint16) total);
      t2p_store_be16 (syn->bytes + 10, 0);
      t2p_store_be16 (syn->bytes + 10, t2p_checksum (syn->bytes, (syn->bytes[0] & 15) * 4u));
    }
  else
    t2p_store_be16 (syn->bytes + 4, (guint16) (total - T2P_IPV6_HEADER_BYTES));
  return t2pw_packet_parse (packet, &vouched, syn->bytes, total) == T2PW_VERDICT_TCP;
}

static T2pwStream *
open_stream (T2pwHeldSyn *syn, const T2pwStreamHandler *handler, gpointer user_data)
{
  T2pwStream *stream = t2pw_stream_new (syn->stack, &syn->node.id, handler, user_data);
  T2pwPacket packet;

  if (parse_copy (syn, &packet) && t2pw_pcb_open (stream, &packet))
    return stream;
  t2pw_stream_free (stream);
  syn->stack->counters.dropped_memory++;
  t2pw_packet_finish_tcp_checksum (&packet);
  refuse_packet (syn->stack, &packet, T2P_REFUSAL_RESET);
  return NULL;
}

/**
 * t2pw_held_syn_accept:
 * @syn: (transfer full): the connection request
 * @handler: called for the stream, never before this function has returned
 * @user_data: for @handler
 *
 * Returns: (transfer none) (nullable): the stream, which lives until its `closed` is called or
 *   it is aborted; %NULL when there is no memory: then @syn was refused
 */
T2pwStream *
t2pw_held_syn_accept (T2pwHeldSyn *syn, const T2pwStreamHandler *handler, gpointer user_data)
{
  T2pwStack *stack = syn->stack;
  T2pwHeldSyn copy = *syn;
  gboolean has_memory =
      t2pw_buffer_pool_has_room (&stack->pool, T2PW_CONNECTION_BYTES, T2PW_PASS_BELOW);

  /* Others may have been accepted while this one was held. */
  if (!has_memory || stack->counters.streams >= stack->config.max_streams)
    {
      stack->counters.dropped_memory += !has_memory;
      t2pw_held_syn_refuse (syn, T2P_REFUSAL_RESET);
      return NULL;
    }
  t2pw_held_syn_free (syn); /* before the stream takes its place in the table */
  return open_stream (&copy, handler, user_data);
}

/**
 * t2pw_held_syn_refuse:
 * @syn: (transfer full): the connection request
 * @refusal: what the application is to see. A refusal that would be an ICMP error becomes a
 *   reset where ICMP errors are not to be sent
 */
void
t2pw_held_syn_refuse (T2pwHeldSyn *syn, T2pRefusal refusal)
{
  T2pwStack *stack = syn->stack;
  T2pwPacket packet;

  if (parse_copy (syn, &packet))
    {
      t2pw_packet_finish_tcp_checksum (&packet);
      refuse_packet (stack, &packet, refusal);
    }
  stack->counters.syns_refused++;
  t2pw_held_syn_free (syn);
}
