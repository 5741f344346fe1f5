/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * Parsing runs for each packet: the fixed part is taken out of the cursor in one bounded read
 * and its fields are loaded from there. IPv4 header checksums are not looked at here, since the
 * kernel that wrote the packet into the tun is trusted more often than not; whoever forwards
 * for other machines calls t2p_ip_header_checksum_ok().
 *
 * Deliberately missing: jumbograms (RFC 2675), which no tun produces, and writing of options.
 */
#include "config.h"

#include "t2p-ip-header.h"

#include "t2p-checksum.h"

#include <netinet/in.h>

#define IPV4_DONT_FRAGMENT 0x4000
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_OFFSET_MASK 0x1fff
#define OPTION_END 0
#define OPTION_NOTHING 1
#define OPTION_LOOSE_ROUTE 131
#define OPTION_STRICT_ROUTE 137
#define V6_OPTION_PAD1 0
#define V6_OPTION_ACTION 0xc0
#define IPV6_OFFSET_MASK 0xfff8
#define IPV6_MORE_FRAGMENTS 0x0001

static inline void
set_address (T2pIpAddress *address, guint8 family, const guint8 *bytes, gsize length)
{
  memset (address, 0, sizeof *address);
  address->family = family;
  memcpy (address->bytes, bytes, length);
}

/* A fragment that ends behind the largest packet, or leaves a gap of less than 8 bytes, can
 * only be an attack on the reassembly (RFC 8200 section 4.5). */
static gboolean
fragment_is_sane (const T2pIpHeader *header)
{
  gsize payload = t2p_ip_header_payload_bytes (header);

  if (header->more_fragments && (payload == 0 || payload % 8 != 0))
    return FALSE;
  return header->fragment_offset + payload <= T2P_IP_MAX_PACKET_BYTES;
}

/* RFC 791 section 3.1. Source routes are nobody's business but an attacker's (RFC 7126 section
 * 4.3); all other options are for the routers on the way. */
static T2pIpParse
walk_v4_options (T2pCursor *cursor, gsize length)
{
  const guint8 *at;

  if (!t2p_cursor_read_bytes (cursor, length, &at))
    return T2P_IP_PARSE_TRUNCATED;
  for (const guint8 *end = at + length; at < end && *at != OPTION_END;)
    {
      gsize option_bytes = 1;

      if (*at == OPTION_LOOSE_ROUTE || *at == OPTION_STRICT_ROUTE)
        return T2P_IP_PARSE_SOURCE_ROUTED;
      if (*at != OPTION_NOTHING)
        option_bytes = end - at > 1 ? at[1] : 0;
      if (option_bytes == 0 || (*at != OPTION_NOTHING && option_bytes == 1) ||
          option_bytes > (gsize) (end - at))
        return T2P_IP_PARSE_BAD_OPTION;
      at += option_bytes;
    }
  return T2P_IP_PARSE_OK;
}

static T2pIpParse
parse_v4 (T2pCursor *cursor, T2pIpHeader *header)
{
  const guint8 *fixed;
  gsize available = t2p_cursor_remaining (cursor);
  guint16 fragment;

  if (!t2p_cursor_read_bytes (cursor, T2P_IPV4_HEADER_BYTES, &fixed))
    return T2P_IP_PARSE_TRUNCATED;
  header->header_bytes = (gsize) (fixed[0] & 0x0f) * 4;
  header->total_bytes = t2p_load_be16 (fixed + 2);
  if (header->header_bytes < T2P_IPV4_HEADER_BYTES ||
      header->header_bytes > header->total_bytes)
    return T2P_IP_PARSE_BAD_HEADER_LENGTH;
  if (header->total_bytes > available)
    return T2P_IP_PARSE_TRUNCATED;

  fragment = t2p_load_be16 (fixed + 6);
  header->version = 4;
  header->traffic_class = fixed[1];
  header->fragment_id = t2p_load_be16 (fixed + 4);
  header->dont_fragment = (fragment & IPV4_DONT_FRAGMENT) != 0;
  header->more_fragments = (fragment & IPV4_MORE_FRAGMENTS) != 0;
  header->fragment_offset = (guint16) ((fragment & IPV4_OFFSET_MASK) * 8);
  header->is_fragment = (fragment & (IPV4_MORE_FRAGMENTS | IPV4_OFFSET_MASK)) != 0;
  header->has_options = header->header_bytes > T2P_IPV4_HEADER_BYTES;
  header->ttl = fixed[8];
  header->protocol = fixed[9];
  header->protocol_at = 9;
  header->unfragmentable_bytes = 0;
  header->fragment_named_at = 0;
  set_address (&header->source, AF_INET, fixed + 12, 4);
  set_address (&header->destination, AF_INET, fixed + 16, 4);
  if (header->is_fragment && !fragment_is_sane (header))
    return T2P_IP_PARSE_BAD_FRAGMENT;
  if (G_UNLIKELY (header->has_options))
    return walk_v4_options (cursor, header->header_bytes - T2P_IPV4_HEADER_BYTES);
  return T2P_IP_PARSE_OK;
}

