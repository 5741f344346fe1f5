/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-udp-header.h"

#include "t2p-checksum.h"

#include <netinet/in.h>

#define REPLY_TTL 64

/**
 * t2p_udp_header_parse:
 * @datagram: (array length=length): an IP payload, from its first byte to its last
 * @length: its length
 * @out_header: (out caller-allocates): undefined unless the result is %T2P_UDP_PARSE_OK
 *
 * RFC 768. Says nothing about the checksum.
 *
 * Returns: %T2P_UDP_PARSE_OK, or what is wrong
 */
T2pUdpParse
t2p_udp_header_parse (const guint8 *datagram, gsize length, T2pUdpHeader *out_header)
{
  const guint8 *fixed;
  T2pCursor cursor;
  gsize udp_bytes;

  t2p_cursor_init (&cursor, datagram, length);
  if (!t2p_cursor_read_bytes (&cursor, T2P_UDP_HEADER_BYTES, &fixed))
    return T2P_UDP_PARSE_TRUNCATED;
  udp_bytes = t2p_load_be16 (fixed + 4);
  if (udp_bytes < T2P_UDP_HEADER_BYTES || udp_bytes > length)
    return T2P_UDP_PARSE_BAD_LENGTH;
  out_header->source_port = t2p_load_be16 (fixed);
  out_header->destination_port = t2p_load_be16 (fixed + 2);
  out_header->checksum = t2p_load_be16 (fixed + T2P_UDP_CHECKSUM_AT);
  out_header->payload_bytes = udp_bytes - T2P_UDP_HEADER_BYTES;
  return T2P_UDP_PARSE_OK;
}

/**
 * t2p_udp_checksum_ok:
 * @packet: the packet that @ip was parsed from; not a fragment
 * @ip: its header
 *
 * For packets that the virtio header does not vouch for. No checksum is right for IPv4 (RFC
 * 768) and wrong for IPv6 (RFC 8200 section 8.1).
 *
 * Returns: whether the checksum is right; %FALSE too when the UDP header cannot be parsed
 */
gboolean
t2p_udp_checksum_ok (const guint8 *packet, const T2pIpHeader *ip)
{
  const guint8 *datagram = packet + ip->header_bytes;
  T2pUdpHeader udp;
  gsize length;
  guint32 sum;

  if (t2p_udp_header_parse (datagram, t2p_ip_header_payload_bytes (ip), &udp) !=
      T2P_UDP_PARSE_OK)
    return FALSE;
  if (udp.checksum == 0)
    return ip->version == 4;
  length = T2P_UDP_HEADER_BYTES + udp.payload_bytes;
  sum = t2p_checksum_pseudo (&ip->source, &ip->destination, IPPROTO_UDP, length);
  return t2p_checksum_finish (t2p_checksum_add (sum, datagram, length)) == 0;
}

static guint16
udp_checksum (const T2pIpHeader *ip,
              const guint8 *header,
              const guint8 *payload,
              gsize payload_bytes,
              T2pUdpChecksum kind)
{
  guint32 sum = t2p_checksum_pseudo (&ip->source, &ip->destination, IPPROTO_UDP,
                                     T2P_UDP_HEADER_BYTES + payload_bytes);
  guint16 checksum;

  if (kind == T2P_UDP_CHECKSUM_PARTIAL)
    return t2p_checksum_fold (sum);
  sum = t2p_checksum_add (sum, header, T2P_UDP_HEADER_BYTES);
  checksum = t2p_checksum_finish (t2p_checksum_add (sum, payload, payload_bytes));
  return checksum != 0 ? checksum : 0xffff; /* RFC 768: 0 would mean "none" */
}

/**
 * t2p_udp_packet_write_headers:
 * @writer: where to
 * @source: from
 * @destination: to, of the same family
 * @payload: (array length=payload_bytes) (nullable): read for %T2P_UDP_CHECKSUM_FULL only, not
 *   written: for callers that send it with a vector of its own
 * @payload_bytes: its length
 * @checksum: how to fill the checksum field
 *
 * Writes the IP and the UDP header.
 *
 * Returns: %FALSE when they do not fit, the packet would be too long for IP, or the addresses
 * are not of one family
 */
gboolean
t2p_udp_packet_write_headers (T2pWriter *writer,
                              const T2pIpEndpoint *source,
                              const T2pIpEndpoint *destination,
                              const guint8 *payload,
                              gsize payload_bytes,
                              T2pUdpChecksum checksum)
{
  T2pIpHeader ip = { .source = source->address,
                     .destination = destination->address,
                     .protocol = IPPROTO_UDP,
                     .ttl = REPLY_TTL,
                     .dont_fragment = TRUE };
  guint8 *place;

  if (payload_bytes > T2P_IP_MAX_PACKET_BYTES - T2P_UDP_HEADER_BYTES ||
      !t2p_ip_header_write (writer, &ip, T2P_UDP_HEADER_BYTES + payload_bytes))
    return FALSE;
  place = t2p_writer_reserve (writer, T2P_UDP_HEADER_BYTES);
  if (place == NULL)
    return FALSE;
  t2p_store_be16 (place, source->port);
  t2p_store_be16 (place + 2, destination->port);
  t2p_store_be16 (place + 4, (guint16) (T2P_UDP_HEADER_BYTES + payload_bytes));
  t2p_store_be16 (place + T2P_UDP_CHECKSUM_AT, 0);
  t2p_store_be16 (place + T2P_UDP_CHECKSUM_AT,
                  udp_checksum (&ip, place, payload, payload_bytes, checksum));
  return TRUE;
}

/**
 * t2p_udp_packet_write:
 * @writer: where to
 * @source: from
 * @destination: to, of the same family
 * @payload: (array length=payload_bytes) (nullable): what to carry
 * @payload_bytes: its length
 *
 * Writes a whole packet, checksums included.
 *
 * Returns: %FALSE when it does not fit, would be too long for IP, or the addresses are not of
 * one family
 */
gboolean
t2p_udp_packet_write (T2pWriter *writer,
                      const T2pIpEndpoint *source,
                      const T2pIpEndpoint *destination,
                      const guint8 *payload,
                      gsize payload_bytes)
{
  return t2p_udp_packet_write_headers (writer, source, destination, payload, payload_bytes,
                                       T2P_UDP_CHECKSUM_FULL) &&
         t2p_writer_bytes (writer, payload, payload_bytes);
}

/**
 * t2p_udp_parse_to_string:
 * @parse: a result
 *
 * Returns: (transfer none): a short name for counters and logs
 */
const char *
t2p_udp_parse_to_string (T2pUdpParse parse)
{
  static const char *const names[T2P_N_UDP_PARSES] = {
    [T2P_UDP_PARSE_OK] = "ok",
    [T2P_UDP_PARSE_TRUNCATED] = "truncated",
    [T2P_UDP_PARSE_BAD_LENGTH] = "bad-length",
  };

  return (guint) parse < T2P_N_UDP_PARSES ? names[parse] : "unknown";
}
