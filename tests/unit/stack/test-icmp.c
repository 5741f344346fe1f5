/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fragment-cutter.h"
#include "packet-peer.h"

#include "t2p-checksum.h"
#include "t2p-udp-header.h"

#include <netinet/in.h>
#include <string.h>

#define ID 0xbeef
#define SEQUENCE 7

static gboolean
is_v4 (const Peer *peer)
{
  return peer->mode->family == AF_INET;
}

static gsize
build_ping (const Peer *peer, guint8 ttl, gsize data_bytes, guint8 *out)
{
  g_autoptr (GBytes) pattern = pattern_new (data_bytes);
  T2pIcmpEcho echo = { ID, SEQUENCE, g_bytes_get_data (pattern, NULL), data_bytes };
  T2pIpHeader ip = { .source = peer->local.address,
                     .destination = peer->remote.address,
                     .protocol = is_v4 (peer) ? IPPROTO_ICMP : IPPROTO_ICMPV6,
                     .ttl = ttl };
  T2pWriter writer;
  guint8 *header;

  t2p_writer_init (&writer, out, 66000);
  g_assert_true (t2p_ip_header_write (&writer, &ip, T2P_ICMP_HEADER_BYTES + data_bytes));
  header = t2p_writer_reserve (&writer, T2P_ICMP_HEADER_BYTES);
  t2p_icmp_echo_write_header (header, &ip.source, &ip.destination, FALSE, &echo);
  t2p_writer_bytes (&writer, echo.data, data_bytes);
  return t2p_writer_length (&writer);
}

static void
send_ping (Peer *peer, guint8 ttl, gsize data_bytes)
{
  guint8 packet[66000];

  peer_send_raw (peer, packet, build_ping (peer, ttl, data_bytes, packet));
  peer_pump (peer);
}

static Peer *
peer_with_icmp (const PeerMode *mode, T2pwIcmpMode icmp)
{
  T2pwStackConfig config = { .icmp = icmp };

  g_assert_true (t2p_ip_address_parse ("10.9.0.1", &config.hop4));
  g_assert_true (t2p_ip_address_parse ("fd00:9::1", &config.hop6));
  return peer_new (mode, &config);
}

/* An error that quotes the ping, from @from or the destination. */
static void
assert_error (Peer *peer, guint8 type, guint8 code, const T2pIpAddress *from)
{
  Segment segment;

  g_assert_true (peer_take (peer, &segment));
  g_assert_true (t2p_icmp_checksum_ok (peer->bytes, &segment.ip));
  g_assert_true (t2p_ip_address_equal (&segment.ip.source, from));
  g_assert_true (t2p_ip_address_equal (&segment.ip.destination, &peer->local.address));
  g_assert_cmpuint (segment.payload[0], ==, type);
  g_assert_cmpuint (segment.payload[1], ==, code);
}

static void
assert_silence (Peer *peer)
{
  Segment segment;

  g_assert_false (peer_take (peer, &segment));
}

static void
test_unreachable (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_with_icmp (mode, T2PW_ICMP_UNREACHABLE);

  send_ping (peer, 64, 56);
  assert_error (peer, is_v4 (peer) ? 3 : 1, is_v4 (peer) ? 13 : 1, &peer->remote.address);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->dropped_echo, ==, 1);
  g_assert_cmpuint (peer->n_echoes, ==, 0);
}

static void
test_reply (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_with_icmp (mode, T2PW_ICMP_REPLY);
  g_autoptr (GBytes) pattern = pattern_new (56);
  T2pIcmpEcho echo;
  Segment segment;

  send_ping (peer, 64, 56);
  g_assert_true (peer_take (peer, &segment));
  g_assert_true (t2p_icmp_checksum_ok (peer->bytes, &segment.ip));
  g_assert_true (t2p_ip_address_equal (&segment.ip.source, &peer->remote.address));
  g_assert_true (t2p_icmp_echo_parse_reply (
      segment.payload, t2p_ip_header_payload_bytes (&segment.ip), is_v4 (peer), &echo));
  g_assert_cmphex (echo.id, ==, ID);
  g_assert_cmpuint (echo.sequence, ==, SEQUENCE);
  g_assert_cmpmem (echo.data, echo.length, g_bytes_get_data (pattern, NULL), 56);
}

