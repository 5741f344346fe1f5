/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "packet-peer.h"

#include "t2p-checksum.h"
#include "t2p-limits.h"
#include "t2pw-stack-private.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

/* Hostile and unlucky traffic: nothing crashes, memory stays bounded, what can arrive arrives.
 */

static const T2pwStackCounters *
counters (Peer *peer)
{
  return t2pw_stack_get_counters (peer->stack);
}

static void
test_reordering (gconstpointer mode)
{
  enum
  {
    PIECE = 700,
    N = 60
  };
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  g_autoptr (GBytes) pattern = pattern_new (PIECE * N);
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  const guint8 *bytes = g_bytes_get_data (pattern, NULL);
  guint order[N];

  peer_connect (peer);
  for (guint i = 0; i < N; i++)
    order[i] = i;
  for (guint i = N - 1; i > 0; i--)
    {
      guint j = (guint) g_rand_int_range (rand, 0, (gint32) i + 1), swap = order[i];

      order[i] = order[j];
      order[j] = swap;
    }
  for (guint i = 0; i < N; i++)
    {
      peer_send (peer, T2P_TCP_ACK, peer->next + order[i] * PIECE, bytes + order[i] * PIECE,
                 PIECE);
      peer_drain (peer);
    }
  g_assert_cmpmem (peer->owner.received->data, peer->owner.received->len, bytes, PIECE * N);
}

static void
test_overlaps (gconstpointer mode)
{
  enum
  {
    TOTAL = 60000
  };
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  g_autoptr (GBytes) pattern = pattern_new (TOTAL);
  g_autoptr (GRand) rand = g_rand_new_with_seed (2);
  const guint8 *bytes = g_bytes_get_data (pattern, NULL);

  peer_connect (peer);
  for (guint i = 0; i < 3000 && peer->owner.received->len < TOTAL; i++)
    {
      gint32 at = (gint32) peer->owner.received->len + g_rand_int_range (rand, -3000, 6000);
      gint32 length = g_rand_int_range (rand, 1, i % 10 == 0 ? 20000 : 1460);

      if (at < 0 || at >= TOTAL)
        continue;
      peer_send (peer, T2P_TCP_ACK, peer->next + (guint32) at, bytes + at,
                 (gsize) MIN (length, TOTAL - at));
      peer_drain (peer);
    }
  g_assert_cmpmem (peer->owner.received->data, peer->owner.received->len, bytes, TOTAL);
}

static void
test_tiny_out_of_order (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  g_autoptr (GBytes) pattern = pattern_new (50000);
  const guint8 *bytes = g_bytes_get_data (pattern, NULL);
  gint64 start_us = g_get_monotonic_time ();
  gsize most = 0;

  peer_connect (peer);
  for (guint i = 0; i < 20000; i++)
    {
      guint at = 1 + i * 2;

      peer_send (peer, T2P_TCP_ACK, peer->next + at, bytes + at, 1);
      if (i % 50 == 0)
        peer_drain (peer);
      most = MAX (most, counters (peer)->memory_bytes);
    }
  peer_drain (peer);
  g_assert_cmpuint (counters (peer)->dropped_out_of_order, >=, 20000 - T2P_MAX_OOSEQ_SEGMENTS);
  g_assert_cmpuint (most, <, 1024 * 1024);
  g_assert_cmpint (g_get_monotonic_time () - start_us, <, 30 * G_USEC_PER_SEC);
  peer_send (peer, T2P_TCP_ACK, peer->next, bytes, 50000);
  peer_drain (peer);
  g_assert_cmpmem (peer->owner.received->data, peer->owner.received->len, bytes, 50000);
}

