/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-icmp.h"
#include "t2p-tcp-header.h"

#include "hex.h"

/* 192.0.2.1 to 198.51.100.7 */
#define V4_UDP                                                                                 \
  "4500 0020 1c46 4000 4011 0000 c0000201 c6336407"                                            \
  "c350 0035 000c 0000 01020304"
/* 2001:db8::1 to 2001:db8::2 */
#define V6_ADDRESSES "20010db8000000000000000000000001 20010db8000000000000000000000002"
#define V6_UDP "60000000 000c 11 40" V6_ADDRESSES "c350 0035 000c 0000 01020304"

typedef struct
{
  GByteArray *bytes;
  T2pIpHeader ip;
  guint8 buffer[2048];
  T2pWriter writer;
} Fixture;

static void
load (Fixture *f, const char *hex)
{
  if (f->bytes != NULL)
    g_byte_array_unref (f->bytes);
  f->bytes = bytes_from_hex (hex);
  t2p_writer_init (&f->writer, f->buffer, sizeof f->buffer);
  g_assert_cmpint (t2p_ip_header_parse (f->bytes->data, f->bytes->len, &f->ip), ==,
                   T2P_IP_PARSE_OK);
}

static void
unload (Fixture *f)
{
  g_clear_pointer (&f->bytes, g_byte_array_unref);
}

static void
lengthen (Fixture *f, guint length)
{
  gsize before = f->bytes->len;

  g_byte_array_set_size (f->bytes, length);
  memset (f->bytes->data + before, 0x5a, length - before);
  if (f->ip.version == 4)
    t2p_store_be16 (f->bytes->data + 2, (guint16) length);
  else
    t2p_store_be16 (f->bytes->data + 4, (guint16) (length - 40));
  g_assert_cmpint (t2p_ip_header_parse (f->bytes->data, f->bytes->len, &f->ip), ==,
                   T2P_IP_PARSE_OK);
}

static gboolean
refuse (Fixture *f, T2pRefusal refusal)
{
  t2p_writer_init (&f->writer, f->buffer, sizeof f->buffer);
  return t2p_icmp_write_refusal (&f->writer, f->bytes->data, f->bytes->len, &f->ip, refusal);
}

/* Everything that the type and code do not say. */
static void
check_error (const Fixture *f, guint8 type, guint8 code, guint32 rest, gsize quoted)
{
  T2pIpHeader ip;
  const guint8 *body;

  g_assert_cmpint (t2p_ip_header_parse (f->buffer, t2p_writer_length (&f->writer), &ip), ==,
                   T2P_IP_PARSE_OK);
  g_assert_cmpuint (ip.total_bytes, ==, t2p_writer_length (&f->writer));
  g_assert_cmpuint (ip.protocol, ==, f->ip.version == 4 ? 1 : 58);
  g_assert_true (t2p_ip_header_checksum_ok (f->buffer, &ip));
  g_assert_true (t2p_icmp_checksum_ok (f->buffer, &ip));
  g_assert_true (t2p_ip_address_equal (&ip.source, &f->ip.destination));
  g_assert_true (t2p_ip_address_equal (&ip.destination, &f->ip.source));
  body = f->buffer + ip.header_bytes;
  g_assert_cmpuint (body[0], ==, type);
  g_assert_cmpuint (body[1], ==, code);
  g_assert_cmpuint (t2p_load_be32 (body + 4), ==, rest);
  g_assert_cmpmem (body + 8, t2p_ip_header_payload_bytes (&ip) - 8, f->bytes->data, quoted);
}

