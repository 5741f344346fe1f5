/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What decodes can be answered, and the answer belongs to it; names survive text and back; what
 * servers say is passed on whole or cut, and in the map of names bytes are names or nothing. */
#include "config.h"

#include "fuzz.h"

#include "t2p-dns-answer.h"
#include "t2p-name-record.h"

static void
check_name_round_trip (const T2pDnsName *name)
{
  guint8 wire[T2P_DNS_HEADER_BYTES + T2P_DNS_MAX_NAME_BYTES] = { 0 };
  T2pDnsName again;
  T2pWriter writer;
  T2pCursor cursor;

  g_assert_cmpuint (name->length, <, sizeof name->text);
  g_assert_cmpuint (strlen (name->text), ==, name->length);
  t2p_writer_init (&writer, wire, sizeof wire);
  t2p_writer_zeros (&writer, T2P_DNS_HEADER_BYTES);
  g_assert_true (t2p_dns_write_name (&writer, name->text));
  t2p_cursor_init (&cursor, wire, t2p_writer_length (&writer));
  t2p_cursor_seek (&cursor, T2P_DNS_HEADER_BYTES);
  g_assert_true (t2p_dns_read_name (&cursor, &again));
  g_assert_cmpuint (t2p_cursor_remaining (&cursor), ==, 0);
  g_assert_cmpstr (again.text, ==, name->text);
  g_assert_cmpint (again.is_plain, ==, name->is_plain);
}

/* A name may begin anywhere, so that pointers are met in every place. */
static void
check_names (const uint8_t *data, size_t size)
{
  for (size_t at = 0; at < MIN (size, 64); at++)
    {
      T2pDnsName name;
      T2pCursor read;
      T2pCursor skip;
      gboolean is_name;

      t2p_cursor_init (&read, data, size);
      t2p_cursor_seek (&read, at);
      skip = read;
      is_name = t2p_dns_read_name (&read, &name);
      g_assert_cmpint (t2p_dns_skip_name (&skip), ==, is_name);
      g_assert_true (read.at == skip.at);
      if (is_name)
        check_name_round_trip (&name);
    }
}

static void
check_reply (const T2pWriter *writer, gsize max_bytes, const T2pDnsQuery *query)
{
  gsize length = t2p_writer_length (writer);
  T2pDnsQuery ignored;

  g_assert_cmpuint (length, <=, max_bytes);
  g_assert_cmpint (t2p_dns_query_decode (writer->start, length, &ignored), ==,
                   T2P_DNS_PARSE_DROP); /* never answered */
  if (query->question != NULL)
    g_assert_true (t2p_dns_response_matches (writer->start, length, query));
}

static void
check_answers (const T2pDnsQuery *query, gsize max_bytes)
{
  T2pIpAddress v4 = { .family = AF_INET, .bytes = { 198, 18, 0, 1 } };
  T2pIpAddress v6 = { .family = AF_INET6, .bytes = { 0xfd } };
  guint8 buffer[T2P_DNS_MAX_UDP_BYTES];
  T2pDnsReply reply;
  T2pWriter writer;

  t2p_writer_init (&writer, buffer, sizeof buffer);
  t2p_dns_reply_begin (&reply, &writer, query, query->rcode, max_bytes);
  t2p_dns_reply_add_address (&reply, &v4, 1);
  t2p_dns_reply_add_address (&reply, &v6, 1);
  if (query->question != NULL)
    t2p_dns_reply_add_ptr (&reply, query->name.text, 1);
  t2p_dns_reply_add_soa (&reply, 1);
  if (t2p_dns_reply_end (&reply))
    check_reply (&writer, max_bytes, query);
  else
    g_assert_cmpuint (t2p_writer_length (&writer), ==, 0);
}

/* As the asker gets it: his id, well-formed, never longer than he takes, never older than it
 * was. */
static void
check_passed_on (const T2pDnsQuery *query,
                 const uint8_t *message,
                 const T2pDnsAnswer *answer,
                 guint32 age_s,
                 gsize max_bytes)
{
  g_autofree guint8 *buffer = g_malloc (T2P_DNS_MAX_MESSAGE_BYTES);
  T2pDnsAnswer again;
  T2pWriter writer;

  t2p_writer_init (&writer, buffer, T2P_DNS_MAX_MESSAGE_BYTES);
  if (!t2p_dns_answer_write (&writer, query, message, answer, age_s, max_bytes))
    {
      g_assert_cmpuint (t2p_writer_length (&writer), ==, 0);
      return;
    }
  g_assert_cmpuint (t2p_writer_length (&writer), <=, max_bytes);
  g_assert_cmphex (t2p_load_be16 (buffer), ==, query->id);
  g_assert_true (t2p_dns_answer_decode (buffer, t2p_writer_length (&writer), &again));
  g_assert_cmpuint (again.ttl_s, <=, answer->ttl_s);
  t2p_dns_answer_hide_absence (&writer, 0);
  g_assert_cmphex (buffer[3] & 0x0f, ==, 0);
}

