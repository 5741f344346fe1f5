/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-ip-header.h"

#include "hex.h"

/* 192.0.2.1 to 198.51.100.7 */
#define V4_SYN                                                                                 \
  "4500 0028 1c46 4000 4006 0000 c0000201 c6336407"                                            \
  "c350 01bb 00000001 00000000 5002 faf0 0000 0000"
/* 2001:db8::1 to 2001:db8::2 */
#define V6_ADDRESSES "20010db8000000000000000000000001 20010db8000000000000000000000002"

static T2pIpParse
parse_hex (const char *text, T2pIpHeader *out_header)
{
  g_autoptr (GByteArray) bytes = bytes_from_hex (text);
  g_autofree guint8 *exact = exact_copy (bytes->data, bytes->len);

  return t2p_ip_header_parse (exact, bytes->len, out_header);
}

static void
test_v4_fields (void)
{
  static const guint8 source[] = { 192, 0, 2, 1 };
  static const guint8 destination[] = { 198, 51, 100, 7 };
  T2pIpHeader header;

  g_assert_cmpint (parse_hex (V4_SYN "ffff", &header), ==, T2P_IP_PARSE_OK);
  g_assert_cmpuint (header.version, ==, 4);
  g_assert_cmpuint (header.protocol, ==, 6);
  g_assert_cmpuint (header.ttl, ==, 64);
  g_assert_cmpuint (header.header_bytes, ==, 20);
  g_assert_cmpuint (header.total_bytes, ==, 40);
  g_assert_cmphex (header.fragment_id, ==, 0x1c46);
  g_assert_true (header.dont_fragment);
  g_assert_false (header.is_fragment);
  g_assert_false (header.has_options);
  g_assert_cmpint (header.source.family, ==, AF_INET);
  g_assert_cmpmem (header.source.bytes, 4, source, 4);
  g_assert_cmpmem (header.destination.bytes, 4, destination, 4);
}

/* Addresses are keys of hash tables: what lies behind the four bytes must be zero. */
static void
test_v4_address_has_no_rubbish (void)
{
  static const guint8 zeros[12] = { 0 };
  T2pIpHeader header;

  memset (&header, 0xee, sizeof header);
  g_assert_cmpint (parse_hex (V4_SYN, &header), ==, T2P_IP_PARSE_OK);
  g_assert_cmpmem (header.source.bytes + 4, 12, zeros, 12);
  g_assert_cmpmem (header.destination.bytes + 4, 12, zeros, 12);
}

static void
test_v4_options (void)
{
  T2pIpHeader header;

  g_assert_cmpint (parse_hex ("4600 0020 0000 0000 4011 0000 c0000201 c6336407 94040000"
                              "0035 0035 0008 0000",
                              &header),
                   ==, T2P_IP_PARSE_OK);
  g_assert_true (header.has_options);
  g_assert_cmpuint (header.header_bytes, ==, 24);
}

/* Options are for routers on the way; a source route makes the destination one of them. */
static void
test_v4_option_walk (void)
{
  static const struct
  {
    const char *options; /* 8 bytes */
    T2pIpParse expected;
  } cases[] = {
    { "01010101 01010101", T2P_IP_PARSE_OK }, /* nothing, eight times */
    { "00ffffff ffffffff", T2P_IP_PARSE_OK }, /* the end; what follows is no option */
    { "94040000 44040500", T2P_IP_PARSE_OK }, /* router alert, timestamp */
    { "01070704 00000000", T2P_IP_PARSE_OK }, /* record route, to the end */
    { "83070400 00000000", T2P_IP_PARSE_SOURCE_ROUTED }, /* loose */
    { "01890704 00000000", T2P_IP_PARSE_SOURCE_ROUTED }, /* strict */
    { "07080400 00000000", T2P_IP_PARSE_OK },
    { "07090400 00000000", T2P_IP_PARSE_BAD_OPTION }, /* runs over the end */
    { "07000400 00000000", T2P_IP_PARSE_BAD_OPTION }, /* would never end */
    { "07010400 00000000", T2P_IP_PARSE_BAD_OPTION },
    { "01010101 01010107", T2P_IP_PARSE_BAD_OPTION }, /* has no length */
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = g_strconcat ("4700 0024 0000 0000 4011 0000 c0000201 c6336407",
                                           cases[i].options, "0035 0035 0008 0000", NULL);
      T2pIpHeader header;

      g_assert_cmpint (parse_hex (text, &header), ==, cases[i].expected);
    }
}