/* Sums that another program worked out, so that a wrong sum cannot pass its own check. */
static void
test_known_port_unreachable (void)
{
  g_autoptr (GByteArray) expected = bytes_from_hex (
      "45c0 003c 0000 4000 4001 4dc5 c6336407 c0000201"
      "0303 67b0 00000000"
      "4500 0020 1c46 4000 4011 0000 c0000201 c6336407 c350 0035 000c 0000 01020304");
  Fixture f = { 0 };

  load (&f, V4_UDP);
  g_assert_true (refuse (&f, T2P_REFUSAL_PORT_UNREACHABLE));
  g_assert_cmpmem (f.buffer, t2p_writer_length (&f.writer), expected->data, expected->len);
  unload (&f);
}

static void
test_refusals (void)
{
  static const struct
  {
    T2pRefusal refusal;
    guint8 v4_code;
    guint8 v6_code;
  } cases[] = {
    { T2P_REFUSAL_NET_UNREACHABLE, 0, 0 },   { T2P_REFUSAL_HOST_UNREACHABLE, 1, 3 },
    { T2P_REFUSAL_PORT_UNREACHABLE, 3, 4 },  { T2P_REFUSAL_RESET, 3, 4 },
    { T2P_REFUSAL_ADMIN_PROHIBITED, 13, 1 },
  };
  Fixture f = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      load (&f, V4_UDP);
      g_assert_true (refuse (&f, cases[i].refusal));
      check_error (&f, 3, cases[i].v4_code, 0, 32);
      load (&f, V6_UDP);
      g_assert_true (refuse (&f, cases[i].refusal));
      check_error (&f, 1, cases[i].v6_code, 0, 52);
    }
  g_assert_false (refuse (&f, T2P_REFUSAL_SILENCE));
  g_assert_cmpuint (t2p_writer_length (&f.writer), ==, 0);
  unload (&f);
}

static void
test_quotes_have_a_limit (void)
{
  Fixture f = { 0 };

  load (&f, V4_UDP);
  lengthen (&f, 1500);
  g_assert_true (refuse (&f, T2P_REFUSAL_HOST_UNREACHABLE));
  g_assert_cmpuint (t2p_writer_length (&f.writer), ==, 576);
  check_error (&f, 3, 1, 0, 548);
  load (&f, V6_UDP);
  lengthen (&f, 1499);
  g_assert_true (refuse (&f, T2P_REFUSAL_HOST_UNREACHABLE));
  g_assert_cmpuint (t2p_writer_length (&f.writer), ==, 1280);
  check_error (&f, 1, 3, 0, 1232);
  unload (&f);
}

/* A held SYN is a copy of the beginning; padding behind the packet is not quoted. */
static void
test_quotes_only_what_is_there (void)
{
  Fixture f = { 0 };

  load (&f, V4_UDP);
  lengthen (&f, 1500);
  g_byte_array_set_size (f.bytes, 40);
  g_assert_true (refuse (&f, T2P_REFUSAL_NET_UNREACHABLE));
  check_error (&f, 3, 0, 0, 40);
  load (&f, V4_UDP "ffffffffff");
  g_assert_true (refuse (&f, T2P_REFUSAL_NET_UNREACHABLE));
  check_error (&f, 3, 0, 0, 32);
  unload (&f);
}

static void
test_odd_quotes_check_out (void)
{
  Fixture f = { 0 };

  for (guint length = 53; length < 200; length++)
    {
      load (&f, V6_UDP);
      lengthen (&f, length);
      g_assert_true (refuse (&f, T2P_REFUSAL_PORT_UNREACHABLE));
      check_error (&f, 1, 4, 0, length);
    }
  unload (&f);
}

static void
test_too_big (void)
{
  Fixture f = { 0 };

  load (&f, V4_UDP);
  g_assert_true (t2p_icmp_write_too_big (&f.writer, f.bytes->data, f.bytes->len, &f.ip, 1400));
  check_error (&f, 3, 4, 1400, 32);
  load (&f, V6_UDP);
  g_assert_true (t2p_icmp_write_too_big (&f.writer, f.bytes->data, f.bytes->len, &f.ip, 1280));
  check_error (&f, 2, 0, 1280, 52);
  unload (&f);
}

