/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "packet-peer.h"
#include "t2p-udp-header.h"
#include "t2pw-stack-private.h"

#include <netinet/in.h>
#include <string.h>

static void
test_handshake (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  T2pwFlowKey key;

  peer_connect (peer);
  t2pw_stream_get_key (peer->owner.stream, &key);
  g_assert_true (t2p_ip_endpoint_equal (&key.source, &peer->local));
  g_assert_true (t2p_ip_endpoint_equal (&key.destination, &peer->remote));
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->streams, ==, 1);
}

static void
test_accelerators (gconstpointer data)
{
  const PeerMode *mode = data;
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  g_autofree char *text = t2pw_stack_describe (peer->stack);

  g_assert_cmpstr (text, ==,
                   !mode->has_vnet        ? ""
                   : mode->is_accelerated ? "tso uso checksum handover"
                                          : "tso uso");
}

static void
test_held (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  Segment segment;

  peer->policy = OWNER_HOLDS;
  for (guint i = 0; i < 3; i++)
    peer_send (peer, T2P_TCP_SYN, peer->next, NULL, 0);
  peer_pump (peer);
  g_assert_false (peer_take (peer, &segment));
  g_assert_cmpuint (peer->n_connecting, ==, 1);
  /* another sequence number: the application has begun anew */
  peer_send (peer, T2P_TCP_SYN, peer->next + 1000, NULL, 0);
  peer_pump (peer);
  g_assert_cmpuint (peer->n_connecting, ==, 2);
  g_assert_cmpuint (peer->n_abandoned, ==, 1);
  peer_send (peer, T2P_TCP_RST, peer->next + 1000, NULL, 0);
  peer_pump (peer);
  g_assert_cmpuint (peer->n_abandoned, ==, 2);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->held_syns, ==, 0);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->memory_bytes, ==, 0);
}

static void
test_refused (gconstpointer data)
{
  static const struct
  {
    T2pRefusal refusal;
    int v4, v6; /* -1: nothing; 0: RST; else the ICMP code + 1 */
  } cases[] = {
    { T2P_REFUSAL_RESET, 0, 0 },
    { T2P_REFUSAL_NET_UNREACHABLE, 1, 1 },
    { T2P_REFUSAL_HOST_UNREACHABLE, 2, 4 },
    { T2P_REFUSAL_ADMIN_PROHIBITED, 14, 2 },
    { T2P_REFUSAL_SILENCE, -1, -1 },
  };
  const PeerMode *mode = data;
  gboolean is_v4 = mode->family == AF_INET;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (Peer) peer = peer_new (mode, NULL);
      int expected = is_v4 ? cases[i].v4 : cases[i].v6;
      Segment segment;

      peer->policy = OWNER_REFUSES;
      peer->refusal = cases[i].refusal;
      peer_send (peer, T2P_TCP_SYN, peer->next, (const guint8 *) "fast open", 9);
      peer_pump (peer);
      g_assert_cmpint (peer_take (peer, &segment), ==, expected >= 0);
      if (expected > 0)
        {
          g_assert_cmpuint (segment.ip.protocol, ==, is_v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
          g_assert_cmpuint (segment.payload[0], ==, is_v4 ? 3 : 1);
          g_assert_cmpint (segment.payload[1] + 1, ==, expected);
          g_assert_cmpuint (t2p_load_be16 (segment.payload + 8 + (is_v4 ? 20 : 40)), ==, 40000);
        }
      if (expected == 0)
        {
          g_assert_cmphex (segment.tcp.flags, ==, T2P_TCP_RST | T2P_TCP_ACK);
          g_assert_cmpuint (segment.tcp.acknowledgement, ==, peer->next + 1);
        }
      g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->syns_refused, ==, 1);
    }
}

