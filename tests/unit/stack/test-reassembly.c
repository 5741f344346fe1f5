/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fragment-cutter.h"
#include "packet-peer.h"

#include "t2p-limits.h"
#include "t2p-udp-header.h"
#include "t2pw-reassembly.h"
#include "t2pw-stack-private.h"

#include <netinet/in.h>
#include <string.h>

#define PAYLOAD_BYTES 4000
#define PIECE_BYTES 1480
#define SECOND G_USEC_PER_SEC

/* A UDP packet, and what becomes of its fragments. */
typedef struct
{
  T2pwBufferPool pool;
  T2pwReassembly reassembly;
  gint64 now_us;
  guint8 packet[70000];
  gsize length; /* of it */
  gsize head;   /* what is not to be cut */
  guint32 id;
  T2pIpEndpoint from;
  gboolean is_v4;
} Fixture;

static void
make_packet (Fixture *f, gsize payload_bytes)
{
  g_autoptr (GBytes) pattern = pattern_new (payload_bytes);
  T2pIpEndpoint to;
  T2pWriter writer;

  t2p_ip_endpoint_parse (f->is_v4 ? "198.51.100.7:53" : "[2001:db8::7]:53", &to);
  t2p_writer_init (&writer, f->packet, sizeof f->packet);
  g_assert_true (t2p_udp_packet_write (&writer, &f->from, &to, g_bytes_get_data (pattern, NULL),
                                       payload_bytes));
  f->length = t2p_writer_length (&writer);
  f->head = f->is_v4 ? 20 : 40;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->is_v4 = GPOINTER_TO_INT (data) == AF_INET;
  f->id = 0x1234;
  f->now_us = 1000 * SECOND;
  t2p_ip_endpoint_parse (f->is_v4 ? "10.9.0.2:40000" : "[fd00:9::2]:40000", &f->from);
  t2pw_buffer_pool_init (&f->pool, 64 * 1024 * 1024);
  t2pw_reassembly_init (&f->reassembly, &f->pool);
  make_packet (f, PAYLOAD_BYTES);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  t2pw_reassembly_clear (&f->reassembly);
  g_assert_cmpuint (f->reassembly.held_bytes, ==, 0);
  g_assert_cmpuint (f->pool.used_bytes, ==, 0);
  t2pw_buffer_pool_clear (&f->pool);
}

/* The whole packet, or NULL. */
static T2pwBuffer *
feed_bytes (Fixture *f, guint8 *bytes, gsize length, gsize *out_length)
{
  T2pwPacket packet;

  g_assert_cmpint (t2pw_packet_parse (&packet, NULL, bytes, length), ==, T2PW_VERDICT_FRAGMENT);
  return t2pw_reassembly_take (&f->reassembly, &packet, f->now_us, out_length);
}

static T2pwBuffer *
feed_cut (Fixture *f, gsize offset, gsize length, gboolean has_more, gsize *out_length)
{
  Cut cut = { offset, length, has_more, f->id };
  guint8 bytes[70000];

  return feed_bytes (f, bytes, cut_fragment (f->packet, f->head, &cut, bytes), out_length);
}

/* A piece of the right length at @offset. FALSE: nothing is whole by it. */
static gboolean
feed (Fixture *f, gsize offset)
{
  gsize payload = f->length - f->head, length = 0;
  gsize piece = MIN (PIECE_BYTES, payload - offset);
  T2pwBuffer *whole = feed_cut (f, offset, piece, offset + piece < payload, &length);
  T2pwPacket packet;

  if (whole == NULL)
    return FALSE;
  g_assert_cmpint (t2pw_packet_parse (&packet, NULL, whole->data, length), ==,
                   T2PW_VERDICT_UDP);
  g_assert_cmpmem (whole->data + f->head, length - f->head, f->packet + f->head, payload);
  t2pw_buffer_give (whole);
  return TRUE;
}