static void
test_bad_protocol (void)
{
  Fixture f = { 0 };

  load (&f, "4500 0018 0000 4000 4084 0000 c0000201 c6336407 01020304");
  g_assert_true (t2p_icmp_write_bad_protocol (&f.writer, f.bytes->data, f.bytes->len, &f.ip));
  check_error (&f, 3, 2, 0, 24);
  /* the pointer goes behind the destination options */
  load (&f, "60000000 000c 3c 40" V6_ADDRESSES "8400010400000000 01020304");
  g_assert_true (t2p_icmp_write_bad_protocol (&f.writer, f.bytes->data, f.bytes->len, &f.ip));
  check_error (&f, 4, 1, 40, 52);
  unload (&f);
}

static void
test_what_is_never_answered (void)
{
  static const char *const packets[] = {
    /* ICMP errors, and one whose type is missing */
    "4500 001c 0000 4000 4001 0000 c0000201 c6336407 0303000000000000",
    "4500 001c 0000 4000 4001 0000 c0000201 c6336407 0b00000000000000",
    "4500 0014 0000 4000 4001 0000 c0000201 c6336407",
    "60000000 0008 3a 40" V6_ADDRESSES "0100000000000000",
    "60000000 0008 3a 40" V6_ADDRESSES "7f00000000000000",
    /* a later fragment */
    "4500 001c 0000 0001 4011 0000 c0000201 c6336407 0102030405060708",
    "60000000 0010 2c 40" V6_ADDRESSES "1100000800000001 0102030405060708",
    /* from nobody, from loopback, from a group */
    "4500 0014 0000 4000 4011 0000 00000000 c6336407",
    "4500 0014 0000 4000 4011 0000 7f000001 c6336407",
    "4500 0014 0000 4000 4011 0000 e0000001 c6336407",
    "60000000 0000 11 40 00000000000000000000000000000000 20010db8000000000000000000000002",
    "60000000 0000 11 40 00000000000000000000000000000001 20010db8000000000000000000000002",
    "60000000 0000 11 40 ff020000000000000000000000000001 20010db8000000000000000000000002",
    /* to a group, to everybody */
    "4500 0014 0000 4000 4011 0000 c0000201 e00000fb",
    "4500 0014 0000 4000 4011 0000 c0000201 ffffffff",
    "60000000 0000 11 40 20010db8000000000000000000000002 ff020000000000000000000000000001",
  };
  Fixture f = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (packets); i++)
    {
      load (&f, packets[i]);
      g_assert_false (t2p_icmp_may_answer (f.bytes->data, f.bytes->len, &f.ip));
      g_assert_false (refuse (&f, T2P_REFUSAL_PORT_UNREACHABLE));
      g_assert_cmpuint (t2p_writer_length (&f.writer), ==, 0);
    }
  unload (&f);
}

/* RFC 1122 section 3.2.2: of ICMPv4 exactly these are errors. */
static void
test_which_types_are_errors (void)
{
  static const guint8 errors[] = { 3, 4, 5, 11, 12 };
  Fixture f = { 0 };

  load (&f, "4500 001c 0000 4000 4001 0000 c0000201 c6336407 0000000000000000");
  for (guint type = 0; type < 256; type++)
    {
      f.bytes->data[20] = (guint8) type;
      g_assert_cmpint (t2p_icmp_may_answer (f.bytes->data, f.bytes->len, &f.ip), ==,
                       memchr (errors, (int) type, sizeof errors) == NULL);
    }
  load (&f, "60000000 0008 3a 40" V6_ADDRESSES "0000000000000000");
  for (guint type = 0; type < 256; type++)
    {
      f.bytes->data[40] = (guint8) type;
      g_assert_cmpint (t2p_icmp_may_answer (f.bytes->data, f.bytes->len, &f.ip), ==,
                       type >= 128);
    }
  unload (&f);
}