static void
test_upload (gconstpointer mode)
{
  static const gsize sizes[] = { 1, 100, 1460, 2048, 2049, 20000, 60000 };
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  g_autoptr (GBytes) pattern = pattern_new (400000);
  const guint8 *bytes = g_bytes_get_data (pattern, NULL);
  gsize sent = 0;

  peer_connect (peer);
  for (guint i = 0; sent + 60000 <= 400000; i++)
    {
      gsize length = sizes[i % G_N_ELEMENTS (sizes)];

      peer_send (peer, T2P_TCP_ACK | T2P_TCP_PSH, peer->next, bytes + sent, length);
      peer->next += (guint32) length;
      sent += length;
      peer_drain (peer);
    }
  g_assert_cmpmem (peer->owner.received->data, peer->owner.received->len, bytes, sent);
}

static void
test_download (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  g_autoptr (GBytes) pattern = pattern_new (3000000);
  g_autoptr (GByteArray) got = g_byte_array_new ();

  peer->owner.to_send = 3000000;
  peer_connect (peer);
  peer_receive (peer, got, 3000000);
  g_assert_cmpmem (got->data, got->len, g_bytes_get_data (pattern, NULL), 3000000);
}

static void
test_unacked_bytes_are_told (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  gint64 progress_us, later_us;

  peer->owner.to_send = 5000;
  peer->owner.shuts_down = TRUE;
  peer_connect (peer);
  g_assert_cmpuint (t2pw_stream_get_unacked (peer->owner.stream, &progress_us), ==, 5000);
  peer->acknowledged += 1000;
  peer_wait (peer, 20, NULL);
  peer_send (peer, T2P_TCP_ACK, peer->next, NULL, 0);
  peer_pump (peer);
  g_assert_cmpuint (t2pw_stream_get_unacked (peer->owner.stream, &later_us), ==, 4000);
  g_assert_cmpint (later_us, >, progress_us);
  peer->acknowledged += 4000; /* and not the FIN */
  peer_send (peer, T2P_TCP_ACK, peer->next, NULL, 0);
  peer_pump (peer);
  g_assert_cmpuint (t2pw_stream_get_unacked (peer->owner.stream, &later_us), ==, 0);
  peer->acknowledged++;
  peer_send (peer, T2P_TCP_ACK, peer->next, NULL, 0);
  peer_pump (peer);
  g_assert_cmpuint (t2pw_stream_get_unacked (peer->owner.stream, &later_us), ==, 0);
}

static void
test_echo (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);

  peer->owner.echoes = TRUE;
  peer_connect (peer);
  for (guint i = 0; i < 50; i++)
    {
      g_autoptr (GByteArray) got = g_byte_array_new ();
      guint8 byte = pattern_at (i);

      peer_send (peer, T2P_TCP_ACK | T2P_TCP_PSH, peer->next++, &byte, 1);
      peer_receive (peer, got, 1);
      g_assert_cmpuint (got->data[0], ==, byte);
    }
}

/* The application has sent everything, and still gets the whole answer. */
static void
test_half_close_by_application (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  g_autoptr (GByteArray) got = g_byte_array_new ();

  peer_connect (peer);
  peer_send (peer, T2P_TCP_ACK | T2P_TCP_FIN, peer->next, (const guint8 *) "bye", 3);
  peer->next += 4;
  peer_drain (peer);
  g_assert_cmpuint (peer->owner.received->len, ==, 3);
  g_assert_true (peer->owner.is_at_end);
  g_assert_false (peer->owner.is_closed);
  peer->owner.to_send = 500000;
  peer->owner.shuts_down = TRUE;
  struct iovec iov[1];
  guint n = t2pw_stream_reserve (peer->owner.stream, 1, iov, 1);
  g_assert_cmpuint (n, ==, 1);
  *(guint8 *) iov[0].iov_base = pattern_at (0);
  t2pw_stream_commit (peer->owner.stream, 1);
  peer->owner.sent = 1;
  while (t2pw_stream_reserve (peer->owner.stream, 100, iov, 1) == 1)
    {
      for (gsize i = 0; i < iov[0].iov_len; i++)
        ((guint8 *) iov[0].iov_base)[i] = pattern_at (peer->owner.sent + i);
      t2pw_stream_commit (peer->owner.stream, iov[0].iov_len);
      peer->owner.sent += iov[0].iov_len;
    }
  peer_receive (peer, got, 500000);
  peer_drain (peer);
  g_assert_true (peer->has_fin);
  peer->acknowledged++;
  peer_send (peer, T2P_TCP_ACK, peer->next, NULL, 0);
  peer_pump (peer);
  g_assert_true (peer->owner.is_closed);
  g_assert_false (peer->owner.was_reset);
  for (gsize i = 0; i < got->len; i++)
    g_assert_cmpuint (got->data[i], ==, pattern_at (i));
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->memory_bytes, ==, 0);
}