static void
test_v6_option_walk (void)
{
  static const struct
  {
    const char *options; /* 6 bytes */
    T2pIpParse expected;
  } cases[] = {
    { "000000000000", T2P_IP_PARSE_OK },         /* padding of one byte each */
    { "010400000000", T2P_IP_PARSE_OK },         /* of six */
    { "05020000 0100", T2P_IP_PARSE_OK },        /* router alert */
    { "3e0400000000", T2P_IP_PARSE_OK },         /* unknown, may be skipped */
    { "7e0400000000", T2P_IP_PARSE_BAD_OPTION }, /* unknown: discard */
    { "c20400010000", T2P_IP_PARSE_BAD_OPTION }, /* jumbogram */
    { "010500000000", T2P_IP_PARSE_BAD_OPTION }, /* runs over the end */
    { "000000000001", T2P_IP_PARSE_BAD_OPTION }, /* has no length */
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint is_first = 0; is_first < 2; is_first++)
      {
        g_autofree char *text =
            g_strconcat ("60000000 000c ", is_first ? "00" : "3c", "40" V6_ADDRESSES "0600",
                         cases[i].options, "01020304", NULL);
        T2pIpHeader header;

        g_assert_cmpint (parse_hex (text, &header), ==, cases[i].expected);
      }
}

static void
test_v4_fragments (void)
{
  T2pIpHeader header;

  g_assert_cmpint (parse_hex ("4500 001c abcd 2000 4011 0000 c0000201 c6336407"
                              "0102030405060708",
                              &header),
                   ==, T2P_IP_PARSE_OK);
  g_assert_true (header.is_fragment);
  g_assert_true (header.more_fragments);
  g_assert_cmpuint (header.fragment_offset, ==, 0);
  g_assert_cmphex (header.fragment_id, ==, 0xabcd);
  g_assert_cmpint (
      parse_hex ("4500 0017 abcd 0002 4011 0000 c0000201 c6336407 010203", &header), ==,
      T2P_IP_PARSE_OK);
  g_assert_true (header.is_fragment);
  g_assert_false (header.more_fragments);
  g_assert_cmpuint (header.fragment_offset, ==, 16);
}

static void
test_v4_hostile_fragments (void)
{
  T2pIpHeader header;

  /* seven bytes and more to come */
  g_assert_cmpint (
      parse_hex ("4500 001b abcd 2000 4011 0000 c0000201 c6336407 01020304050607", &header), ==,
      T2P_IP_PARSE_BAD_FRAGMENT);
  /* nothing and more to come */
  g_assert_cmpint (parse_hex ("4500 0014 abcd 2000 4011 0000 c0000201 c6336407", &header), ==,
                   T2P_IP_PARSE_BAD_FRAGMENT);
  /* ends at 65,536 */
  g_assert_cmpint (parse_hex ("4500 001c abcd 1fff 4011 0000 c0000201 c6336407"
                              "0102030405060708",
                              &header),
                   ==, T2P_IP_PARSE_BAD_FRAGMENT);
  /* ends at 65,535 */
  g_assert_cmpint (parse_hex ("4500 001b abcd 1fff 4011 0000 c0000201 c6336407"
                              "01020304050607",
                              &header),
                   ==, T2P_IP_PARSE_OK);
}

static void
test_v4_lengths (void)
{
  T2pIpHeader header;

  g_assert_cmpint (parse_hex ("4400 0014 0000 0000 4006 0000 c0000201 c6336407", &header), ==,
                   T2P_IP_PARSE_BAD_HEADER_LENGTH);
  g_assert_cmpint (parse_hex ("4500 0013 0000 0000 4006 0000 c0000201 c6336407", &header), ==,
                   T2P_IP_PARSE_BAD_HEADER_LENGTH);
  g_assert_cmpint (parse_hex ("4600 0014 0000 0000 4006 0000 c0000201 c6336407", &header), ==,
                   T2P_IP_PARSE_BAD_HEADER_LENGTH);
  g_assert_cmpint (parse_hex ("4500 0015 0000 0000 4006 0000 c0000201 c6336407", &header), ==,
                   T2P_IP_PARSE_TRUNCATED);
  g_assert_cmpint (parse_hex ("5500 0014 0000 0000 4006 0000 c0000201 c6336407", &header), ==,
                   T2P_IP_PARSE_BAD_VERSION);
}