/* Beyond the window, with data and FIN where lwIP does not look for them and aborts later. */
static void
test_window_overrun (gconstpointer mode)
{
  /* Out of order, then in order; flags and place of the first. */
  static const struct
  {
    guint8 flags;
    guint32 at;
    gsize length, then;
  } cases[] = {
    { 0, 1000, 65000, 65000 },          { T2P_TCP_FIN, 1000, 64535, 65000 },
    { T2P_TCP_FIN, 40000, 100, 65400 }, { T2P_TCP_FIN, 65000, 535, 65400 },
    { T2P_TCP_FIN, 65000, 300, 65400 }, { T2P_TCP_FIN, 65535, 0, 65400 },
    { T2P_TCP_FIN, 65400, 134, 65400 },
  };
  g_autoptr (GBytes) pattern = pattern_new (66000);
  const guint8 *bytes = g_bytes_get_data (pattern, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (Peer) peer = peer_new (mode, NULL);

      peer->owner.holds_back = TRUE;
      peer_connect (peer);
      peer_send (peer, T2P_TCP_ACK | cases[i].flags, peer->next + cases[i].at,
                 bytes + cases[i].at, MIN (cases[i].length, 66000 - cases[i].at));
      peer_send (peer, T2P_TCP_ACK, peer->next, bytes, cases[i].then);
      peer_send (peer, T2P_TCP_ACK | T2P_TCP_FIN, peer->next + 64000, bytes + 64000, 2000);
      peer_drain (peer);
      g_assert_nonnull (peer->owner.stream);
      g_assert_false (peer->owner.is_at_end);
    }
}

static void
test_zero_window (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  g_autoptr (GByteArray) got = g_byte_array_new ();
  Segment segment;
  gboolean has_probe = FALSE;

  peer_connect (peer);
  peer->window = 0;
  peer_send (peer, T2P_TCP_ACK, peer->next, (const guint8 *) "x", 1);
  peer->next++;
  peer_drain (peer);
  peer->owner.to_send = 30000;
  peer->owner.echoes = TRUE; /* writes when something comes */
  peer_send (peer, T2P_TCP_ACK, peer->next, (const guint8 *) "y", 1);
  peer->next++;
  peer_wait (peer, 2500, NULL);
  while (peer_take (peer, &segment))
    {
      g_assert_cmpuint (segment.tcp.payload_bytes, <=, 1);
      has_probe = has_probe || segment.tcp.payload_bytes == 1;
    }
  g_assert_true (has_probe);
  peer->window = 65535;
  peer_send (peer, T2P_TCP_ACK, peer->next, NULL, 0);
  peer_receive (peer, got, 30001);
  for (gsize i = 0; i < got->len; i++)
    g_assert_cmpuint (got->data[i], ==, pattern_at (i));
}

static void
test_tiny_window (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  g_autoptr (GByteArray) got = g_byte_array_new ();

  peer->scale = -1;
  peer->window = 100;
  peer->owner.to_send = 5000;
  peer_connect (peer);
  peer_receive (peer, got, 5000);
  for (gsize i = 0; i < got->len; i++)
    g_assert_cmpuint (got->data[i], ==, pattern_at (i));
}

/* The largest window ever grows, from none, to less than the segment that waits for it. */
static void
test_window_opens_slowly (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  g_autoptr (GByteArray) got = g_byte_array_new ();
  static const guint16 windows[] = { 1, 3, 10, 100, 2000, 65535 };

  peer->scale = -1;
  peer->window = 0;
  peer->owner.echoes = TRUE;
  peer_connect (peer);
  for (guint i = 0; i < G_N_ELEMENTS (windows); i++)
    {
      peer->owner.to_send += 1500;
      peer_send (peer, T2P_TCP_ACK, peer->next++, (const guint8 *) "o", 1);
      peer_pump (peer);
      peer->window = windows[i];
      peer_send (peer, T2P_TCP_ACK, peer->next, NULL, 0);
      peer_pump (peer);
    }
  peer_receive (peer, got, G_N_ELEMENTS (windows) * 1501);
  for (gsize i = 0; i < got->len; i++)
    g_assert_cmpuint (got->data[i], ==, pattern_at (i));
}