/* The destination has sent everything; the application goes on sending. */
static void
test_half_close_by_destination (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  g_autoptr (GByteArray) got = g_byte_array_new ();
  Segment segment;

  peer->owner.to_send = 1000;
  peer->owner.shuts_down = TRUE;
  peer_connect (peer);
  peer_receive (peer, got, 1000);
  peer_drain (peer);
  peer->acknowledged++;
  for (guint i = 0; i < 10; i++)
    {
      peer_send (peer, T2P_TCP_ACK, peer->next, (const guint8 *) "0123456789", 10);
      peer->next += 10;
      peer_drain (peer);
    }
  g_assert_cmpuint (peer->owner.received->len, ==, 100);
  g_assert_false (peer->owner.is_closed);
  peer_send (peer, T2P_TCP_ACK | T2P_TCP_FIN, peer->next++, NULL, 0);
  peer_pump (peer);
  g_assert_true (peer_take (peer, &segment)); /* the last ACK is not forgotten */
  g_assert_cmpuint (segment.tcp.acknowledgement, ==, peer->next);
  g_assert_true (peer->owner.is_closed);
  g_assert_false (peer->owner.was_reset);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->streams, ==, 0);
}

/* lwIP's side ends while data waits for the owner: nothing of it is lost. */
static void
test_end_waits_for_owner (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);

  peer->owner.holds_back = TRUE;
  peer_connect (peer);
  t2pw_stream_shutdown (peer->owner.stream);
  peer_drain (peer);
  peer->acknowledged++;
  peer_send (peer, T2P_TCP_ACK | T2P_TCP_FIN, peer->next, (const guint8 *) "late", 4);
  peer->next += 5;
  peer_drain (peer);
  g_assert_false (peer->owner.is_closed);
  struct iovec iov[1];
  gboolean at_end;
  g_assert_cmpuint (t2pw_stream_peek (peer->owner.stream, iov, 1, &at_end), ==, 1);
  g_assert_true (at_end);
  g_assert_cmpmem (iov[0].iov_base, iov[0].iov_len, "late", 4);
  t2pw_stream_consume (peer->owner.stream, 4);
  peer_pump (peer);
  g_assert_true (peer->owner.is_closed);
}

/* A stack may go while a stream waits for its owner; the leak checker watches. */
static void
test_freed_with_ended_stream (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);

  peer->owner.holds_back = TRUE;
  peer_connect (peer);
  t2pw_stream_shutdown (peer->owner.stream);
  peer_drain (peer);
  peer->acknowledged++;
  peer_send (peer, T2P_TCP_ACK | T2P_TCP_FIN, peer->next, (const guint8 *) "late", 4);
  peer_drain (peer);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->streams, ==, 1);
}

static void
test_reset_by_application (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);

  peer_connect (peer);
  peer_send (peer, T2P_TCP_RST, peer->next + 100, NULL, 0); /* not exact: RFC 5961 */
  peer_drain (peer);
  g_assert_false (peer->owner.is_closed);
  peer_send (peer, T2P_TCP_RST, peer->next, NULL, 0);
  peer_drain (peer);
  g_assert_true (peer->owner.is_closed);
  g_assert_true (peer->owner.was_reset);
}

