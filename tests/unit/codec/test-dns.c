/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-dns.h"

#include "hex.h"

/* dig +noedns wWw.ExAmPlE.com */
#define QUESTION "03 775777 07 4578416d506c45 03 636f6d 00 0001 0001"
#define QUERY "beef 0100 0001 0000 0000 0000" QUESTION
/* dig +dnssec: an OPT of 4096 bytes with DO and a cookie */
#define QUERY_EDNS                                                                             \
  "beef 0120 0001 0000 0000 0001" QUESTION "00 0029 1000 00 00 8000 000c"                      \
  "000a 0008 0102030405060708"
#define OPT "00 0029 04d0 00 00 0000 0000"
#define OPT_DO "00 0029 04d0 00 00 8000 0000"

/* The query borrows the message, which the test therefore keeps. */
static T2pDnsParse
decode (GByteArray **message, const char *hex, T2pDnsQuery *out_query)
{
  *message = bytes_from_hex (hex);
  return t2p_dns_query_decode ((*message)->data, (*message)->len, out_query);
}

static void
expect_message (const T2pWriter *writer, const char *hex)
{
  g_autoptr (GByteArray) expected = bytes_from_hex (hex);

  g_assert_cmpmem (writer->start, t2p_writer_length (writer), expected->data, expected->len);
}

static void
test_query_fields (void)
{
  g_autoptr (GByteArray) message = NULL;
  T2pDnsQuery query;

  g_assert_cmpint (decode (&message, QUERY, &query), ==, T2P_DNS_PARSE_OK);
  g_assert_cmphex (query.id, ==, 0xbeef);
  g_assert_cmpstr (query.name.text, ==, "www.example.com");
  g_assert_cmpuint (query.type, ==, T2P_DNS_TYPE_A);
  g_assert_cmpuint (query.klass, ==, T2P_DNS_CLASS_IN);
  g_assert_true (query.recursion_desired);
  g_assert_false (query.has_edns);
  g_assert_cmpuint (query.question_bytes, ==, 21);
  g_assert_cmpuint (t2p_dns_query_udp_limit (&query), ==, 512);
}

static void
test_query_with_edns (void)
{
  g_autoptr (GByteArray) message = NULL;
  T2pDnsQuery query;

  g_assert_cmpint (decode (&message, QUERY_EDNS, &query), ==, T2P_DNS_PARSE_OK);
  g_assert_true (query.has_edns);
  g_assert_true (query.dnssec_ok);
  g_assert_cmpuint (query.edns_udp_bytes, ==, 4096);
  g_assert_cmpuint (t2p_dns_query_udp_limit (&query), ==, 1232);
  query.edns_udp_bytes = 100;
  g_assert_cmpuint (t2p_dns_query_udp_limit (&query), ==, 512);
}

static void
test_what_is_dropped (void)
{
  g_autoptr (GByteArray) whole = bytes_from_hex (QUERY);
  T2pDnsQuery query;

  for (gsize length = 0; length < 12; length++)
    {
      g_autofree guint8 *exact = exact_copy (whole->data, length);

      g_assert_cmpint (t2p_dns_query_decode (exact, length, &query), ==, T2P_DNS_PARSE_DROP);
    }
  whole->data[2] |= 0x80;
  g_assert_cmpint (t2p_dns_query_decode (whole->data, whole->len, &query), ==,
                   T2P_DNS_PARSE_DROP);
}

static void
test_truncations_are_format_errors (void)
{
  g_autoptr (GByteArray) whole = bytes_from_hex (QUERY_EDNS);

  for (gsize length = 12; length < whole->len; length++)
    {
      g_autofree guint8 *exact = exact_copy (whole->data, length);
      T2pDnsQuery query;

      g_assert_cmpint (t2p_dns_query_decode (exact, length, &query), ==, T2P_DNS_PARSE_REFUSE);
      g_assert_cmpint (query.rcode, ==, T2P_DNS_FORMERR);
    }
}

