/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-cursor.h"
#include "t2p-ip.h"
#include "t2p-limits.h"

G_BEGIN_DECLS

#define T2P_DNS_HEADER_BYTES 12
#define T2P_DNS_MAX_LABEL_BYTES 63 /* RFC 1035 section 2.3.4 */
#define T2P_DNS_NAME_STRLEN 1005   /* 250 bytes as \DDD, three dots, NUL, rounded up */
#define T2P_DNS_REVERSE_STRLEN 73  /* 32 nibbles, 32 dots, "ip6.arpa", NUL */

/**
 * T2pDnsName:
 * @text: lower case, no dot at the end; "." is the root
 * @length: of @text
 * @is_plain: letters, digits, hyphens and underscores only, so that @text is the name itself.
 *   Elsewhere dots, backslashes, quotes and the like are \X, other bytes \DDD (RFC 1035 5.1).
 */
typedef struct
{
  char text[T2P_DNS_NAME_STRLEN];
  gsize length;
  gboolean is_plain;
} T2pDnsName;

gboolean t2p_dns_read_name (T2pCursor *message, T2pDnsName *out_name);
gboolean t2p_dns_skip_name (T2pCursor *message);
gboolean t2p_dns_write_name (T2pWriter *writer, const char *text);

void t2p_dns_reverse_name (const T2pIpAddress *address, char out_text[T2P_DNS_REVERSE_STRLEN]);
gboolean t2p_dns_reverse_address (const char *name, T2pIpAddress *out_address);

G_END_DECLS