/* RFC 8200 section 4.2: the upper two bits say whether one who does not know an option may skip
 * it. We know none: those of mobile hosts and jumbograms are among what must not be skipped. */
static gboolean
may_skip_v6_options (T2pCursor options)
{
  guint8 type, length;

  while (t2p_cursor_read_u8 (&options, &type))
    if (type != V6_OPTION_PAD1 &&
        ((type & V6_OPTION_ACTION) != 0 || !t2p_cursor_read_u8 (&options, &length) ||
         !t2p_cursor_skip (&options, length)))
      return FALSE;
  return TRUE;
}

/* Header length in units of 8 bytes, the first not counted (RFC 8200 section 4.2). */
static T2pIpParse
walk_options (T2pCursor *cursor, T2pIpHeader *header)
{
  gboolean is_routing = header->protocol == IPPROTO_ROUTING;
  gsize start = t2p_cursor_position (cursor);
  T2pCursor options;
  const guint8 *head;

  if (!t2p_cursor_read_bytes (cursor, 8, &head) ||
      !t2p_cursor_skip (cursor, (gsize) head[1] * 8))
    return T2P_IP_PARSE_BAD_EXTENSION;
  if (is_routing && head[3] != 0) /* segments left: the destination is only a stop on the way */
    return T2P_IP_PARSE_SOURCE_ROUTED;
  t2p_cursor_init (&options, head + 2, 6 + (gsize) head[1] * 8);
  if (!is_routing && !may_skip_v6_options (options))
    return T2P_IP_PARSE_BAD_OPTION;
  header->has_options = TRUE;
  header->protocol = head[0];
  header->protocol_at = (guint16) start;
  return T2P_IP_PARSE_OK;
}

static T2pIpParse
walk_fragment (T2pCursor *cursor, T2pIpHeader *header)
{
  gsize start = t2p_cursor_position (cursor);
  const guint8 *head;
  guint16 fragment;

  if (!t2p_cursor_read_bytes (cursor, T2P_IPV6_FRAGMENT_HEADER_BYTES, &head))
    return T2P_IP_PARSE_BAD_EXTENSION;
  fragment = t2p_load_be16 (head + 2);
  header->fragment_offset = fragment & IPV6_OFFSET_MASK;
  header->more_fragments = (fragment & IPV6_MORE_FRAGMENTS) != 0;
  header->is_fragment = header->more_fragments || header->fragment_offset != 0;
  header->fragment_id = t2p_load_be32 (head + 4);
  header->unfragmentable_bytes = (guint16) start;
  header->fragment_named_at = header->protocol_at;
  header->protocol = head[0];
  header->protocol_at = (guint16) start;
  return T2P_IP_PARSE_OK;
}

static gboolean
is_extension (guint8 protocol)
{
  return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
         protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_FRAGMENT;
}

static T2pIpParse
walk_extensions (T2pCursor *cursor, T2pIpHeader *header)
{
  guint walked = 0;
  gboolean has_fragment = FALSE;

  while (is_extension (header->protocol) && !header->is_fragment)
    {
      gboolean is_fragment_header = header->protocol == IPPROTO_FRAGMENT;
      T2pIpParse parse;

      if (++walked > T2P_IPV6_MAX_EXTENSION_HEADERS)
        return T2P_IP_PARSE_TOO_MANY_EXTENSIONS;
      if (header->protocol == IPPROTO_HOPOPTS &&
          walked > 1) /* RFC 8200 section 4.1: only first */
        return T2P_IP_PARSE_BAD_EXTENSION;
      if (is_fragment_header && has_fragment)
        return T2P_IP_PARSE_BAD_EXTENSION;
      has_fragment |= is_fragment_header;
      parse =
          is_fragment_header ? walk_fragment (cursor, header) : walk_options (cursor, header);
      if (parse != T2P_IP_PARSE_OK)
        return parse;
    }
  header->header_bytes = t2p_cursor_position (cursor);
  if (header->is_fragment && !fragment_is_sane (header))
    return T2P_IP_PARSE_BAD_FRAGMENT;
  return T2P_IP_PARSE_OK;
}

