/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-udpgw.h"

#include "hex.h"

static T2pUdpgwFrame
frame_to (const char *peer, guint16 connection, guint8 flags)
{
  T2pUdpgwFrame frame = { .flags = flags, .connection = connection };

  g_assert_true (t2p_ip_endpoint_parse (peer, &frame.peer));
  return frame;
}

static void
check_round_trip (T2pUdpgwFrame *frame, const char *header_hex, const char *payload)
{
  g_autoptr (GByteArray) bytes = bytes_from_hex (header_hex);
  guint8 header[T2P_UDPGW_MAX_HEADER_BYTES];
  T2pWriter writer;
  T2pUdpgwFrame seen;
  gsize used = 0;

  frame->payload_bytes = strlen (payload);
  t2p_writer_init (&writer, header, sizeof header);
  g_assert_true (t2p_udpgw_write_header (&writer, frame));
  g_assert_cmpmem (header, t2p_writer_length (&writer), bytes->data, bytes->len);
  g_byte_array_append (bytes, (const guint8 *) payload, (guint) strlen (payload));
  for (gsize length = 0; length < bytes->len; length++)
    {
      g_autofree guint8 *exact = exact_copy (bytes->data, length);

      g_assert_cmpint (t2p_udpgw_decode (exact, length, &seen, &used), ==, T2P_DECODE_MORE);
    }
  g_byte_array_append (bytes, (const guint8 *) "next", 4);
  g_assert_cmpint (t2p_udpgw_decode (bytes->data, bytes->len, &seen, &used), ==,
                   T2P_DECODE_DONE);
  g_assert_cmpuint (used, ==, bytes->len - 4);
  g_assert_cmpuint (seen.connection, ==, frame->connection);
  g_assert_true (t2p_ip_endpoint_equal (&seen.peer, &frame->peer));
  g_assert_cmpmem (seen.payload, seen.payload_bytes, payload, strlen (payload));
}

static void
test_frames (void)
{
  T2pUdpgwFrame v4 = frame_to ("192.0.2.1:53", 0x1234, 0);
  T2pUdpgwFrame rebound = frame_to ("192.0.2.1:53", 1, T2P_UDPGW_REBIND);
  T2pUdpgwFrame v6 = frame_to ("[2001:db8::1]:443", 0xffff, T2P_UDPGW_DNS);

  check_round_trip (&v4, "0c00 00 3412 c0000201 0035", "abc");
  check_round_trip (&rebound, "0900 02 0100 c0000201 0035", "");
  check_round_trip (&v6, "1600 0c ffff 20010db8000000000000000000000001 01bb", "!");
}

static void
test_family_decides_the_flag (void)
{
  T2pUdpgwFrame v4 = frame_to ("192.0.2.1:53", 2, T2P_UDPGW_IPV6);

  check_round_trip (&v4, "0a00 00 0200 c0000201 0035", "x");
}

static void
test_longest_payload (void)
{
  T2pUdpgwFrame frame = frame_to ("[::1]:1", 1, 0);
  guint8 header[T2P_UDPGW_MAX_HEADER_BYTES];
  T2pWriter writer;

  frame.payload_bytes = T2P_UDPGW_MAX_PAYLOAD_BYTES;
  t2p_writer_init (&writer, header, sizeof header);
  g_assert_true (t2p_udpgw_write_header (&writer, &frame));
  g_assert_cmpuint (header[0] | header[1] << 8, ==, 21 + T2P_UDPGW_MAX_PAYLOAD_BYTES);
  frame.payload_bytes++;
  t2p_writer_init (&writer, header, sizeof header);
  g_assert_false (t2p_udpgw_write_header (&writer, &frame));
}

static void
test_keepalive (void)
{
  g_autoptr (GByteArray) bare = bytes_from_hex ("0300 01 0000");
  guint8 bytes[T2P_UDPGW_KEEPALIVE_BYTES];
  T2pWriter writer;
  T2pUdpgwFrame seen;
  gsize used = 0;

  t2p_writer_init (&writer, bytes, sizeof bytes);
  g_assert_true (t2p_udpgw_write_keepalive (&writer));
  g_assert_cmpint (t2p_udpgw_decode (bytes, sizeof bytes, &seen, &used), ==, T2P_DECODE_DONE);
  g_assert_cmpuint (used, ==, sizeof bytes);
  g_assert_cmpuint (seen.flags, ==, T2P_UDPGW_KEEPALIVE);
  g_assert_cmpuint (seen.payload_bytes, ==, 0);
  g_assert_cmpint (t2p_udpgw_decode (bare->data, bare->len, &seen, &used), ==, T2P_DECODE_DONE);
  g_assert_cmpuint (used, ==, bare->len);
}

static void
test_short_frames_are_refused (void)
{
  static const char *const bad[] = {
    "0000",
    "0200 0001",
    "0800 00 0100 c0000201 00",
    "1400 08 0100 20010db8000000000000000000000001 01",
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GByteArray) bytes = bytes_from_hex (bad[i]);
      g_autofree guint8 *exact = exact_copy (bytes->data, bytes->len);
      T2pUdpgwFrame seen;
      gsize used;

      g_assert_cmpint (t2p_udpgw_decode (exact, bytes->len, &seen, &used), ==, T2P_DECODE_BAD);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/udpgw/frames", test_frames);
  g_test_add_func ("/udpgw/family-decides-the-flag", test_family_decides_the_flag);
  g_test_add_func ("/udpgw/longest-payload", test_longest_payload);
  g_test_add_func ("/udpgw/keepalive", test_keepalive);
  g_test_add_func ("/udpgw/short-frames-are-refused", test_short_frames_are_refused);
  return g_test_run ();
}
