/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * The stack is the assembly: packets come from the tun queue, are parsed and verified, and go
 * to the flow that they belong to, which is a stream, a held SYN or nothing yet. What cannot
 * belong to a flow is answered (reset, ICMP error) or counted and dropped.
 *
 * A turn of the loop: the tun queue reads a burst; streams take notes; their tasks run and call
 * the owner, who reads and writes; at the end of the turn the ACKs that are due go out, one for
 * each stream, and streams that waited for memory are looked at. */
#include "config.h"

#include "t2p-limits.h"
#include "t2pw-accelerator.h"
#include "t2pw-echo.h"
#include "t2pw-icmp.h"
#include "t2pw-lwip.h"
#include "t2pw-pcb.h"
#include "t2pw-reply.h"
#include "t2pw-stack-private.h"

#include <gio/gio.h>
#include <linux/if_tun.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20 /* Linux 6.2 */
#define TUN_F_USO6 0x40
#endif

#define IDLE_AFTER_MS 2000

/* --- answers */

void
t2pw_stack_send_reply (T2pwStack *stack, const guint8 *bytes, gsize length)
{
  struct virtio_net_hdr vnet = { 0 };
  struct iovec part = { (gpointer) bytes, length };

  if (length > 0)
    t2pw_tun_queue_write (&stack->queue, &vnet, &part, 1);
}

gboolean
t2pw_stack_sends_super_packets (const T2pwStack *stack, guint8 family)
{
  guint32 needed = family == AF_INET ? TUN_F_TSO4 : TUN_F_TSO6;

  return stack->config.has_vnet_header && (stack->config.offloads & needed) != 0;
}

/* --- packets */

static void
take_unknown_tcp (T2pwStack *stack, const T2pwPacket *packet, const T2pwFlowId *id)
{
  guint8 opening = packet->tcp.flags & (T2P_TCP_SYN | T2P_TCP_ACK | T2P_TCP_RST | T2P_TCP_FIN);
  guint8 reply[T2PW_RESET_MAX_BYTES];

  if (opening == T2P_TCP_SYN)
    {
      t2pw_held_syn_take (stack, packet, id);
      return;
    }
  stack->counters.dropped_no_flow++;
  t2pw_stack_send_reply (stack, reply, t2pw_reply_reset (packet, reply));
}

static gboolean
take_tcp (T2pwStack *stack, T2pwPacket *packet, T2pwBuffer *buffer)
{
  T2pwFlowId id = t2pw_flow_id (&packet->ip.source, packet->tcp.source_port,
                                &packet->ip.destination, packet->tcp.destination_port);
  T2pwFlowNode *node = t2pw_flow_hash_find (&stack->flows, &id);

  if (node == NULL)
    {
      take_unknown_tcp (stack, packet, &id);
      return FALSE;
    }
  switch (node->kind)
    {
    case T2PW_FLOW_HELD_SYN:
      t2pw_held_syn_input ((T2pwHeldSyn *) node, packet);
      return FALSE;
    case T2PW_FLOW_STREAM:
      return t2pw_pcb_input ((T2pwStream *) node, packet, buffer);
    }
  return FALSE;
}

static void
take_udp (T2pwStack *stack, const T2pwPacket *packet)
{
  T2pwFlowKey key = { { packet->ip.source, packet->udp.source_port },
                      { packet->ip.destination, packet->udp.destination_port } };
  const guint8 *data = t2pw_packet_transport (packet) + T2P_UDP_HEADER_BYTES;
  gsize length = packet->udp.payload_bytes;
  gsize datagram_bytes = packet->segment_bytes < length ? packet->segment_bytes : 0;

  if (!stack->handler->datagram (&key, data, length, datagram_bytes, stack->user_data))
    t2pw_icmp_refuse (stack, packet, T2P_REFUSAL_PORT_UNREACHABLE);
}

static void
reassembly_timer_cb (T2pTimer *timer)
{
  T2pwStack *stack = T2P_OWNER_OF (timer, T2pwStack, reassembly_timer);
  gint64 now_us = t2p_reactor_get_now_us (stack->reactor);
  gint64 next_us = t2pw_reassembly_expire (&stack->reassembly, now_us);

  if (next_us > 0)
    t2p_reactor_arm (stack->reactor, timer, (guint) ((next_us - now_us) / 1000 + 1),
                     reassembly_timer_cb);
}