static T2pIpParse
parse_v6 (T2pCursor *cursor, T2pIpHeader *header)
{
  const guint8 *fixed;
  gsize payload;

  if (!t2p_cursor_read_bytes (cursor, T2P_IPV6_HEADER_BYTES, &fixed))
    return T2P_IP_PARSE_TRUNCATED;
  payload = t2p_load_be16 (fixed + 4);
  if (payload > t2p_cursor_remaining (cursor))
    return T2P_IP_PARSE_TRUNCATED;
  cursor->end = cursor->at + payload;

  header->version = 6;
  header->traffic_class = (guint8) (t2p_load_be16 (fixed) >> 4);
  header->protocol = fixed[6];
  header->protocol_at = 6;
  header->ttl = fixed[7];
  header->is_fragment = FALSE;
  header->more_fragments = FALSE;
  header->dont_fragment = TRUE;
  header->has_options = FALSE;
  header->fragment_offset = 0;
  header->fragment_id = 0;
  header->unfragmentable_bytes = 0;
  header->fragment_named_at = 0;
  header->header_bytes = T2P_IPV6_HEADER_BYTES;
  header->total_bytes = T2P_IPV6_HEADER_BYTES + payload;
  set_address (&header->source, AF_INET6, fixed + 8, 16);
  set_address (&header->destination, AF_INET6, fixed + 24, 16);
  if (G_LIKELY (!is_extension (header->protocol)))
    return T2P_IP_PARSE_OK;
  return walk_extensions (cursor, header);
}

/**
 * t2p_ip_header_parse:
 * @packet: (array length=length): a packet, from its first byte
 * @length: bytes in the buffer
 * @out_header: (out caller-allocates): undefined unless the result is %T2P_IP_PARSE_OK
 *
 * RFC 791 section 3.1, RFC 8200 sections 3 and 4. With %T2P_IP_PARSE_OK, header_bytes ≤
 * total_bytes ≤ @length.
 *
 * Returns: %T2P_IP_PARSE_OK, or what is wrong
 */
T2pIpParse
t2p_ip_header_parse (const guint8 *packet, gsize length, T2pIpHeader *out_header)
{
  T2pCursor cursor;

  t2p_cursor_init (&cursor, packet, length);
  if (G_UNLIKELY (length == 0))
    return T2P_IP_PARSE_TRUNCATED;
  switch (*cursor.at >> 4)
    {
    case 4:
      return parse_v4 (&cursor, out_header);
    case 6:
      return parse_v6 (&cursor, out_header);
    default:
      return T2P_IP_PARSE_BAD_VERSION;
    }
}

/* Group D, E and limited broadcast begin with 224 or more; 0/8 and 127/8 are nobody's. */
static gboolean
is_host_v4 (const guint8 *bytes)
{
  return bytes[0] != 0 && bytes[0] != 127 && bytes[0] < 224;
}

static gboolean
is_host_v6 (const guint8 *bytes)
{
  static const guint8 zeros[15] = { 0 };

  return bytes[0] != 0xff && (memcmp (bytes, zeros, sizeof zeros) != 0 || bytes[15] > 1);
}

/**
 * t2p_ip_header_is_unicast:
 * @header: a header
 *
 * Who answers anything else can be made to shout at strangers, or at himself (RFC 1122 sections
 * 3.2.2 and 4.2.3.10).
 *
 * Returns: whether both addresses can be single hosts other than this one's loopback
 */
gboolean
t2p_ip_header_is_unicast (const T2pIpHeader *header)
{
  if (header->version == 4)
    return is_host_v4 (header->source.bytes) && is_host_v4 (header->destination.bytes);
  return is_host_v6 (header->source.bytes) && is_host_v6 (header->destination.bytes);
}

/**
 * t2p_ip_header_checksum_ok:
 * @packet: the packet that @header was parsed from
 * @header: its header
 *
 * Returns: whether the IPv4 header checksum is right; %TRUE for IPv6, which has none
 */
gboolean
t2p_ip_header_checksum_ok (const guint8 *packet, const T2pIpHeader *header)
{
  return header->version != 4 || t2p_checksum (packet, header->header_bytes) == 0;
}

