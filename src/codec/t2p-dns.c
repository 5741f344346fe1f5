/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * A query is decoded into a plain value; only its question stays where it came, since it is
 * echoed byte for byte. A reply is the header, the question, records whose owner is always
 * the question (a pointer to byte 12), and an OPT record when the query had one (RFC 6891
 * section 6.1.1). The room of the OPT is kept free from the beginning, so that it still fits
 * when the records do not: then they go and TC says so (RFC 2181 section 9).
 */
#include "config.h"

#include "t2p-dns.h"

#include "t2p-dns-header.h"

#define POINTER_TO_QUESTION (0xc000 | T2P_DNS_HEADER_BYTES)

static void
query_init (T2pDnsQuery *query, const T2pDnsHeader *header)
{
  query->id = header->id;
  query->opcode = (header->flags >> T2P_DNS_OPCODE_SHIFT) & T2P_DNS_OPCODE_MASK;
  query->recursion_desired = (header->flags & T2P_DNS_FLAG_RECURSION_DESIRED) != 0;
  query->authentic_data = (header->flags & T2P_DNS_FLAG_AUTHENTIC_DATA) != 0;
  query->checking_disabled = (header->flags & T2P_DNS_FLAG_CHECKING_DISABLED) != 0;
  query->rcode = T2P_DNS_NOERROR;
  query->has_edns = FALSE;
  query->edns_version = 0;
  query->edns_udp_bytes = 0;
  query->dnssec_ok = FALSE;
  query->type = 0;
  query->klass = 0;
  query->name.length = 0;
  query->name.text[0] = '\0';
  query->name.is_plain = FALSE;
  query->question = NULL;
  query->question_bytes = 0;
}

static gboolean
read_question (T2pCursor *cursor, T2pDnsQuery *query)
{
  const guint8 *start = cursor->at;

  if (!t2p_dns_read_name (cursor, &query->name) ||
      !t2p_cursor_read_be16 (cursor, &query->type) ||
      !t2p_cursor_read_be16 (cursor, &query->klass))
    return FALSE;
  query->question = start;
  query->question_bytes = (gsize) (cursor->at - start);
  return TRUE;
}

/* RFC 6891 section 6.1.2: the class is a size, the TTL holds version and flags. */
static gboolean
take_opt (T2pDnsQuery *query, gboolean is_root, guint16 size, guint32 ttl)
{
  if (query->has_edns || !is_root)
    return FALSE;
  query->has_edns = TRUE;
  query->edns_udp_bytes = size;
  query->edns_version = (guint8) (ttl >> 16);
  query->dnssec_ok = (ttl & T2P_DNS_EDNS_DNSSEC_OK) != 0;
  return TRUE;
}

/* Each record takes at least 11 bytes of the message, so the count cannot make this long. */
static gboolean
read_additionals (T2pCursor *cursor, guint count, T2pDnsQuery *query)
{
  for (guint i = 0; i < count; i++)
    {
      const guint8 *start = cursor->at;
      const guint8 *fixed;
      gboolean is_root;

      if (!t2p_dns_skip_name (cursor))
        return FALSE;
      is_root = cursor->at == start + 1;
      if (!t2p_cursor_read_bytes (cursor, 10, &fixed) ||
          !t2p_cursor_skip (cursor, t2p_load_be16 (fixed + 8)))
        return FALSE;
      if (t2p_load_be16 (fixed) == T2P_DNS_TYPE_OPT &&
          !take_opt (query, is_root, t2p_load_be16 (fixed + 2), t2p_load_be32 (fixed + 4)))
        return FALSE;
    }
  return TRUE;
}

static T2pDnsRcode
decode_body (T2pCursor *cursor, const T2pDnsHeader *header, T2pDnsQuery *query)
{
  if (query->opcode != 0)
    return T2P_DNS_NOTIMP;
  if (header->n_questions != 1 || header->n_answers != 0 || header->n_authorities != 0 ||
      !read_question (cursor, query) ||
      !read_additionals (cursor, header->n_additionals, query))
    return T2P_DNS_FORMERR;
  return query->edns_version == 0 ? T2P_DNS_NOERROR : T2P_DNS_BADVERS;
}

