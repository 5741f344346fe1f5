/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * An answer is passed on as it came: every type of record, in its order, compressed or not.
 * Three things in it belong to the asker or to the moment: the id, the letters' case of the
 * question (as long for everybody who asks for the same name, so that pointers stay right) and
 * the times to live, which sink while it is kept. So it is decoded for its limits and times
 * only, and written again with those three exchanged.
 *
 * OPT belongs to one hop (RFC 6891 section 6.1.1). The query that goes on is therefore written
 * anew, with the flags of the asker and none of his options: a cookie or a subnet of one
 * application means nothing to the server, and the answer would fit nobody else.
 */
#include "config.h"

#include "t2p-dns-answer.h"

#include "t2p-dns-header.h"

#define RECORD_FIXED_BYTES 10    /* type, class, TTL, length of what follows */
#define SOA_LEAST_BYTES (2 + 20) /* two root names, five numbers */
#define TTL_SIGN_BIT 0x80000000u /* RFC 2181 section 8: zero */

typedef struct
{
  guint16 type;
  guint32 ttl_s;
  gsize ttl_at;
  const guint8 *data;
  guint16 data_bytes;
} Record;

static gboolean
read_record (T2pCursor *cursor, Record *out_record)
{
  const guint8 *fixed;

  if (!t2p_dns_skip_name (cursor))
    return FALSE;
  out_record->ttl_at = t2p_cursor_position (cursor) + 4;
  if (!t2p_cursor_read_bytes (cursor, RECORD_FIXED_BYTES, &fixed))
    return FALSE;
  out_record->type = t2p_load_be16 (fixed);
  out_record->ttl_s = t2p_load_be32 (fixed + 4);
  out_record->data_bytes = t2p_load_be16 (fixed + 8);
  if (out_record->type != T2P_DNS_TYPE_OPT && (out_record->ttl_s & TTL_SIGN_BIT) != 0)
    out_record->ttl_s = 0;
  return t2p_cursor_read_bytes (cursor, out_record->data_bytes, &out_record->data);
}

/* What the walk through the records finds out. */
typedef struct
{
  guint16 asked_type;
  gboolean has_asked; /* in the answer section */
  gboolean has_soa;   /* in the authority section */
  guint32 soa_ttl_s;
  guint32 least_ttl_s;
  guint extended_rcode;
} Findings;

static void
take_soa (const Record *record, Findings *findings)
{
  guint32 minimum_s;

  if (record->data_bytes < SOA_LEAST_BYTES)
    return;
  minimum_s = t2p_load_be32 (record->data + record->data_bytes - 4);
  findings->has_soa = TRUE;
  findings->soa_ttl_s = MIN (record->ttl_s, minimum_s);
}

static gboolean
walk_answers (T2pCursor *cursor, guint count, Findings *findings)
{
  for (guint i = 0; i < count; i++)
    {
      Record record;

      if (!read_record (cursor, &record))
        return FALSE;
      findings->least_ttl_s = MIN (findings->least_ttl_s, record.ttl_s);
      if (record.type == findings->asked_type || findings->asked_type == T2P_DNS_TYPE_ANY)
        findings->has_asked = TRUE;
    }
  return TRUE;
}

static gboolean
walk_authorities (T2pCursor *cursor, guint count, Findings *findings)
{
  for (guint i = 0; i < count; i++)
    {
      Record record;

      if (!read_record (cursor, &record))
        return FALSE;
      findings->least_ttl_s = MIN (findings->least_ttl_s, record.ttl_s);
      if (record.type == T2P_DNS_TYPE_SOA)
        take_soa (&record, findings);
    }
  return TRUE;
}

static gboolean
walk_additionals (T2pCursor *cursor, guint count, Findings *findings)
{
  for (guint i = 0; i < count; i++)
    {
      const guint8 *fixed = cursor->at;
      Record record;

      if (!read_record (cursor, &record))
        return FALSE;
      if (record.type != T2P_DNS_TYPE_OPT)
        findings->least_ttl_s = MIN (findings->least_ttl_s, record.ttl_s);
      else if (*fixed == 0) /* of the root: its TTL begins with the upper bits of the code */
        findings->extended_rcode = record.ttl_s >> 24;
    }
  return TRUE;
}

static gboolean
read_question (T2pCursor *cursor, const T2pDnsHeader *header, Findings *findings)
{
  guint16 klass;

  if (header->n_questions == 0)
    return TRUE;
  return header->n_questions == 1 && t2p_dns_skip_name (cursor) &&
         t2p_cursor_read_be16 (cursor, &findings->asked_type) &&
         t2p_cursor_read_be16 (cursor, &klass);
}