static void
feed_nothing_whole (Fixture *f, gsize offset, gsize length, gboolean has_more)
{
  gsize whole_length;

  g_assert_null (feed_cut (f, offset, length, has_more, &whole_length));
}

static void
test_any_order (Fixture *f, gconstpointer data)
{
  static const guint orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
                                     { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };

  for (guint i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      g_assert_false (feed (f, orders[i][0] * PIECE_BYTES));
      g_assert_false (feed (f, orders[i][1] * PIECE_BYTES));
      g_assert_true (feed (f, orders[i][2] * PIECE_BYTES));
      g_assert_cmpuint (f->reassembly.reassembled, ==, i + 1);
      g_assert_cmpuint (f->pool.used_bytes, ==, 0);
    }
  g_assert_cmpuint (f->reassembly.dropped, ==, 0);
}

/* Two packets at once keep apart: by id, by source; of IPv4 by protocol, too. */
static void
test_keep_apart (Fixture *f, gconstpointer data)
{
  g_assert_false (feed (f, 0));
  f->id++;
  g_assert_false (feed (f, PIECE_BYTES));
  g_assert_false (feed (f, 0));
  f->from.address.bytes[3] ^= 4;
  make_packet (f, PAYLOAD_BYTES);
  g_assert_false (feed (f, 2 * PIECE_BYTES));
  f->from.address.bytes[3] ^= 4;
  make_packet (f, PAYLOAD_BYTES);
  g_assert_true (feed (f, 2 * PIECE_BYTES));
  f->id--;
  g_assert_false (feed (f, PIECE_BYTES));
  g_assert_true (feed (f, 2 * PIECE_BYTES));
  g_assert_cmpuint (f->reassembly.dropped, ==, 0);
}

static void
test_duplicates (Fixture *f, gconstpointer data)
{
  for (guint i = 0; i < 3; i++)
    {
      g_assert_false (feed (f, 2 * PIECE_BYTES));
      g_assert_false (feed (f, 0));
    }
  g_assert_true (feed (f, PIECE_BYTES));
  g_assert_cmpuint (f->reassembly.dropped, ==, 0);
}

/* Whatever comes of that packet later is not wanted either. */
static void
assert_poisoned (Fixture *f)
{
  g_assert_cmpuint (f->reassembly.dropped, >=, 2);
  for (gsize at = 0; at < PAYLOAD_BYTES; at += PIECE_BYTES)
    g_assert_false (feed (f, at));
  g_assert_cmpuint (f->reassembly.reassembled, ==, 0);
  g_assert_cmpuint (f->pool.used_bytes, <, 512);
  f->now_us += (T2P_REASSEMBLY_TIMEOUT_S + 1) * SECOND;
  for (gsize at = 0; at < 2 * PIECE_BYTES; at += PIECE_BYTES)
    g_assert_false (feed (f, at));
  g_assert_true (feed (f, 2 * PIECE_BYTES));
}

static void
test_overlaps (Fixture *f, gconstpointer data)
{
  static const struct
  {
    gsize offset, length;
    gboolean has_more;
  } second[] = {
    { 0, 1472, TRUE },                /* shorter at the same place */
    { 0, 1488, TRUE },                /* longer */
    { 8, 8, TRUE },                   /* within */
    { 1472, 1480, TRUE },             /* across the end */
    { 1472, 4008 - 1472, FALSE },     /* and to the packet's end */
    { 2960 - 8, 1480, TRUE },         /* across the beginning of the other */
    { 2960, 4008 - 2960 - 8, FALSE }, /* another end */
    { 2960, 1048, TRUE },             /* the last, but not the last */
    { 4008, 80, TRUE },               /* behind the end */
    { 1480, 1480, FALSE },            /* an end before what came */
  };

  for (guint i = 0; i < G_N_ELEMENTS (second); i++)
    {
      g_assert_false (feed (f, 0));
      g_assert_false (feed (f, 2 * PIECE_BYTES));
      feed_nothing_whole (f, second[i].offset, second[i].length, second[i].has_more);
      assert_poisoned (f);
      f->reassembly.reassembled = f->reassembly.dropped = 0;
      f->id++;
    }
}

