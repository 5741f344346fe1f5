/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-cursor.h"
#include "t2p-ip.h"

G_BEGIN_DECLS

#define T2P_IPV4_HEADER_BYTES 20
#define T2P_IPV6_HEADER_BYTES 40
#define T2P_IPV6_FRAGMENT_HEADER_BYTES 8
#define T2P_IP_MAX_PACKET_BYTES 65535

/* RFC 8200 section 4.1 gives each once, destination options twice, that is five; a longer walk
 * only costs time. */
#define T2P_IPV6_MAX_EXTENSION_HEADERS 8

/**
 * T2pIpParse:
 *
 * Why a packet was not taken: one counter each, no #GError, since this runs for each packet.
 */
typedef enum
{
  T2P_IP_PARSE_OK,
  T2P_IP_PARSE_TRUNCATED,         /* shorter than its header, or than its length field says */
  T2P_IP_PARSE_BAD_VERSION,       /* neither 4 nor 6 */
  T2P_IP_PARSE_BAD_HEADER_LENGTH, /* IPv4: below 20 bytes, or above the total length */
  T2P_IP_PARSE_BAD_FRAGMENT,  /* would end behind 65,535 bytes, or its length is not n * 8 */
  T2P_IP_PARSE_BAD_EXTENSION, /* IPv6: runs over the end, or in the wrong place */
  T2P_IP_PARSE_TOO_MANY_EXTENSIONS,
  T2P_IP_PARSE_BAD_OPTION, /* one that runs over its end; IPv6: one that may not be skipped */
  T2P_IP_PARSE_SOURCE_ROUTED, /* its sender says by which stops it has to go */
  T2P_N_IP_PARSES,
} T2pIpParse;

/**
 * T2pIpHeader:
 * @source: source address
 * @destination: destination address
 * @version: 4 or 6
 * @protocol: of the payload (IPv6: the last next header of the walk)
 * @ttl: time to live, hop limit
 * @traffic_class: DSCP and ECN
 * @is_fragment: a part of a packet; the payload is then not a whole transport header
 * @more_fragments: not the last part
 * @dont_fragment: IPv4 DF; always set for IPv6
 * @has_options: IPv4 options, IPv6 extension headers other than a fragment header
 * @fragment_offset: in bytes
 * @fragment_id: IPv4: 16 bits
 * @protocol_at: offset of the byte that holds @protocol
 * @unfragmentable_bytes: IPv6 fragments: what stands before the fragment header; else 0
 * @fragment_named_at: IPv6 fragments: offset of the byte that names the fragment header; else 0
 * @header_bytes: from the start to the payload
 * @total_bytes: of this packet; the buffer may be longer
 *
 * IPv6 fragments end the walk at the fragment header, since what follows may begin in the
 * middle of anything; "atomic" fragments (RFC 6946) are walked through like other extension
 * headers.
 */
typedef struct
{
  T2pIpAddress source;
  T2pIpAddress destination;
  guint8 version;
  guint8 protocol;
  guint8 ttl;
  guint8 traffic_class;
  guint8 is_fragment : 1;
  guint8 more_fragments : 1;
  guint8 dont_fragment : 1;
  guint8 has_options : 1;
  guint16 fragment_offset;
  guint32 fragment_id;
  guint16 protocol_at;
  guint16 unfragmentable_bytes;
  guint16 fragment_named_at;
  gsize header_bytes;
  gsize total_bytes;
} T2pIpHeader;

T2pIpParse t2p_ip_header_parse (const guint8 *packet, gsize length, T2pIpHeader *out_header);
gboolean t2p_ip_header_is_unicast (const T2pIpHeader *header);
gboolean t2p_ip_header_checksum_ok (const guint8 *packet, const T2pIpHeader *header);
gboolean
t2p_ip_header_write (T2pWriter *writer, const T2pIpHeader *header, gsize payload_bytes);
const char *t2p_ip_parse_to_string (T2pIpParse parse);

static inline gsize
t2p_ip_header_payload_bytes (const T2pIpHeader *header)
{
  return header->total_bytes - header->header_bytes;
}

G_END_DECLS