static void
test_reset_by_owner (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  Segment segment;

  peer_connect (peer);
  peer_drain (peer);
  t2pw_stream_abort (peer->owner.stream);
  peer_pump (peer);
  g_assert_true (peer_take (peer, &segment));
  g_assert_cmphex (segment.tcp.flags & T2P_TCP_RST, ==, T2P_TCP_RST);
  g_assert_cmpuint (segment.tcp.sequence, ==, peer->acknowledged);
  g_assert_false (peer->owner.is_closed);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->memory_bytes, ==, 0);
}

/* An owner that does not read closes the window, and opening it is announced. */
static void
test_back_pressure (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  g_autoptr (GBytes) pattern = pattern_new (200000);
  const guint8 *bytes = g_bytes_get_data (pattern, NULL);
  gsize sent = 0;
  Segment segment = { 0 };
  gboolean is_open = FALSE;

  peer->owner.holds_back = TRUE;
  peer_connect (peer);
  peer_drain (peer);
  for (guint i = 0; i < 20; i++)
    {
      peer_send (peer, T2P_TCP_ACK, peer->next + (guint32) sent, bytes + sent, 10000);
      sent += 10000;
      peer_pump (peer);
    }
  while (peer_take (peer, &segment))
    ;
  g_assert_cmpuint (segment.tcp.window, ==, 0);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->memory_bytes, <, 2000000);
  peer->owner.holds_back = FALSE;
  gboolean at_end;
  struct iovec iov[64];
  gsize total = 0;
  guint n = t2pw_stream_peek (peer->owner.stream, iov, 64, &at_end);
  for (guint i = 0; i < n; i++)
    {
      g_assert_cmpmem (iov[i].iov_base, iov[i].iov_len, bytes + total, iov[i].iov_len);
      total += iov[i].iov_len;
    }
  g_assert_cmpuint (total, ==, 65535);
  t2pw_stream_consume (peer->owner.stream, total);
  /* any turn sends it */
  peer_send (peer, T2P_TCP_ACK, peer->next + 65535, NULL, 0);
  peer_pump (peer);
  while (peer_take (peer, &segment))
    is_open = segment.tcp.window > 0 && segment.tcp.acknowledgement == peer->next + 65535;
  g_assert_true (is_open);
}

/* Windows of a busy flow are raised, both ways, and what was granted is given back. */
static void
test_windows_grow (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  g_autoptr (GBytes) pattern = pattern_new (60000);
  guint32 widest = 0, sent = 0;
  Segment segment;

  peer_connect (peer);
  peer_drain (peer);
  for (guint i = 0; i < 20; i++)
    {
      for (guint32 used = 60000; used <= MAX (widest, 65535); used += 60000)
        {
          peer_send (peer, T2P_TCP_ACK, peer->next, g_bytes_get_data (pattern, NULL), 60000);
          peer->next += 60000;
          sent += 60000;
        }
      peer_pump (peer);
      while (peer_take (peer, &segment))
        widest = MAX (widest, (guint32) segment.tcp.window << T2PW_RECEIVE_SCALE);
    }
  g_assert_cmpuint (peer->owner.received->len, ==, sent);
  g_assert_cmpuint (widest, >, 400000);
  g_assert_cmpuint (widest, <=, 512 * 1024);
  peer->owner.to_send = 2000000;
  peer->owner.echoes = TRUE;
  peer_send (peer, T2P_TCP_ACK, peer->next++, (const guint8 *) "g", 1);
  peer_drain (peer);
  /* plain: 180 segments, lwIP's bound, of one packet each */
  g_assert_cmpuint (peer->owner.sent, >, ((const PeerMode *) mode)->has_vnet ? 900000 : 250000);
  g_assert_cmpuint (peer->owner.sent, <=, 1024 * 1024);
  g_assert_cmpuint (peer->stack->granted_bytes, >, 500000);
  t2pw_stream_abort (peer->owner.stream);
  g_assert_cmpuint (peer->stack->granted_bytes, ==, 0);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->memory_bytes, ==, 0);
}

