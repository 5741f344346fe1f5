/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-dns-name.h"

#include "hex.h"

#define HEADER "0000 0000 0000 0000 0000 0000"

/* Reads the name at @position of a message; -1 when it is refused, else where it ends. */
static int
read_at (const char *hex, gsize position, T2pDnsName *out_name)
{
  g_autoptr (GByteArray) bytes = bytes_from_hex (hex);
  g_autofree guint8 *exact = exact_copy (bytes->data, bytes->len);
  T2pCursor cursor;
  T2pCursor skip;
  gboolean is_name;

  t2p_cursor_init (&cursor, exact, bytes->len);
  g_assert_true (t2p_cursor_seek (&cursor, position));
  skip = cursor;
  is_name = t2p_dns_read_name (&cursor, out_name);
  g_assert_cmpint (t2p_dns_skip_name (&skip), ==, is_name);
  g_assert_cmpuint (t2p_cursor_position (&skip), ==, t2p_cursor_position (&cursor));
  if (!is_name)
    g_assert_cmpuint (t2p_cursor_position (&cursor), ==, position);
  return is_name ? (int) t2p_cursor_position (&cursor) : -1;
}

static void
test_plain_names (void)
{
  T2pDnsName name;

  g_assert_cmpint (read_at (HEADER "03 777777 07 6578616d706c65 03 636f6d 00 ff", 12, &name),
                   ==, 12 + 17);
  g_assert_cmpstr (name.text, ==, "www.example.com");
  g_assert_cmpuint (name.length, ==, strlen (name.text));
  g_assert_true (name.is_plain);
  g_assert_cmpint (read_at (HEADER "00", 12, &name), ==, 13);
  g_assert_cmpstr (name.text, ==, ".");
}

static void
test_case_is_folded (void)
{
  T2pDnsName name;

  g_assert_cmpint (read_at (HEADER "05 5f446e5341 02 5a2d 00", 12, &name), >, 0);
  g_assert_cmpstr (name.text, ==, "_dnsa.z-");
  g_assert_true (name.is_plain);
}

static void
test_odd_bytes_are_escaped (void)
{
  T2pDnsName name;

  /* "a.b" in one label, a backslash, a zero, a byte above ASCII, a star */
  g_assert_cmpint (read_at (HEADER "07 612e625c00ff2a 01 63 00", 12, &name), >, 0);
  g_assert_cmpstr (name.text, ==, "a\\.b\\\\\\000\\255*.c");
  g_assert_false (name.is_plain);
}

static void
test_pointers_go_back (void)
{
  T2pDnsName name;

  /* 12: com, 17: example -> 12, 27: www -> 17 */
  g_assert_cmpint (
      read_at (HEADER "03 636f6d 00 07 6578616d706c65 c00c 03 777777 c011 ffff", 27, &name), ==,
      33);
  g_assert_cmpstr (name.text, ==, "www.example.com");
}

static void
test_pointer_loops_are_refused (void)
{
  static const struct
  {
    const char *hex;
    gsize at;
  } cases[] = {
    { HEADER "c00c", 12 },                /* to itself */
    { HEADER "c00e c00c", 14 },           /* two that point to each other */
    { HEADER "c00e 00", 12 },             /* forwards */
    { HEADER "01 61 c00c", 12 },          /* to the beginning of its own run */
    { HEADER "01 61 c00e", 14 },          /* to itself behind a label */
    { HEADER "01 61 01 62 c00e 00", 12 }, /* into its own run */
    { HEADER "c000", 12 },                /* into the header */
    { HEADER "c00b", 12 },
    { HEADER "01 61 00 ffff", 15 }, /* behind the end */
  };
  T2pDnsName name;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpint (read_at (cases[i].hex, cases[i].at, &name), ==, -1);
}

static void
test_reserved_label_types_are_refused (void)
{
  T2pDnsName name;

  g_assert_cmpint (read_at (HEADER "41 61 00", 12, &name), ==, -1);
  g_assert_cmpint (read_at (HEADER "81 61 00", 12, &name), ==, -1);
}

/* Each of a chain of pointers is lawful, and the sum is too long: the bomb must not go off. */
static void
test_long_chains_are_refused (void)
{
  g_autoptr (GString) hex = g_string_new (HEADER "00");
  T2pDnsName name;

  for (guint i = 0; i < 2000; i++)
    g_string_append_printf (hex, "01 61 %04x", 0xc000 | (i == 0 ? 12 : 13 + (i - 1) * 4));
  g_assert_cmpint (read_at (hex->str, 13 + 126 * 4, &name), >, 0);
  g_assert_cmpuint (name.length, ==, 127 * 2 - 1);
  g_assert_cmpint (read_at (hex->str, 13 + 127 * 4, &name), ==, -1);
  g_assert_cmpint (read_at (hex->str, 13 + 1999 * 4, &name), ==, -1);
}

static void
test_truncations_are_refused (void)
{
  g_autoptr (GByteArray) bytes = bytes_from_hex (HEADER "03 636f6d 00 03 777777 c00c");

  for (gsize length = 17; length < bytes->len; length++)
    {
      g_autofree guint8 *exact = exact_copy (bytes->data, length);
      T2pDnsName name;
      T2pCursor cursor;

      t2p_cursor_init (&cursor, exact, length);
      t2p_cursor_seek (&cursor, 17);
      g_assert_false (t2p_dns_read_name (&cursor, &name));
    }
}