static void
test_pings_may_be_refused (void)
{
  Fixture f = { 0 };

  load (&f, "4500 001c 0000 4000 4001 0000 c0000201 c6336407 0800000000010001");
  g_assert_true (refuse (&f, T2P_REFUSAL_HOST_UNREACHABLE));
  check_error (&f, 3, 1, 0, 28);
  load (&f, "60000000 0008 3a 40" V6_ADDRESSES "8000000000010001");
  g_assert_true (refuse (&f, T2P_REFUSAL_HOST_UNREACHABLE));
  check_error (&f, 1, 3, 0, 48);
  unload (&f);
}

static void
check_echo (Fixture *f, guint8 reply_type)
{
  T2pIpHeader ip = { .source = f->ip.destination, .destination = f->ip.source };
  T2pIcmpEcho echo, again;
  guint8 *body;

  g_assert_true (t2p_icmp_echo_parse (f->bytes->data, &f->ip, &echo));
  g_assert_cmphex (echo.id, ==, 0xbeef);
  g_assert_cmphex (echo.sequence, ==, 1);
  ip.protocol = f->ip.protocol;
  g_assert_true (t2p_ip_header_write (&f->writer, &ip, T2P_ICMP_HEADER_BYTES + echo.length));
  body = t2p_writer_reserve (&f->writer, T2P_ICMP_HEADER_BYTES);
  t2p_icmp_echo_write_header (body, &ip.source, &ip.destination, TRUE, &echo);
  t2p_writer_bytes (&f->writer, echo.data, echo.length);
  g_assert_cmpint (t2p_ip_header_parse (f->buffer, t2p_writer_length (&f->writer), &ip), ==,
                   T2P_IP_PARSE_OK);
  g_assert_true (t2p_icmp_checksum_ok (f->buffer, &ip));
  g_assert_cmpuint (body[0], ==, reply_type);
  g_assert_true (t2p_icmp_echo_parse_reply (body, T2P_ICMP_HEADER_BYTES + echo.length,
                                            f->ip.version == 4, &again));
  g_assert_false (
      t2p_icmp_echo_parse_reply (body, T2P_ICMP_HEADER_BYTES - 1, f->ip.version == 4, &again));
  g_assert_false (t2p_icmp_echo_parse_reply (body, T2P_ICMP_HEADER_BYTES + echo.length,
                                             f->ip.version != 4, &again));
  g_assert_cmpmem (again.data, again.length, f->bytes->data + f->ip.header_bytes + 8, 3);
  g_assert_cmphex (again.sequence, ==, 1);
}

static void
test_pings_are_answered (void)
{
  Fixture f = { 0 };
  T2pIcmpEcho echo;

  load (&f, "4500 001f 0000 4000 4001 0000 c0000201 c6336407 0800 0000 beef 0001 010203");
  check_echo (&f, 0);
  load (&f, "60000000 000b 3a 40" V6_ADDRESSES "8000 0000 beef 0001 010203");
  check_echo (&f, 129);
  load (&f, V4_UDP);
  g_assert_false (t2p_icmp_echo_parse (f.bytes->data, &f.ip, &echo));
  load (&f, "4500 001b 0000 4000 4001 0000 c0000201 c6336407 0800 0000 beef 00");
  g_assert_false (t2p_icmp_echo_parse (f.bytes->data, &f.ip, &echo));
  unload (&f);
}