static void
test_v4_checksum (void)
{
  g_autoptr (GByteArray) bytes =
      bytes_from_hex ("4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7");
  T2pIpHeader header;

  g_byte_array_set_size (bytes, 0x73);
  memset (bytes->data + 20, 0, bytes->len - 20);
  g_assert_cmpint (t2p_ip_header_parse (bytes->data, bytes->len, &header), ==, T2P_IP_PARSE_OK);
  g_assert_true (t2p_ip_header_checksum_ok (bytes->data, &header));
  bytes->data[8]--;
  g_assert_false (t2p_ip_header_checksum_ok (bytes->data, &header));
}

static void
test_v6_fields (void)
{
  g_autoptr (GByteArray) addresses = bytes_from_hex (V6_ADDRESSES);
  T2pIpHeader header;

  g_assert_cmpint (
      parse_hex ("6ab12345 0008 11 3f" V6_ADDRESSES "0035 0035 0008 0000", &header), ==,
      T2P_IP_PARSE_OK);
  g_assert_cmpuint (header.version, ==, 6);
  g_assert_cmpuint (header.protocol, ==, 17);
  g_assert_cmpuint (header.ttl, ==, 63);
  g_assert_cmphex (header.traffic_class, ==, 0xab);
  g_assert_cmpuint (header.header_bytes, ==, 40);
  g_assert_cmpuint (header.total_bytes, ==, 48);
  g_assert_cmpint (header.source.family, ==, AF_INET6);
  g_assert_cmpmem (header.source.bytes, 16, addresses->data, 16);
  g_assert_cmpmem (header.destination.bytes, 16, addresses->data + 16, 16);
}

static void
test_v6_walks_extensions (void)
{
  T2pIpHeader header;

  /* hop-by-hop, routing without segments left, destination options of 16 bytes, TCP */
  g_assert_cmpint (parse_hex ("60000000 0024 00 40" V6_ADDRESSES "2b00050200000000"
                              "3c00040000000000"
                              "0601010c000000000000000000000000"
                              "01020304",
                              &header),
                   ==, T2P_IP_PARSE_OK);
  g_assert_cmpuint (header.protocol, ==, 6);
  g_assert_cmpuint (header.header_bytes, ==, 72);
  g_assert_cmpuint (header.protocol_at, ==, 56);
  g_assert_true (header.has_options);
  g_assert_false (header.is_fragment);
}

static void
test_v6_fragment_ends_the_walk (void)
{
  T2pIpHeader header;

  /* hop-by-hop, then a second fragment whose bytes look like another extension header */
  g_assert_cmpint (parse_hex ("60000000 0018 00 40" V6_ADDRESSES "2c00010400000000"
                              "3c000008deadbeef"
                              "0600000000000000",
                              &header),
                   ==, T2P_IP_PARSE_OK);
  g_assert_true (header.is_fragment);
  g_assert_false (header.more_fragments);
  g_assert_cmpuint (header.fragment_offset, ==, 8);
  g_assert_cmphex (header.fragment_id, ==, 0xdeadbeef);
  g_assert_cmpuint (header.protocol, ==, 60);
  g_assert_cmpuint (header.header_bytes, ==, 56);
  g_assert_cmpuint (header.unfragmentable_bytes, ==, 48);
  g_assert_cmpuint (header.fragment_named_at, ==, 40);
}

static void
test_v6_atomic_fragment_is_walked_through (void)
{
  T2pIpHeader header;

  g_assert_cmpint (parse_hex ("60000000 0018 2c 40" V6_ADDRESSES "3c000000deadbeef"
                              "1100010400000000"
                              "0035003500080000",
                              &header),
                   ==, T2P_IP_PARSE_OK);
  g_assert_false (header.is_fragment);
  g_assert_cmpuint (header.protocol, ==, 17);
  g_assert_cmpuint (header.header_bytes, ==, 56);
}