/* The worst case of the text buffer: 250 bytes that all need four characters. */
static void
test_longest_text_fits (void)
{
  guint8 wire[255];
  T2pDnsName name;
  T2pWriter writer;
  T2pCursor cursor;
  guint8 again[255];

  memset (wire, 0xff, sizeof wire);
  wire[0] = wire[64] = wire[128] = 63;
  wire[192] = 61;
  wire[254] = 0;
  t2p_cursor_init (&cursor, wire, sizeof wire);
  g_assert_true (t2p_dns_read_name (&cursor, &name));
  g_assert_cmpuint (name.length, ==, 250 * 4 + 3);
  g_assert_cmpuint (name.length, <, sizeof name.text);
  t2p_writer_init (&writer, again, sizeof again);
  g_assert_true (t2p_dns_write_name (&writer, name.text));
  g_assert_cmpmem (again, t2p_writer_length (&writer), wire, sizeof wire);
}

static void
expect_wire (const char *text, const char *hex)
{
  guint8 buffer[300];
  T2pWriter writer;

  t2p_writer_init (&writer, buffer, sizeof buffer);
  if (hex == NULL)
    {
      g_assert_false (t2p_dns_write_name (&writer, text));
      return;
    }
  g_autoptr (GByteArray) expected = bytes_from_hex (hex);
  g_assert_true (t2p_dns_write_name (&writer, text));
  g_assert_cmpmem (buffer, t2p_writer_length (&writer), expected->data, expected->len);
}

static void
test_names_are_written (void)
{
  g_autofree char *label = g_strnfill (63, 'x');
  g_autofree char *too_long_label = g_strnfill (64, 'x');
  g_autofree char *longest = g_strdup_printf ("%s.%s.%s.%.61s", label, label, label, label);
  g_autofree char *too_long = g_strdup_printf ("%s.%s.%s.%.62s", label, label, label, label);
  guint8 buffer[300];
  T2pWriter writer;

  expect_wire (".", "00");
  expect_wire ("a.bc", "01 61 02 6263 00");
  expect_wire ("a.bc.", "01 61 02 6263 00");
  expect_wire ("a\\.b\\\\\\000\\255", "06 612e625c00ff 00");
  expect_wire ("", NULL);
  expect_wire ("..", NULL);
  expect_wire (".a", NULL);
  expect_wire ("a..b", NULL);
  expect_wire ("a\\", NULL);
  expect_wire ("a\\25", NULL);
  expect_wire ("a\\256", NULL);
  expect_wire (too_long_label, NULL);
  expect_wire (too_long, NULL);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_true (t2p_dns_write_name (&writer, longest));
  g_assert_cmpuint (t2p_writer_length (&writer), ==, 255);
}

static void
check_reverse (const char *address_text, const char *name)
{
  char seen_name[T2P_DNS_REVERSE_STRLEN];
  T2pIpAddress address;
  T2pIpAddress seen;

  g_assert_true (t2p_ip_address_parse (address_text, &address));
  t2p_dns_reverse_name (&address, seen_name);
  g_assert_cmpstr (seen_name, ==, name);
  g_assert_true (t2p_dns_reverse_address (name, &seen));
  g_assert_true (t2p_ip_address_equal (&seen, &address));
}

static void
test_reverse_names (void)
{
  check_reverse ("192.0.2.10", "10.2.0.192.in-addr.arpa");
  check_reverse ("255.255.255.255", "255.255.255.255.in-addr.arpa");
  check_reverse ("2001:db8::567:89ab", "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
                                       "8.b.d.0.1.0.0.2.ip6.arpa");
}

static void
test_other_names_are_no_reverse (void)
{
  static const char *const names[] = {
    "in-addr.arpa",
    "2.0.192.in-addr.arpa",
    "1.10.2.0.192.in-addr.arpa",
    "256.2.0.192.in-addr.arpa",
    "010.2.0.192.in-addr.arpa",
    "99999999999.2.0.192.in-addr.arpa",
    "a.2.0.192.in-addr.arpa",
    ".2.0.192.in-addr.arpa",
    "10.2.0.192.in-addr.arpa.example",
    "1.ip6.arpa",
    "bb.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
    "0.b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
    "example.com",
    "",
  };
  T2pIpAddress address;

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    g_assert_false (t2p_dns_reverse_address (names[i], &address));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dns/name/plain", test_plain_names);
  g_test_add_func ("/dns/name/case-is-folded", test_case_is_folded);
  g_test_add_func ("/dns/name/odd-bytes-are-escaped", test_odd_bytes_are_escaped);
  g_test_add_func ("/dns/name/pointers-go-back", test_pointers_go_back);
  g_test_add_func ("/dns/name/pointer-loops-are-refused", test_pointer_loops_are_refused);
  g_test_add_func ("/dns/name/reserved-label-types-are-refused",
                   test_reserved_label_types_are_refused);
  g_test_add_func ("/dns/name/long-chains-are-refused", test_long_chains_are_refused);
  g_test_add_func ("/dns/name/truncations-are-refused", test_truncations_are_refused);
  g_test_add_func ("/dns/name/longest-text-fits", test_longest_text_fits);
  g_test_add_func ("/dns/name/names-are-written", test_names_are_written);
  g_test_add_func ("/dns/name/reverse", test_reverse_names);
  g_test_add_func ("/dns/name/other-names-are-no-reverse", test_other_names_are_no_reverse);
  return g_test_run ();
}
