/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * From the application: a packet of a known flow is first cut down to what lwIP can take
 * without losing its composure (it aborts the process on some inputs), then fed with its pcb as
 * the only one. Callbacks of lwIP only take notes; t2pw_pcb_settle() looks at the pcb
 * afterwards, puts the stream into the lists where it belongs, and leaves events for the owner,
 * which run later in the turn. So no handler is ever called from inside of lwIP.
 *
 * What is cut: SYNs are never fed to an existing pcb; a FIN or payload that lwIP would have to
 * keep out of order beyond its window or our limits; payload when memory is short. What is lost
 * that way the peer sends again. */
#include "config.h"

#include "t2pw-pcb.h"

#include "t2p-limits.h"
#include "t2pw-emit.h"
#include "t2pw-lwip.h"
#include "t2pw-pbuf.h"
#include "t2pw-pcb-lists.h"

#include <lwip/ip.h>
#include <lwip/netif.h>

#define COPIED_UP_TO_BYTES 2048       /* so that small segments do not hold big buffers */
#define COPIED_WHEN_SHORT_BYTES 16384 /* the same when a quarter of the memory is in use */
#define WIDE_OPEN (1u << 30)          /* congestion window: the network is a memory copy */

static gboolean
is_before (guint32 a, guint32 b)
{
  return (gint32) (a - b) < 0;
}

/* --- lwIP's callbacks: notes only */

static err_t
received_cb (void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
  T2pwStream *stream = arg;

  if (p != NULL)
    t2pw_rx_queue_append (&stream->rx, p);
  else
    stream->has_end = TRUE;
  t2pw_stream_notify (stream, T2PW_EVENT_READABLE);
  return ERR_OK;
}

static void
error_cb (void *arg, err_t error)
{
  /* The pcb is freed by now, or about to be. */
  t2pw_stream_lost_pcb (arg, error != ERR_CLSD);
}

/* --- after lwIP ran */

/* Both sides have ended and all is acknowledged. There is nothing that TIME-WAIT could protect
 * on a link that neither delays nor reorders: the pcb is freed at once. */
static void
end_time_wait (T2pwStream *stream)
{
  struct tcp_pcb *pcb = stream->pcb;

  t2pw_pcb_send_ack (stream); /* of the last FIN */
  tcp_tw_pcbs = pcb;
  pcb->next = NULL;
  tcp_abort (pcb); /* sends nothing in this state */
  tcp_tw_pcbs = NULL;
  t2pw_stream_lost_pcb (stream, FALSE);
}

/* lwIP sends a segment whole or not at all, and waits for seconds before it splits one. When
 * nothing is under way and the window takes at least a packet, split at once. */
static void
split_stuck_segment (T2pwStream *stream)
{
  struct tcp_pcb *pcb = stream->pcb;
  guint32 window = pcb->snd_wnd;

  if (pcb->unsent == NULL || pcb->unacked != NULL || pcb->unsent->len <= window ||
      window < stream->peer_mss)
    return;
  if (tcp_split_unsent_seg (pcb, (u16_t) (window - window % stream->peer_mss)) != ERR_OK)
    return;
  t2pw_pcb_enter (stream);
  tcp_output (pcb);
  t2pw_pcb_leave (stream);
}

static void
note_out_of_order (T2pwStream *stream)
{
  guint32 bytes = 0;

  if (stream->pcb->ooseq == NULL && stream->out_of_order_bytes == 0)
    return;
  for (const struct tcp_seg *seg = stream->pcb->ooseq; seg != NULL; seg = seg->next)
    bytes += seg->len;
  stream->stack->out_of_order_bytes += bytes - stream->out_of_order_bytes;
  stream->out_of_order_bytes = bytes;
}

static void
note_sent (T2pwStream *stream)
{
  guint32 waiting = stream->send_limit - stream->pcb->snd_buf;

  if (stream->pcb->lastack != stream->acknowledged)
    stream->progress_us = t2p_reactor_get_now_us (stream->stack->reactor);
  stream->acknowledged = stream->pcb->lastack;
  t2pw_buffer_pool_charge (&stream->stack->pool,
                           (gssize) waiting - (gssize) stream->tx_charged_bytes);
  stream->tx_charged_bytes = waiting;
}

static gboolean
needs_timer (const struct tcp_pcb *pcb)
{
  return pcb->unsent != NULL || pcb->unacked != NULL || pcb->ooseq != NULL ||
         (pcb->flags & TF_CLOSEPEND) != 0 || pcb->state == SYN_RCVD || pcb->state == CLOSING ||
         pcb->state == LAST_ACK;
}

