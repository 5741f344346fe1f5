/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-tcp-header.h"

#include "t2p-checksum.h"

#include <netinet/in.h>

#define REPLY_TTL 64

/* Option kinds of RFC 9293 section 3.2 and RFC 7323. */
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_MSS 2
#define OPTION_WINDOW_SCALE 3

/* MSS and window scale count in a SYN only; elsewhere they are skipped like any other. */
static void
take_option (T2pTcpHeader *header, guint8 kind, const T2pCursor *value, gsize value_at)
{
  T2pCursor cursor = *value;

  if ((header->flags & T2P_TCP_SYN) == 0)
    return;
  if (kind == OPTION_MSS && t2p_cursor_remaining (&cursor) == 2)
    {
      t2p_cursor_read_be16 (&cursor, &header->maximum_segment_bytes);
      header->maximum_segment_at = (guint8) value_at;
    }
  else if (kind == OPTION_WINDOW_SCALE && t2p_cursor_remaining (&cursor) == 1)
    {
      t2p_cursor_read_u8 (&cursor, &header->window_scale);
      header->window_scale = MIN (header->window_scale, T2P_TCP_MAX_WINDOW_SCALE);
      header->has_window_scale = TRUE;
      header->window_scale_at = (guint8) value_at;
    }
}

static T2pTcpParse
parse_options (T2pTcpHeader *header, T2pCursor *options)
{
  guint8 kind;
  guint8 length;

  while (t2p_cursor_read_u8 (options, &kind) && kind != OPTION_END)
    {
      T2pCursor value;
      gsize value_at = T2P_TCP_HEADER_BYTES + t2p_cursor_position (options) + 1;

      if (kind == OPTION_NOP)
        continue;
      if (!t2p_cursor_read_u8 (options, &length) || length < 2 ||
          !t2p_cursor_sub (options, length - 2u, &value))
        return T2P_TCP_PARSE_BAD_OPTIONS;
      take_option (header, kind, &value, value_at);
    }
  return T2P_TCP_PARSE_OK;
}

/**
 * t2p_tcp_header_parse:
 * @segment: (array length=length): an IP payload, from its first byte to its last
 * @length: its length
 * @out_header: (out caller-allocates): undefined unless the result is %T2P_TCP_PARSE_OK
 *
 * Says nothing about the checksum and about senseless flags: that is for the caller to judge.
 *
 * Returns: %T2P_TCP_PARSE_OK, or what is wrong
 */
T2pTcpParse
t2p_tcp_header_parse (const guint8 *segment, gsize length, T2pTcpHeader *out_header)
{
  const guint8 *fixed;
  T2pCursor cursor;
  T2pCursor options;

  t2p_cursor_init (&cursor, segment, length);
  if (!t2p_cursor_read_bytes (&cursor, T2P_TCP_HEADER_BYTES, &fixed))
    return T2P_TCP_PARSE_TRUNCATED;
  out_header->header_bytes = (gsize) (fixed[12] >> 4) * 4;
  if (out_header->header_bytes < T2P_TCP_HEADER_BYTES || out_header->header_bytes > length)
    return T2P_TCP_PARSE_BAD_HEADER_LENGTH;
  out_header->payload_bytes = length - out_header->header_bytes;
  out_header->source_port = t2p_load_be16 (fixed);
  out_header->destination_port = t2p_load_be16 (fixed + 2);
  out_header->sequence = t2p_load_be32 (fixed + 4);
  out_header->acknowledgement = t2p_load_be32 (fixed + 8);
  out_header->flags = fixed[13];
  out_header->window = t2p_load_be16 (fixed + 14);
  out_header->checksum = t2p_load_be16 (fixed + T2P_TCP_CHECKSUM_AT);
  out_header->maximum_segment_bytes = 0;
  out_header->maximum_segment_at = 0;
  out_header->has_window_scale = FALSE;
  out_header->window_scale = 0;
  out_header->window_scale_at = 0;
  if (out_header->header_bytes == T2P_TCP_HEADER_BYTES)
    return T2P_TCP_PARSE_OK;
  if (!t2p_cursor_sub (&cursor, out_header->header_bytes - T2P_TCP_HEADER_BYTES, &options))
    return T2P_TCP_PARSE_BAD_HEADER_LENGTH;
  return parse_options (out_header, &options);
}