/* What a router says is passed on in its name, and only what a router may say. */
static void
test_errors_of_routers (void)
{
  static const struct
  {
    T2pIcmpError error;
    gboolean is_v4, is_v6;
  } cases[] = {
    { { 3, 1, 0 }, TRUE, TRUE },     { { 11, 0, 0 }, TRUE, FALSE },
    { { 12, 0, 0 }, TRUE, FALSE },   { { 1, 0, 0 }, FALSE, TRUE },
    { { 2, 0, 1300 }, FALSE, TRUE }, { { 4, 1, 40 }, FALSE, TRUE },
    { { 5, 1, 0 }, FALSE, FALSE },   { { 8, 0, 0 }, FALSE, FALSE },
    { { 0, 0, 0 }, FALSE, FALSE },   { { 128, 0, 0 }, FALSE, FALSE },
    { { 137, 0, 0 }, FALSE, FALSE },
  };
  Fixture f = { 0 };
  T2pIpAddress router;
  T2pIpHeader ip;

  for (guint i = 0; i < 2 * G_N_ELEMENTS (cases); i++)
    {
      gboolean is_v4 = i % 2 == 0;

      g_assert_true (t2p_ip_address_parse (is_v4 ? "192.0.2.99" : "2001:db8::99", &router));
      load (&f, is_v4 ? V4_UDP : V6_UDP);
      g_assert_cmpint (t2p_icmp_write_error (&f.writer, f.bytes->data, f.bytes->len, &f.ip,
                                             &router, &cases[i / 2].error),
                       ==, is_v4 ? cases[i / 2].is_v4 : cases[i / 2].is_v6);
      if (t2p_writer_length (&f.writer) == 0)
        continue;
      g_assert_cmpint (t2p_ip_header_parse (f.buffer, t2p_writer_length (&f.writer), &ip), ==,
                       T2P_IP_PARSE_OK);
      g_assert_true (t2p_ip_address_equal (&ip.source, &router));
      g_assert_true (t2p_icmp_checksum_ok (f.buffer, &ip));
      g_assert_cmpuint (t2p_load_be32 (f.buffer + ip.header_bytes + 4), ==,
                        cases[i / 2].error.rest);
    }
  load (&f, V4_UDP);
  g_assert_true (
      t2p_icmp_write_time_exceeded (&f.writer, f.bytes->data, f.bytes->len, &f.ip, &router));
  g_assert_cmpmem (f.buffer + 12, 4, "\xc6\x33\x64\x07", 4); /* IPv6 is of no use here */
  g_assert_cmpuint (f.buffer[20], ==, 11);
  unload (&f);
}

static void
test_no_room (void)
{
  Fixture f = { 0 };

  load (&f, V4_UDP);
  for (gsize room = 0; room < 60; room++)
    {
      t2p_writer_init (&f.writer, f.buffer, room);
      g_assert_false (t2p_icmp_write_refusal (&f.writer, f.bytes->data, f.bytes->len, &f.ip,
                                              T2P_REFUSAL_PORT_UNREACHABLE));
    }
  t2p_writer_init (&f.writer, f.buffer, 60);
  g_assert_true (t2p_icmp_write_refusal (&f.writer, f.bytes->data, f.bytes->len, &f.ip,
                                         T2P_REFUSAL_PORT_UNREACHABLE));
  unload (&f);
}

static void
check_reset (const char *hex, guint8 flags, guint32 sequence, guint32 acknowledgement)
{
  Fixture f = { 0 };
  T2pTcpHeader tcp;
  T2pTcpHeader seen;
  T2pIpHeader ip;

  load (&f, hex);
  g_assert_cmpint (t2p_tcp_header_parse (f.bytes->data + f.ip.header_bytes,
                                         t2p_ip_header_payload_bytes (&f.ip), &tcp),
                   ==, T2P_TCP_PARSE_OK);
  g_assert_true (t2p_tcp_write_reset (&f.writer, &f.ip, &tcp));
  g_assert_cmpint (t2p_ip_header_parse (f.buffer, t2p_writer_length (&f.writer), &ip), ==,
                   T2P_IP_PARSE_OK);
  g_assert_true (t2p_ip_address_equal (&ip.source, &f.ip.destination));
  g_assert_true (t2p_ip_address_equal (&ip.destination, &f.ip.source));
  g_assert_true (t2p_tcp_checksum_ok (f.buffer, &ip));
  g_assert_cmpint (t2p_tcp_header_parse (f.buffer + ip.header_bytes, 20, &seen), ==,
                   T2P_TCP_PARSE_OK);
  g_assert_cmpuint (seen.source_port, ==, tcp.destination_port);
  g_assert_cmpuint (seen.destination_port, ==, tcp.source_port);
  g_assert_cmphex (seen.flags, ==, flags);
  g_assert_cmphex (seen.sequence, ==, sequence);
  g_assert_cmphex (seen.acknowledgement, ==, acknowledgement);
  /* and no reset is ever answered */
  t2p_writer_init (&f.writer, f.buffer, sizeof f.buffer);
  g_assert_false (t2p_tcp_write_reset (&f.writer, &ip, &seen));
  unload (&f);
}