/* One that came in fragments goes back in fragments. */
static void
test_long_reply (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_with_icmp (mode, T2PW_ICMP_REPLY);
  guint8 packet[66000], fragment[2000];
  gsize length = build_ping (peer, 64, 4000, packet), head = is_v4 (peer) ? 20 : 40, total = 0;
  Segment segment;

  for (gsize at = 0; at < length - head; at += 1448)
    {
      gsize piece = MIN (1448, length - head - at);
      Cut cut = { at, piece, at + piece < length - head, 5 };

      peer_send_raw (peer, fragment, cut_fragment (packet, 0, &cut, fragment));
    }
  peer_pump (peer);
  while (peer_take (peer, &segment))
    {
      g_assert_true (segment.ip.is_fragment);
      g_assert_cmpuint (segment.ip.total_bytes, <=, 1500);
      g_assert_cmpuint (segment.ip.fragment_offset, ==, total);
      total += t2p_ip_header_payload_bytes (&segment.ip);
    }
  g_assert_cmpuint (total, ==, 4008);
}

/* Nothing at all, not even an error about something else. */
static void
test_drop (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_with_icmp (mode, T2PW_ICMP_DROP);
  T2pwFlowKey key = { .source = peer->local, .destination = peer->remote };
  T2pwEcho echo = { .source = peer->local.address, .destination = peer->remote.address };
  const T2pIcmpError error = { .type = is_v4 (peer) ? 11 : 3 };
  guint8 bytes[1400] = { 0 };

  send_ping (peer, 64, 56);
  send_ping (peer, 1, 56);
  t2pw_stack_refuse_datagram (peer->stack, &key, bytes, 10, T2P_REFUSAL_PORT_UNREACHABLE);
  t2pw_stack_tell_too_big (peer->stack, &key, bytes, 1400, 1300);
  t2pw_stack_send_echo_error (peer->stack, &echo, &peer->remote.address, &error);
  g_assert_false (t2pw_stack_send_echo_reply (peer->stack, &echo));
  peer_pump (peer);
  assert_silence (peer);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->dropped_echo, ==, 1);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->dropped_ttl, ==, 1);
}

static void
test_direct (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_with_icmp (mode, T2PW_ICMP_DIRECT);
  const T2pIcmpError exceeded = { .type = is_v4 (peer) ? 11 : 3 };
  const T2pIcmpError redirect = { .type = is_v4 (peer) ? 5 : 137 };
  T2pIpAddress router;

  send_ping (peer, 5, 56);
  assert_silence (peer);
  g_assert_cmpuint (peer->n_echoes, ==, 1);
  g_assert_true (t2p_ip_address_equal (&peer->echo.source, &peer->local.address));
  g_assert_true (t2p_ip_address_equal (&peer->echo.destination, &peer->remote.address));
  g_assert_cmphex (peer->echo.message.id, ==, ID);
  g_assert_cmpuint (peer->echo.message.length, ==, 56);
  g_assert_cmpuint (peer->echo.ttl, ==, 4);

  t2p_ip_address_parse (is_v4 (peer) ? "192.0.2.99" : "2001:db8::99", &router);
  t2pw_stack_send_echo_error (peer->stack, &peer->echo, &router, &redirect);
  assert_silence (peer);
  t2pw_stack_send_echo_error (peer->stack, &peer->echo, &router, &exceeded);
  assert_error (peer, exceeded.type, 0, &router);
  g_assert_cmpuint (
      t2p_load_be16 (peer->bytes + (is_v4 (peer) ? 20 + 8 + 20 : 40 + 8 + 40) + 4), ==, ID);

  peer->refuses_datagrams = TRUE;
  peer->refusal = T2P_REFUSAL_HOST_UNREACHABLE;
  send_ping (peer, 5, 56);
  assert_error (peer, is_v4 (peer) ? 3 : 1, is_v4 (peer) ? 1 : 3, &peer->remote.address);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->dropped_echo, ==, 1);
}