/**
 * t2p_tcp_checksum_ok:
 * @packet: the packet that @ip was parsed from; not a fragment
 * @ip: its header
 *
 * For packets that the virtio header does not vouch for.
 *
 * Returns: whether the checksum of the whole segment is right
 */
gboolean
t2p_tcp_checksum_ok (const guint8 *packet, const T2pIpHeader *ip)
{
  gsize length = t2p_ip_header_payload_bytes (ip);
  guint32 sum = t2p_checksum_pseudo (&ip->source, &ip->destination, IPPROTO_TCP, length);

  return t2p_checksum_finish (t2p_checksum_add (sum, packet + ip->header_bytes, length)) == 0;
}

/* What a segment takes of the sequence space (RFC 9293 section 3.4). */
static guint32
sequence_length (const T2pTcpHeader *tcp)
{
  return (guint32) tcp->payload_bytes + ((tcp->flags & T2P_TCP_SYN) != 0) +
         ((tcp->flags & T2P_TCP_FIN) != 0);
}

/**
 * t2p_tcp_write_reset:
 * @writer: where to
 * @ip: the IP header of a segment
 * @tcp: its TCP header
 *
 * Writes the whole packet that a host without such a connection answers (RFC 9293 section
 * 3.10.7.1).
 *
 * Returns: %FALSE when it does not fit, or must not be sent: for a RST, and for what was not
 * sent from one host to one host
 */
gboolean
t2p_tcp_write_reset (T2pWriter *writer, const T2pIpHeader *ip, const T2pTcpHeader *tcp)
{
  T2pIpHeader answer = { .source = ip->destination,
                         .destination = ip->source,
                         .protocol = IPPROTO_TCP,
                         .ttl = REPLY_TTL,
                         .dont_fragment = TRUE };
  gboolean has_ack = (tcp->flags & T2P_TCP_ACK) != 0;
  guint32 sum;
  guint8 *segment;

  if ((tcp->flags & T2P_TCP_RST) != 0 || !t2p_ip_header_is_unicast (ip) ||
      !t2p_ip_header_write (writer, &answer, T2P_TCP_HEADER_BYTES))
    return FALSE;
  segment = t2p_writer_reserve (writer, T2P_TCP_HEADER_BYTES);
  if (segment == NULL)
    return FALSE;
  memset (segment, 0, T2P_TCP_HEADER_BYTES);
  t2p_store_be16 (segment, tcp->destination_port);
  t2p_store_be16 (segment + 2, tcp->source_port);
  t2p_store_be32 (segment + 4, has_ack ? tcp->acknowledgement : 0);
  t2p_store_be32 (segment + 8, has_ack ? 0 : tcp->sequence + sequence_length (tcp));
  segment[12] = T2P_TCP_HEADER_BYTES / 4 << 4;
  segment[13] = (guint8) (T2P_TCP_RST | (has_ack ? 0 : T2P_TCP_ACK));
  sum = t2p_checksum_pseudo (&answer.source, &answer.destination, IPPROTO_TCP,
                             T2P_TCP_HEADER_BYTES);
  t2p_store_be16 (segment + T2P_TCP_CHECKSUM_AT,
                  t2p_checksum_finish (t2p_checksum_add (sum, segment, T2P_TCP_HEADER_BYTES)));
  return TRUE;
}

/**
 * t2p_tcp_parse_to_string:
 * @parse: a result
 *
 * Returns: (transfer none): a short name for counters and logs
 */
const char *
t2p_tcp_parse_to_string (T2pTcpParse parse)
{
  static const char *const names[T2P_N_TCP_PARSES] = {
    [T2P_TCP_PARSE_OK] = "ok",
    [T2P_TCP_PARSE_TRUNCATED] = "truncated",
    [T2P_TCP_PARSE_BAD_HEADER_LENGTH] = "bad-header-length",
    [T2P_TCP_PARSE_BAD_OPTIONS] = "bad-options",
  };

  return (guint) parse < T2P_N_TCP_PARSES ? names[parse] : "unknown";
}