static void
choose_lists (T2pwStream *stream)
{
  if (needs_timer (stream->pcb))
    {
      t2pw_stream_link (stream, T2PW_LIST_TIMED);
      t2pw_lwip_need_timer (stream->stack);
    }
  else
    t2pw_stream_unlink (stream, T2PW_LIST_TIMED);
  if ((stream->pcb->flags & (TF_ACK_DELAY | TF_ACK_NOW)) != 0)
    t2pw_stream_link (stream, T2PW_LIST_ACK);
}

static void
settle_established (T2pwStream *stream)
{
  struct tcp_pcb *pcb = stream->pcb;

  /* Options of any segment can change it. */
  pcb->mss = stream->send_bytes;
  /* lwIP forgets to stop this timer when the last segment is acknowledged while it waits to be
   * sent again, and then aborts over it. */
  if (pcb->persist_backoff > 0 && (pcb->unsent == NULL || pcb->unacked != NULL))
    pcb->persist_backoff = 0;
  split_stuck_segment (stream);
  /* lwIP would put the FIN on a segment that it may have to split, and splits it wrongly. */
  if (stream->wants_shutdown && pcb->unsent == NULL)
    t2pw_pcb_shutdown (stream);
}

static void
notify_room (T2pwStream *stream)
{
  gsize chunk;
  guint segments;

  if (stream->wants_room &&
      t2pw_pcb_get_room (stream, &chunk, &segments) >= MIN (chunk, stream->send_limit / 4))
    t2pw_stream_notify (stream, T2PW_EVENT_WRITABLE);
}

void
t2pw_pcb_settle (T2pwStream *stream)
{
  if (stream->pcb == NULL)
    return;
  if (stream->pcb->state == TIME_WAIT)
    {
      end_time_wait (stream);
      return;
    }
  if (stream->is_established)
    settle_established (stream);
  if (stream->pcb == NULL)
    return;
  note_out_of_order (stream);
  note_sent (stream);
  notify_room (stream);
  choose_lists (stream);
}

/* --- feeding */

static void
set_address (ip_addr_t *to, const T2pIpAddress *from)
{
  if (from->family == AF_INET)
    {
      guint32 v4 = GUINT32_TO_BE (t2p_ip_address_to_v4 (from));

      ip_addr_set_ip4_u32 (to, v4);
      return;
    }
  memcpy (ip_2_ip6 (to)->addr, from->bytes, 16);
  ip6_addr_clear_zone (ip_2_ip6 (to));
  ip6_addr_assign_zone (ip_2_ip6 (to), IP6_UNICAST, t2pw_lwip_netif ());
  IP_SET_TYPE (to, IPADDR_TYPE_V6);
}

/* What ip4_input() and ip6_input() leave behind for tcp_input(). */
static void
feed (const T2pwPacket *packet, struct pbuf *p)
{
  gboolean is_v4 = packet->ip.version == 4;

  ip_data.current_netif = ip_data.current_input_netif = t2pw_lwip_netif ();
  ip_data.current_ip4_header = is_v4 ? (gpointer) packet->bytes : NULL;
  ip_data.current_ip6_header = is_v4 ? NULL : (gpointer) packet->bytes;
  ip_data.current_ip_header_tot_len = (u16_t) packet->ip.header_bytes;
  set_address (&ip_data.current_iphdr_src, &packet->ip.source);
  set_address (&ip_data.current_iphdr_dest, &packet->ip.destination);
  tcp_input (p, t2pw_lwip_netif ());
}

/* Takes away what is not to be fed: all payload, and the flags in @flags. */
static void
strip (T2pwPacket *packet, guint8 flags)
{
  packet->tcp.payload_bytes = 0;
  packet->tcp.flags &= (guint8) ~flags;
  t2pw_packet_transport (packet)[13] = packet->tcp.flags;
  packet->lacks_checksum = TRUE;
}

/* A copy of the SYN: again the SYN-ACK; anything else: "is it really you?" (RFC 5961 section
 * 4). */
static void
answer_syn (T2pwStream *stream, const T2pwPacket *packet)
{
  struct tcp_pcb *pcb = stream->pcb;
  gboolean is_opening = pcb->state == SYN_RCVD;

  if (is_opening && packet->tcp.sequence != pcb->rcv_nxt - 1)
    return;
  t2pw_pcb_enter (stream);
  if (is_opening)
    tcp_rexmit (pcb);
  else
    tcp_ack_now (pcb);
  tcp_output (pcb);
  t2pw_pcb_leave (stream);
  t2pw_pcb_settle (stream);
}