static void
test_bad_sum (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_with_icmp (mode, T2PW_ICMP_REPLY);
  guint8 packet[66000];
  gsize length = build_ping (peer, 64, 56, packet);

  packet[length - 1] ^= 1;
  peer_send_raw (peer, packet, length);
  peer_pump (peer);
  assert_silence (peer);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->dropped_checksum, ==, 1);
}

/* The tunnel is a hop, and says so by its own address. */
static void
test_hops (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_with_icmp (mode, T2PW_ICMP_REPLY);
  guint8 packet[2000];
  T2pIpAddress hop;
  T2pWriter writer;
  gsize length;

  t2p_ip_address_parse (is_v4 (peer) ? "10.9.0.1" : "fd00:9::1", &hop);
  for (guint8 ttl = 0; ttl < 2; ttl++)
    {
      send_ping (peer, ttl, 56);
      assert_error (peer, is_v4 (peer) ? 11 : 3, 0, &hop);
      t2p_writer_init (&writer, packet, sizeof packet);
      t2p_udp_packet_write (&writer, &peer->local, &peer->remote, packet, 20);
      packet[is_v4 (peer) ? 8 : 7] = ttl;
      t2p_store_be16 (packet + 10, is_v4 (peer) ? 0 : t2p_load_be16 (packet + 10));
      if (is_v4 (peer))
        t2p_store_be16 (packet + 10, t2p_checksum (packet, 20));
      peer_send_raw (peer, packet, t2p_writer_length (&writer));
      peer_pump (peer);
      assert_error (peer, is_v4 (peer) ? 11 : 3, 0, &hop);
      length = peer_build (peer, T2P_TCP_SYN, peer->next, NULL, 0, packet);
      packet[is_v4 (peer) ? 8 : 7] = ttl;
      if (is_v4 (peer))
        {
          t2p_store_be16 (packet + 10, 0);
          t2p_store_be16 (packet + 10, t2p_checksum (packet, 20));
        }
      peer_send_raw (peer, packet, length);
      peer_pump (peer);
      assert_error (peer, is_v4 (peer) ? 11 : 3, 0, &hop);
    }
  g_assert_cmpuint (peer->n_datagrams, ==, 0);
  g_assert_cmpuint (peer->n_connecting, ==, 0);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->dropped_ttl, ==, 6);
  send_ping (peer, 2, 56);
  g_assert_cmpuint (peer_drain (peer), ==, 1);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->dropped_ttl, ==, 6);
}

/* Where nobody said who we are, the destination has to speak. */
static void
test_nameless_hop (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_new (mode, NULL);

  send_ping (peer, 1, 56);
  assert_error (peer, is_v4 (peer) ? 11 : 3, 0, &peer->remote.address);
}

static void
test_source_route (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_with_icmp (mode, T2PW_ICMP_REPLY);
  static const guint8 v4[8] = { 131, 7, 4, 192, 0, 2, 1, 0 };
  static const guint8 v6[8] = { IPPROTO_ICMPV6, 0, 2, 1, 0, 0, 0, 0 };
  gsize head = is_v4 (peer) ? 20 : 40;
  guint8 packet[66000], with[66100];
  gsize length = build_ping (peer, 64, 56, packet);

  memcpy (with, packet, head);
  memcpy (with + head, is_v4 (peer) ? v4 : v6, 8);
  memcpy (with + head + 8, packet + head, length - head);
  if (is_v4 (peer))
    {
      with[0] = 0x47;
      t2p_store_be16 (with + 2, (guint16) (length + 8));
      t2p_store_be16 (with + 10, 0);
      t2p_store_be16 (with + 10, t2p_checksum (with, 28));
    }
  else
    {
      with[6] = IPPROTO_ROUTING;
      t2p_store_be16 (with + 4, (guint16) (length - head + 8));
    }
  peer_send_raw (peer, with, length + 8);
  peer_pump (peer);
  assert_silence (peer);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->dropped_route, ==, 1);
}