/* (transfer full): the packet that is whole now, or NULL. */
static T2pwBuffer *
take_fragment (T2pwStack *stack, const T2pwPacket *packet, gsize *out_length)
{
  T2pwBuffer *whole = t2pw_reassembly_take (
      &stack->reassembly, packet, t2p_reactor_get_now_us (stack->reactor), out_length);

  if (stack->reassembly.held_bytes > 0 && stack->reassembly_timer.deadline_us == 0)
    t2p_reactor_arm (stack->reactor, &stack->reassembly_timer, T2P_REASSEMBLY_TIMEOUT_S * 1000,
                     reassembly_timer_cb);
  return whole;
}

static gboolean take_packet (T2pwStack *stack,
                             const struct virtio_net_hdr *vnet,
                             T2pwBuffer *buffer,
                             gsize length);

/* What comes of fragments is none, so this goes only so deep. Nobody vouches for its sum. */
static void
take_fragment_and_whole (T2pwStack *stack, const T2pwPacket *packet)
{
  gsize length = 0;
  T2pwBuffer *whole = take_fragment (stack, packet, &length);

  if (whole != NULL && !take_packet (stack, NULL, whole, length))
    t2pw_buffer_give (whole);
}

/* The tunnel is a hop on the way like a router, so that traceroute shows it, and what is not to
 * leave the machine's own network does not. */
static gboolean
has_expired (T2pwVerdict verdict, const T2pwPacket *packet)
{
  return (verdict == T2PW_VERDICT_TCP || verdict == T2PW_VERDICT_UDP ||
          verdict == T2PW_VERDICT_ICMP_ECHO || verdict == T2PW_VERDICT_PROTOCOL) &&
         packet->ip.ttl <= 1;
}

/* TRUE: keeps @buffer. */
static gboolean
take_packet (T2pwStack *stack,
             const struct virtio_net_hdr *vnet,
             T2pwBuffer *buffer,
             gsize length)
{
  T2pwStackCounters *counters = &stack->counters;
  T2pwPacket packet;
  T2pwVerdict verdict = t2pw_packet_parse (&packet, vnet, buffer->data, length);

  if (G_UNLIKELY (has_expired (verdict, &packet)))
    {
      counters->dropped_ttl++;
      t2pw_icmp_tell_time_exceeded (stack, &packet);
      return FALSE;
    }
  switch (verdict)
    {
    case T2PW_VERDICT_TCP:
      return take_tcp (stack, &packet, buffer);
    case T2PW_VERDICT_UDP:
      take_udp (stack, &packet);
      break;
    case T2PW_VERDICT_FRAGMENT:
      take_fragment_and_whole (stack, &packet);
      break;
    case T2PW_VERDICT_ICMP_ECHO:
      t2pw_echo_take (stack, &packet);
      break;
    case T2PW_VERDICT_SOURCE_ROUTED:
      counters->dropped_route++;
      break;
    case T2PW_VERDICT_MALFORMED:
      counters->dropped_malformed++;
      break;
    case T2PW_VERDICT_CHECKSUM:
      counters->dropped_checksum++;
      break;
    case T2PW_VERDICT_MULTICAST:
      counters->dropped_multicast++;
      break;
    case T2PW_VERDICT_PROTOCOL:
      t2pw_icmp_refuse_protocol (stack, &packet);
      counters->dropped_protocol++;
      break;
    case T2PW_VERDICT_IGNORED:
      break;
    }
  return FALSE;
}

static gboolean
packet_cb (const struct virtio_net_hdr *vnet,
           T2pwBuffer *buffer,
           gsize length,
           gpointer user_data)
{
  return take_packet (user_data, vnet, buffer, length);
}

static void
lost_cb (const GError *error, gpointer user_data)
{
  T2pwStack *stack = user_data;

  stack->handler->device_lost (error, stack->user_data);
}

static const T2pwTunQueueHandler queue_handler = { .packet = packet_cb, .lost = lost_cb };

/* --- time */

static void
idle_timer_cb (T2pTimer *timer)
{
  T2pwStack *stack =
      (T2pwStack *) (gpointer) ((guint8 *) timer - offsetof (T2pwStack, idle_timer));
  T2pwStream *next;

  for (T2pwStream *s = stack->lists[T2PW_LIST_GROWN]; s != NULL; s = next)
    {
      next = s->links[T2PW_LIST_GROWN].next;
      if (!s->was_active)
        t2pw_stream_shrink (s);
      s->was_active = FALSE;
    }
  /* Those that have little on its way wait for less memory than the others. */
  for (T2pwStream *s = stack->lists[T2PW_LIST_STARVED]; s != NULL;
       s = s->links[T2PW_LIST_STARVED].next)
    if (s->wants_room && s->tx_charged_bytes < T2PW_SMALL_WINDOW_BYTES)
      t2pw_stream_notify (s, T2PW_EVENT_WRITABLE);
}

