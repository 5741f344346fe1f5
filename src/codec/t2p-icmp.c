/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * RFC 792, RFC 1812 section 4.3 and RFC 4443. An error is an IP header, eight bytes of ICMP of
 * which the last four depend on the type, and as much of the packet as the RFCs allow: the
 * kernel finds the socket by the transport header in it.
 *
 * Rate limits are not here: a pure function has no clock.
 */
#include "config.h"

#include "t2p-icmp.h"

#include "t2p-checksum.h"

#include <netinet/in.h>

#define REPLY_TTL 64
#define INTERNETWORK_CONTROL 0xc0 /* RFC 1812 section 4.3.2.5 */

#define V4_ECHO_REPLY 0
#define V4_UNREACHABLE 3
#define V4_SOURCE_QUENCH 4
#define V4_REDIRECT 5
#define V4_ECHO_REQUEST 8
#define V4_TIME_EXCEEDED 11
#define V4_PARAMETER_PROBLEM 12
#define V4_CODE_NET 0
#define V4_CODE_HOST 1
#define V4_CODE_PROTOCOL 2
#define V4_CODE_PORT 3
#define V4_CODE_TOO_BIG 4
#define V4_CODE_ADMIN_PROHIBITED 13 /* RFC 1812 section 5.2.7.1 */

#define V6_UNREACHABLE 1
#define V6_TOO_BIG 2
#define V6_TIME_EXCEEDED 3
#define V6_PARAMETER_PROBLEM 4
#define V6_ECHO_REQUEST 128
#define V6_ECHO_REPLY 129
#define V6_CODE_NO_ROUTE 0
#define V6_CODE_ADMIN_PROHIBITED 1
#define V6_CODE_ADDRESS 3
#define V6_CODE_PORT 4
#define V6_CODE_NEXT_HEADER 1
#define V6_FIRST_INFORMATIONAL 128

static guint8
icmp_protocol (const T2pIpHeader *header)
{
  return header->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
}

static gboolean
is_v4_error (guint8 type)
{
  return type == V4_UNREACHABLE || type == V4_SOURCE_QUENCH || type == V4_REDIRECT ||
         type == V4_TIME_EXCEEDED || type == V4_PARAMETER_PROBLEM;
}

/* An ICMP message whose type cannot be read counts as an error. */
static gboolean
is_icmp_error (const guint8 *packet, gsize packet_bytes, const T2pIpHeader *header)
{
  T2pCursor cursor;
  guint8 type;

  if (header->protocol != icmp_protocol (header))
    return FALSE;
  t2p_cursor_init (&cursor, packet, MIN (packet_bytes, header->total_bytes));
  if (!t2p_cursor_skip (&cursor, header->header_bytes) || !t2p_cursor_read_u8 (&cursor, &type))
    return TRUE;
  return header->version == 4 ? is_v4_error (type) : type < V6_FIRST_INFORMATIONAL;
}

/**
 * t2p_icmp_may_answer:
 * @packet: (array length=packet_bytes): the packet that @header was parsed from, or its
 * beginning
 * @packet_bytes: how much of it is there
 * @header: its header
 *
 * RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e): no error about an error, about a fragment
 * other than the first, and about what is not from one host to one host.
 *
 * Returns: whether an ICMP error about it may be sent
 */
gboolean
t2p_icmp_may_answer (const guint8 *packet, gsize packet_bytes, const T2pIpHeader *header)
{
  return header->fragment_offset == 0 && t2p_ip_header_is_unicast (header) &&
         !is_icmp_error (packet, packet_bytes, header);
}

/* Behind the IP header, @body has its whole length. */
static void
fill_checksum (const T2pIpHeader *ip, guint8 *body, gsize length)
{
  guint32 sum = 0;

  if (ip->protocol == IPPROTO_ICMPV6) /* RFC 4443 section 2.3; ICMPv4 has no pseudo-header */
    sum = t2p_checksum_pseudo (&ip->source, &ip->destination, ip->protocol, length);
  t2p_store_be16 (body + 2, 0);
  t2p_store_be16 (body + 2, t2p_checksum_finish (t2p_checksum_add (sum, body, length)));
}