static void
test_changed_duplicate (Fixture *f, gconstpointer data)
{
  g_assert_false (feed (f, 0));
  f->packet[f->head + 700] ^= 1;
  g_assert_false (feed (f, 0));
  f->packet[f->head + 700] ^= 1;
  assert_poisoned (f);
}

/* A first fragment in which ports or flags are missing hides them from every filter. */
static void
test_headers_in_first (Fixture *f, gconstpointer data)
{
  f->packet[f->is_v4 ? 9 : 6] = IPPROTO_TCP;
  memset (f->packet + f->head + 12, 0, 20);
  f->packet[f->head + 12] = 0x80; /* 32 bytes */
  f->packet[f->head + 13] = T2P_TCP_ACK;
  feed_nothing_whole (f, 0, 24, TRUE);
  feed_nothing_whole (f, 24, f->length - f->head - 24, FALSE);
  g_assert_cmpuint (f->reassembly.reassembled, ==, 0);
  g_assert_cmpuint (f->reassembly.dropped, ==, 2);
  g_assert_cmpuint (f->pool.used_bytes, ==, 0);
  gsize length;
  T2pwBuffer *whole;
  feed_nothing_whole (f, 0, 32, TRUE);
  whole = feed_cut (f, 32, f->length - f->head - 32, FALSE, &length);
  g_assert_nonnull (whole);
  t2pw_buffer_give (whole);
}

static void
test_empty_last (Fixture *f, gconstpointer data)
{
  feed_nothing_whole (f, 0, 4008 - 8, TRUE);
  feed_nothing_whole (f, 4000, 0, FALSE);
  g_assert_cmpuint (f->reassembly.dropped, ==, 1);
  f->id++;
  feed_nothing_whole (f, 4000, 0, FALSE);
  g_assert_cmpuint (f->reassembly.dropped, ==, 2);
}

static void
test_time (Fixture *f, gconstpointer data)
{
  gint64 next;

  g_assert_cmpint (t2pw_reassembly_expire (&f->reassembly, f->now_us), ==, 0);
  g_assert_false (feed (f, 0));
  f->now_us += 10 * SECOND;
  f->id++;
  g_assert_false (feed (f, 0));
  g_assert_false (feed (f, PIECE_BYTES));
  next = t2pw_reassembly_expire (&f->reassembly, f->now_us + 19 * SECOND);
  g_assert_cmpint (next, ==, f->now_us + 20 * SECOND);
  next = t2pw_reassembly_expire (&f->reassembly, f->now_us + 20 * SECOND);
  g_assert_cmpint (next, ==, f->now_us + 30 * SECOND);
  g_assert_cmpuint (f->reassembly.dropped, ==, 1);
  g_assert_true (feed (f, 2 * PIECE_BYTES));
  g_assert_cmpint (t2pw_reassembly_expire (&f->reassembly, f->now_us), ==, 0);
}

static guint
group_of_sender (Fixture *f)
{
  T2pwFlowId id = t2pw_flow_id (&f->from.address, 0, &f->from.address, 0);

  return (guint) (t2pw_flow_hash_words (&f->reassembly.table, id.words, 2) %
                  T2PW_REASSEMBLY_SOURCES);
}

/* The hash is keyed anew each time: the next sender may be in the group of this one. */
static void
turn_to_another_group (Fixture *f)
{
  guint group = group_of_sender (f);

  do
    f->from.address.bytes[3]++;
  while (group_of_sender (f) == group);
}

