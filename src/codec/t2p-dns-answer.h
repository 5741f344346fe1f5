/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-dns.h"

G_BEGIN_DECLS

/* Header, question and OPT: what t2p_dns_query_write_onward() writes at most. */
#define T2P_DNS_MAX_ONWARD_BYTES (T2P_DNS_HEADER_BYTES + T2P_DNS_MAX_NAME_BYTES + 4 + 11)

/** T2pDnsAnswer: what a server's message says. It is whole and every record well-formed.
 * @question_bytes: of the question behind the header; 0 when there is none
 * @is_negative: no such name, or no such record (RFC 2308 section 2)
 * @ttl_s: how long the message may be kept; 0: not at all
 * @length: up to the end of the last record; what is behind it is nobody's
 */
typedef struct
{
  T2pDnsRcode rcode;
  gboolean is_truncated;
  gboolean is_negative;
  guint32 ttl_s;
  gsize question_bytes;
  gsize length;
} T2pDnsAnswer;

gboolean t2p_dns_answer_decode (const guint8 *message, gsize length, T2pDnsAnswer *out_answer);
gboolean t2p_dns_answer_write (T2pWriter *writer,
                               const T2pDnsQuery *query,
                               const guint8 *message,
                               const T2pDnsAnswer *answer,
                               guint32 age_s,
                               gsize max_bytes);
void t2p_dns_answer_hide_absence (T2pWriter *writer, gsize start);
gboolean t2p_dns_query_write_onward (T2pWriter *writer, guint16 id, const T2pDnsQuery *query);

G_END_DECLS