/* The window falls below what was cut for it: split at once, the FIN not too early. */
static void
test_shrunk_window (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  g_autoptr (GByteArray) got = g_byte_array_new ();

  peer->scale = -1;
  peer_connect (peer);
  peer->window = 3000;
  peer_send (peer, T2P_TCP_ACK, peer->next, NULL, 0);
  peer_pump (peer);
  peer->owner.to_send = 60000;
  peer->owner.shuts_down = TRUE;
  peer->owner.echoes = TRUE;
  peer_send (peer, T2P_TCP_ACK, peer->next++, (const guint8 *) "z", 1);
  peer_pump (peer);
  while (got->len < 60001)
    {
      gsize before = got->len;

      g_assert_false (peer->has_fin);
      peer_receive (peer, got, before + 1);
    }
  peer_drain (peer);
  g_assert_true (peer->has_fin);
  g_assert_cmpuint (got->len, ==, 60001);
  for (gsize i = 0; i < got->len; i++)
    g_assert_cmpuint (got->data[i], ==, pattern_at (i));
}

/* Data is sent, not acknowledged, sent again into a window that closed, then acknowledged: lwIP
 * leaves its persist timer running over an empty queue and would abort. */
static void
test_acknowledged_while_closed (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);

  peer->owner.to_send = 1000;
  peer_connect (peer);
  peer_drain (peer);
  peer->window = 0;
  for (guint i = 0; i < 2; i++) /* a smaller window counts only with a new sequence number */
    peer_send (peer, T2P_TCP_ACK, peer->next++, (const guint8 *) "w", 1);
  peer_wait (peer, 4500, NULL); /* the first time-out is 3 s */
  peer_drain (peer);
  peer->acknowledged += 1000;
  peer_send (peer, T2P_TCP_ACK, peer->next, NULL, 0);
  /* a gap keeps lwIP's timers running for this stream */
  peer_send (peer, T2P_TCP_ACK, peer->next + 10, (const guint8 *) "v", 1);
  peer_wait (peer, 2500, NULL);
  g_assert_nonnull (peer->owner.stream);
  g_assert_false (peer->owner.is_closed);
}

typedef enum
{
  STATE_HELD,
  STATE_SYN_RCVD,
  STATE_ESTABLISHED,
  STATE_CLOSE_WAIT,
  STATE_FIN_WAIT_1,
  STATE_FIN_WAIT_2,
  STATE_CLOSING,
  STATE_LAST_ACK,
  N_STATES,
} StateToReach;

static void
reach (Peer *peer, StateToReach state)
{
  Segment segment;

  peer->policy = state == STATE_HELD ? OWNER_HOLDS : OWNER_ACCEPTS;
  if (state <= STATE_SYN_RCVD)
    {
      peer_send (peer, T2P_TCP_SYN, peer->next++, NULL, 0);
      peer_pump (peer);
      if (peer_take (peer, &segment))
        peer->acknowledged = segment.tcp.sequence + 1;
      return;
    }
  peer_connect (peer);
  if (state == STATE_CLOSE_WAIT || state == STATE_LAST_ACK)
    {
      peer_send (peer, T2P_TCP_ACK | T2P_TCP_FIN, peer->next++, NULL, 0);
      peer_drain (peer);
    }
  if (state >= STATE_FIN_WAIT_1)
    {
      t2pw_stream_shutdown (peer->owner.stream);
      peer_drain (peer);
    }
  if (state == STATE_CLOSING)
    {
      peer_send (peer, T2P_TCP_ACK | T2P_TCP_FIN, peer->next++, NULL, 0);
      peer_drain (peer);
    }
  if (state == STATE_FIN_WAIT_2)
    {
      peer->acknowledged++;
      peer_send (peer, T2P_TCP_ACK, peer->next, NULL, 0);
      peer_drain (peer);
    }
}

/* Every combination of flags, at several sequence numbers, with and without data, in each
 * state, then a reset that fits: the stream is gone and nothing is left. */