/**
 * t2p_dns_query_decode:
 * @message: (array length=length): a message, without the length bytes of TCP
 * @length: its length
 * @out_query: (out caller-allocates): borrows @message; set unless the result is
 *   %T2P_DNS_PARSE_DROP
 *
 * RFC 1035 section 4.1, RFC 6891 section 6.1. Bytes behind the last record are ignored.
 *
 * Returns: what to do with it
 */
T2pDnsParse
t2p_dns_query_decode (const guint8 *message, gsize length, T2pDnsQuery *out_query)
{
  T2pDnsHeader header;
  T2pCursor cursor;

  t2p_cursor_init (&cursor, message, length);
  if (!t2p_dns_read_header (&cursor, &header) || (header.flags & T2P_DNS_FLAG_RESPONSE) != 0)
    return T2P_DNS_PARSE_DROP;
  query_init (out_query, &header);
  out_query->rcode = decode_body (&cursor, &header, out_query);
  return out_query->rcode == T2P_DNS_NOERROR ? T2P_DNS_PARSE_OK : T2P_DNS_PARSE_REFUSE;
}

/**
 * t2p_dns_query_udp_limit:
 * @query: a query that came over UDP
 *
 * Returns: how long its answer may be, in bytes
 */
gsize
t2p_dns_query_udp_limit (const T2pDnsQuery *query)
{
  if (!query->has_edns)
    return T2P_DNS_PLAIN_UDP_BYTES;
  return CLAMP (query->edns_udp_bytes, T2P_DNS_PLAIN_UDP_BYTES, T2P_DNS_MAX_UDP_BYTES);
}

/**
 * t2p_dns_query_write:
 * @writer: where to
 * @id: should be unpredictable
 * @name: what to ask for
 * @type: #T2pDnsType
 *
 * A question to a recursive server, without EDNS.
 *
 * Returns: %FALSE when it does not fit or @name is no name: the writer must then be rewound
 */
gboolean
t2p_dns_query_write (T2pWriter *writer, guint16 id, const char *name, guint16 type)
{
  t2p_writer_be16 (writer, id);
  t2p_writer_be16 (writer, T2P_DNS_FLAG_RECURSION_DESIRED);
  t2p_writer_be16 (writer, 1);
  t2p_writer_zeros (writer, 6);
  if (!t2p_dns_write_name (writer, name))
    return FALSE;
  t2p_writer_be16 (writer, type);
  return t2p_writer_be16 (writer, T2P_DNS_CLASS_IN);
}

/**
 * t2p_dns_response_matches:
 * @message: (array length=length): what a server sent
 * @length: its length
 * @query: what it was asked, its id as it was sent
 *
 * The question must come back byte for byte, so that the case of its letters adds to the id
 * (RFC 5452 section 9). An answer without a question is taken for errors only, from servers
 * that could not read it.
 *
 * Returns: whether @message answers @query
 */
gboolean
t2p_dns_response_matches (const guint8 *message, gsize length, const T2pDnsQuery *query)
{
  const guint8 *question;
  T2pDnsHeader header;
  T2pCursor cursor;

  t2p_cursor_init (&cursor, message, length);
  if (!t2p_dns_read_header (&cursor, &header) || (header.flags & T2P_DNS_FLAG_RESPONSE) == 0 ||
      header.id != query->id || query->question == NULL)
    return FALSE;
  if (header.n_questions == 0)
    return (header.flags & T2P_DNS_RCODE_MASK) != T2P_DNS_NOERROR;
  return header.n_questions == 1 &&
         t2p_cursor_read_bytes (&cursor, query->question_bytes, &question) &&
         memcmp (question, query->question, query->question_bytes) == 0;
}

/**
 * t2p_dns_reply_begin:
 * @reply: (out caller-allocates): the reply
 * @writer: where to; nothing else may be written there until t2p_dns_reply_end()
 * @query: what is answered; must live until t2p_dns_reply_end()
 * @rcode: the result
 * @max_bytes: what the asker takes: t2p_dns_query_udp_limit(), or %T2P_DNS_MAX_MESSAGE_BYTES
 *
 * The message starts where @writer stands, behind the length bytes of TCP for instance.
 */
