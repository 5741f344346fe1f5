/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-udp-in-tcp.h"

#include "hex.h"

static void
check_round_trip (const T2pSocks5Address *peer, const char *header_hex, const char *payload)
{
  g_autoptr (GByteArray) bytes = bytes_from_hex (header_hex);
  guint8 header[T2P_UDP_IN_TCP_MAX_HEADER_BYTES];
  T2pWriter writer;
  T2pUdpInTcpFrame seen;
  gsize used = 0;

  t2p_writer_init (&writer, header, sizeof header);
  g_assert_true (t2p_udp_in_tcp_write_header (&writer, peer, strlen (payload)));
  g_assert_cmpmem (header, t2p_writer_length (&writer), bytes->data, bytes->len);
  g_byte_array_append (bytes, (const guint8 *) payload, (guint) strlen (payload));
  for (gsize length = 0; length < bytes->len; length++)
    {
      g_autofree guint8 *exact = exact_copy (bytes->data, length);

      g_assert_cmpint (t2p_udp_in_tcp_decode (exact, length, &seen, &used), ==,
                       T2P_DECODE_MORE);
    }
  g_byte_array_append (bytes, (const guint8 *) "next", 4);
  g_assert_cmpint (t2p_udp_in_tcp_decode (bytes->data, bytes->len, &seen, &used), ==,
                   T2P_DECODE_DONE);
  g_assert_cmpuint (used, ==, bytes->len - 4);
  g_assert_cmpmem (seen.peer.name, seen.peer.name_bytes, peer->name, peer->name_bytes);
  g_assert_true (t2p_ip_address_equal (&seen.peer.address, &peer->address));
  g_assert_cmpuint (seen.peer.port, ==, peer->port);
  g_assert_cmpmem (seen.payload, seen.payload_bytes, payload, strlen (payload));
}

static void
test_frames (void)
{
  T2pSocks5Address v4 = { .port = 53 };
  T2pSocks5Address v6 = { .port = 443 };
  T2pSocks5Address name = { .name = "dns", .name_bytes = 3, .port = 53 };

  g_assert_true (t2p_ip_address_parse ("192.0.2.1", &v4.address));
  g_assert_true (t2p_ip_address_parse ("2001:db8::1", &v6.address));
  check_round_trip (&v4, "0003 0a 01 c0000201 0035", "abc");
  check_round_trip (&v6, "0001 16 04 20010db8000000000000000000000001 01bb", "!");
  check_round_trip (&name, "0002 0a 03 03 646e73 0035", "hi");
}

static gboolean
may_write (const T2pSocks5Address *peer, gsize payload_bytes)
{
  guint8 header[T2P_UDP_IN_TCP_MAX_HEADER_BYTES];
  T2pWriter writer;

  t2p_writer_init (&writer, header, sizeof header);
  return t2p_udp_in_tcp_write_header (&writer, peer, payload_bytes);
}

static void
test_what_cannot_be_said (void)
{
  char text[255];
  T2pSocks5Address peer = { .name = text, .name_bytes = 248, .port = 1 };

  memset (text, 'n', sizeof text);
  g_assert_true (may_write (&peer, 1));
  g_assert_true (may_write (&peer, T2P_UDP_IN_TCP_MAX_PAYLOAD_BYTES));
  g_assert_false (may_write (&peer, 0));
  g_assert_false (may_write (&peer, T2P_UDP_IN_TCP_MAX_PAYLOAD_BYTES + 1));
  peer.name_bytes = 249; /* the header's length has one byte */
  g_assert_false (may_write (&peer, 1));
}

static void
test_headers_that_disagree_are_refused (void)
{
  static const char *const bad[] = {
    "0001 02",                        /* shorter than its own lengths */
    "0001 03 ff",                     /* no address */
    "0001 09 01 c0000201 00 ff",      /* an address that is cut off */
    "0001 0b 01 c0000201 0035 00 ff", /* and one with something behind it */
    "0001 0a 02 c0000201 0035 ff",    /* of no known type */
    "0001 0a 03 04 646e73 0035 ff",   /* a name longer than the header */
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GByteArray) bytes = bytes_from_hex (bad[i]);
      g_autofree guint8 *exact = exact_copy (bytes->data, bytes->len);
      T2pUdpInTcpFrame seen;
      gsize used;

      g_assert_cmpint (t2p_udp_in_tcp_decode (exact, bytes->len, &seen, &used), ==,
                       T2P_DECODE_BAD);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/udp-in-tcp/frames", test_frames);
  g_test_add_func ("/udp-in-tcp/what-cannot-be-said", test_what_cannot_be_said);
  g_test_add_func ("/udp-in-tcp/headers-that-disagree-are-refused",
                   test_headers_that_disagree_are_refused);
  return g_test_run ();
}