static T2pIpHeader
answer_header (const T2pIpHeader *header, const T2pIpAddress *from)
{
  gboolean is_named = from != NULL && from->family == header->source.family;
  T2pIpHeader ip = { .source = is_named ? *from : header->destination,
                     .destination = header->source,
                     .protocol = icmp_protocol (header),
                     .ttl = REPLY_TTL,
                     .dont_fragment = TRUE };

  return ip;
}

static gsize
quoted_bytes (gsize packet_bytes, const T2pIpHeader *header)
{
  gsize limit = T2P_ICMPV6_MAX_ERROR_BYTES - T2P_IPV6_HEADER_BYTES - T2P_ICMP_HEADER_BYTES;

  if (header->version == 4)
    limit = T2P_ICMPV4_MAX_ERROR_BYTES - T2P_IPV4_HEADER_BYTES - T2P_ICMP_HEADER_BYTES;
  return MIN (limit, MIN (packet_bytes, header->total_bytes));
}

static gboolean
write_error (T2pWriter *writer,
             const guint8 *packet,
             gsize packet_bytes,
             const T2pIpHeader *header,
             const T2pIpAddress *from,
             T2pIcmpError error)
{
  T2pIpHeader ip = answer_header (header, from);
  gsize length = T2P_ICMP_HEADER_BYTES + quoted_bytes (packet_bytes, header);
  guint8 *body;

  if (!t2p_icmp_may_answer (packet, packet_bytes, header))
    return FALSE;
  ip.traffic_class = header->version == 4 ? INTERNETWORK_CONTROL : 0;
  if (!t2p_ip_header_write (writer, &ip, length))
    return FALSE;
  body = t2p_writer_reserve (writer, length);
  if (body == NULL)
    return FALSE;
  body[0] = error.type;
  body[1] = error.code;
  t2p_store_be32 (body + 4, error.rest);
  memcpy (body + T2P_ICMP_HEADER_BYTES, packet, length - T2P_ICMP_HEADER_BYTES);
  fill_checksum (&ip, body, length);
  return TRUE;
}

static gboolean
refusal_to_code (T2pRefusal refusal, gboolean is_v4, guint8 *out_code)
{
  switch (refusal)
    {
    case T2P_REFUSAL_NET_UNREACHABLE:
      *out_code = is_v4 ? V4_CODE_NET : V6_CODE_NO_ROUTE;
      return TRUE;
    case T2P_REFUSAL_HOST_UNREACHABLE:
      *out_code = is_v4 ? V4_CODE_HOST : V6_CODE_ADDRESS;
      return TRUE;
    case T2P_REFUSAL_RESET:
    case T2P_REFUSAL_PORT_UNREACHABLE:
      *out_code = is_v4 ? V4_CODE_PORT : V6_CODE_PORT;
      return TRUE;
    case T2P_REFUSAL_ADMIN_PROHIBITED:
      *out_code = is_v4 ? V4_CODE_ADMIN_PROHIBITED : V6_CODE_ADMIN_PROHIBITED;
      return TRUE;
    case T2P_REFUSAL_SILENCE:
      break;
    }
  return FALSE;
}

/**
 * t2p_icmp_write_refusal:
 * @writer: where to
 * @packet: (array length=packet_bytes): what was refused, or its beginning
 * @packet_bytes: how much of it is there
 * @header: its header
 * @refusal: %T2P_REFUSAL_RESET is port unreachable here
 *
 * Writes a "destination unreachable" packet.
 *
 * Returns: %FALSE when it does not fit, must not be answered, or @refusal is
 *   %T2P_REFUSAL_SILENCE
 */
gboolean
t2p_icmp_write_refusal (T2pWriter *writer,
                        const guint8 *packet,
                        gsize packet_bytes,
                        const T2pIpHeader *header,
                        T2pRefusal refusal)
{
  gboolean is_v4 = header->version == 4;
  T2pIcmpError error = { .type = is_v4 ? V4_UNREACHABLE : V6_UNREACHABLE };

  return refusal_to_code (refusal, is_v4, &error.code) &&
         write_error (writer, packet, packet_bytes, header, NULL, error);
}