static void
test_any_segment_in_any_state (gconstpointer mode)
{
  static const gint32 offsets[] = { 0, -1, 1, 500, -70000, 0x40000000 };

  for (guint state = 0; state < N_STATES; state++)
    for (guint flags = 0; flags < 64; flags++)
      {
        g_autoptr (Peer) peer = peer_new (mode, NULL);

        reach (peer, state);
        for (guint i = 0; i < G_N_ELEMENTS (offsets); i++)
          {
            peer_send (peer, (guint8) flags, peer->next + (guint32) offsets[i], NULL, 0);
            peer_send (peer, (guint8) flags, peer->next + (guint32) offsets[i],
                       (const guint8 *) "abcdefgh", 8);
            peer_drain (peer);
          }
        for (guint32 i = 0; i < 12; i++)
          peer_send (peer, T2P_TCP_RST | T2P_TCP_ACK, peer->next + i - 1, NULL, 0);
        peer_drain (peer);
        g_assert_cmpuint (counters (peer)->streams, ==, 0);
        g_assert_cmpuint (counters (peer)->held_syns, <=, 1);
      }
}

static void
test_bad_checksum (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  guint8 packet[200];
  gsize length;

  peer_connect (peer);
  length = peer_build (peer, T2P_TCP_ACK, peer->next, (const guint8 *) "data", 4, packet);
  packet[length - 1] ^= 1;
  peer_send_raw (peer, packet, length);
  peer_drain (peer);
  g_assert_cmpuint (counters (peer)->dropped_checksum, ==, 1);
  g_assert_cmpuint (peer->owner.received->len, ==, 0);
}

/* lwIP takes some sources for its own or for its loopback, and aborts over the answer. */
static void
test_impossible_sources (gconstpointer data)
{
  static const char *const sources[] = {
    "192.0.0.8",       "127.0.0.1", "127.255.255.255", "0.0.0.0", "0.0.0.1",
    "255.255.255.255", "224.0.0.1", "240.0.0.1",       "::1",     "::",
    "ff02::1",
  };
  const PeerMode *mode = data;
  guint n = 0;

  for (guint i = 0; i < G_N_ELEMENTS (sources); i++)
    {
      g_autoptr (Peer) peer = peer_new (mode, NULL);

      g_assert_true (t2p_ip_address_parse (sources[i], &peer->local.address));
      if (peer->local.address.family != mode->family)
        continue;
      peer_send (peer, T2P_TCP_SYN, peer->next, NULL, 0);
      peer_send (peer, T2P_TCP_ACK, peer->next + 1, (const guint8 *) "data", 4);
      peer_send (peer, T2P_TCP_RST, peer->next + 1, NULL, 0);
      g_assert_cmpuint (peer_drain (peer), ==, 0);
      g_assert_cmpuint (peer->n_connecting, ==, 0);
      g_assert_cmpuint (counters (peer)->dropped_malformed, ==, 3);
      n++;
    }
  g_assert_cmpuint (n, >=, 3);
}

static void
test_truncated (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  guint8 packet[200];
  gsize length;

  peer_connect (peer);
  length = peer_build (peer, T2P_TCP_ACK, peer->next, (const guint8 *) "data", 4, packet);
  for (gsize n = 1; n < length; n++)
    peer_send_raw (peer, packet, n);
  peer_drain (peer);
  g_assert_cmpuint (counters (peer)->dropped_malformed + counters (peer)->dropped_checksum, ==,
                    length - 1);
  g_assert_cmpuint (peer->owner.received->len, ==, 0);
}

/* The same packet with options: 40 bytes of no-operation (RFC 791 section 3.1), or a hop-by-hop
 * header of padding (RFC 8200 section 4.3). */
