/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-socks5.h"

G_BEGIN_DECLS

/* Datagrams in the stream of a SOCKS 5 connection, behind command 5 (an extension of
 * hev-socks5-server): length of the payload (two bytes), length of the header that these belong
 * to (one byte), address as in RFC 1928 section 5, payload. It is the UDP header of section 7
 * with the lengths where that has its reserved bytes. */

#define T2P_UDP_IN_TCP_MAX_HEADER_BYTES T2P_SOCKS5_MAX_HEADER_BYTES
/* Servers end the association for more, and for nothing at all. */
#define T2P_UDP_IN_TCP_MAX_PAYLOAD_BYTES 1500
#define T2P_UDP_IN_TCP_MIN_PAYLOAD_BYTES 1

/**
 * T2pUdpInTcpFrame:
 * @peer: the far end; its name is borrowed from what was decoded
 * @payload: (array length=payload_bytes): borrowed, too
 */
typedef struct
{
  T2pSocks5Address peer;
  const guint8 *payload;
  gsize payload_bytes;
} T2pUdpInTcpFrame;

gboolean t2p_udp_in_tcp_write_header (T2pWriter *writer,
                                      const T2pSocks5Address *peer,
                                      gsize payload_bytes);
T2pDecode t2p_udp_in_tcp_decode (const guint8 *bytes,
                                 gsize length,
                                 T2pUdpInTcpFrame *out_frame,
                                 gsize *out_used);

G_END_DECLS
