/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-cursor.h"
#include "t2p-ip.h"
#include "t2p-limits.h"

G_BEGIN_DECLS

#define T2P_SOCKS5_VERSION 5
#define T2P_SOCKS5_MAX_TEXT_BYTES 255   /* names, user names, passwords: one length byte */
#define T2P_SOCKS5_MAX_HEADER_BYTES 262 /* request, reply, UDP header with the longest name */

typedef enum
{
  T2P_SOCKS5_CONNECT = 1,
  T2P_SOCKS5_UDP_ASSOCIATE = 3,
  T2P_SOCKS5_UDP_IN_TCP = 5, /* an extension: t2p-udp-in-tcp.h */
} T2pSocks5Command;

/**
 * T2pSocks5Address:
 * @name: (nullable): a host name, not NUL-terminated and borrowed; %NULL: by @address
 * @name_bytes: its length, 1 to 255
 * @address: IPv4 or IPv6, when @name is %NULL
 * @port: host order
 *
 * ATYP, address and port of RFC 1928 section 5. When decoded, @name points into the input.
 */
typedef struct
{
  const char *name;
  gsize name_bytes;
  T2pIpAddress address;
  guint16 port;
} T2pSocks5Address;

/**
 * T2pSocks5Reply:
 * @version: what stood in its place; %T2P_SOCKS5_VERSION when it is right
 * @code: REP of RFC 1928 section 6; 0 is success
 * @address_type: ATYP, for messages
 * @bound: set when @code is 0
 */
typedef struct
{
  guint8 version;
  guint8 code;
  guint8 address_type;
  T2pSocks5Address bound;
} T2pSocks5Reply;

gboolean t2p_socks5_write_greeting (T2pWriter *writer, const guint8 *methods, guint n_methods);
gboolean t2p_socks5_write_credentials (T2pWriter *writer,
                                       const char *username,
                                       gsize username_bytes,
                                       const char *password,
                                       gsize password_bytes);
gboolean t2p_socks5_write_request (T2pWriter *writer,
                                   T2pSocks5Command command,
                                   const T2pSocks5Address *destination);
T2pDecode t2p_socks5_decode_reply (const guint8 *bytes,
                                   gsize length,
                                   T2pSocks5Reply *out_reply,
                                   gsize *out_used);
const char *t2p_socks5_reply_to_string (guint8 code);

gboolean t2p_socks5_write_address (T2pWriter *writer, const T2pSocks5Address *address);
T2pDecode t2p_socks5_read_address (T2pCursor *cursor, T2pSocks5Address *out_address);

gboolean t2p_socks5_write_udp_header (T2pWriter *writer, const T2pSocks5Address *peer);
T2pDecode t2p_socks5_decode_udp_header (const guint8 *datagram,
                                        gsize length,
                                        T2pSocks5Address *out_peer,
                                        gsize *out_header_bytes);

G_END_DECLS