/* RFC 2308 section 5: a "no" without an SOA is not kept. */
static guint32
time_to_keep (const T2pDnsAnswer *answer, const Findings *findings)
{
  if (answer->is_truncated || answer->question_bytes == 0)
    return 0;
  if (answer->is_negative)
    {
      guint32 ttl_s = MIN (findings->soa_ttl_s, findings->least_ttl_s);

      return findings->has_soa ? MIN (ttl_s, T2P_DNS_MAX_NEGATIVE_TTL_S) : 0;
    }
  return answer->rcode == T2P_DNS_NOERROR ? MIN (findings->least_ttl_s, T2P_DNS_MAX_TTL_S) : 0;
}

/**
 * t2p_dns_answer_decode:
 * @message: (array length=length): what a server sent
 * @length: its length
 * @out_answer: (out caller-allocates): undefined on failure
 *
 * Returns: %FALSE when it is no answer, has more than one question, or a record of it is
 *   malformed or missing
 */
gboolean
t2p_dns_answer_decode (const guint8 *message, gsize length, T2pDnsAnswer *out_answer)
{
  Findings findings = { .least_ttl_s = G_MAXUINT32 };
  T2pDnsHeader header;
  T2pCursor cursor;

  t2p_cursor_init (&cursor, message, length);
  if (!t2p_dns_read_header (&cursor, &header) || (header.flags & T2P_DNS_FLAG_RESPONSE) == 0 ||
      ((header.flags >> T2P_DNS_OPCODE_SHIFT) & T2P_DNS_OPCODE_MASK) != 0 ||
      !read_question (&cursor, &header, &findings))
    return FALSE;
  out_answer->question_bytes = t2p_cursor_position (&cursor) - T2P_DNS_HEADER_BYTES;
  if (!walk_answers (&cursor, header.n_answers, &findings) ||
      !walk_authorities (&cursor, header.n_authorities, &findings) ||
      !walk_additionals (&cursor, header.n_additionals, &findings))
    return FALSE;
  /* a name may point where the bytes that are nobody's are read: not without them */
  if (t2p_cursor_remaining (&cursor) > 0)
    return t2p_dns_answer_decode (message, t2p_cursor_position (&cursor), out_answer);
  out_answer->length = t2p_cursor_position (&cursor);
  out_answer->rcode = findings.extended_rcode << 4 | (header.flags & T2P_DNS_RCODE_MASK);
  out_answer->is_truncated = (header.flags & T2P_DNS_FLAG_TRUNCATED) != 0;
  out_answer->is_negative = out_answer->rcode == T2P_DNS_NXDOMAIN ||
                            (out_answer->rcode == T2P_DNS_NOERROR && !findings.has_asked);
  out_answer->ttl_s = time_to_keep (out_answer, &findings);
  return TRUE;
}

/* The copy that @writer holds from @start on. FALSE when that spoils it: the names of a hostile
 * answer may point into the times, of records behind them, too. */
static gboolean
lower_times (T2pWriter *writer, gsize start, const T2pDnsAnswer *answer, guint32 age_s)
{
  T2pDnsAnswer ignored;
  T2pDnsHeader header;
  T2pCursor cursor;
  guint n;

  t2p_cursor_init (&cursor, writer->start + start, answer->length);
  if (!t2p_dns_read_header (&cursor, &header) ||
      !t2p_cursor_skip (&cursor, answer->question_bytes))
    return FALSE;
  n = (guint) header.n_answers + header.n_authorities + header.n_additionals;
  for (guint i = 0; i < n; i++)
    {
      Record record;
      guint32 ttl_s;

      if (!read_record (&cursor, &record))
        return FALSE;
      if (record.type == T2P_DNS_TYPE_OPT)
        continue;
      ttl_s = record.ttl_s > age_s ? record.ttl_s - age_s : 0;
      t2p_writer_patch_be16 (writer, start + record.ttl_at, (guint16) (ttl_s >> 16));
      t2p_writer_patch_be16 (writer, start + record.ttl_at + 2, (guint16) ttl_s);
    }
  return t2p_dns_answer_decode (writer->start + start, answer->length, &ignored);
}

/* "Come again over TCP". */
static gboolean
write_truncated (T2pWriter *writer,
                 const T2pDnsQuery *query,
                 T2pDnsRcode rcode,
                 gsize max_bytes)
{
  T2pDnsReply reply;

  t2p_dns_reply_begin (&reply, writer, query, rcode, max_bytes);
  t2p_dns_reply_truncate (&reply);
  return t2p_dns_reply_end (&reply);
}

