/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-checksum.h"
#include "t2p-refusal.h"
#include "t2p-tcp-header.h"
#include "t2p-udp-header.h"

#include "hex.h"

/* What Linux sends: MSS 1460, SACK permitted, timestamps, NOP, window scale 7. */
#define LINUX_SYN                                                                              \
  "c350 01bb 11223344 00000000 a002 faf0 0000 0000"                                            \
  "020405b4 0402 080a0102030400000000 01 030307"

static T2pTcpParse
parse_tcp (const char *text, T2pTcpHeader *out_header)
{
  g_autoptr (GByteArray) bytes = bytes_from_hex (text);
  g_autofree guint8 *exact = exact_copy (bytes->data, bytes->len);

  return t2p_tcp_header_parse (exact, bytes->len, out_header);
}

static void
test_syn_of_linux (void)
{
  T2pTcpHeader tcp;

  g_assert_cmpint (parse_tcp (LINUX_SYN "aabb", &tcp), ==, T2P_TCP_PARSE_OK);
  g_assert_cmpuint (tcp.source_port, ==, 50000);
  g_assert_cmpuint (tcp.destination_port, ==, 443);
  g_assert_cmphex (tcp.sequence, ==, 0x11223344);
  g_assert_cmphex (tcp.flags, ==, T2P_TCP_SYN);
  g_assert_cmpuint (tcp.window, ==, 0xfaf0);
  g_assert_cmpuint (tcp.maximum_segment_bytes, ==, 1460);
  g_assert_cmpuint (tcp.maximum_segment_at, ==, 22);
  g_assert_true (tcp.has_window_scale);
  g_assert_cmpuint (tcp.window_scale, ==, 7);
  g_assert_cmpuint (tcp.window_scale_at, ==, 39);
  g_assert_cmpuint (tcp.header_bytes, ==, 40);
  g_assert_cmpuint (tcp.payload_bytes, ==, 2);
}

static void
test_options_outside_a_syn_are_skipped (void)
{
  T2pTcpHeader tcp;

  g_assert_cmpint (parse_tcp ("c350 01bb 11223344 55667788 7018 faf0 0000 0000"
                              "020405b4 030307 00 | 68656c6c6f",
                              &tcp),
                   ==, T2P_TCP_PARSE_OK);
  g_assert_cmphex (tcp.acknowledgement, ==, 0x55667788);
  g_assert_cmpuint (tcp.maximum_segment_bytes, ==, 0);
  g_assert_false (tcp.has_window_scale);
  g_assert_cmpuint (tcp.payload_bytes, ==, 5);
}

static void
test_window_scale_is_capped (void)
{
  T2pTcpHeader tcp;

  g_assert_cmpint (
      parse_tcp ("c350 01bb 11223344 00000000 6002 faf0 0000 0000 0303ff 00", &tcp), ==,
      T2P_TCP_PARSE_OK);
  g_assert_cmpuint (tcp.window_scale, ==, 14);
}

static void
test_hostile_options (void)
{
  static const char *const tails[] = { "02000000", "08010000", "020505b4", "01010102" };
  T2pTcpHeader tcp;

  for (guint i = 0; i < G_N_ELEMENTS (tails); i++)
    {
      g_autofree char *text = g_strconcat ("c350 01bb 11223344 00000000 6002 faf0 0000 0000",
                                           tails[i], "aabbccdd", NULL);

      g_assert_cmpint (parse_tcp (text, &tcp), ==, T2P_TCP_PARSE_BAD_OPTIONS);
    }
  /* behind the end-of-list option anything may stand */
  g_assert_cmpint (parse_tcp ("c350 01bb 11223344 00000000 6002 faf0 0000 0000 00020000", &tcp),
                   ==, T2P_TCP_PARSE_OK);
}

static void
test_tcp_lengths (void)
{
  g_autoptr (GByteArray) syn = bytes_from_hex (LINUX_SYN);
  T2pTcpHeader tcp;

  for (gsize length = 0; length < syn->len; length++)
    {
      g_autofree guint8 *exact = exact_copy (syn->data, length);

      g_assert_cmpint (t2p_tcp_header_parse (exact, length, &tcp), ==,
                       length < 20 ? T2P_TCP_PARSE_TRUNCATED : T2P_TCP_PARSE_BAD_HEADER_LENGTH);
    }
  g_assert_cmpint (parse_tcp ("c350 01bb 11223344 00000000 4002 faf0 0000 0000", &tcp), ==,
                   T2P_TCP_PARSE_BAD_HEADER_LENGTH);
}

static void
test_tcp_checksum (void)
{
  /* 192.0.2.1 to 198.51.100.7 */
  g_autoptr (GByteArray) packet =
      bytes_from_hex ("4500 0028 1c46 4000 4006 0000 c0000201 c6336407"
                      "c350 01bb 00000001 00000000 5002 faf0 03a9 0000");
  T2pIpHeader ip;

  g_assert_cmpint (t2p_ip_header_parse (packet->data, packet->len, &ip), ==, T2P_IP_PARSE_OK);
  g_assert_true (t2p_tcp_checksum_ok (packet->data, &ip));
  packet->data[39] ^= 1;
  g_assert_false (t2p_tcp_checksum_ok (packet->data, &ip));
}