/* Whether lwIP may keep this segment until the gap before it is filled. */
static gboolean
may_keep_out_of_order (const T2pwStream *stream, const T2pwPacket *packet)
{
  const struct tcp_pcb *pcb = stream->pcb;
  gsize length = packet->tcp.payload_bytes;
  guint segments = 0;

  if (is_before (pcb->rcv_nxt + pcb->rcv_wnd, packet->tcp.sequence + (guint32) length) ||
      stream->out_of_order_bytes + length > T2P_MAX_OOSEQ_BYTES ||
      stream->stack->out_of_order_bytes + length > T2P_MAX_OOSEQ_TOTAL_BYTES)
    return FALSE;
  for (const struct tcp_seg *seg = pcb->ooseq; seg != NULL; seg = seg->next)
    segments++;
  return segments < T2P_MAX_OOSEQ_SEGMENTS;
}

/* How much payload may be kept now. What was announced to a flow that does not read is not all
 * kept when memory is short. */
static gsize
room_for_payload (const T2pwStream *stream)
{
  const T2pwBufferPool *pool = &stream->stack->pool;
  gsize unread = stream->rx.bytes;

  if (t2pw_buffer_pool_has_room (pool, 0, T2PW_HOLD_BELOW))
    return G_MAXSIZE;
  if (unread >= T2PW_SMALL_WINDOW_BYTES ||
      !t2pw_buffer_pool_has_room (pool, 0, T2PW_PASS_BELOW))
    return 0;
  return T2PW_SMALL_WINDOW_BYTES - unread;
}

/* FALSE: nothing of it is fed. */
static gboolean
cut_down (T2pwStream *stream, T2pwPacket *packet)
{
  T2pwStackCounters *counters = &stream->stack->counters;
  T2pTcpHeader *tcp = &packet->tcp;

  if ((tcp->flags & T2P_TCP_SYN) != 0)
    {
      answer_syn (stream, packet);
      return FALSE;
    }
  if ((tcp->flags & T2P_TCP_RST) != 0)
    {
      strip (packet, T2P_TCP_FIN);
      return TRUE;
    }
  if ((tcp->flags & T2P_TCP_ACK) == 0)
    {
      counters->dropped_malformed++;
      return FALSE;
    }
  if (is_before (stream->pcb->rcv_nxt, tcp->sequence) &&
      (tcp->payload_bytes > 0 || (tcp->flags & T2P_TCP_FIN) != 0))
    {
      gboolean may_keep = may_keep_out_of_order (stream, packet);
      gsize payload = tcp->payload_bytes;

      counters->dropped_out_of_order += !may_keep;
      strip (packet, T2P_TCP_FIN);
      tcp->payload_bytes = may_keep ? payload : 0;
    }
  if (tcp->payload_bytes > room_for_payload (stream))
    {
      counters->dropped_memory++;
      strip (packet, T2P_TCP_FIN);
      tcp->payload_bytes = room_for_payload (stream);
    }
  return TRUE;
}

static gboolean
is_to_be_copied (const T2pwStream *stream, const T2pwPacket *packet)
{
  gsize payload = packet->tcp.payload_bytes;
  gboolean is_short = !t2pw_buffer_pool_has_room (&stream->stack->pool, 0, 2) ||
                      is_before (stream->pcb->rcv_nxt, packet->tcp.sequence);

  return payload > 0 && payload <= (is_short ? COPIED_WHEN_SHORT_BYTES : COPIED_UP_TO_BYTES);
}

/* First packet after the SYN-ACK: the windows can be opened now, and lwIP be made to build
 * segments of many packets. */
static void
become_established (T2pwStream *stream)
{
  struct tcp_pcb *pcb = stream->pcb;

  pcb->cwnd = pcb->ssthresh = WIDE_OPEN;
  tcp_nagle_disable (pcb);
  stream->was_active = TRUE;
  t2pw_stream_notify (stream, T2PW_EVENT_WRITABLE);
}

