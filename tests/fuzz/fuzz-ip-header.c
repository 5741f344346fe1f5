/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What parses keeps its promises about lengths; written again it says the same. */
#include "config.h"

#include "fuzz.h"

#include "t2p-ip-header.h"

static void
check_lengths (const T2pIpHeader *header, size_t size)
{
  g_assert_cmpuint (header->header_bytes, <=, header->total_bytes);
  g_assert_cmpuint (header->total_bytes, <=, size);
  g_assert_cmpuint (header->protocol_at, <, header->header_bytes);
  g_assert_cmpuint (header->unfragmentable_bytes, <, header->header_bytes);
  g_assert_cmpuint (header->fragment_named_at, <, header->header_bytes);
  g_assert_true (header->version == 4 || header->version == 6);
  if (header->is_fragment)
    g_assert_cmpuint (header->fragment_offset + t2p_ip_header_payload_bytes (header), <=,
                      T2P_IP_MAX_PACKET_BYTES);
  else
    g_assert_true (!header->more_fragments && header->fragment_offset == 0);
}

static void
check_same (const T2pIpHeader *a, const T2pIpHeader *b)
{
  g_assert_cmpmem (&a->source, sizeof a->source, &b->source, sizeof b->source);
  g_assert_cmpmem (&a->destination, sizeof a->destination, &b->destination,
                   sizeof b->destination);
  g_assert_cmpuint (a->ttl, ==, b->ttl);
  g_assert_cmpuint (a->traffic_class, ==, b->traffic_class);
  g_assert_cmpuint (a->is_fragment, ==, b->is_fragment);
  g_assert_cmpuint (a->more_fragments, ==, b->more_fragments);
  g_assert_cmpuint (a->dont_fragment, ==, b->dont_fragment);
  g_assert_cmpuint (a->fragment_offset, ==, b->fragment_offset);
  g_assert_cmpuint (a->protocol, ==, b->protocol);
}

static void
check_round_trip (const uint8_t *data, const T2pIpHeader *header)
{
  gsize payload = t2p_ip_header_payload_bytes (header);
  gsize capacity = header->total_bytes + T2P_IPV6_HEADER_BYTES;
  g_autofree guint8 *packet = g_malloc (capacity);
  T2pIpHeader again;
  T2pWriter writer;

  t2p_writer_init (&writer, packet, capacity);
  g_assert_true (t2p_ip_header_write (&writer, header, payload));
  g_assert_true (t2p_writer_bytes (&writer, data + header->header_bytes, payload));
  g_assert_cmpint (t2p_ip_header_parse (packet, t2p_writer_length (&writer), &again), ==,
                   T2P_IP_PARSE_OK);
  g_assert_true (t2p_ip_header_checksum_ok (packet, &again));
  g_assert_cmpuint (again.total_bytes, ==, t2p_writer_length (&writer));
  g_assert_cmpuint (t2p_ip_header_payload_bytes (&again), ==, payload);
  check_same (header, &again);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  T2pIpHeader header;
  T2pIpParse parse = t2p_ip_header_parse (data, size, &header);

  g_assert_cmpstr (t2p_ip_parse_to_string (parse), !=, "unknown");
  if (parse != T2P_IP_PARSE_OK)
    return 0;
  check_lengths (&header, size);
  t2p_ip_header_checksum_ok (data, &header);
  t2p_ip_header_is_unicast (&header);
  check_round_trip (data, &header);
  return 0;
}