/* The asker asked what the answer says that was asked. */
static void
check_server_answer (const uint8_t *data, size_t size)
{
  g_autofree guint8 *question = NULL;
  T2pDnsAnswer answer;
  T2pDnsQuery query;

  if (!t2p_dns_answer_decode (data, size, &answer))
    return;
  g_assert_cmpuint (answer.length, <=, size);
  question = g_memdup2 (data, T2P_DNS_HEADER_BYTES + answer.question_bytes);
  question[2] &= 0x7f;
  memset (question + 6, 0, 6);
  if (t2p_dns_query_decode (question, T2P_DNS_HEADER_BYTES + answer.question_bytes, &query) !=
      T2P_DNS_PARSE_OK)
    return;
  query.id = 0xbeef;
  check_passed_on (&query, data, &answer, 0, T2P_DNS_MAX_MESSAGE_BYTES);
  check_passed_on (&query, data, &answer, 3, T2P_DNS_MAX_MESSAGE_BYTES);
  check_passed_on (&query, data, &answer, G_MAXUINT32, T2P_DNS_PLAIN_UDP_BYTES);
}

static void
check_onward (const T2pDnsQuery *query)
{
  guint8 buffer[T2P_DNS_MAX_ONWARD_BYTES];
  T2pDnsQuery again;
  T2pWriter writer;

  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_true (t2p_dns_query_write_onward (&writer, 0x1234, query));
  g_assert_cmpint (t2p_dns_query_decode (buffer, t2p_writer_length (&writer), &again), ==,
                   T2P_DNS_PARSE_OK);
  g_assert_cmpstr (again.name.text, ==, query->name.text);
  g_assert_cmpint (again.has_edns, ==, query->has_edns);
  g_assert_cmpint (again.dnssec_ok, ==, query->dnssec_ok);
  g_assert_cmpuint (again.type, ==, query->type);
}

/* What is read as a name is written as the same. */
static void
check_name_record (const uint8_t *data, size_t size)
{
  guint8 slot[T2P_NAME_RECORD_BYTES] = { 0 };
  guint8 written[T2P_NAME_RECORD_BYTES] = { 0 };
  T2pNameRecord record;
  T2pNameRecord again;

  if (size > 0)
    memcpy (slot, data, MIN (size, sizeof slot));
  if (t2p_name_record_read (slot, 7, &record) == T2P_NAME_RECORD_GOOD)
    {
      g_assert_cmpuint (strlen (record.name), >, 0);
      t2p_name_record_write (written, 7, &record);
      g_assert_cmpint (t2p_name_record_read (written, 7, &again), ==, T2P_NAME_RECORD_GOOD);
      g_assert_cmpmem (&record, sizeof record, &again, sizeof again);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  guint8 buffer[T2P_DNS_MAX_UDP_BYTES];
  T2pIpAddress address;
  T2pDnsQuery query;
  T2pWriter writer;

  check_names (data, size);
  check_server_answer (data, size);
  check_name_record (data, size);
  if (t2p_dns_query_decode (data, size, &query) == T2P_DNS_PARSE_DROP)
    return 0;
  if (query.rcode == T2P_DNS_NOERROR)
    check_onward (&query);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_true (
      t2p_dns_write_status (&writer, &query, query.rcode, t2p_dns_query_udp_limit (&query)));
  check_reply (&writer, t2p_dns_query_udp_limit (&query), &query);
  check_answers (&query, T2P_DNS_MAX_UDP_BYTES);
  check_answers (&query, size + data[size - 1]);
  t2p_dns_response_matches (data, size, &query);
  if (query.question != NULL && t2p_dns_reverse_address (query.name.text, &address))
    {
      char text[T2P_DNS_REVERSE_STRLEN];

      t2p_dns_reverse_name (&address, text);
      g_assert_cmpstr (text, ==, query.name.text);
    }
  return 0;
}