static void
test_what_is_refused (void)
{
  static const struct
  {
    const char *hex;
    T2pDnsRcode rcode;
  } cases[] = {
    { "0001 0000 0000 0000 0000 0000", T2P_DNS_FORMERR },
    { "0001 0000 0002 0000 0000 0000" QUESTION QUESTION, T2P_DNS_FORMERR },
    { "0001 0000 0001 0001 0000 0000" QUESTION "c00c 0001 0001 00000001 0004 01020304",
      T2P_DNS_FORMERR },
    { "0001 0000 0001 0000 0001 0000" QUESTION "c00c 0001 0001 00000001 0004 01020304",
      T2P_DNS_FORMERR },
    { "0001 0000 0001 0000 0000 0000 c00c 0001 0001", T2P_DNS_FORMERR },
    { "0001 0000 0001 0000 0000 0002" QUESTION OPT OPT, T2P_DNS_FORMERR },
    { "0001 0000 0001 0000 0000 0001" QUESTION "c00c 0029 04d0 00000000 0000",
      T2P_DNS_FORMERR },
    { "0001 0000 0001 0000 0000 ffff" QUESTION OPT, T2P_DNS_FORMERR },
    { "0001 2000 0001 0000 0000 0000" QUESTION, T2P_DNS_NOTIMP },
    { "0001 0000 0001 0000 0000 0001" QUESTION "00 0029 04d0 00 01 0000 0000",
      T2P_DNS_BADVERS },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GByteArray) message = NULL;
      T2pDnsQuery query;

      g_assert_cmpint (decode (&message, cases[i].hex, &query), ==, T2P_DNS_PARSE_REFUSE);
      g_assert_cmpint (query.rcode, ==, cases[i].rcode);
    }
}

static void
test_other_additionals_are_passed_over (void)
{
  g_autoptr (GByteArray) message = NULL;
  T2pDnsQuery query;

  g_assert_cmpint (decode (&message,
                           "0001 0000 0001 0000 0000 0002" QUESTION
                           "c00c 0001 0001 00000001 0004 01020304" OPT,
                           &query),
                   ==, T2P_DNS_PARSE_OK);
  g_assert_true (query.has_edns);
}

static void
test_address_answers (void)
{
  g_autoptr (GByteArray) message = NULL;
  T2pIpAddress v4 = { .family = AF_INET, .bytes = { 198, 18, 4, 9 } };
  T2pIpAddress v6 = { .family = AF_INET6, .bytes = { 0xfd, 1, 2, 3 } };
  T2pDnsQuery query;
  T2pDnsReply reply;
  guint8 buffer[512];
  T2pWriter writer;

  g_assert_cmpint (decode (&message, QUERY, &query), ==, T2P_DNS_PARSE_OK);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  t2p_dns_reply_begin (&reply, &writer, &query, T2P_DNS_NOERROR, 512);
  g_assert_true (t2p_dns_reply_add_address (&reply, &v4, 1));
  g_assert_true (t2p_dns_reply_add_address (&reply, &v6, 60));
  g_assert_true (t2p_dns_reply_end (&reply));
  expect_message (&writer, "beef 8180 0001 0002 0000 0000" QUESTION
                           "c00c 0001 0001 00000001 0004 c6120409"
                           "c00c 001c 0001 0000003c 0010 fd010203000000000000000000000000");
}

static void
test_edns_is_echoed (void)
{
  g_autoptr (GByteArray) message = NULL;
  T2pIpAddress v4 = { .family = AF_INET, .bytes = { 198, 18, 4, 9 } };
  T2pDnsQuery query;
  T2pDnsReply reply;
  guint8 buffer[512];
  T2pWriter writer;

  g_assert_cmpint (decode (&message, QUERY_EDNS, &query), ==, T2P_DNS_PARSE_OK);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  t2p_dns_reply_begin (&reply, &writer, &query, T2P_DNS_NOERROR, 512);
  g_assert_true (t2p_dns_reply_add_address (&reply, &v4, 1));
  g_assert_true (t2p_dns_reply_end (&reply));
  expect_message (&writer, "beef 8180 0001 0001 0000 0001" QUESTION
                           "c00c 0001 0001 00000001 0004 c6120409" OPT_DO);
}

/* Behind the two length bytes of TCP, the pointer must still mean the question. */
static void
test_message_may_start_anywhere (void)
{
  g_autoptr (GByteArray) message = NULL;
  T2pDnsQuery query;
  T2pDnsReply reply;
  guint8 buffer[512];
  T2pWriter writer;

  g_assert_cmpint (decode (&message, QUERY, &query), ==, T2P_DNS_PARSE_OK);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  t2p_writer_be16 (&writer, 0);
  t2p_dns_reply_begin (&reply, &writer, &query, T2P_DNS_NXDOMAIN, T2P_DNS_MAX_MESSAGE_BYTES);
  g_assert_true (t2p_dns_reply_add_soa (&reply, 5));
  g_assert_true (t2p_dns_reply_end (&reply));
  t2p_writer_patch_be16 (&writer, 0, (guint16) (t2p_writer_length (&writer) - 2));
  expect_message (&writer,
                  "0044 beef 8183 0001 0000 0001 0000" QUESTION "c00c 0006 0001 00000005 0017"
                  "c00c 00 00000001 00000005 00000005 00000005 00000005");
}