static T2pUdpParse
parse_udp (const char *text, T2pUdpHeader *out_header)
{
  g_autoptr (GByteArray) bytes = bytes_from_hex (text);
  g_autofree guint8 *exact = exact_copy (bytes->data, bytes->len);

  return t2p_udp_header_parse (exact, bytes->len, out_header);
}

static void
test_udp_lengths (void)
{
  T2pUdpHeader udp;

  g_assert_cmpint (parse_udp ("d431 0035 000b beef 010203 ffff", &udp), ==, T2P_UDP_PARSE_OK);
  g_assert_cmpuint (udp.source_port, ==, 54321);
  g_assert_cmpuint (udp.destination_port, ==, 53);
  g_assert_cmphex (udp.checksum, ==, 0xbeef);
  g_assert_cmpuint (udp.payload_bytes, ==, 3);
  g_assert_cmpint (parse_udp ("d431 0035 0008 0000", &udp), ==, T2P_UDP_PARSE_OK);
  g_assert_cmpuint (udp.payload_bytes, ==, 0);
  g_assert_cmpint (parse_udp ("d431 0035 0007 0000", &udp), ==, T2P_UDP_PARSE_BAD_LENGTH);
  g_assert_cmpint (parse_udp ("d431 0035 0009 0000", &udp), ==, T2P_UDP_PARSE_BAD_LENGTH);
  g_assert_cmpint (parse_udp ("d431 0035 0008 00", &udp), ==, T2P_UDP_PARSE_TRUNCATED);
  g_assert_cmpint (parse_udp ("", &udp), ==, T2P_UDP_PARSE_TRUNCATED);
}

static T2pIpEndpoint
endpoint (int family, guint8 last, guint16 port)
{
  T2pIpEndpoint made = { .port = port };

  made.address.family = (guint8) family;
  made.address.bytes[0] = 0x20;
  made.address.bytes[family == AF_INET ? 3 : 15] = last;
  return made;
}

static void
check_udp_packet (int family, gsize payload_bytes)
{
  T2pIpEndpoint source = endpoint (family, 1, 53);
  T2pIpEndpoint destination = endpoint (family, 2, 4321);
  guint8 payload[256];
  guint8 packet[512];
  T2pWriter writer;
  T2pIpHeader ip;
  T2pUdpHeader udp;

  for (gsize i = 0; i < payload_bytes; i++)
    payload[i] = (guint8) g_test_rand_int ();
  t2p_writer_init (&writer, packet, sizeof packet);
  g_assert_true (t2p_udp_packet_write (&writer, &source, &destination, payload, payload_bytes));
  g_assert_cmpint (t2p_ip_header_parse (packet, t2p_writer_length (&writer), &ip), ==,
                   T2P_IP_PARSE_OK);
  g_assert_cmpuint (ip.total_bytes, ==, t2p_writer_length (&writer));
  g_assert_true (t2p_ip_header_checksum_ok (packet, &ip));
  g_assert_true (t2p_udp_checksum_ok (packet, &ip));
  g_assert_cmpint (
      t2p_udp_header_parse (packet + ip.header_bytes, t2p_ip_header_payload_bytes (&ip), &udp),
      ==, T2P_UDP_PARSE_OK);
  g_assert_cmpuint (udp.source_port, ==, 53);
  g_assert_cmpuint (udp.destination_port, ==, 4321);
  g_assert_cmpmem (packet + ip.header_bytes + 8, udp.payload_bytes, payload, payload_bytes);
  packet[ip.total_bytes - 1] ^= 0x10;
  g_assert_false (t2p_udp_checksum_ok (packet, &ip));
}

static void
test_udp_packets_check_out (void)
{
  for (gsize length = 0; length <= 256; length++)
    {
      check_udp_packet (AF_INET, length);
      check_udp_packet (AF_INET6, length);
    }
}

static void
test_udp_checksum_is_never_zero (void)
{
  T2pIpEndpoint source = endpoint (AF_INET, 1, 53);
  T2pIpEndpoint destination = endpoint (AF_INET, 2, 4321);
  guint8 payload[2] = { 0, 0 };
  guint8 packet[64];
  T2pWriter writer;
  guint16 sum;

  t2p_writer_init (&writer, packet, sizeof packet);
  g_assert_true (t2p_udp_packet_write (&writer, &source, &destination, payload, 2));
  sum = t2p_load_be16 (packet + 20 + 6);
  t2p_store_be16 (payload, sum); /* now everything adds up to 0xffff */
  t2p_writer_init (&writer, packet, sizeof packet);
  g_assert_true (t2p_udp_packet_write (&writer, &source, &destination, payload, 2));
  g_assert_cmphex (t2p_load_be16 (packet + 20 + 6), ==, 0xffff);
}