/* A flood takes no more than its share, and the oldest of it goes first. */
static void
test_flood (Fixture *f, gconstpointer data)
{
  guint8 own = f->from.address.bytes[3];
  guint8 flooding;
  guint32 flood_id;

  g_assert_false (feed (f, 0));
  turn_to_another_group (f);
  flooding = f->from.address.bytes[3];
  for (guint i = 0; i < 20000; i++)
    {
      f->id++;
      if (i == 0 || i == 19999)
        make_packet (f, PAYLOAD_BYTES);
      feed_nothing_whole (f, 0, i % 3 == 0 ? 8 : 1480, TRUE);
      g_assert_cmpuint (f->pool.used_bytes, <=, T2P_MAX_REASSEMBLY_BYTES);
    }
  flood_id = f->id;
  g_assert_cmpuint (f->pool.used_bytes, >, T2P_MAX_REASSEMBLY_BYTES / 2);
  g_assert_cmpuint (f->reassembly.dropped, >, 10000);
  f->from.address.bytes[3] = own;
  f->id = 0x1234;
  make_packet (f, PAYLOAD_BYTES);
  g_assert_false (feed (f, PIECE_BYTES));
  g_assert_true (feed (f, 2 * PIECE_BYTES));
  f->from.address.bytes[3] = flooding;
  f->id = flood_id;
  make_packet (f, PAYLOAD_BYTES);
  g_assert_false (feed (f, PIECE_BYTES));
  g_assert_true (feed (f, 2 * PIECE_BYTES));
}

/* Eight bytes each, none touching another. */
static void
test_tiny (Fixture *f, gconstpointer data)
{
  make_packet (f, 60000);
  for (gsize at = 16; at < 60000 - 16; at += 16)
    {
      feed_nothing_whole (f, at, 8, TRUE);
      g_assert_cmpuint (f->pool.used_bytes, <, T2P_MAX_FRAGMENTS_PER_PACKET * 128);
    }
  g_assert_cmpuint (f->reassembly.dropped, >, T2P_MAX_FRAGMENTS_PER_PACKET);
}

static void
test_memory_short (Fixture *f, gconstpointer data)
{
  g_assert_false (feed (f, 0));
  t2pw_buffer_pool_charge (&f->pool, 60 * 1024 * 1024);
  g_assert_false (feed (f, PIECE_BYTES));
  g_assert_false (feed (f, 2 * PIECE_BYTES));
  g_assert_cmpuint (f->reassembly.dropped_memory, ==, 1);
  g_assert_cmpuint (f->reassembly.dropped, ==, 3);
  t2pw_buffer_pool_charge (&f->pool, -60 * 1024 * 1024);
}

static void
test_longest (Fixture *f, gconstpointer data)
{
  gsize most = f->is_v4 ? 65507 : 65527;
  gsize at = 0;

  make_packet (f, most);
  while (!feed (f, at))
    {
      at += PIECE_BYTES;
      g_assert_cmpuint (at, <, f->length);
    }
  g_assert_cmpuint (f->reassembly.reassembled, ==, 1);
  g_assert_cmpuint (f->pool.used_bytes, ==, 0);
}

/* What the offsets allow and the length field does not. */
static void
test_too_long (Fixture *f, gconstpointer data)
{
  gsize end = 65535;

  make_packet (f, 65000);
  f->length = sizeof f->packet;
  if (!f->is_v4)
    {
      /* destination options, not to be cut, make it longer than a length can say */
      memmove (f->packet + 48, f->packet + 40, 60000);
      memset (f->packet + 40, 0, 8);
      f->packet[40] = IPPROTO_UDP;
      f->packet[6] = IPPROTO_DSTOPTS;
      f->head = 48;
    }
  for (gsize at = 0; at < 64000; at += 16000)
    feed_nothing_whole (f, at, 16000, TRUE);
  feed_nothing_whole (f, 64000, end - 64000, FALSE);
  g_assert_cmpuint (f->reassembly.reassembled, ==, 0);
  g_assert_cmpuint (f->reassembly.dropped, ==, 5);
  g_assert_cmpuint (f->pool.used_bytes, ==, 0);
}