/**
 * t2p_icmp_write_bad_protocol:
 * @writer: where to
 * @packet: (array length=packet_bytes): the packet, or its beginning
 * @packet_bytes: how much of it is there
 * @header: its header
 *
 * "No such protocol here": protocol unreachable, for IPv6 a parameter problem that points at
 * the next header (RFC 4443 section 3.4).
 *
 * Returns: %FALSE when it does not fit or must not be answered
 */
gboolean
t2p_icmp_write_bad_protocol (T2pWriter *writer,
                             const guint8 *packet,
                             gsize packet_bytes,
                             const T2pIpHeader *header)
{
  T2pIcmpError error = { .type = V4_UNREACHABLE, .code = V4_CODE_PROTOCOL };

  if (header->version == 6)
    {
      error.type = V6_PARAMETER_PROBLEM;
      error.code = V6_CODE_NEXT_HEADER;
      error.rest = header->protocol_at;
    }
  return write_error (writer, packet, packet_bytes, header, NULL, error);
}

/**
 * t2p_icmp_write_too_big:
 * @writer: where to
 * @packet: (array length=packet_bytes): the packet, or its beginning
 * @packet_bytes: how much of it is there
 * @header: its header
 * @mtu_bytes: the longest packet that would have passed
 *
 * RFC 1191 section 4 (fragmentation needed), RFC 4443 section 3.2 (packet too big).
 *
 * Returns: %FALSE when it does not fit or must not be answered
 */
gboolean
t2p_icmp_write_too_big (T2pWriter *writer,
                        const guint8 *packet,
                        gsize packet_bytes,
                        const T2pIpHeader *header,
                        guint32 mtu_bytes)
{
  T2pIcmpError error = { .type = V6_TOO_BIG, .rest = mtu_bytes };

  if (header->version == 4)
    {
      error.type = V4_UNREACHABLE;
      error.code = V4_CODE_TOO_BIG;
      error.rest = MIN (mtu_bytes, G_MAXUINT16);
    }
  return write_error (writer, packet, packet_bytes, header, NULL, error);
}

/**
 * t2p_icmp_write_time_exceeded:
 * @writer: where to
 * @packet: (array length=packet_bytes): the packet, or its beginning
 * @packet_bytes: how much of it is there
 * @header: its header
 * @from: the router that says so; of another family: the packet's destination
 *
 * RFC 792, RFC 4443 section 3.3: the last hop that the packet was allowed.
 *
 * Returns: %FALSE when it does not fit or must not be answered
 */
gboolean
t2p_icmp_write_time_exceeded (T2pWriter *writer,
                              const guint8 *packet,
                              gsize packet_bytes,
                              const T2pIpHeader *header,
                              const T2pIpAddress *from)
{
  T2pIcmpError error = { .type = header->version == 4 ? V4_TIME_EXCEEDED : V6_TIME_EXCEEDED };

  return write_error (writer, packet, packet_bytes, header, from, error);
}

/**
 * t2p_icmp_write_error:
 * @writer: where to
 * @packet: (array length=packet_bytes): the packet, or its beginning
 * @packet_bytes: how much of it is there
 * @header: its header
 * @from: who says so
 * @error: what was said: unreachable, too big, time exceeded or parameter problem
 *
 * Returns: %FALSE when @error is another message, does not fit or must not be sent
 */
gboolean
t2p_icmp_write_error (T2pWriter *writer,
                      const guint8 *packet,
                      gsize packet_bytes,
                      const T2pIpHeader *header,
                      const T2pIpAddress *from,
                      const T2pIcmpError *error)
{
  gboolean is_known =
      header->version == 4
          ? error->type == V4_UNREACHABLE || error->type == V4_TIME_EXCEEDED ||
                error->type == V4_PARAMETER_PROBLEM
          : error->type >= V6_UNREACHABLE && error->type <= V6_PARAMETER_PROBLEM;

  return is_known && write_error (writer, packet, packet_bytes, header, from, *error);
}