static void
test_ptr_answers (void)
{
  g_autoptr (GByteArray) message = NULL;
  T2pDnsQuery query;
  T2pDnsReply reply;
  guint8 buffer[512];
  T2pWriter writer;

  g_assert_cmpint (
      decode (&message, "0001 0100 0001 0000 0000 0000 01 31 00 000c 0001", &query), ==,
      T2P_DNS_PARSE_OK);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  t2p_dns_reply_begin (&reply, &writer, &query, T2P_DNS_NOERROR, 512);
  g_assert_false (t2p_dns_reply_add_ptr (&reply, "not..a.name", 1));
  g_assert_true (t2p_dns_reply_add_ptr (&reply, "a.bc", 1));
  g_assert_true (t2p_dns_reply_end (&reply));
  expect_message (&writer, "0001 8180 0001 0001 0000 0000 01 31 00 000c 0001"
                           "c00c 000c 0001 00000001 0006 01 61 02 6263 00");
}

static void
test_status_answers (void)
{
  static const T2pDnsRcode rcodes[] = { T2P_DNS_NOERROR,  T2P_DNS_FORMERR, T2P_DNS_SERVFAIL,
                                        T2P_DNS_NXDOMAIN, T2P_DNS_NOTIMP,  T2P_DNS_REFUSED };

  for (guint i = 0; i < G_N_ELEMENTS (rcodes); i++)
    {
      g_autoptr (GByteArray) message = NULL;
      g_autofree char *expected =
          g_strdup_printf ("beef 818%x 0001 0000 0000 0000" QUESTION, rcodes[i]);
      T2pDnsQuery query;
      guint8 buffer[512];
      T2pWriter writer;

      g_assert_cmpint (decode (&message, QUERY, &query), ==, T2P_DNS_PARSE_OK);
      t2p_writer_init (&writer, buffer, sizeof buffer);
      g_assert_true (t2p_dns_write_status (&writer, &query, rcodes[i], 512));
      expect_message (&writer, expected);
    }
}

static void
test_refused_queries_can_be_answered (void)
{
  g_autoptr (GByteArray) broken = NULL;
  g_autoptr (GByteArray) versioned = NULL;
  g_autoptr (GByteArray) notify = NULL;
  T2pDnsQuery query;
  guint8 buffer[512];
  T2pWriter writer;

  g_assert_cmpint (decode (&broken, "0007 0100 0001 0000 0000 0000 41", &query), ==,
                   T2P_DNS_PARSE_REFUSE);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_true (t2p_dns_write_status (&writer, &query, query.rcode, 512));
  expect_message (&writer, "0007 8181 0000 0000 0000 0000");

  g_assert_cmpint (
      decode (&versioned,
              "0007 0100 0001 0000 0000 0001" QUESTION "00 0029 04d0 00 01 0000 0000", &query),
      ==, T2P_DNS_PARSE_REFUSE);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_true (t2p_dns_write_status (&writer, &query, query.rcode, 512));
  expect_message (&writer,
                  "0007 8180 0001 0000 0000 0001" QUESTION "00 0029 04d0 01 00 0000 0000");

  g_assert_cmpint (decode (&notify, "0007 2100 0001 0000 0000 0000" QUESTION, &query), ==,
                   T2P_DNS_PARSE_REFUSE);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_true (t2p_dns_write_status (&writer, &query, query.rcode, 512));
  expect_message (&writer, "0007 a184 0000 0000 0000 0000");
}

static void
test_what_does_not_fit_is_truncated (void)
{
  g_autoptr (GByteArray) message = NULL;
  T2pIpAddress v6 = { .family = AF_INET6 };
  T2pDnsQuery query;
  T2pDnsReply reply;
  guint8 buffer[512];
  T2pWriter writer;

  g_assert_cmpint (decode (&message, QUERY_EDNS, &query), ==, T2P_DNS_PARSE_OK);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  t2p_dns_reply_begin (&reply, &writer, &query, T2P_DNS_NOERROR, 33 + 11 + 28 + 27);
  g_assert_true (t2p_dns_reply_add_address (&reply, &v6, 1));
  g_assert_false (t2p_dns_reply_add_address (&reply, &v6, 1));
  g_assert_true (t2p_dns_reply_end (&reply));
  expect_message (&writer, "beef 8380 0001 0000 0000 0001" QUESTION OPT_DO);
}