void
t2p_dns_reply_begin (T2pDnsReply *reply,
                     T2pWriter *writer,
                     const T2pDnsQuery *query,
                     T2pDnsRcode rcode,
                     gsize max_bytes)
{
  gsize room = MIN (t2p_writer_room (writer), max_bytes);
  gsize opt_bytes = query->has_edns ? T2P_DNS_OPT_BYTES : 0;

  memset (reply, 0, sizeof *reply);
  reply->query = query;
  reply->parent = writer;
  reply->rcode = rcode;
  reply->opt_bytes = opt_bytes;
  t2p_writer_init (&reply->writer, writer->at, room > opt_bytes ? room - opt_bytes : 0);
  t2p_writer_zeros (&reply->writer, T2P_DNS_HEADER_BYTES);
  t2p_writer_bytes (&reply->writer, query->question, query->question_bytes);
  reply->after_question = t2p_writer_length (&reply->writer);
}

/* RDLENGTH is patched by end_record(). */
static gboolean
begin_record (T2pDnsReply *reply, guint16 type, guint32 ttl_s, gsize *out_rdata_at)
{
  T2pWriter *writer = &reply->writer;

  if (reply->query->question == NULL)
    return FALSE;
  t2p_writer_be16 (writer, POINTER_TO_QUESTION);
  t2p_writer_be16 (writer, type);
  t2p_writer_be16 (writer, T2P_DNS_CLASS_IN);
  t2p_writer_be32 (writer, ttl_s);
  t2p_writer_be16 (writer, 0);
  *out_rdata_at = t2p_writer_length (writer);
  return !writer->overflowed;
}

static gboolean
end_record (T2pDnsReply *reply, gsize rdata_at, guint16 *count)
{
  gsize rdata_bytes = t2p_writer_length (&reply->writer) - rdata_at;

  if (!t2p_writer_patch_be16 (&reply->writer, rdata_at - 2, (guint16) rdata_bytes))
    return FALSE;
  (*count)++;
  return TRUE;
}

/**
 * t2p_dns_reply_add_address:
 * @reply: a reply without an SOA yet
 * @address: IPv4 for an A record, IPv6 for an AAAA record
 * @ttl_s: seconds
 *
 * Returns: %FALSE when it does not fit; t2p_dns_reply_end() then makes a truncated answer
 */
gboolean
t2p_dns_reply_add_address (T2pDnsReply *reply, const T2pIpAddress *address, guint32 ttl_s)
{
  gboolean is_v4 = address->family == AF_INET;
  gsize rdata_at;

  if (reply->n_authorities > 0 ||
      !begin_record (reply, is_v4 ? T2P_DNS_TYPE_A : T2P_DNS_TYPE_AAAA, ttl_s, &rdata_at))
    return FALSE;
  t2p_writer_bytes (&reply->writer, address->bytes, is_v4 ? 4 : 16);
  return end_record (reply, rdata_at, &reply->n_answers);
}

/**
 * t2p_dns_reply_add_ptr:
 * @reply: a reply without an SOA yet
 * @name: what the address is called
 * @ttl_s: seconds
 *
 * Returns: %FALSE when it does not fit, see t2p_dns_reply_add_address(), or @name is no name:
 *   then nothing was added
 */
gboolean
t2p_dns_reply_add_ptr (T2pDnsReply *reply, const char *name, guint32 ttl_s)
{
  gsize before = t2p_writer_length (&reply->writer);
  gsize rdata_at;

  if (reply->n_authorities > 0 || !begin_record (reply, T2P_DNS_TYPE_PTR, ttl_s, &rdata_at))
    return FALSE;
  if (!t2p_dns_write_name (&reply->writer, name) && !reply->writer.overflowed)
    {
      t2p_writer_rewind (&reply->writer, before);
      return FALSE;
    }
  return end_record (reply, rdata_at, &reply->n_answers);
}

/**
 * t2p_dns_reply_add_soa:
 * @reply: a reply without answers
 * @ttl_s: how long "no" may be remembered, in seconds
 *
 * For NXDOMAIN and empty answers (RFC 2308 section 3). The name itself is given as the zone: it
 * encloses nothing that we do not know.
 *
 * Returns: %FALSE when it does not fit, see t2p_dns_reply_add_address()
 */