/* An error without the question: from a server that could not read it, EDNS for instance. The
 * asker is to see that the answer has no OPT. */
static gboolean
write_without_edns (T2pWriter *writer,
                    const T2pDnsQuery *query,
                    T2pDnsRcode rcode,
                    gsize max_bytes)
{
  T2pDnsQuery plain = *query;

  plain.has_edns = FALSE;
  return t2p_dns_write_status (writer, &plain, rcode, max_bytes);
}

/**
 * t2p_dns_answer_write:
 * @writer: where to
 * @query: who asks now: the same name, type and class as the server was asked for
 * @message: what the server said
 * @answer: @message, decoded
 * @age_s: how long it was kept
 * @max_bytes: what the asker takes
 *
 * The answer for @query. One that is too long is cut to its question, and TC says so.
 *
 * Returns: %FALSE when not even header and question fit; the writer has not moved
 */
gboolean
t2p_dns_answer_write (T2pWriter *writer,
                      const T2pDnsQuery *query,
                      const guint8 *message,
                      const T2pDnsAnswer *answer,
                      guint32 age_s,
                      gsize max_bytes)
{
  gsize start = t2p_writer_length (writer);
  gsize behind = T2P_DNS_HEADER_BYTES + answer->question_bytes;

  if (answer->question_bytes != query->question_bytes)
    return write_without_edns (writer, query, answer->rcode, max_bytes);
  if (answer->length > MIN (max_bytes, t2p_writer_room (writer)))
    return write_truncated (writer, query, answer->rcode, max_bytes);
  t2p_writer_be16 (writer, query->id);
  t2p_writer_bytes (writer, message + 2, T2P_DNS_HEADER_BYTES - 2);
  t2p_writer_bytes (writer, query->question, query->question_bytes);
  t2p_writer_bytes (writer, message + behind, answer->length - behind);
  if (age_s == 0 || lower_times (writer, start, answer, age_s))
    return TRUE;
  t2p_writer_rewind (writer, start);
  return t2p_dns_write_status (writer, query, T2P_DNS_SERVFAIL, max_bytes);
}

/**
 * t2p_dns_answer_hide_absence:
 * @writer: what t2p_dns_answer_write() has written to
 * @start: where it began
 *
 * Turns "no such name" into "no such record of that name".
 */
void
t2p_dns_answer_hide_absence (T2pWriter *writer, gsize start)
{
  T2pDnsHeader header;
  T2pCursor cursor;

  t2p_cursor_init (&cursor, writer->start, t2p_writer_length (writer));
  if (t2p_cursor_seek (&cursor, start) && t2p_dns_read_header (&cursor, &header))
    t2p_writer_patch_be16 (writer, start + 2, header.flags & ~T2P_DNS_RCODE_MASK & 0xffff);
}

/**
 * t2p_dns_query_write_onward:
 * @writer: where to
 * @id: should be unpredictable
 * @query: whole, with a question
 *
 * What a server is asked on behalf of @query: the same flags and question; EDNS when the asker
 * has it, with our own size and without options.
 *
 * Returns: %FALSE when it does not fit
 */
gboolean
t2p_dns_query_write_onward (T2pWriter *writer, guint16 id, const T2pDnsQuery *query)
{
  guint16 flags = query->recursion_desired ? T2P_DNS_FLAG_RECURSION_DESIRED : 0;

  flags |= query->authentic_data ? T2P_DNS_FLAG_AUTHENTIC_DATA : 0;
  flags |= query->checking_disabled ? T2P_DNS_FLAG_CHECKING_DISABLED : 0;
  t2p_writer_be16 (writer, id);
  t2p_writer_be16 (writer, flags);
  t2p_writer_be16 (writer, 1);
  t2p_writer_zeros (writer, 4);
  t2p_writer_be16 (writer, query->has_edns ? 1 : 0);
  t2p_writer_bytes (writer, query->question, query->question_bytes);
  if (query->has_edns)
    {
      t2p_writer_u8 (writer, 0);
      t2p_writer_be16 (writer, T2P_DNS_TYPE_OPT);
      t2p_writer_be16 (writer, T2P_DNS_MAX_UDP_BYTES);
      t2p_writer_be32 (writer, query->dnssec_ok ? T2P_DNS_EDNS_DNSSEC_OK : 0);
      t2p_writer_be16 (writer, 0);
    }
  return !writer->overflowed;
}