static void
test_udp_without_checksum (void)
{
  g_autoptr (GByteArray) v4 = bytes_from_hex ("4500 001c 0000 0000 4011 0000 c0000201 c6336407"
                                              "0035 0035 0008 0000");
  g_autoptr (GByteArray) v6 =
      bytes_from_hex ("60000000 0008 11 3f 20010db8000000000000000000000001"
                      "20010db8000000000000000000000002 0035 0035 0008 0000");
  T2pIpHeader ip;

  g_assert_cmpint (t2p_ip_header_parse (v4->data, v4->len, &ip), ==, T2P_IP_PARSE_OK);
  g_assert_true (t2p_udp_checksum_ok (v4->data, &ip));
  g_assert_cmpint (t2p_ip_header_parse (v6->data, v6->len, &ip), ==, T2P_IP_PARSE_OK);
  g_assert_false (t2p_udp_checksum_ok (v6->data, &ip));
}

/* The kernel adds the bytes to what stands in the field: the result must then be right. */
static void
test_udp_partial_checksum_completes (void)
{
  T2pIpEndpoint source = endpoint (AF_INET6, 1, 53);
  T2pIpEndpoint destination = endpoint (AF_INET6, 2, 4321);
  static const guint8 payload[] = { 1, 2, 3, 4, 5 };
  guint8 packet[128];
  T2pWriter writer;
  T2pIpHeader ip;

  t2p_writer_init (&writer, packet, sizeof packet);
  g_assert_true (t2p_udp_packet_write_headers (&writer, &source, &destination, NULL,
                                               sizeof payload, T2P_UDP_CHECKSUM_PARTIAL));
  g_assert_true (t2p_writer_bytes (&writer, payload, sizeof payload));
  t2p_store_be16 (packet + 46, t2p_checksum (packet + 40, 8 + sizeof payload));
  g_assert_cmpint (t2p_ip_header_parse (packet, t2p_writer_length (&writer), &ip), ==,
                   T2P_IP_PARSE_OK);
  g_assert_true (t2p_udp_checksum_ok (packet, &ip));
}

static void
test_udp_too_long (void)
{
  T2pIpEndpoint source = endpoint (AF_INET, 1, 53);
  T2pIpEndpoint destination = endpoint (AF_INET, 2, 4321);
  guint8 packet[64];
  T2pWriter writer;

  t2p_writer_init (&writer, packet, sizeof packet);
  g_assert_false (t2p_udp_packet_write_headers (&writer, &source, &destination, NULL, 65508,
                                                T2P_UDP_CHECKSUM_PARTIAL));
  g_assert_false (t2p_udp_packet_write_headers (&writer, &source, &destination, NULL, G_MAXSIZE,
                                                T2P_UDP_CHECKSUM_PARTIAL));
  g_assert_true (t2p_udp_packet_write_headers (&writer, &source, &destination, NULL, 65507,
                                               T2P_UDP_CHECKSUM_PARTIAL));
}

static void
test_refusals_of_socks5 (void)
{
  g_assert_cmpint (t2p_refusal_from_socks5_reply (0x01), ==, T2P_REFUSAL_RESET);
  g_assert_cmpint (t2p_refusal_from_socks5_reply (0x02), ==, T2P_REFUSAL_ADMIN_PROHIBITED);
  g_assert_cmpint (t2p_refusal_from_socks5_reply (0x03), ==, T2P_REFUSAL_NET_UNREACHABLE);
  g_assert_cmpint (t2p_refusal_from_socks5_reply (0x04), ==, T2P_REFUSAL_HOST_UNREACHABLE);
  g_assert_cmpint (t2p_refusal_from_socks5_reply (0x05), ==, T2P_REFUSAL_RESET);
  g_assert_cmpint (t2p_refusal_from_socks5_reply (0x06), ==, T2P_REFUSAL_SILENCE);
  g_assert_cmpint (t2p_refusal_from_socks5_reply (0x07), ==, T2P_REFUSAL_RESET);
  g_assert_cmpint (t2p_refusal_from_socks5_reply (0xff), ==, T2P_REFUSAL_RESET);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tcp/syn-of-linux", test_syn_of_linux);
  g_test_add_func ("/tcp/options-outside-a-syn-are-skipped",
                   test_options_outside_a_syn_are_skipped);
  g_test_add_func ("/tcp/window-scale-is-capped", test_window_scale_is_capped);
  g_test_add_func ("/tcp/hostile-options", test_hostile_options);
  g_test_add_func ("/tcp/lengths", test_tcp_lengths);
  g_test_add_func ("/tcp/checksum", test_tcp_checksum);
  g_test_add_func ("/udp/lengths", test_udp_lengths);
  g_test_add_func ("/udp/packets-check-out", test_udp_packets_check_out);
  g_test_add_func ("/udp/checksum-is-never-zero", test_udp_checksum_is_never_zero);
  g_test_add_func ("/udp/without-checksum", test_udp_without_checksum);
  g_test_add_func ("/udp/partial-checksum-completes", test_udp_partial_checksum_completes);
  g_test_add_func ("/udp/too-long", test_udp_too_long);
  g_test_add_func ("/refusal/of-socks5", test_refusals_of_socks5);
  return g_test_run ();
}
