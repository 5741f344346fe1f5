/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-cursor.h"
#include "t2p-ip-header.h"

G_BEGIN_DECLS

#define T2P_UDP_HEADER_BYTES 8
#define T2P_UDP_CHECKSUM_AT 6

/** T2pUdpParse: why a datagram was not taken; one counter each. */
typedef enum
{
  T2P_UDP_PARSE_OK,
  T2P_UDP_PARSE_TRUNCATED,
  T2P_UDP_PARSE_BAD_LENGTH, /* the length field is below 8 or above the IP payload */
  T2P_N_UDP_PARSES,
} T2pUdpParse;

/**
 * T2pUdpHeader:
 * @checksum: 0 means "none", which IPv4 allows (RFC 768)
 * @payload_bytes: by the length field; the IP payload may be longer
 */
typedef struct
{
  guint16 source_port;
  guint16 destination_port;
  guint16 checksum;
  gsize payload_bytes;
} T2pUdpHeader;

/**
 * T2pUdpChecksum:
 * @T2P_UDP_CHECKSUM_FULL: ready to send
 * @T2P_UDP_CHECKSUM_PARTIAL: the pseudo-header only, the kernel adds the rest (NEEDS_CSUM)
 */
typedef enum
{
  T2P_UDP_CHECKSUM_FULL,
  T2P_UDP_CHECKSUM_PARTIAL,
} T2pUdpChecksum;

T2pUdpParse
t2p_udp_header_parse (const guint8 *datagram, gsize length, T2pUdpHeader *out_header);
gboolean t2p_udp_checksum_ok (const guint8 *packet, const T2pIpHeader *ip);
gboolean t2p_udp_packet_write_headers (T2pWriter *writer,
                                       const T2pIpEndpoint *source,
                                       const T2pIpEndpoint *destination,
                                       const guint8 *payload,
                                       gsize payload_bytes,
                                       T2pUdpChecksum checksum);
gboolean t2p_udp_packet_write (T2pWriter *writer,
                               const T2pIpEndpoint *source,
                               const T2pIpEndpoint *destination,
                               const guint8 *payload,
                               gsize payload_bytes);
const char *t2p_udp_parse_to_string (T2pUdpParse parse);

G_END_DECLS