static void
test_datagrams (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  T2pwFlowKey key = { .source = peer->local, .destination = peer->remote };
  guint8 packet[2000];
  T2pWriter writer;
  Segment segment;

  t2p_writer_init (&writer, packet, sizeof packet);
  g_assert_true (
      t2p_udp_packet_write (&writer, &peer->local, &peer->remote, (const guint8 *) "query", 5));
  peer_send_raw (peer, packet, t2p_writer_length (&writer));
  peer_pump (peer);
  g_assert_cmpmem (peer->datagram->data, peer->datagram->len, "query", 5);
  g_assert_true (t2pw_stack_send_datagram (peer->stack, &key, (const guint8 *) "answer", 6));
  peer_pump (peer);
  g_assert_true (peer_take (peer, &segment));
  g_assert_cmpuint (segment.ip.protocol, ==, IPPROTO_UDP);
  g_assert_cmpmem (segment.payload + 8, 6, "answer", 6);
  peer->refuses_datagrams = TRUE;
  peer_send_raw (peer, packet, t2p_writer_length (&writer));
  peer_pump (peer);
  g_assert_true (peer_take (peer, &segment));
  g_assert_cmpuint (segment.payload[1], ==,
                    ((const PeerMode *) mode)->family == AF_INET ? 3 : 4);
}

static void
test_super_datagram (gconstpointer data)
{
  const PeerMode *mode = data;
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  g_autoptr (GBytes) pattern = pattern_new (250);
  guint8 packet[2000];
  T2pWriter writer;

  t2p_writer_init (&writer, packet, sizeof packet);
  g_assert_true (t2p_udp_packet_write (&writer, &peer->local, &peer->remote,
                                       g_bytes_get_data (pattern, NULL), 250));
  peer->datagram_bytes = 100;
  peer_send_raw (peer, packet, t2p_writer_length (&writer));
  peer_pump (peer);
  g_assert_cmpuint (peer->n_datagrams, ==, 1);
  g_assert_cmpuint (peer->told_datagram_bytes, ==, mode->has_vnet ? 100 : 0);
  g_assert_cmpmem (peer->datagram->data, peer->datagram->len, g_bytes_get_data (pattern, NULL),
                   250);
}

/* Equal datagrams of a turn travel together where the device takes that, in order anyhow. */
static void
test_gathered_datagrams (gconstpointer data)
{
  static const gsize lengths[] = { 100, 100, 100, 40, 100, 200, 1 };
  const PeerMode *mode = data;
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  T2pwFlowKey key = { .source = peer->local, .destination = peer->remote };
  g_autoptr (GBytes) pattern = pattern_new (1000);
  g_autoptr (GByteArray) got = g_byte_array_new ();
  const guint8 *bytes = g_bytes_get_data (pattern, NULL);
  guint packets = 0, gathered = 0;
  gsize sent = 0;
  Segment segment;

  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++)
    {
      g_assert_true (t2pw_stack_send_datagram (peer->stack, &key, bytes + sent, lengths[i]));
      sent += lengths[i];
    }
  peer_pump (peer);
  for (; peer_take (peer, &segment); packets++)
    {
      gsize length = t2p_ip_header_payload_bytes (&segment.ip) - 8;

      g_byte_array_append (got, segment.payload + 8, (guint) length);
      gathered += segment.gso_size > 0;
    }
  g_assert_cmpmem (got->data, got->len, bytes, sent);
  g_assert_cmpuint (packets, ==, mode->has_vnet ? 3 : 7);
  g_assert_cmpuint (gathered, ==, mode->has_vnet ? 2 : 0);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->memory_bytes, ==, 0);
}

/* The owner reads when it likes, not only when it is called: the window opens all the same. */
static void
test_consume_between_turns (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  g_autoptr (GBytes) pattern = pattern_new (60000);
  struct iovec iov[4];
  gboolean at_end;
  Segment segment;

  peer->owner.holds_back = TRUE;
  peer_connect (peer);
  peer_send (peer, T2P_TCP_ACK, peer->next, g_bytes_get_data (pattern, NULL), 60000);
  peer_drain (peer);
  g_assert_cmpuint (t2pw_stream_peek (peer->owner.stream, iov, 4, &at_end), ==, 1);
  t2pw_stream_consume (peer->owner.stream, 60000);
  peer_pump (peer);
  g_assert_true (peer_take (peer, &segment));
  g_assert_cmpuint ((guint32) segment.tcp.window << T2PW_RECEIVE_SCALE, >=, 65520);
}