static gboolean
parse_echo (const guint8 *message, gsize length, guint8 type, T2pIcmpEcho *out)
{
  const guint8 *head;
  T2pCursor cursor;

  t2p_cursor_init (&cursor, message, length);
  if (!t2p_cursor_read_bytes (&cursor, T2P_ICMP_HEADER_BYTES, &head) || head[0] != type)
    return FALSE;
  out->id = t2p_load_be16 (head + 4);
  out->sequence = t2p_load_be16 (head + 6);
  out->length = t2p_cursor_remaining (&cursor);
  return t2p_cursor_read_bytes (&cursor, out->length, &out->data);
}

/**
 * t2p_icmp_echo_parse:
 * @packet: the whole packet that @header was parsed from
 * @header: its header
 * @out: (out caller-allocates): undefined unless the result is %TRUE
 *
 * Returns: whether it is a ping; %FALSE for fragments, and for one without identifier and
 *   sequence number
 */
gboolean
t2p_icmp_echo_parse (const guint8 *packet, const T2pIpHeader *header, T2pIcmpEcho *out)
{
  return header->protocol == icmp_protocol (header) && !header->is_fragment &&
         parse_echo (packet + header->header_bytes, t2p_ip_header_payload_bytes (header),
                     header->version == 4 ? V4_ECHO_REQUEST : V6_ECHO_REQUEST, out);
}

/**
 * t2p_icmp_echo_parse_reply:
 * @message: (array length=length): an ICMP message
 * @length: its length
 * @is_v4: whether it is ICMP or ICMPv6
 * @out: (out caller-allocates): undefined unless the result is %TRUE
 *
 * Returns: whether it answers a ping
 */
gboolean
t2p_icmp_echo_parse_reply (const guint8 *message,
                           gsize length,
                           gboolean is_v4,
                           T2pIcmpEcho *out)
{
  return parse_echo (message, length, is_v4 ? V4_ECHO_REPLY : V6_ECHO_REPLY, out);
}

/**
 * t2p_icmp_echo_write_header:
 * @out: the header
 * @source: address of the sender
 * @destination: address of the receiver, of the same family
 * @is_reply: an answer, else a ping
 * @echo: what it says
 *
 * Writes what stands before the data; the checksum is that of header and data.
 */
void
t2p_icmp_echo_write_header (guint8 out[T2P_ICMP_HEADER_BYTES],
                            const T2pIpAddress *source,
                            const T2pIpAddress *destination,
                            gboolean is_reply,
                            const T2pIcmpEcho *echo)
{
  gboolean is_v4 = source->family == AF_INET;
  guint32 sum = 0;

  out[0] = is_v4 ? (is_reply ? V4_ECHO_REPLY : V4_ECHO_REQUEST)
                 : (is_reply ? V6_ECHO_REPLY : V6_ECHO_REQUEST);
  out[1] = 0;
  t2p_store_be16 (out + 2, 0);
  t2p_store_be16 (out + 4, echo->id);
  t2p_store_be16 (out + 6, echo->sequence);
  if (!is_v4)
    sum = t2p_checksum_pseudo (source, destination, IPPROTO_ICMPV6,
                               T2P_ICMP_HEADER_BYTES + echo->length);
  sum = t2p_checksum_add (sum, out, T2P_ICMP_HEADER_BYTES);
  t2p_store_be16 (out + 2,
                  t2p_checksum_finish (t2p_checksum_add (sum, echo->data, echo->length)));
}

/**
 * t2p_icmp_checksum_ok:
 * @packet: the whole packet that @header was parsed from; not a fragment
 * @header: the header of an ICMP packet
 *
 * Returns: whether the ICMP checksum is right
 */
gboolean
t2p_icmp_checksum_ok (const guint8 *packet, const T2pIpHeader *header)
{
  gsize length = t2p_ip_header_payload_bytes (header);
  guint32 sum = 0;

  if (header->version == 6)
    sum = t2p_checksum_pseudo (&header->source, &header->destination, IPPROTO_ICMPV6, length);
  return t2p_checksum_finish (t2p_checksum_add (sum, packet + header->header_bytes, length)) ==
         0;
}
