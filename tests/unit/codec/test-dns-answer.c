/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-dns-answer.h"

#include "hex.h"

#define QUESTION "03 777777 07 6578616d706c65 03 636f6d 00 0001 0001"
#define QUESTION_UPPER "03 575757 07 4558414d504c45 03 434f4d 00 0001 0001"
#define QUESTION_BYTES 21
#define A_RECORD(ttl) "c00c 0001 0001 " ttl " 0004 c0000201"
#define CNAME_RECORD(ttl) "c00c 0005 0001 " ttl " 0002 c010"
#define SOA_RECORD(ttl, minimum)                                                               \
  "c010 0006 0001 " ttl " 0016 00 00 00000001 00000e10 00000384 00093a80 " minimum
#define OPT "00 0029 04d0 00 00 8000 0000"

static gboolean
decode (const char *hex, GByteArray **out_message, T2pDnsAnswer *out_answer)
{
  g_autofree guint8 *exact = NULL;

  *out_message = bytes_from_hex (hex);
  exact = exact_copy ((*out_message)->data, (*out_message)->len);
  return t2p_dns_answer_decode (exact, (*out_message)->len, out_answer);
}

static void
expect_ttl (const char *hex, gboolean is_negative, guint32 ttl_s)
{
  g_autoptr (GByteArray) message = NULL;
  T2pDnsAnswer answer;

  g_assert_true (decode (hex, &message, &answer));
  g_assert_cmpint (answer.is_negative, ==, is_negative);
  g_assert_cmpuint (answer.ttl_s, ==, ttl_s);
  g_assert_cmpuint (answer.length, ==, message->len);
}

static void
test_how_long (void)
{
  /* the shortest of all records, whatever section; not that of OPT */
  expect_ttl ("0001 8180 0001 0002 0001 0001" QUESTION A_RECORD ("0000012c")
                  A_RECORD ("00000258") SOA_RECORD ("00000064", "00000001") OPT,
              FALSE, 100);
  expect_ttl ("0001 8180 0001 0001 0000 0000" QUESTION A_RECORD ("00000000"), FALSE, 0);
  expect_ttl ("0001 8180 0001 0001 0000 0000" QUESTION A_RECORD ("ffffffff"), FALSE, 0);
  expect_ttl ("0001 8180 0001 0001 0000 0000" QUESTION A_RECORD ("7fffffff"), FALSE,
              T2P_DNS_MAX_TTL_S);
  /* failures, and what is truncated, never */
  expect_ttl ("0001 8182 0001 0000 0000 0000" QUESTION, FALSE, 0);
  expect_ttl ("0001 8380 0001 0001 0000 0000" QUESTION A_RECORD ("0000012c"), FALSE, 0);
}

static void
test_negative (void)
{
  expect_ttl ("0001 8183 0001 0000 0001 0000" QUESTION SOA_RECORD ("00000e10", "0000003c"),
              TRUE, 60);
  expect_ttl ("0001 8183 0001 0000 0001 0000" QUESTION SOA_RECORD ("0000001e", "0000003c"),
              TRUE, 30);
  expect_ttl ("0001 8183 0001 0000 0001 0000" QUESTION SOA_RECORD ("7fffffff", "7fffffff"),
              TRUE, T2P_DNS_MAX_NEGATIVE_TTL_S);
  /* no such record, behind an alias too */
  expect_ttl ("0001 8180 0001 0000 0001 0000" QUESTION SOA_RECORD ("00000e10", "0000003c"),
              TRUE, 60);
  expect_ttl ("0001 8180 0001 0001 0001 0000" QUESTION CNAME_RECORD ("00000005")
                  SOA_RECORD ("00000e10", "0000003c"),
              TRUE, 5);
  /* RFC 2308 section 5: nothing says how long */
  expect_ttl ("0001 8183 0001 0000 0000 0000" QUESTION, TRUE, 0);
}

static void
test_codes (void)
{
  g_autoptr (GByteArray) message = NULL;
  g_autoptr (GByteArray) extended = NULL;
  g_autoptr (GByteArray) bare = NULL;
  T2pDnsAnswer answer;

  g_assert_true (decode ("0001 8385 0001 0000 0000 0000" QUESTION, &message, &answer));
  g_assert_cmpint (answer.rcode, ==, T2P_DNS_REFUSED);
  g_assert_true (answer.is_truncated);
  g_assert_true (decode ("0001 8180 0001 0000 0000 0001" QUESTION
                         "00 0029 04d0 01 00 0000 0000",
                         &extended, &answer));
  g_assert_cmpint (answer.rcode, ==, T2P_DNS_BADVERS);
  g_assert_true (decode ("0001 8181 0000 0000 0000 0000", &bare, &answer));
  g_assert_cmpint (answer.rcode, ==, T2P_DNS_FORMERR);
  g_assert_cmpuint (answer.question_bytes, ==, 0);
}

