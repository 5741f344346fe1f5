/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-cursor.h"
#include "t2p-dns-name.h"

G_BEGIN_DECLS

/* The twelve bytes that queries and answers begin with (RFC 1035 section 4.1.1), for the DNS
 * codec itself. */

#define T2P_DNS_FLAG_RESPONSE 0x8000
#define T2P_DNS_FLAG_TRUNCATED 0x0200
#define T2P_DNS_FLAG_RECURSION_DESIRED 0x0100
#define T2P_DNS_FLAG_RECURSION_AVAILABLE 0x0080
#define T2P_DNS_FLAG_AUTHENTIC_DATA 0x0020
#define T2P_DNS_FLAG_CHECKING_DISABLED 0x0010
#define T2P_DNS_OPCODE_SHIFT 11
#define T2P_DNS_OPCODE_MASK 0x0f
#define T2P_DNS_RCODE_MASK 0x0f

#define T2P_DNS_EDNS_DNSSEC_OK 0x8000u
#define T2P_DNS_OPT_BYTES 11 /* without options */

typedef struct
{
  guint16 id, flags;
  guint16 n_questions, n_answers, n_authorities, n_additionals;
} T2pDnsHeader;

static inline gboolean
t2p_dns_read_header (T2pCursor *cursor, T2pDnsHeader *out_header)
{
  const guint8 *fixed;

  if (!t2p_cursor_read_bytes (cursor, T2P_DNS_HEADER_BYTES, &fixed))
    return FALSE;
  out_header->id = t2p_load_be16 (fixed);
  out_header->flags = t2p_load_be16 (fixed + 2);
  out_header->n_questions = t2p_load_be16 (fixed + 4);
  out_header->n_answers = t2p_load_be16 (fixed + 6);
  out_header->n_authorities = t2p_load_be16 (fixed + 8);
  out_header->n_additionals = t2p_load_be16 (fixed + 10);
  return TRUE;
}

G_END_DECLS