/* Options before the cut are kept, and those behind it are the payload's. */
static void
test_options (Fixture *f, gconstpointer data)
{
  static const guint8 nops[4] = { 1, 1, 1, 1 };
  guint8 old[70000];
  gsize extra = f->is_v4 ? 4 : 16;

  memcpy (old, f->packet, f->length);
  memcpy (f->packet + f->head + extra, old + f->head, f->length - f->head);
  if (f->is_v4)
    {
      f->packet[0] = 0x46;
      memcpy (f->packet + 20, nops, sizeof nops);
      f->head = 24;
    }
  else
    {
      memset (f->packet + 40, 0, 16);
      f->packet[6] = IPPROTO_HOPOPTS;
      f->packet[40] = IPPROTO_DSTOPTS;
      f->packet[48] = IPPROTO_UDP;
      f->head = 48;
    }
  f->length += extra;
  g_assert_false (feed (f, PIECE_BYTES));
  g_assert_false (feed (f, 0));
  g_assert_true (feed (f, 2 * PIECE_BYTES));
}

/* Nothing is taken apart twice. */
static void
test_nested (Fixture *f, gconstpointer data)
{
  guint8 inner[3000], outer[3000];
  Cut cut = { 0, 2000, TRUE, 7 };
  gsize length = cut_fragment (f->packet, f->head, &cut, inner);
  gsize unused;

  if (f->is_v4)
    return; /* only headers of IPv6 can stand one in the other */
  cut = (Cut){ 0, 1000, TRUE, 8 };
  g_assert_null (feed_bytes (f, outer, cut_fragment (inner, 40, &cut, outer), &unused));
  cut = (Cut){ 1000, length - 40 - 1000, FALSE, 8 };
  g_assert_null (feed_bytes (f, outer, cut_fragment (inner, 40, &cut, outer), &unused));
  g_assert_cmpuint (f->reassembly.dropped, ==, 2);
  g_assert_cmpuint (f->pool.used_bytes, ==, 0);
}

/* --- through the stack */

static void
send_in_pieces (Peer *peer, const guint8 *packet, gsize length, gsize piece, guint32 id)
{
  gsize head = peer->mode->family == AF_INET ? 20 : 40;
  guint8 fragment[70000];

  for (gsize at = 0; at < length - head; at += piece)
    {
      gsize bytes = MIN (piece, length - head - at);
      Cut cut = { at, bytes, at + bytes < length - head, id };

      peer_send_raw (peer, fragment, cut_fragment (packet, 0, &cut, fragment));
    }
}

static void
test_stack_takes_fragments (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  g_autoptr (GBytes) pattern = pattern_new (20000);
  const guint8 *bytes = g_bytes_get_data (pattern, NULL);
  const T2pwStackCounters *counters;
  guint8 packet[70000];
  T2pWriter writer;
  Segment segment;
  gsize length;

  length = peer_build (peer, T2P_TCP_SYN, peer->next++, NULL, 0, packet);
  send_in_pieces (peer, packet, length, 32, 1); /* one */

  peer_pump (peer);
  g_assert_true (peer_take (peer, &segment));
  peer->acknowledged = segment.tcp.sequence + 1;
  length = peer_build (peer, T2P_TCP_ACK, peer->next, bytes, 20000, packet);
  send_in_pieces (peer, packet, length, 1480, 2);
  peer_drain (peer);
  g_assert_cmpmem (peer->owner.received->data, peer->owner.received->len, bytes, 20000);

  t2p_writer_init (&writer, packet, sizeof packet);
  g_assert_true (
      t2p_udp_packet_write (&writer, &peer->local, &peer->remote, bytes, PAYLOAD_BYTES));
  send_in_pieces (peer, packet, t2p_writer_length (&writer), 1480, 3);
  peer_pump (peer);
  g_assert_cmpmem (peer->datagram->data, peer->datagram->len, bytes, PAYLOAD_BYTES);
  counters = t2pw_stack_get_counters (peer->stack);
  g_assert_cmpuint (counters->reassembled, ==, 2); /* not the SYN */
  g_assert_cmpuint (counters->dropped_fragment, ==, 0);
  g_assert_cmpuint (counters->memory_bytes, <, 20000);
}