/* The ACK of a FIN waits a moment for our own; alone it comes all the same. */
static void
test_end_is_acknowledged_late (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  gboolean never = FALSE;
  Segment segment;

  peer_connect (peer);
  peer_drain (peer);
  peer_send (peer, T2P_TCP_ACK | T2P_TCP_FIN, peer->next++, NULL, 0);
  peer_pump (peer);
  g_assert_true (peer->owner.is_at_end);
  g_assert_false (peer_take (peer, &segment));
  peer_wait (peer, 40, &never);
  g_assert_true (peer_take (peer, &segment));
  g_assert_cmpuint (segment.tcp.acknowledgement, ==, peer->next);
  t2pw_stream_shutdown (peer->owner.stream);
  peer_pump (peer);
  g_assert_true (peer_take (peer, &segment));
  g_assert_cmphex (segment.tcp.flags, ==, T2P_TCP_ACK | T2P_TCP_FIN);
  g_assert_cmpuint (segment.tcp.acknowledgement, ==, peer->next);
}

/* What is reserved becomes full packets, with no sliver behind them. */
static void
test_reserve_in_whole_segments (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  struct iovec iov[8];
  guint n;

  peer_connect (peer);
  peer_drain (peer);
  n = t2pw_stream_reserve (peer->owner.stream, 50000, iov, 8);
  g_assert_cmpuint (n, >=, 1);
  for (guint i = 1; i < n; i++)
    g_assert_cmpuint (iov[i].iov_len, ==, iov[0].iov_len);
  n = t2pw_stream_reserve (peer->owner.stream, 100, iov, 8);
  g_assert_cmpuint (n, ==, 1);
  g_assert_cmpuint (iov[0].iov_len, ==, 100);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    GTestDataFunc func;
  } tests[] = {
    { "a-handshake-gives-a-stream", test_handshake },
    { "accelerators-are-what-the-probe-found", test_accelerators },
    { "a-syn-is-held-until-answered-or-abandoned", test_held },
    { "a-refusal-says-what-the-proxy-said", test_refused },
    { "upload-arrives-whole", test_upload },
    { "download-arrives-whole", test_download },
    { "unacknowledged-bytes-are-told", test_unacked_bytes_are_told },
    { "echo-of-single-bytes", test_echo },
    { "half-close-by-the-application", test_half_close_by_application },
    { "half-close-by-the-destination", test_half_close_by_destination },
    { "the-end-waits-for-the-owner", test_end_waits_for_owner },
    { "a-stack-is-freed-with-ended-streams", test_freed_with_ended_stream },
    { "reset-by-the-application", test_reset_by_application },
    { "reset-by-the-owner", test_reset_by_owner },
    { "back-pressure-closes-the-window", test_back_pressure },
    { "windows-grow-while-they-are-used", test_windows_grow },
    { "datagrams-both-ways", test_datagrams },
    { "a-super-packet-is-many-datagrams", test_super_datagram },
    { "equal-datagrams-travel-together", test_gathered_datagrams },
    { "the-window-opens-between-turns", test_consume_between_turns },
    { "the-end-is-acknowledged-late", test_end_is_acknowledged_late },
    { "whole-segments-are-reserved", test_reserve_in_whole_segments },
  };

  g_test_init (&argc, &argv, NULL);
  for (guint m = 0; m < n_peer_modes; m++)
    for (guint t = 0; t < G_N_ELEMENTS (tests); t++)
      {
        g_autofree char *path =
            g_strdup_printf ("/stack/%s/%s", peer_modes[m].name, tests[t].name);

        g_test_add_data_func (path, &peer_modes[m], tests[t].func);
      }
  return g_test_run ();
}
