/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-cursor.h"
#include "t2p-ip-header.h"

G_BEGIN_DECLS

#define T2P_TCP_HEADER_BYTES 20
#define T2P_TCP_CHECKSUM_AT 16
#define T2P_TCP_MAX_WINDOW_SCALE 14 /* RFC 7323 section 2.3 */

typedef enum
{
  T2P_TCP_FIN = 0x01,
  T2P_TCP_SYN = 0x02,
  T2P_TCP_RST = 0x04,
  T2P_TCP_PSH = 0x08,
  T2P_TCP_ACK = 0x10,
  T2P_TCP_URG = 0x20,
  T2P_TCP_ECE = 0x40,
  T2P_TCP_CWR = 0x80,
} T2pTcpFlags;

/** T2pTcpParse: why a segment was not taken; one counter each. */
typedef enum
{
  T2P_TCP_PARSE_OK,
  T2P_TCP_PARSE_TRUNCATED,
  T2P_TCP_PARSE_BAD_HEADER_LENGTH, /* data offset below 5, or behind the end */
  T2P_TCP_PARSE_BAD_OPTIONS,       /* an option's length is 0, 1 or runs over the header */
  T2P_N_TCP_PARSES,
} T2pTcpParse;

/**
 * T2pTcpHeader:
 * @flags: #T2pTcpFlags
 * @has_window_scale: a SYN carried the option (its value may be 0)
 * @window_scale: the shift, at most 14
 * @maximum_segment_bytes: MSS option of a SYN; 0 when absent
 * @maximum_segment_at: offset of the MSS value from the start of the header; 0 when absent
 * @window_scale_at: offset of the shift; 0 when absent
 * @header_bytes: options included
 * @payload_bytes: what follows
 *
 * RFC 9293 section 3.1. All in host order.
 */
typedef struct
{
  guint16 source_port;
  guint16 destination_port;
  guint32 sequence;
  guint32 acknowledgement;
  guint16 window;
  guint16 checksum;
  guint8 flags;
  guint8 window_scale;
  gboolean has_window_scale;
  guint16 maximum_segment_bytes;
  guint8 maximum_segment_at;
  guint8 window_scale_at;
  gsize header_bytes;
  gsize payload_bytes;
} T2pTcpHeader;

T2pTcpParse
t2p_tcp_header_parse (const guint8 *segment, gsize length, T2pTcpHeader *out_header);
gboolean
t2p_tcp_write_reset (T2pWriter *writer, const T2pIpHeader *ip, const T2pTcpHeader *tcp);
gboolean t2p_tcp_checksum_ok (const guint8 *packet, const T2pIpHeader *ip);
const char *t2p_tcp_parse_to_string (T2pTcpParse parse);

G_END_DECLS