static gsize
add_options (int family, const guint8 *packet, gsize length, guint8 *out)
{
  static const guint8 padding[8] = { IPPROTO_TCP, 0, 1, 4 };
  gsize header = family == AF_INET ? 20 : 40, more = family == AF_INET ? 40 : sizeof padding;

  memcpy (out, packet, header);
  memcpy (out + header + more, packet + header, length - header);
  if (family == AF_INET6)
    {
      memcpy (out + header, padding, sizeof padding);
      out[6] = 0;
      t2p_store_be16 (out + 4, (guint16) (length + more - header));
      return length + more;
    }
  memset (out + header, 1, more);
  out[0] = 0x4f;
  t2p_store_be16 (out + 2, (guint16) (length + more));
  t2p_store_be16 (out + 10, 0);
  t2p_store_be16 (out + 10, t2p_checksum (out, header + more));
  return length + more;
}

static void
test_ip_options (gconstpointer data)
{
  const PeerMode *mode = data;
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  guint8 packet[300], with[400];
  gsize length;

  peer_connect (peer);
  length = peer_build (peer, T2P_TCP_ACK, peer->next, (const guint8 *) "data", 4, packet);
  length = add_options (mode->family, packet, length, with);
  peer_send_raw (peer, with, length);
  peer_drain (peer);
  g_assert_cmpmem (peer->owner.received->data, peer->owner.received->len, "data", 4);
}

static void
test_syn_flood (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  gsize most = 0;

  peer->policy = OWNER_HOLDS;
  for (guint i = 0; i < 10000; i++)
    {
      peer->local.port = (guint16) (1024 + i);
      peer->remote.port = (guint16) (1 + i % 40);
      peer_send (peer, T2P_TCP_SYN, i * 77, NULL, 0);
      if (i % 100 == 0)
        peer_pump (peer);
      most = MAX (most, counters (peer)->memory_bytes);
    }
  peer_drain (peer);
  g_assert_cmpuint (counters (peer)->held_syns, ==, T2P_MAX_HELD_SYNS);
  g_assert_cmpuint (counters (peer)->dropped_syn, ==, 10000 - T2P_MAX_HELD_SYNS);
  g_assert_cmpuint (most, <, 4 * 1024 * 1024);
}

static void
test_syn_flood_of_one_destination (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);

  peer->policy = OWNER_HOLDS;
  for (guint i = 0; i < 1000; i++)
    {
      peer->local.port = (guint16) (1024 + i);
      peer_send (peer, T2P_TCP_SYN, i, NULL, 0);
      peer_pump (peer);
    }
  g_assert_cmpuint (counters (peer)->held_syns, ==, T2P_MAX_HELD_SYNS_PER_DESTINATION);
}

static void
test_too_many_streams (gconstpointer mode)
{
  T2pwStackConfig overrides = { .max_streams = 1 };
  g_autoptr (Peer) peer = peer_new (mode, &overrides);
  Segment segment;

  peer_connect (peer);
  peer_drain (peer);
  peer->local.port++;
  peer_send (peer, T2P_TCP_SYN, 5, NULL, 0);
  peer_pump (peer);
  g_assert_true (peer_take (peer, &segment));
  g_assert_cmphex (segment.tcp.flags, ==, T2P_TCP_RST | T2P_TCP_ACK);
}

/* Hundreds of connections whose owner reads nothing, big packets: the limit holds, and what was
 * dropped is only dropped. */
static void
test_memory_limit (gconstpointer mode)
{
  T2pwStackConfig overrides = { .memory_limit_bytes = 8 * 1024 * 1024 };
  g_autoptr (Peer) peer = peer_new (mode, &overrides);
  g_autoptr (GBytes) pattern = pattern_new (3000);
  gsize most = 0;

  peer->owner.holds_back = TRUE;
  for (guint i = 0; i < 300; i++)
    {
      Segment segment;

      peer->local.port++;
      peer_send (peer, T2P_TCP_SYN, peer->next++, NULL, 0);
      peer_pump (peer);
      g_assert_true (peer_take (peer, &segment));
      peer->acknowledged = segment.tcp.sequence + 1;
      for (guint32 at = 0; at < 60000; at += 3000)
        peer_send (peer, T2P_TCP_ACK, peer->next + at, g_bytes_get_data (pattern, NULL), 3000);
      peer_drain (peer);
      most = MAX (most, counters (peer)->memory_bytes);
    }
  g_assert_cmpuint (counters (peer)->dropped_memory, >, 0);
  g_assert_cmpuint (counters (peer)->streams, <, 300); /* refused when there was nothing left */
  g_assert_cmpuint (most, <=, overrides.memory_limit_bytes);
}