static void
nothing_cb (T2pTask *task)
{
}

void
t2pw_stack_need_turn_end (T2pwStack *stack)
{
  t2p_reactor_defer (stack->reactor, &stack->end_turn, nothing_cb);
}

static void
turn_end_cb (gpointer user_data)
{
  T2pwStack *stack = user_data;

  t2pw_datagram_out_flush (&stack->datagrams);
  t2pw_stream_feed_starved (stack);
  t2pw_lwip_send_acks (stack, FALSE);
  if ((stack->lists[T2PW_LIST_GROWN] != NULL || stack->lists[T2PW_LIST_STARVED] != NULL) &&
      stack->idle_timer.deadline_us == 0)
    t2p_reactor_arm (stack->reactor, &stack->idle_timer, IDLE_AFTER_MS, idle_timer_cb);
}

/* --- the public side */

static gboolean
check_config (const T2pwStackConfig *config, GError **error)
{
  if (config->mtu >= 576 && config->mtu <= T2P_IP_MAX_PACKET_BYTES &&
      config->memory_limit_bytes >= 64 * sizeof (T2pwBuffer))
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
               "MTU %u and memory limit %zu, expected 576 to 65535 and at least %zu",
               config->mtu, config->memory_limit_bytes, 64 * sizeof (T2pwBuffer));
  return FALSE;
}

static void
choose_accelerators (T2pwStack *stack)
{
  guint32 offloads = stack->config.has_vnet_header ? stack->config.offloads : 0;

  stack->datagrams = (T2pwDatagramOut){ .queue = &stack->queue,
                                        .pool = &stack->pool,
                                        .mtu = stack->config.mtu,
                                        .next_fragment_id = g_random_int (),
                                        .gathers_v4 = (offloads & TUN_F_USO4) != 0,
                                        .gathers_v6 = (offloads & TUN_F_USO6) != 0 };
  /* Without a vnet header nobody else would fill in the checksums. */
  stack->has_checksum = stack->config.has_vnet_header && t2pw_accelerator_can_checksum ();
  stack->has_handover = t2pw_accelerator_can_hand_over ();
  t2pw_accelerator_skip_checksums (stack->has_checksum);
}

/**
 * t2pw_stack_new:
 * @reactor: on whose turns it runs
 * @tun_fd: (transfer full): a non-blocking queue of a TUN device, or whatever carries one
 * packet for each read and write; closed also on failure
 * @config: copied
 * @handler: must live as long as the stack
 * @user_data: for @handler
 * @error: G_IO_ERROR
 *
 * Returns: (transfer full) (nullable): the one stack of this process
 */
T2pwStack *
t2pw_stack_new (T2pReactor *reactor,
                int tun_fd,
                const T2pwStackConfig *config,
                const T2pwStackHandler *handler,
                gpointer user_data,
                GError **error)
{
  T2pwStack *stack = g_new0 (T2pwStack, 1);

  stack->reactor = reactor;
  stack->config = *config;
  stack->handler = handler;
  stack->user_data = user_data;
  t2pw_buffer_pool_init (&stack->pool, config->memory_limit_bytes);
  if (!check_config (config, error) || !t2pw_lwip_open (stack, error))
    {
      close (tun_fd);
      g_free (stack);
      return NULL;
    }
  if (!t2pw_tun_queue_open (&stack->queue, reactor, tun_fd, config->has_vnet_header,
                            &stack->pool, &queue_handler, stack, error))
    {
      t2pw_lwip_close (stack);
      g_free (stack);
      return NULL;
    }
  choose_accelerators (stack);
  t2pw_flow_hash_init (&stack->flows);
  t2pw_reassembly_init (&stack->reassembly, &stack->pool);
  t2p_reactor_add_turn_end (reactor, turn_end_cb, stack);
  return stack;
}