/* A sum that the kernel has not made is looked at, whatever its header says of a fragment. */
static void
test_stack_verifies (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  g_autoptr (GBytes) pattern = pattern_new (PAYLOAD_BYTES);
  guint8 packet[70000];
  T2pWriter writer;

  peer->is_hostile = TRUE; /* claims that all is verified */
  t2p_writer_init (&writer, packet, sizeof packet);
  g_assert_true (t2p_udp_packet_write (&writer, &peer->local, &peer->remote,
                                       g_bytes_get_data (pattern, NULL), PAYLOAD_BYTES));
  packet[2000] ^= 1;
  send_in_pieces (peer, packet, t2p_writer_length (&writer), 1480, 3);
  peer_pump (peer);
  g_assert_cmpuint (peer->n_datagrams, ==, 0);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->dropped_checksum, ==, 1);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->memory_bytes, ==, 0);
}

/* Its memory is the stack's, and is given back with it. */
static void
test_stack_freed (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);
  static const guint8 payload[2000];
  guint8 packet[3000], fragment[3000];
  Cut cut = { 0, 1480, TRUE, 1 };

  peer_build (peer, T2P_TCP_SYN, peer->next++, payload, sizeof payload, packet);
  peer_send_raw (peer, fragment, cut_fragment (packet, 0, &cut, fragment));
  peer_pump (peer);
  g_assert_cmpuint (peer->n_connecting, ==, 0);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->memory_bytes, >, 1480);
  g_assert_cmpint (peer->stack->reassembly_timer.deadline_us, >, 0);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    void (*func) (Fixture *f, gconstpointer data);
  } tests[] = {
    { "any-order-will-do", test_any_order },
    { "packets-keep-apart", test_keep_apart },
    { "duplicates-do-no-harm", test_duplicates },
    { "overlaps-drop-the-packet", test_overlaps },
    { "a-changed-duplicate-is-an-overlap", test_changed_duplicate },
    { "the-first-holds-all-headers", test_headers_in_first },
    { "an-empty-fragment-is-dropped", test_empty_last },
    { "what-waits-too-long-is-forgotten", test_time },
    { "a-flood-costs-others-nothing", test_flood },
    { "tiny-fragments-are-bounded", test_tiny },
    { "short-memory-drops", test_memory_short },
    { "the-longest-packet-fits", test_longest },
    { "a-longer-one-is-dropped", test_too_long },
    { "options-are-kept", test_options },
    { "nested-fragments-are-dropped", test_nested },
  };
  static const struct
  {
    const char *name;
    GTestDataFunc func;
  } stack_tests[] = {
    { "tcp-and-udp-in-fragments", test_stack_takes_fragments },
    { "sums-of-the-whole-are-verified", test_stack_verifies },
    { "freed-with-the-stack", test_stack_freed },
  };
  static const int families[] = { AF_INET, AF_INET6 };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < 2 * G_N_ELEMENTS (tests); i++)
    {
      g_autofree char *path =
          g_strdup_printf ("/reassembly/%s/%s", i % 2 == 0 ? "v4" : "v6", tests[i / 2].name);

      g_test_add (path, Fixture, GINT_TO_POINTER (families[i % 2]), set_up, tests[i / 2].func,
                  tear_down);
    }
  for (guint m = 0; m < n_peer_modes; m++)
    for (guint t = 0; t < G_N_ELEMENTS (stack_tests); t++)
      {
        g_autofree char *path = g_strdup_printf ("/reassembly/stack/%s/%s", peer_modes[m].name,
                                                 stack_tests[t].name);

        g_test_add_data_func (path, &peer_modes[m], stack_tests[t].func);
      }
  return g_test_run ();
}