static guint32
window_of (const Segment *segment)
{
  return (guint32) segment->tcp.window << T2PW_RECEIVE_SCALE;
}

/* Connects from another port, and sends what the first window takes. */
static gboolean
connect_and_fill (Peer *peer, const guint8 *bytes)
{
  Segment segment;

  peer->local.port++;
  peer_send (peer, T2P_TCP_SYN, peer->next++, NULL, 0);
  peer_pump (peer);
  g_assert_true (peer_take (peer, &segment));
  if ((segment.tcp.flags & T2P_TCP_RST) != 0)
    return FALSE;
  peer->acknowledged = segment.tcp.sequence + 1;
  for (guint32 at = 0; at < 60000; at += 15000)
    peer_send (peer, T2P_TCP_ACK, peer->next + at, bytes + at, 15000);
  peer_drain (peer);
  return TRUE;
}

/* Sends as the window allows; returns after how many rounds all had been acknowledged. */
static guint
upload (Peer *peer, const guint8 *bytes, guint32 length)
{
  guint32 start = peer->next, acknowledged = 0, window = 16384;
  guint rounds = 0;

  for (; acknowledged < length && rounds < 2000; rounds++)
    {
      guint32 end = MIN (acknowledged + window, length);
      Segment segment;

      for (guint32 at = acknowledged; at < end; at += MIN (end - at, 8000))
        peer_send (peer, T2P_TCP_ACK, start + at, bytes + at, MIN (end - at, 8000));
      peer_pump (peer);
      while (peer_take (peer, &segment))
        {
          acknowledged = segment.tcp.acknowledgement - start;
          window = window_of (&segment);
        }
    }
  peer->next = start + length;
  return rounds;
}

/* Uploads that nobody reads fill their part of the memory: one that is read still gets through,
 * within windows that are small but never shut, and a new connection is still taken. */
static void
test_stuck_uploads (gconstpointer mode)
{
  T2pwStackConfig overrides = { .memory_limit_bytes = 8 * 1024 * 1024 };
  g_autoptr (Peer) peer = peer_new (mode, &overrides);
  g_autoptr (GBytes) pattern = pattern_new (1000000);
  const guint8 *bytes = g_bytes_get_data (pattern, NULL);

  peer->owner.holds_back = TRUE;
  for (guint i = 0; i < 75; i++)
    g_assert_true (connect_and_fill (peer, bytes));
  g_assert_cmpuint (counters (peer)->dropped_memory, >, 0);
  g_assert_cmpuint (counters (peer)->memory_bytes, <, 6 * 1024 * 1024);
  peer->owner.holds_back = FALSE;
  peer->local.port++;
  peer_connect (peer);
  g_assert_cmpuint (upload (peer, bytes, 1000000), <, 200);
  g_assert_cmpmem (peer->owner.received->data, peer->owner.received->len, bytes, 1000000);
}

/* With nothing left, acknowledgements still come through and free what they acknowledge. */
static void
test_acknowledgement_without_memory (gconstpointer mode)
{
  T2pwStackConfig overrides = { .memory_limit_bytes = 8 * 1024 * 1024 };
  g_autoptr (Peer) peer = peer_new (mode, &overrides);
  T2pwBufferPool *pool = &peer->stack->pool;
  gint64 progress_us;
  gsize all;

  peer->owner.to_send = 50000;
  peer_connect (peer);
  peer_drain (peer);
  all = pool->limit_bytes - pool->used_bytes;
  t2pw_buffer_pool_charge (pool, (gssize) all);
  peer->acknowledged += 50000;
  peer_send (peer, T2P_TCP_ACK, peer->next, (const guint8 *) "data", 4);
  peer_drain (peer);
  g_assert_cmpuint (t2pw_stream_get_unacked (peer->owner.stream, &progress_us), ==, 0);
  g_assert_cmpuint (peer->owner.received->len, ==, 0);
  g_assert_cmpuint (pool->used_bytes, <=, pool->limit_bytes - 50000);
  peer->local.port++;
  peer_send (peer, T2P_TCP_SYN, 5, NULL, 0);
  peer_drain (peer);
  g_assert_true (peer->has_rst);
  t2pw_buffer_pool_charge (pool, -(gssize) all);
}