static gboolean
write_v4 (T2pWriter *writer, const T2pIpHeader *header, gsize payload_bytes)
{
  guint16 fragment = (guint16) (header->fragment_offset / 8);
  guint8 *place;

  if (payload_bytes > T2P_IP_MAX_PACKET_BYTES - T2P_IPV4_HEADER_BYTES)
    return FALSE;
  place = t2p_writer_reserve (writer, T2P_IPV4_HEADER_BYTES);
  if (place == NULL)
    return FALSE;
  if (header->more_fragments)
    fragment |= IPV4_MORE_FRAGMENTS;
  if (header->dont_fragment)
    fragment |= IPV4_DONT_FRAGMENT;
  place[0] = 0x45;
  place[1] = header->traffic_class;
  t2p_store_be16 (place + 2, (guint16) (T2P_IPV4_HEADER_BYTES + payload_bytes));
  t2p_store_be16 (place + 4, (guint16) header->fragment_id);
  t2p_store_be16 (place + 6, fragment);
  place[8] = header->ttl;
  place[9] = header->protocol;
  t2p_store_be16 (place + 10, 0);
  memcpy (place + 12, header->source.bytes, 4);
  memcpy (place + 16, header->destination.bytes, 4);
  t2p_store_be16 (place + 10, t2p_checksum (place, T2P_IPV4_HEADER_BYTES));
  return TRUE;
}

static gboolean
write_v6 (T2pWriter *writer, const T2pIpHeader *header, gsize payload_bytes)
{
  gsize fragment_bytes = header->is_fragment ? T2P_IPV6_FRAGMENT_HEADER_BYTES : 0;
  guint8 *place;

  if (payload_bytes > T2P_IP_MAX_PACKET_BYTES - fragment_bytes)
    return FALSE;
  place = t2p_writer_reserve (writer, T2P_IPV6_HEADER_BYTES + fragment_bytes);
  if (place == NULL)
    return FALSE;
  t2p_store_be32 (place, 0x60000000u | (guint32) header->traffic_class << 20);
  t2p_store_be16 (place + 4, (guint16) (payload_bytes + fragment_bytes));
  place[6] = header->is_fragment ? IPPROTO_FRAGMENT : header->protocol;
  place[7] = header->ttl;
  memcpy (place + 8, header->source.bytes, 16);
  memcpy (place + 24, header->destination.bytes, 16);
  if (header->is_fragment)
    {
      place[40] = header->protocol;
      place[41] = 0;
      t2p_store_be16 (place + 42, (guint16) ((header->fragment_offset & IPV6_OFFSET_MASK) |
                                             header->more_fragments));
      t2p_store_be32 (place + 44, header->fragment_id);
    }
  return TRUE;
}

/**
 * t2p_ip_header_write:
 * @writer: where to
 * @header: addresses of one family, protocol, ttl, traffic_class, dont_fragment and the
 * fragment fields are used; lengths, version and places are not
 * @payload_bytes: what the caller will write behind it
 *
 * Writes an IPv4 header without options, its checksum included, or an IPv6 header with a
 * fragment header when is_fragment is set.
 *
 * Returns: %FALSE when it does not fit, when the packet would be longer than its length field
 * can say, or the addresses are not of one family
 */
gboolean
t2p_ip_header_write (T2pWriter *writer, const T2pIpHeader *header, gsize payload_bytes)
{
  if (header->source.family != header->destination.family)
    return FALSE;
  if (header->source.family == AF_INET)
    return write_v4 (writer, header, payload_bytes);
  if (header->source.family == AF_INET6)
    return write_v6 (writer, header, payload_bytes);
  return FALSE;
}

/**
 * t2p_ip_parse_to_string:
 * @parse: a result
 *
 * Returns: (transfer none): a short name for counters and logs
 */
const char *
t2p_ip_parse_to_string (T2pIpParse parse)
{
  static const char *const names[T2P_N_IP_PARSES] = {
    [T2P_IP_PARSE_OK] = "ok",
    [T2P_IP_PARSE_TRUNCATED] = "truncated",
    [T2P_IP_PARSE_BAD_VERSION] = "bad-version",
    [T2P_IP_PARSE_BAD_HEADER_LENGTH] = "bad-header-length",
    [T2P_IP_PARSE_BAD_FRAGMENT] = "bad-fragment",
    [T2P_IP_PARSE_BAD_EXTENSION] = "bad-extension",
    [T2P_IP_PARSE_TOO_MANY_EXTENSIONS] = "too-many-extensions",
    [T2P_IP_PARSE_BAD_OPTION] = "bad-option",
    [T2P_IP_PARSE_SOURCE_ROUTED] = "source-routed",
  };

  return (guint) parse < T2P_N_IP_PARSES ? names[parse] : "unknown";
}
