/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-cursor.h"
#include "t2p-dns-name.h"

G_BEGIN_DECLS

#define T2P_DNS_PLAIN_UDP_BYTES 512 /* RFC 1035 section 2.3.4: without EDNS */
#define T2P_DNS_MAX_UDP_BYTES 1232  /* what we say and send with EDNS: never fragmented */

typedef enum
{
  T2P_DNS_TYPE_A = 1,
  T2P_DNS_TYPE_NS = 2,
  T2P_DNS_TYPE_CNAME = 5,
  T2P_DNS_TYPE_SOA = 6,
  T2P_DNS_TYPE_PTR = 12,
  T2P_DNS_TYPE_MX = 15,
  T2P_DNS_TYPE_TXT = 16,
  T2P_DNS_TYPE_AAAA = 28,
  T2P_DNS_TYPE_SRV = 33,
  T2P_DNS_TYPE_OPT = 41,
  T2P_DNS_TYPE_SVCB = 64,
  T2P_DNS_TYPE_HTTPS = 65,
  T2P_DNS_TYPE_ANY = 255,
} T2pDnsType;

#define T2P_DNS_CLASS_IN 1
#define T2P_DNS_CLASS_ANY 255

typedef enum
{
  T2P_DNS_NOERROR = 0,
  T2P_DNS_FORMERR = 1,
  T2P_DNS_SERVFAIL = 2,
  T2P_DNS_NXDOMAIN = 3,
  T2P_DNS_NOTIMP = 4,
  T2P_DNS_REFUSED = 5,
  T2P_DNS_BADVERS = 16, /* RFC 6891 section 9 */
} T2pDnsRcode;

/** T2pDnsParse: what to do with a message. */
typedef enum
{
  T2P_DNS_PARSE_OK,     /* a query with one question */
  T2P_DNS_PARSE_REFUSE, /* answer with @rcode of the query and nothing else */
  T2P_DNS_PARSE_DROP,   /* not even a header, or an answer: answering could start a loop */
} T2pDnsParse;

/**
 * T2pDnsQuery:
 * @id: to be echoed
 * @opcode: 0 is a query
 * @rcode: with %T2P_DNS_PARSE_REFUSE, why
 * @type: #T2pDnsType, or another
 * @klass: 1 is the internet
 * @name: what is asked for
 * @question: the question as it came, borrowed from the message: its letters' case is echoed
 *   (0x20); %NULL when it could not be read
 * @edns_udp_bytes: how much the asker takes over UDP
 */
typedef struct
{
  guint16 id;
  guint8 opcode;
  guint8 edns_version;
  T2pDnsRcode rcode;
  gboolean recursion_desired;
  gboolean authentic_data; /* asks for the AD bit (RFC 6840 section 5.7) */
  gboolean checking_disabled;
  gboolean has_edns;
  gboolean dnssec_ok;
  guint16 edns_udp_bytes;
  guint16 type;
  guint16 klass;
  T2pDnsName name;
  const guint8 *question;
  gsize question_bytes;
} T2pDnsQuery;

T2pDnsParse t2p_dns_query_decode (const guint8 *message, gsize length, T2pDnsQuery *out_query);
gsize t2p_dns_query_udp_limit (const T2pDnsQuery *query);
gboolean t2p_dns_query_write (T2pWriter *writer, guint16 id, const char *name, guint16 type);
gboolean
t2p_dns_response_matches (const guint8 *message, gsize length, const T2pDnsQuery *query);

/** T2pDnsReply: an answer that is being written; all fields are private. */
typedef struct
{
  const T2pDnsQuery *query;
  T2pWriter *parent;
  T2pWriter writer;
  T2pDnsRcode rcode;
  gsize after_question;
  gsize opt_bytes;
  guint16 n_answers;
  guint16 n_authorities;
  gboolean is_truncated;
} T2pDnsReply;

void t2p_dns_reply_begin (T2pDnsReply *reply,
                          T2pWriter *writer,
                          const T2pDnsQuery *query,
                          T2pDnsRcode rcode,
                          gsize max_bytes);
gboolean
t2p_dns_reply_add_address (T2pDnsReply *reply, const T2pIpAddress *address, guint32 ttl_s);
gboolean t2p_dns_reply_add_ptr (T2pDnsReply *reply, const char *name, guint32 ttl_s);
gboolean t2p_dns_reply_add_soa (T2pDnsReply *reply, guint32 ttl_s);
void t2p_dns_reply_truncate (T2pDnsReply *reply);
gboolean t2p_dns_reply_end (T2pDnsReply *reply);

gboolean t2p_dns_write_status (T2pWriter *writer,
                               const T2pDnsQuery *query,
                               T2pDnsRcode rcode,
                               gsize max_bytes);

G_END_DECLS