static void
test_too_little_room_for_anything (void)
{
  g_autoptr (GByteArray) message = NULL;
  T2pDnsQuery query;
  guint8 buffer[512];

  g_assert_cmpint (decode (&message, QUERY_EDNS, &query), ==, T2P_DNS_PARSE_OK);
  for (gsize room = 0; room < 33 + 11; room++)
    {
      T2pWriter writer;

      t2p_writer_init (&writer, buffer, room);
      g_assert_false (t2p_dns_write_status (&writer, &query, T2P_DNS_SERVFAIL, 512));
      g_assert_cmpuint (t2p_writer_length (&writer), ==, 0);
    }
}

static void
test_asked_to_truncate (void)
{
  g_autoptr (GByteArray) message = NULL;
  T2pDnsQuery query;
  T2pDnsReply reply;
  guint8 buffer[512];
  T2pWriter writer;

  g_assert_cmpint (decode (&message, QUERY, &query), ==, T2P_DNS_PARSE_OK);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  t2p_dns_reply_begin (&reply, &writer, &query, T2P_DNS_NOERROR, 512);
  t2p_dns_reply_truncate (&reply);
  g_assert_true (t2p_dns_reply_end (&reply));
  expect_message (&writer, "beef 8380 0001 0000 0000 0000" QUESTION);
}

static void
test_written_queries_decode (void)
{
  guint8 buffer[512];
  T2pDnsQuery query;
  T2pWriter writer;

  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_true (t2p_dns_query_write (&writer, 0x1234, "Example.org", T2P_DNS_TYPE_AAAA));
  g_assert_cmpint (t2p_dns_query_decode (buffer, t2p_writer_length (&writer), &query), ==,
                   T2P_DNS_PARSE_OK);
  g_assert_cmphex (query.id, ==, 0x1234);
  g_assert_cmpstr (query.name.text, ==, "example.org");
  g_assert_cmpuint (query.type, ==, T2P_DNS_TYPE_AAAA);
}

static gboolean
matches (const char *hex, const T2pDnsQuery *query)
{
  g_autoptr (GByteArray) bytes = bytes_from_hex (hex);
  g_autofree guint8 *exact = exact_copy (bytes->data, bytes->len);

  return t2p_dns_response_matches (exact, bytes->len, query);
}

static void
test_only_the_right_response_matches (void)
{
  g_autoptr (GByteArray) message = NULL;
  T2pDnsQuery query;

  g_assert_cmpint (decode (&message, QUERY, &query), ==, T2P_DNS_PARSE_OK);
  g_assert_true (matches ("beef 8180 0001 0000 0000 0000" QUESTION, &query));
  g_assert_true (matches ("beef 8181 0000 0000 0000 0000", &query));
  g_assert_false (matches ("beef 8180 0000 0000 0000 0000", &query));
  g_assert_false (matches ("beee 8180 0001 0000 0000 0000" QUESTION, &query));
  g_assert_false (matches (QUERY, &query));
  g_assert_false (
      matches ("beef 8180 0001 0000 0000 0000 03 777777 07 6578616d706c65 03 636f6d 00"
               "0001 0001",
               &query));
  g_assert_false (matches ("beef 8180 0001 0000 0000 0000 03 775777", &query));
  g_assert_false (matches ("beef 81", &query));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dns/query/fields", test_query_fields);
  g_test_add_func ("/dns/query/with-edns", test_query_with_edns);
  g_test_add_func ("/dns/query/what-is-dropped", test_what_is_dropped);
  g_test_add_func ("/dns/query/truncations-are-format-errors",
                   test_truncations_are_format_errors);
  g_test_add_func ("/dns/query/what-is-refused", test_what_is_refused);
  g_test_add_func ("/dns/query/other-additionals-are-passed-over",
                   test_other_additionals_are_passed_over);
  g_test_add_func ("/dns/query/written-ones-decode", test_written_queries_decode);
  g_test_add_func ("/dns/reply/addresses", test_address_answers);
  g_test_add_func ("/dns/reply/edns-is-echoed", test_edns_is_echoed);
  g_test_add_func ("/dns/reply/message-may-start-anywhere", test_message_may_start_anywhere);
  g_test_add_func ("/dns/reply/ptr", test_ptr_answers);
  g_test_add_func ("/dns/reply/status", test_status_answers);
  g_test_add_func ("/dns/reply/refused-queries-can-be-answered",
                   test_refused_queries_can_be_answered);
  g_test_add_func ("/dns/reply/what-does-not-fit-is-truncated",
                   test_what_does_not_fit_is_truncated);
  g_test_add_func ("/dns/reply/too-little-room-for-anything",
                   test_too_little_room_for_anything);
  g_test_add_func ("/dns/reply/asked-to-truncate", test_asked_to_truncate);
  g_test_add_func ("/dns/response/only-the-right-one-matches",
                   test_only_the_right_response_matches);
  return g_test_run ();
}
