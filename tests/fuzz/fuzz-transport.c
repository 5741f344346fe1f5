/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TCP and UDP, bare and inside IP: lengths hold, what we write parses and checks out. */
#include "config.h"

#include "fuzz.h"

#include "t2p-checksum.h"
#include "t2p-tcp-header.h"
#include "t2p-udp-header.h"

#include <netinet/in.h>

static gboolean
check_tcp (const uint8_t *data, size_t size, T2pTcpHeader *out_tcp)
{
  T2pTcpParse parse = t2p_tcp_header_parse (data, size, out_tcp);

  g_assert_cmpstr (t2p_tcp_parse_to_string (parse), !=, "unknown");
  if (parse != T2P_TCP_PARSE_OK)
    return FALSE;
  g_assert_cmpuint (out_tcp->header_bytes, >=, T2P_TCP_HEADER_BYTES);
  g_assert_cmpuint (out_tcp->header_bytes + out_tcp->payload_bytes, ==, size);
  g_assert_cmpuint (out_tcp->window_scale, <=, T2P_TCP_MAX_WINDOW_SCALE);
  g_assert_cmpuint (out_tcp->window_scale_at, <, out_tcp->header_bytes);
  g_assert_cmpuint (out_tcp->maximum_segment_at, <, out_tcp->header_bytes - 1);
  if (out_tcp->maximum_segment_at != 0)
    g_assert_cmpuint (t2p_load_be16 (data + out_tcp->maximum_segment_at), ==,
                      out_tcp->maximum_segment_bytes);
  return TRUE;
}

static gboolean
check_udp (const uint8_t *data, size_t size, T2pUdpHeader *out_udp)
{
  T2pUdpParse parse = t2p_udp_header_parse (data, size, out_udp);

  g_assert_cmpstr (t2p_udp_parse_to_string (parse), !=, "unknown");
  if (parse != T2P_UDP_PARSE_OK)
    return FALSE;
  g_assert_cmpuint (T2P_UDP_HEADER_BYTES + out_udp->payload_bytes, <=, size);
  return TRUE;
}

static void
check_reset (const T2pIpHeader *ip, const T2pTcpHeader *tcp)
{
  guint8 packet[T2P_IPV6_HEADER_BYTES + T2P_TCP_HEADER_BYTES];
  T2pIpHeader answer_ip;
  T2pTcpHeader answer;
  T2pWriter writer;

  t2p_writer_init (&writer, packet, sizeof packet);
  if (!t2p_tcp_write_reset (&writer, ip, tcp))
    return;
  g_assert_cmpint (t2p_ip_header_parse (packet, t2p_writer_length (&writer), &answer_ip), ==,
                   T2P_IP_PARSE_OK);
  g_assert_true (t2p_tcp_checksum_ok (packet, &answer_ip));
  g_assert_true (check_tcp (packet + answer_ip.header_bytes,
                            t2p_ip_header_payload_bytes (&answer_ip), &answer));
  g_assert_true ((answer.flags & T2P_TCP_RST) != 0);
  g_assert_false (t2p_tcp_write_reset (&writer, &answer_ip, &answer));
}

static void
check_datagram (const T2pIpHeader *ip, const T2pUdpHeader *udp, const guint8 *payload)
{
  T2pIpEndpoint source = { .address = ip->source, .port = udp->source_port };
  T2pIpEndpoint destination = { .address = ip->destination, .port = udp->destination_port };
  gsize capacity = T2P_IPV6_HEADER_BYTES + T2P_UDP_HEADER_BYTES + udp->payload_bytes;
  g_autofree guint8 *packet = g_malloc (capacity);
  T2pIpHeader again;
  T2pWriter writer;

  t2p_writer_init (&writer, packet, capacity);
  g_assert_true (
      t2p_udp_packet_write (&writer, &source, &destination, payload, udp->payload_bytes));
  g_assert_cmpint (t2p_ip_header_parse (packet, t2p_writer_length (&writer), &again), ==,
                   T2P_IP_PARSE_OK);
  g_assert_true (t2p_udp_checksum_ok (packet, &again));
}

static void
check_packet (const uint8_t *data, const T2pIpHeader *ip)
{
  const uint8_t *payload = data + ip->header_bytes;
  gsize length = t2p_ip_header_payload_bytes (ip);
  T2pTcpHeader tcp;
  T2pUdpHeader udp;

  t2p_tcp_checksum_ok (data, ip);
  t2p_udp_checksum_ok (data, ip);
  if (check_tcp (payload, length, &tcp))
    check_reset (ip, &tcp);
  if (check_udp (payload, length, &udp))
    check_datagram (ip, &udp, payload + T2P_UDP_HEADER_BYTES);
}

/* Any cut gives the sum of the whole. */
static void
check_sum (const uint8_t *data, size_t size)
{
  size_t cut = size > 0 ? data[0] % (size + 1) : 0;
  guint32 joined = t2p_checksum_join (t2p_checksum_add (0, data, cut),
                                      t2p_checksum_add (0, data + cut, size - cut), cut);

  g_assert_cmphex (t2p_checksum_finish (joined), ==, t2p_checksum (data, size));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  T2pIpHeader ip;
  T2pTcpHeader tcp;
  T2pUdpHeader udp;

  check_tcp (data, size, &tcp);
  check_udp (data, size, &udp);
  if (size > 0)
    check_sum (data, size);
  if (t2p_ip_header_parse (data, size, &ip) == T2P_IP_PARSE_OK)
    check_packet (data, &ip);
  return 0;
}
