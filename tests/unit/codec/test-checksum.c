/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-checksum.h"

#include "hex.h"

/* RFC 1071 section 4.1, word for word. */
static guint16
reference (const guint8 *bytes, gsize length)
{
  guint64 sum = 0;
  gsize i;

  for (i = 0; i + 1 < length; i += 2)
    sum += (guint64) bytes[i] << 8 | bytes[i + 1];
  if (i < length)
    sum += (guint64) bytes[i] << 8;
  while (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16);
  return (guint16) ~sum;
}

static void
test_rfc1071_example (void)
{
  g_autoptr (GByteArray) bytes = bytes_from_hex ("00 01 f2 03 f4 f5 f6 f7");

  g_assert_cmphex (t2p_checksum_fold (t2p_checksum_add (0, bytes->data, bytes->len)), ==,
                   0xddf2);
  g_assert_cmphex (t2p_checksum (bytes->data, bytes->len), ==, (guint16) ~0xddf2);
}

static void
test_known_ipv4_header (void)
{
  g_autoptr (GByteArray) bytes =
      bytes_from_hex ("4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7");

  g_assert_cmphex (t2p_checksum (bytes->data, bytes->len), ==, 0);
  bytes->data[10] = bytes->data[11] = 0;
  g_assert_cmphex (t2p_checksum (bytes->data, bytes->len), ==, 0xb861);
}

static void
test_nothing_sums_to_nothing (void)
{
  g_assert_cmphex (t2p_checksum (NULL, 0), ==, 0xffff);
}

static void
fill (guint8 *bytes, gsize length, gboolean only_ones)
{
  for (gsize i = 0; i < length; i++)
    bytes[i] = only_ones ? 0xff : (guint8) g_test_rand_int ();
}

static void
test_any_length_and_offset (void)
{
  g_autofree guint8 *bytes = g_malloc (70000);

  for (guint round = 0; round < 2; round++)
    {
      fill (bytes, 70000, round == 1);
      for (gsize offset = 0; offset < 9; offset++)
        for (gsize length = 0; length < 300; length++)
          g_assert_cmphex (t2p_checksum (bytes + offset, length), ==,
                           reference (bytes + offset, length));
      for (guint i = 0; i < 200; i++)
        {
          gsize offset = (gsize) g_test_rand_int_range (0, 64);
          gsize length = (gsize) g_test_rand_int_range (0, 65536);

          g_assert_cmphex (t2p_checksum (bytes + offset, length), ==,
                           reference (bytes + offset, length));
        }
    }
}

static void
test_parts_join_at_any_offset (void)
{
  guint8 bytes[257];
  guint16 whole;

  fill (bytes, sizeof bytes, FALSE);
  whole = reference (bytes, sizeof bytes);
  for (gsize split = 0; split <= sizeof bytes; split++)
    {
      guint32 head = t2p_checksum_add (0, bytes, split);
      guint32 tail = t2p_checksum_add (0, bytes + split, sizeof bytes - split);

      g_assert_cmphex (t2p_checksum_finish (t2p_checksum_join (head, tail, split)), ==, whole);
      if (split % 2 == 0)
        g_assert_cmphex (
            t2p_checksum_finish (t2p_checksum_add (head, bytes + split, sizeof bytes - split)),
            ==, whole);
    }
}

static void
test_field_counts_like_its_bytes (void)
{
  static const guint8 bytes[] = { 0x12, 0x34, 0xfe, 0xdc };
  guint32 sum = t2p_checksum_add_be16 (t2p_checksum_add_be16 (0, 0x1234), 0xfedc);

  g_assert_cmphex (t2p_checksum_finish (sum), ==, reference (bytes, sizeof bytes));
}

static void
check_pseudo (
    const char *text_bytes, int family, gsize address_bytes, guint8 protocol, gsize length)
{
  g_autoptr (GByteArray) bytes = bytes_from_hex (text_bytes);
  T2pIpAddress source = { .family = (guint8) family };
  T2pIpAddress destination = { .family = (guint8) family };

  memcpy (source.bytes, bytes->data, address_bytes);
  memcpy (destination.bytes, bytes->data + address_bytes, address_bytes);
  g_assert_cmphex (
      t2p_checksum_finish (t2p_checksum_pseudo (&source, &destination, protocol, length)), ==,
      reference (bytes->data, bytes->len));
}

static void
test_pseudo_headers (void)
{
  check_pseudo ("c0a80001 c0a800c7 00 11 0020", AF_INET, 4, 17, 0x20);
  check_pseudo ("ffffffff ffffffff 00 06 ffff", AF_INET, 4, 6, 0xffff);
  check_pseudo ("20010db8000000000000000000000001 20010db80000000000000000000000ff"
                "00000014 000000 3a",
                AF_INET6, 16, 58, 20);
  check_pseudo ("fe80000000000000abcdef0123456789 ff020000000000000000000000000001"
                "00012345 000000 06",
                AF_INET6, 16, 6, 0x12345);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/checksum/rfc1071-example", test_rfc1071_example);
  g_test_add_func ("/checksum/known-ipv4-header", test_known_ipv4_header);
  g_test_add_func ("/checksum/nothing-sums-to-nothing", test_nothing_sums_to_nothing);
  g_test_add_func ("/checksum/any-length-and-offset", test_any_length_and_offset);
  g_test_add_func ("/checksum/parts-join-at-any-offset", test_parts_join_at_any_offset);
  g_test_add_func ("/checksum/field-counts-like-its-bytes", test_field_counts_like_its_bytes);
  g_test_add_func ("/checksum/pseudo-headers", test_pseudo_headers);
  return g_test_run ();
}