gboolean
t2p_dns_reply_add_soa (T2pDnsReply *reply, guint32 ttl_s)
{
  T2pWriter *writer = &reply->writer;
  gsize rdata_at;

  if (!begin_record (reply, T2P_DNS_TYPE_SOA, ttl_s, &rdata_at))
    return FALSE;
  t2p_writer_be16 (writer, POINTER_TO_QUESTION); /* MNAME */
  t2p_writer_u8 (writer, 0);                     /* RNAME: nobody */
  t2p_writer_be32 (writer, 1);                   /* SERIAL */
  t2p_writer_be32 (writer, ttl_s);               /* REFRESH */
  t2p_writer_be32 (writer, ttl_s);               /* RETRY */
  t2p_writer_be32 (writer, ttl_s);               /* EXPIRE */
  t2p_writer_be32 (writer, ttl_s);               /* MINIMUM: what RFC 2308 section 4 reads */
  return end_record (reply, rdata_at, &reply->n_authorities);
}

/**
 * t2p_dns_reply_truncate:
 * @reply: a reply
 *
 * Tells the asker to come back over TCP: what was added is forgotten.
 */
void
t2p_dns_reply_truncate (T2pDnsReply *reply)
{
  t2p_writer_rewind (&reply->writer, reply->after_question);
  reply->is_truncated = TRUE;
  reply->n_answers = 0;
  reply->n_authorities = 0;
}

static void
fill_header (T2pDnsReply *reply)
{
  const T2pDnsQuery *query = reply->query;
  T2pWriter *writer = &reply->writer;
  guint16 flags = T2P_DNS_FLAG_RESPONSE | T2P_DNS_FLAG_RECURSION_AVAILABLE;

  flags |= (guint16) (query->opcode << T2P_DNS_OPCODE_SHIFT);
  flags |= query->recursion_desired ? T2P_DNS_FLAG_RECURSION_DESIRED : 0;
  flags |= query->checking_disabled ? T2P_DNS_FLAG_CHECKING_DISABLED : 0;
  flags |= reply->is_truncated ? T2P_DNS_FLAG_TRUNCATED : 0;
  flags |= (guint16) (reply->rcode & T2P_DNS_RCODE_MASK);
  t2p_writer_patch_be16 (writer, 0, query->id);
  t2p_writer_patch_be16 (writer, 2, flags);
  t2p_writer_patch_be16 (writer, 4, query->question != NULL ? 1 : 0);
  t2p_writer_patch_be16 (writer, 6, reply->n_answers);
  t2p_writer_patch_be16 (writer, 8, reply->n_authorities);
  t2p_writer_patch_be16 (writer, 10, query->has_edns ? 1 : 0);
}

static void
write_opt (T2pWriter *writer, const T2pDnsReply *reply)
{
  guint32 ttl = (guint32) (reply->rcode >> 4) << 24;

  if (reply->query->dnssec_ok)
    ttl |= T2P_DNS_EDNS_DNSSEC_OK;
  t2p_writer_u8 (writer, 0);
  t2p_writer_be16 (writer, T2P_DNS_TYPE_OPT);
  t2p_writer_be16 (writer, T2P_DNS_MAX_UDP_BYTES);
  t2p_writer_be32 (writer, ttl);
  t2p_writer_be16 (writer, 0);
}

/**
 * t2p_dns_reply_end:
 * @reply: a reply
 *
 * Completes the message and moves the writer of t2p_dns_reply_begin() behind it.
 *
 * Returns: %FALSE when not even header and question fit; the writer has not moved
 */
gboolean
t2p_dns_reply_end (T2pDnsReply *reply)
{
  if (reply->after_question < T2P_DNS_HEADER_BYTES + reply->query->question_bytes)
    return FALSE;
  if (reply->writer.overflowed)
    t2p_dns_reply_truncate (reply);
  fill_header (reply);
  t2p_writer_reserve (reply->parent, t2p_writer_length (&reply->writer));
  if (reply->query->has_edns)
    write_opt (reply->parent, reply);
  return !reply->parent->overflowed;
}

/**
 * t2p_dns_write_status:
 * @writer: where to
 * @query: what is answered
 * @rcode: the result
 * @max_bytes: as for t2p_dns_reply_begin()
 *
 * A whole answer without records: SERVFAIL, REFUSED, NOTIMP, FORMERR, an empty NOERROR.
 *
 * Returns: %FALSE when it does not fit
 */
gboolean
t2p_dns_write_status (T2pWriter *writer,
                      const T2pDnsQuery *query,
                      T2pDnsRcode rcode,
                      gsize max_bytes)
{
  T2pDnsReply reply;

  t2p_dns_reply_begin (&reply, writer, query, rcode, max_bytes);
  return t2p_dns_reply_end (&reply);
}