static void
test_v6_hostile_extensions (void)
{
  g_autoptr (GString) many = g_string_new ("60000000 0048 3c 40" V6_ADDRESSES);
  T2pIpHeader header;

  /* one that runs over the end */
  g_assert_cmpint (parse_hex ("60000000 0008 3c 40" V6_ADDRESSES "0601000000000000", &header),
                   ==, T2P_IP_PARSE_BAD_EXTENSION);
  /* bytes behind the payload length do not count */
  g_assert_cmpint (parse_hex ("60000000 0004 3c 40" V6_ADDRESSES "0600000000000000", &header),
                   ==, T2P_IP_PARSE_BAD_EXTENSION);
  /* segments left (RFC 5095) */
  g_assert_cmpint (parse_hex ("60000000 0008 2b 40" V6_ADDRESSES "0600000100000000", &header),
                   ==, T2P_IP_PARSE_SOURCE_ROUTED);
  /* hop-by-hop that is not first */
  g_assert_cmpint (parse_hex ("60000000 0010 3c 40" V6_ADDRESSES "0000010400000000"
                              "0600010400000000",
                              &header),
                   ==, T2P_IP_PARSE_BAD_EXTENSION);
  /* two fragment headers */
  g_assert_cmpint (parse_hex ("60000000 0010 2c 40" V6_ADDRESSES "2c00000000000001"
                              "0600000000000001",
                              &header),
                   ==, T2P_IP_PARSE_BAD_EXTENSION);
  for (guint i = 0; i < 9; i++)
    g_string_append (many, "3c00010400000000");
  g_assert_cmpint (parse_hex (many->str, &header), ==, T2P_IP_PARSE_TOO_MANY_EXTENSIONS);
}

static void
test_every_truncation_is_refused (void)
{
  static const char *const packets[] = {
    V4_SYN,
    "60000000 0018 2c 40" V6_ADDRESSES "3c000000deadbeef 1100010400000000 0035003500080000",
  };

  for (guint i = 0; i < G_N_ELEMENTS (packets); i++)
    {
      g_autoptr (GByteArray) bytes = bytes_from_hex (packets[i]);

      for (gsize length = 0; length < bytes->len; length++)
        {
          g_autofree guint8 *exact = exact_copy (bytes->data, length);
          T2pIpHeader header;

          g_assert_cmpint (t2p_ip_header_parse (exact, length, &header), ==,
                           T2P_IP_PARSE_TRUNCATED);
        }
    }
}

static void
check_round_trip (const T2pIpHeader *wanted, gsize expected_header_bytes)
{
  guint8 packet[128] = { 0 };
  T2pIpHeader seen;
  T2pWriter writer;

  t2p_writer_init (&writer, packet, sizeof packet);
  g_assert_true (t2p_ip_header_write (&writer, wanted, 16));
  g_assert_cmpuint (t2p_writer_length (&writer), ==, expected_header_bytes);
  g_assert_cmpint (t2p_ip_header_parse (packet, expected_header_bytes + 16, &seen), ==,
                   T2P_IP_PARSE_OK);
  g_assert_true (t2p_ip_header_checksum_ok (packet, &seen));
  g_assert_cmpmem (&seen.source, sizeof seen.source, &wanted->source, sizeof wanted->source);
  g_assert_cmpmem (&seen.destination, sizeof seen.destination, &wanted->destination,
                   sizeof wanted->destination);
  g_assert_cmpuint (seen.protocol, ==, wanted->protocol);
  g_assert_cmpuint (seen.ttl, ==, wanted->ttl);
  g_assert_cmpuint (seen.traffic_class, ==, wanted->traffic_class);
  g_assert_cmpuint (seen.is_fragment, ==, wanted->is_fragment);
  g_assert_cmpuint (seen.more_fragments, ==, wanted->more_fragments);
  g_assert_cmpuint (seen.fragment_offset, ==, wanted->fragment_offset);
  g_assert_cmpuint (seen.fragment_id, ==, wanted->fragment_id);
  g_assert_cmpuint (seen.total_bytes, ==, expected_header_bytes + 16);
}

