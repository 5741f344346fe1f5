/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-cursor.h"
#include "t2p-ip.h"

G_BEGIN_DECLS

/* What badvpn's udpgw and its clients say to each other: datagrams in one stream. A frame is
 * its length (two bytes, little endian), then flags, the number of a connection (little
 * endian), the address of the far end (network order) and the payload. A connection is one
 * socket of the gateway that talks to one far end; the client gives out the numbers. */

#define T2P_UDPGW_MAX_HEADER_BYTES (2 + 3 + 18) /* with an IPv6 address */
#define T2P_UDPGW_KEEPALIVE_BYTES (2 + 3 + 6)
#define T2P_UDPGW_MAX_PAYLOAD_BYTES 65507 /* of a datagram */

typedef enum
{
  T2P_UDPGW_KEEPALIVE = 1 << 0, /* no datagram: the client is there */
  T2P_UDPGW_REBIND = 1 << 1,    /* the number had another far end before */
  T2P_UDPGW_DNS = 1 << 2,       /* to whatever name server the gateway has */
  T2P_UDPGW_IPV6 = 1 << 3,
} T2pUdpgwFlags;

/**
 * T2pUdpgwFrame:
 * @flags: T2pUdpgwFlags; IPV6 follows from @peer when written
 * @connection: number of the connection
 * @peer: the far end; unset in a keep-alive
 * @payload: (array length=payload_bytes): borrowed from what was decoded
 */
typedef struct
{
  guint8 flags;
  guint16 connection;
  T2pIpEndpoint peer;
  const guint8 *payload;
  gsize payload_bytes;
} T2pUdpgwFrame;

gboolean t2p_udpgw_write_header (T2pWriter *writer, const T2pUdpgwFrame *frame);
gboolean t2p_udpgw_write_keepalive (T2pWriter *writer);
T2pDecode
t2p_udpgw_decode (const guint8 *bytes, gsize length, T2pUdpgwFrame *out_frame, gsize *out_used);

G_END_DECLS