/* What is for many, or for nobody, is not for a proxy. */
static void
test_multicast (gconstpointer mode)
{
  static const char *const v4[] = { "224.0.0.251:5353",   "239.255.255.250:1900",
                                    "255.255.255.255:67", "0.0.0.0:9",
                                    "127.0.0.1:9",        "240.0.0.1:9" };
  static const char *const v6[] = { "[ff02::fb]:5353", "[ff0e::1]:9", "[::]:9", "[::1]:9" };
  g_autoptr (Peer) peer = peer_with_icmp (mode, T2PW_ICMP_REPLY);
  guint n = is_v4 (peer) ? G_N_ELEMENTS (v4) : G_N_ELEMENTS (v6);

  for (guint i = 0; i < n; i++)
    {
      guint8 packet[2000];
      T2pIpEndpoint to;
      T2pWriter writer;

      g_assert_true (t2p_ip_endpoint_parse (is_v4 (peer) ? v4[i] : v6[i], &to));
      t2p_writer_init (&writer, packet, sizeof packet);
      t2p_udp_packet_write (&writer, &peer->local, &to, packet, 20);
      peer_send_raw (peer, packet, t2p_writer_length (&writer));
    }
  peer_pump (peer);
  assert_silence (peer);
  g_assert_cmpuint (peer->n_datagrams, ==, 0);
  g_assert_cmpuint (t2pw_stack_get_counters (peer->stack)->dropped_multicast, ==, n);
}

/* Unknown protocols are refused; "no next header" is complete as it is. */
static void
test_protocols (gconstpointer mode)
{
  g_autoptr (Peer) peer = peer_with_icmp (mode, T2PW_ICMP_REPLY);
  guint8 packet[66000];
  gsize length = build_ping (peer, 64, 56, packet);

  packet[is_v4 (peer) ? 9 : 6] = 47; /* GRE */
  if (is_v4 (peer))
    {
      t2p_store_be16 (packet + 10, 0);
      t2p_store_be16 (packet + 10, t2p_checksum (packet, 20));
    }
  peer_send_raw (peer, packet, length);
  peer_pump (peer);
  assert_error (peer, is_v4 (peer) ? 3 : 4, is_v4 (peer) ? 2 : 1, &peer->remote.address);
  if (is_v4 (peer))
    return;
  packet[6] = IPPROTO_NONE;
  peer_send_raw (peer, packet, length);
  peer_pump (peer);
  assert_silence (peer);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    GTestDataFunc func;
  } tests[] = {
    { "a-ping-gets-an-honest-error", test_unreachable },
    { "a-ping-is-answered", test_reply },
    { "a-long-answer-goes-in-fragments", test_long_reply },
    { "drop-says-nothing-at-all", test_drop },
    { "a-ping-is-passed-on", test_direct },
    { "a-bad-sum-is-dropped", test_bad_sum },
    { "the-tunnel-is-a-hop", test_hops },
    { "a-hop-without-a-name", test_nameless_hop },
    { "source-routes-are-dropped", test_source_route },
    { "multicast-is-ignored", test_multicast },
    { "other-protocols-are-refused", test_protocols },
  };

  g_test_init (&argc, &argv, NULL);
  for (guint m = 0; m < n_peer_modes; m++)
    for (guint t = 0; t < G_N_ELEMENTS (tests); t++)
      {
        g_autofree char *path =
            g_strdup_printf ("/icmp/%s/%s", peer_modes[m].name, tests[t].name);

        g_test_add_data_func (path, &peer_modes[m], tests[t].func);
      }
  return g_test_run ();
}