static T2pIpHeader
sample (int family)
{
  T2pIpHeader header = { .protocol = 17, .ttl = 61, .traffic_class = 0xb8 };

  header.source.family = header.destination.family = (guint8) family;
  memset (header.source.bytes, 0x21, family == AF_INET ? 4 : 16);
  memset (header.destination.bytes, 0x42, family == AF_INET ? 4 : 16);
  return header;
}

static void
test_written_headers_parse (void)
{
  T2pIpHeader v4 = sample (AF_INET);
  T2pIpHeader v6 = sample (AF_INET6);

  check_round_trip (&v4, 20);
  check_round_trip (&v6, 40);
  v4.is_fragment = v6.is_fragment = TRUE;
  v4.more_fragments = v6.more_fragments = TRUE;
  v4.fragment_offset = v6.fragment_offset = 1480;
  v4.fragment_id = 0xbeef;
  v6.fragment_id = 0xdeadbeef;
  check_round_trip (&v4, 20);
  check_round_trip (&v6, 48);
}

static void
test_writer_refuses_what_ip_cannot_say (void)
{
  guint8 packet[64];
  T2pIpHeader v4 = sample (AF_INET);
  T2pIpHeader v6 = sample (AF_INET6);
  T2pIpHeader mixed = sample (AF_INET);
  T2pWriter writer;

  mixed.destination.family = AF_INET6;
  t2p_writer_init (&writer, packet, sizeof packet);
  g_assert_false (t2p_ip_header_write (&writer, &v4, 65516));
  g_assert_false (t2p_ip_header_write (&writer, &v6, 65536));
  g_assert_false (t2p_ip_header_write (&writer, &mixed, 0));
  g_assert_cmpuint (t2p_writer_length (&writer), ==, 0);
  g_assert_true (t2p_ip_header_write (&writer, &v4, 65515));
  t2p_writer_init (&writer, packet, 19);
  g_assert_false (t2p_ip_header_write (&writer, &v4, 0));
}

static void
test_each_reason_has_a_name (void)
{
  for (guint i = 0; i < T2P_N_IP_PARSES; i++)
    g_assert_cmpstr (t2p_ip_parse_to_string ((T2pIpParse) i), !=, "unknown");
  g_assert_cmpstr (t2p_ip_parse_to_string (T2P_N_IP_PARSES), ==, "unknown");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ip/v4/fields", test_v4_fields);
  g_test_add_func ("/ip/v4/address-has-no-rubbish", test_v4_address_has_no_rubbish);
  g_test_add_func ("/ip/v4/options", test_v4_options);
  g_test_add_func ("/ip/v4/options-are-walked", test_v4_option_walk);
  g_test_add_func ("/ip/v6/options-are-walked", test_v6_option_walk);
  g_test_add_func ("/ip/v4/fragments", test_v4_fragments);
  g_test_add_func ("/ip/v4/hostile-fragments", test_v4_hostile_fragments);
  g_test_add_func ("/ip/v4/lengths", test_v4_lengths);
  g_test_add_func ("/ip/v4/checksum", test_v4_checksum);
  g_test_add_func ("/ip/v6/fields", test_v6_fields);
  g_test_add_func ("/ip/v6/walks-extensions", test_v6_walks_extensions);
  g_test_add_func ("/ip/v6/fragment-ends-the-walk", test_v6_fragment_ends_the_walk);
  g_test_add_func ("/ip/v6/atomic-fragment-is-walked-through",
                   test_v6_atomic_fragment_is_walked_through);
  g_test_add_func ("/ip/v6/hostile-extensions", test_v6_hostile_extensions);
  g_test_add_func ("/ip/every-truncation-is-refused", test_every_truncation_is_refused);
  g_test_add_func ("/ip/written-headers-parse", test_written_headers_parse);
  g_test_add_func ("/ip/writer-refuses-what-ip-cannot-say",
                   test_writer_refuses_what_ip_cannot_say);
  g_test_add_func ("/ip/each-reason-has-a-name", test_each_reason_has_a_name);
  return g_test_run ();
}