static void
free_flows (T2pwStack *stack)
{
  T2pwFlowNode *node;

  while ((node = t2pw_flow_hash_first (&stack->flows)) != NULL)
    switch (node->kind)
      {
      case T2PW_FLOW_HELD_SYN:
        t2pw_held_syn_free ((T2pwHeldSyn *) node);
        break;
      case T2PW_FLOW_STREAM:
        t2pw_stream_free ((T2pwStream *) node);
        break;
      }
  while (stack->lists[T2PW_LIST_ENDED] != NULL)
    t2pw_stream_free (stack->lists[T2PW_LIST_ENDED]);
}

void
t2pw_stack_free (T2pwStack *stack)
{
  t2p_reactor_remove_turn_end (stack->reactor, turn_end_cb, stack);
  t2p_reactor_disarm (stack->reactor, &stack->idle_timer);
  t2p_reactor_disarm (stack->reactor, &stack->reassembly_timer);
  free_flows (stack);
  t2p_reactor_cancel (stack->reactor, &stack->end_turn);
  t2pw_stream_give_back_reserved (stack);
  t2pw_datagram_out_flush (&stack->datagrams);
  t2pw_lwip_close (stack);
  t2pw_tun_queue_close (&stack->queue);
  t2pw_reassembly_clear (&stack->reassembly);
  t2pw_flow_hash_clear (&stack->flows);
  t2pw_buffer_pool_clear (&stack->pool);
  g_free (stack);
}

const T2pwStackCounters *
t2pw_stack_get_counters (T2pwStack *stack)
{
  T2pwStackCounters *counters = &stack->published;

  *counters = stack->counters;
  counters->rx_packets = stack->queue.rx_packets;
  counters->rx_bytes = stack->queue.rx_bytes;
  counters->tx_packets = stack->queue.tx_packets;
  counters->tx_bytes = stack->queue.tx_bytes;
  counters->tun_write_errors = stack->queue.write_errors;
  counters->reassembled = stack->reassembly.reassembled;
  counters->dropped_fragment = stack->reassembly.dropped;
  counters->dropped_memory += stack->reassembly.dropped_memory;
  counters->memory_bytes = stack->pool.used_bytes;
  return counters;
}

/**
 * t2pw_stack_describe:
 * @stack: a stack
 *
 * Returns: (transfer full): the accelerators that are on, separated by spaces
 */
char *
t2pw_stack_describe (T2pwStack *stack)
{
  GString *text = g_string_new (NULL);
  guint32 offloads = stack->config.has_vnet_header ? stack->config.offloads : 0;

  if ((offloads & (TUN_F_TSO4 | TUN_F_TSO6)) != 0)
    g_string_append (text, "tso ");
  if ((offloads & (TUN_F_USO4 | TUN_F_USO6)) != 0)
    g_string_append (text, "uso ");
  if (stack->has_checksum)
    g_string_append (text, "checksum ");
  if (stack->has_handover)
    g_string_append (text, "handover ");
  if (text->len > 0)
    g_string_truncate (text, text->len - 1);
  return g_string_free (text, FALSE);
}

/**
 * t2pw_stack_send_datagram:
 * @stack: a stack
 * @key: @key->source is the application, @key->destination whom it talks to
 * @data: (array length=length): the payload
 * @length: its length
 *
 * One that is longer than the MTU goes in fragments.
 *
 * Returns: %FALSE when it was dropped: longer than IP allows, or the device takes no more
 */
gboolean
t2pw_stack_send_datagram (T2pwStack *stack,
                          const T2pwFlowKey *key,
                          const guint8 *data,
                          gsize length)
{
  t2pw_stack_need_turn_end (stack);
  return t2pw_datagram_out_send (&stack->datagrams, key, data, length);
}

/**
 * t2pw_stack_hold_memory:
 * @bytes: to be given back with t2pw_stack_release_memory(), before the stack goes
 *
 * Returns: %FALSE when half of the memory limit is in use: nothing is held then
 */
gboolean
t2pw_stack_hold_memory (T2pwStack *stack, gsize bytes)
{
  if (!t2pw_buffer_pool_has_room (&stack->pool, bytes, T2PW_GROW_BELOW))
    {
      stack->counters.dropped_memory++;
      return FALSE;
    }
  t2pw_buffer_pool_charge (&stack->pool, (gssize) bytes);
  return TRUE;
}

void
t2pw_stack_release_memory (T2pwStack *stack, gsize bytes)
{
  t2pw_buffer_pool_charge (&stack->pool, -(gssize) bytes);
}