gboolean
t2pw_pcb_input (T2pwStream *stream, T2pwPacket *packet, T2pwBuffer *buffer)
{
  gboolean was_established = stream->is_established;
  gboolean is_copied;
  gsize length;
  struct pbuf *p;

  if (!cut_down (stream, packet))
    return FALSE;
  if (packet->lacks_checksum && !stream->stack->has_checksum)
    t2pw_packet_finish_tcp_checksum (packet);
  length = packet->tcp.header_bytes + packet->tcp.payload_bytes;
  is_copied = is_to_be_copied (stream, packet);
  p = is_copied ? t2pw_pbuf_copy (&stream->stack->pool, t2pw_packet_transport (packet), length)
                : t2pw_pbuf_of_buffer (buffer, t2pw_packet_transport (packet), length);
  if (packet->tcp.payload_bytes > stream->peer_mss)
    stream->ack_is_due = TRUE; /* a bulk sender: no use in waiting for data to ride on */
  stream->stack->coalesces_acks = TRUE;
  t2pw_pcb_enter (stream);
  feed (packet, p);
  t2pw_pcb_leave (stream);
  stream->stack->coalesces_acks = FALSE;
  if (stream->is_established && !was_established && stream->pcb != NULL)
    become_established (stream);
  t2pw_pcb_settle (stream);
  return !is_copied;
}

/* --- opening */

/* lwIP's next sequence number is its last one plus tcp_ticks, which is a guess away. Here it is
 * made to come out as RFC 6528 section 3 wants it, by setting tcp_ticks for the moment. */
static guint32
ticks_for_sequence (T2pwStream *stream)
{
  const T2pwFlowHash *flows = &stream->stack->flows;
  guint64 words[6];
  struct tcp_pcb nobody = { 0 };
  guint32 wanted, last;

  memcpy (words, stream->node.id.words, sizeof stream->node.id.words);
  words[5] = flows->secret[0] ^ flows->secret[1]; /* not the hash that chooses a bucket */
  wanted = (guint32) (t2pw_flow_hash_words (flows, words, G_N_ELEMENTS (words)) >> 16);
  wanted += (guint32) (g_get_monotonic_time () / 4);
  tcp_ticks = 0;
  last = tcp_next_iss (&nobody);
  return wanted - last;
}

static void
take_over (T2pwStream *stream, struct tcp_pcb *pcb)
{
  stream->pcb = pcb;
  tcp_arg (pcb, stream);
  tcp_recv (pcb, received_cb);
  tcp_err (pcb, error_cb);
  pcb->tmr = tcp_ticks;
  pcb->rttest = 0;
  if ((pcb->flags & TF_WND_SCALE) != 0)
    pcb->rcv_scale = T2PW_RECEIVE_SCALE; /* as the SYN-ACK says */
  stream->receive_limit = pcb->rcv_wnd;
  stream->send_limit = pcb->snd_buf;
}

/* What one packet and what one of lwIP's segments may hold. */
static void
choose_sizes (T2pwStream *stream, const T2pwPacket *packet)
{
  gsize headers = (packet->ip.version == 4 ? T2P_IPV4_HEADER_BYTES : T2P_IPV6_HEADER_BYTES) +
                  T2P_TCP_HEADER_BYTES;
  gsize mss = packet->tcp.maximum_segment_bytes != 0 ? packet->tcp.maximum_segment_bytes : 536;
  gsize most = MAX (stream->stack->config.mtu, headers + 536) - headers;
  gsize whole = T2P_IP_MAX_PACKET_BYTES - headers;

  stream->peer_mss = (guint16) CLAMP (mss, 64, most);
  stream->send_bytes = stream->peer_mss;
  if (t2pw_stack_sends_super_packets (stream->stack, packet->ip.source.family))
    stream->send_bytes = (guint16) (whole - whole % stream->peer_mss);
}

gboolean
t2pw_pcb_open (T2pwStream *stream, T2pwPacket *packet)
{
  struct tcp_pcb_listen *listener = t2pw_lwip_listener ();
  u32_t ticks = tcp_ticks;
  struct tcp_pcb *pcb;
  struct pbuf *p;

  choose_sizes (stream, packet);
  t2pw_packet_finish_tcp_checksum (packet);
  p = t2pw_pbuf_copy (&stream->stack->pool, t2pw_packet_transport (packet),
                      packet->tcp.header_bytes);
  t2pw_pcb_enter (stream);
  listener->local_port = packet->tcp.destination_port;
  tcp_ticks = ticks_for_sequence (stream);
  feed (packet, p);
  listener->local_port = 0;
  tcp_ticks = ticks;
  pcb = tcp_active_pcbs;
  t2pw_pcb_leave (stream);
  if (pcb == NULL)
    return FALSE;
  take_over (stream, pcb);
  t2pw_pcb_settle (stream);
  return TRUE;
}