static void
test_resets (void)
{
  /* SYN: RST and ACK of what it took */
  check_reset ("4500 0028 1c46 4000 4006 0000 c0000201 c6336407"
               "c350 01bb 11223344 00000000 5002 faf0 0000 0000",
               T2P_TCP_RST | T2P_TCP_ACK, 0, 0x11223345);
  /* SYN with data, around the end of the sequence space */
  check_reset ("4500 002a 1c46 4000 4006 0000 c0000201 c6336407"
               "c350 01bb fffffffe 00000000 5002 faf0 0000 0000 aabb",
               T2P_TCP_RST | T2P_TCP_ACK, 0, 1);
  /* FIN without ACK */
  check_reset ("60000000 0014 06 40" V6_ADDRESSES
               "c350 01bb 11223344 00000000 5001 faf0 0000 0000",
               T2P_TCP_RST | T2P_TCP_ACK, 0, 0x11223345);
  /* with ACK: a plain RST where the other expects it */
  check_reset ("60000000 0015 06 40" V6_ADDRESSES
               "c350 01bb 11223344 55667788 5018 faf0 0000 0000 ff",
               T2P_TCP_RST, 0x55667788, 0);
}

static void
test_no_reset_to_a_group (void)
{
  Fixture f = { 0 };
  T2pTcpHeader tcp;

  load (&f, "4500 0028 1c46 4000 4006 0000 c0000201 e0000001"
            "c350 01bb 11223344 00000000 5002 faf0 0000 0000");
  g_assert_cmpint (t2p_tcp_header_parse (f.bytes->data + 20, 20, &tcp), ==, T2P_TCP_PARSE_OK);
  g_assert_false (t2p_tcp_write_reset (&f.writer, &f.ip, &tcp));
  unload (&f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/icmp/known-port-unreachable", test_known_port_unreachable);
  g_test_add_func ("/icmp/refusals", test_refusals);
  g_test_add_func ("/icmp/quotes-have-a-limit", test_quotes_have_a_limit);
  g_test_add_func ("/icmp/quotes-only-what-is-there", test_quotes_only_what_is_there);
  g_test_add_func ("/icmp/odd-quotes-check-out", test_odd_quotes_check_out);
  g_test_add_func ("/icmp/too-big", test_too_big);
  g_test_add_func ("/icmp/bad-protocol", test_bad_protocol);
  g_test_add_func ("/icmp/what-is-never-answered", test_what_is_never_answered);
  g_test_add_func ("/icmp/which-types-are-errors", test_which_types_are_errors);
  g_test_add_func ("/icmp/pings-may-be-refused", test_pings_may_be_refused);
  g_test_add_func ("/icmp/pings-are-answered", test_pings_are_answered);
  g_test_add_func ("/icmp/errors-of-routers-are-passed-on", test_errors_of_routers);
  g_test_add_func ("/icmp/no-room", test_no_room);
  g_test_add_func ("/tcp/reset/as-the-rfc-says", test_resets);
  g_test_add_func ("/tcp/reset/none-to-a-group", test_no_reset_to_a_group);
  return g_test_run ();
}