static void
test_device_lost (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);

  peer_connect (peer);
  close (peer->fd);
  peer_pump (peer);
  g_assert_cmpuint (peer->n_lost, ==, 1);
  t2pw_stream_abort (peer->owner.stream);
  peer->fd = -1;
}

static void
test_random_bytes (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  g_autoptr (GRand) rand = g_rand_new_with_seed (3);
  guint8 packet[400];

  peer_connect (peer);
  for (guint i = 0; i < 20000; i++)
    {
      gsize length =
          peer_build (peer, T2P_TCP_ACK, peer->next, (const guint8 *) "data", 4, packet);

      for (guint j = 0; j < 3; j++)
        packet[g_rand_int_range (rand, 0, (gint32) length)] = (guint8) g_rand_int (rand);
      peer_send_raw (peer, packet, length);
      if (i % 50 == 0)
        peer_drain (peer);
    }
  peer_drain (peer);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    GTestDataFunc func;
    gboolean takes_seconds; /* one mode will do */
  } tests[] = {
    { "reordered-segments-arrive-in-order", test_reordering, FALSE },
    { "overlaps-and-duplicates-arrive-once", test_overlaps, FALSE },
    { "tiny-out-of-order-segments-are-bounded", test_tiny_out_of_order, FALSE },
    { "segments-beyond-the-window-are-harmless", test_window_overrun, FALSE },
    { "a-zero-window-is-probed", test_zero_window, TRUE },
    { "a-tiny-window-is-kept-to", test_tiny_window, FALSE },
    { "a-window-may-open-slowly", test_window_opens_slowly, FALSE },
    { "a-shrunk-window-splits-segments", test_shrunk_window, FALSE },
    { "acknowledged-behind-a-closed-window", test_acknowledged_while_closed, TRUE },
    { "any-segment-in-any-state", test_any_segment_in_any_state, FALSE },
    { "a-bad-checksum-is-dropped", test_bad_checksum, FALSE },
    { "impossible-sources-are-dropped", test_impossible_sources, FALSE },
    { "truncated-packets-are-dropped", test_truncated, FALSE },
    { "ip-options-are-skipped", test_ip_options, FALSE },
    { "a-syn-flood-costs-a-bounded-number-of-copies", test_syn_flood, FALSE },
    { "a-syn-flood-of-one-destination-is-bounded", test_syn_flood_of_one_destination, FALSE },
    { "more-streams-than-allowed-are-refused", test_too_many_streams, FALSE },
    { "the-memory-limit-holds", test_memory_limit, FALSE },
    { "stuck-uploads-leave-room-for-others", test_stuck_uploads, FALSE },
    { "acknowledgements-need-no-memory", test_acknowledgement_without_memory, FALSE },
    { "a-lost-device-is-told-once", test_device_lost, FALSE },
    { "random-bytes-do-no-harm", test_random_bytes, FALSE },
  };

  g_test_init (&argc, &argv, NULL);
  for (guint m = 0; m < n_peer_modes; m++)
    for (guint t = 0; t < G_N_ELEMENTS (tests); t++)
      {
        g_autofree char *path =
            g_strdup_printf ("/stack/torture/%s/%s", peer_modes[m].name, tests[t].name);

        if (!tests[t].takes_seconds || m == 2)
          g_test_add_data_func (path, &peer_modes[m], tests[t].func);
      }
  return g_test_run ();
}