static void
test_every_cut_is_refused (void)
{
  g_autoptr (GByteArray) message =
      bytes_from_hex ("0001 8180 0001 0001 0001 0001" QUESTION A_RECORD ("0000012c")
                          SOA_RECORD ("00000e10", "0000003c") OPT);
  T2pDnsAnswer answer;

  for (gsize length = 0; length < message->len; length++)
    {
      g_autofree guint8 *exact = exact_copy (message->data, length);

      g_assert_false (t2p_dns_answer_decode (exact, length, &answer));
    }
  g_assert_true (t2p_dns_answer_decode (message->data, message->len, &answer));
  message->data[2] &= 0x7f; /* a query */
  g_assert_false (t2p_dns_answer_decode (message->data, message->len, &answer));
}

/* The asker's own id and letters, times that have sunk, nothing that was behind. */
static void
test_written_for_another (void)
{
  g_autoptr (GByteArray) message = NULL;
  g_autoptr (GByteArray) asked =
      bytes_from_hex ("beef 0100 0001 0000 0000 0000" QUESTION_UPPER);
  g_autoptr (GByteArray) expected =
      bytes_from_hex ("beef 8180 0001 0002 0000 0001" QUESTION_UPPER A_RECORD ("00000122")
                          A_RECORD ("00000000") OPT);
  guint8 buffer[512];
  T2pDnsAnswer answer;
  T2pDnsQuery query;
  T2pWriter writer;

  g_assert_true (decode ("0001 8180 0001 0002 0000 0001" QUESTION A_RECORD ("0000012c")
                             A_RECORD ("00000005") OPT "dead",
                         &message, &answer));
  g_assert_cmpint (t2p_dns_query_decode (asked->data, asked->len, &query), ==,
                   T2P_DNS_PARSE_OK);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_true (
      t2p_dns_answer_write (&writer, &query, message->data, &answer, 10, sizeof buffer));
  g_assert_cmpmem (buffer, t2p_writer_length (&writer), expected->data, expected->len);
}

static void
test_too_long_is_truncated (void)
{
  g_autoptr (GByteArray) message = NULL;
  g_autoptr (GByteArray) asked = bytes_from_hex ("beef 0100 0001 0000 0000 0000" QUESTION);
  g_autoptr (GByteArray) expected = bytes_from_hex ("beef 8380 0001 0000 0000 0000" QUESTION);
  guint8 buffer[512];
  T2pDnsAnswer answer;
  T2pDnsQuery query;
  T2pWriter writer;

  g_assert_true (decode ("0001 8180 0001 0001 0000 0000" QUESTION A_RECORD ("0000012c"),
                         &message, &answer));
  t2p_dns_query_decode (asked->data, asked->len, &query);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_true (
      t2p_dns_answer_write (&writer, &query, message->data, &answer, 0, answer.length - 1));
  g_assert_cmpmem (buffer, t2p_writer_length (&writer), expected->data, expected->len);
}

static void
test_hidden_absence (void)
{
  g_autoptr (GByteArray) message = NULL;
  g_autoptr (GByteArray) asked = bytes_from_hex ("beef 0100 0001 0000 0000 0000" QUESTION);
  guint8 buffer[512];
  T2pDnsAnswer answer;
  T2pDnsQuery query;
  T2pWriter writer;

  g_assert_true (
      decode ("0001 8183 0001 0000 0001 0000" QUESTION SOA_RECORD ("00000e10", "0000003c"),
              &message, &answer));
  t2p_dns_query_decode (asked->data, asked->len, &query);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  t2p_writer_be16 (&writer, 0); /* not at the beginning */
  g_assert_true (t2p_dns_answer_write (&writer, &query, message->data, &answer, 0, 500));
  t2p_dns_answer_hide_absence (&writer, 2);
  g_assert_cmphex (t2p_load_be16 (buffer + 4), ==, 0x8180);
}

/* Flags and question go on, options do not. */
static void
test_onward (void)
{
  g_autoptr (GByteArray) asked =
      bytes_from_hex ("beef 0130 0001 0000 0000 0001" QUESTION_UPPER
                      "00 0029 1000 00 00 8000 000c 000a 0008 0102030405060708");
  g_autoptr (GByteArray) expected =
      bytes_from_hex ("1234 0130 0001 0000 0000 0001" QUESTION_UPPER OPT);
  guint8 buffer[512];
  T2pDnsQuery query;
  T2pWriter writer;

  g_assert_cmpint (t2p_dns_query_decode (asked->data, asked->len, &query), ==,
                   T2P_DNS_PARSE_OK);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_true (t2p_dns_query_write_onward (&writer, 0x1234, &query));
  g_assert_cmpmem (buffer, t2p_writer_length (&writer), expected->data, expected->len);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dns-answer/kept-as-long-as-it-says", test_how_long);
  g_test_add_func ("/dns-answer/negative-by-the-soa", test_negative);
  g_test_add_func ("/dns-answer/codes", test_codes);
  g_test_add_func ("/dns-answer/every-cut-is-refused", test_every_cut_is_refused);
  g_test_add_func ("/dns-answer/written-for-another-asker", test_written_for_another);
  g_test_add_func ("/dns-answer/too-long-is-truncated", test_too_long_is_truncated);
  g_test_add_func ("/dns-answer/no-such-name-becomes-no-such-record", test_hidden_absence);
  g_test_add_func ("/dns-answer/the-query-goes-on-without-options", test_onward);
  return g_test_run ();
}
