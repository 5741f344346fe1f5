/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Everything that comes out of the tun goes through here first; behind it addresses are
 * unicast, headers are whole, options of TCP are well-formed and the checksum is right. lwIP
 * aborts the process on some of what is refused here.
 *
 * With a vnet header the kernel says what it knows of the checksum. It is believed only as far
 * as it fits the packet: NEEDS_CSUM has to name the field of the protocol that we parsed. */
#include "config.h"

#include "t2pw-packet.h"

#include "t2p-checksum.h"
#include "t2p-icmp.h"

#include <netinet/in.h>

#define ICMP_ECHO_REQUEST 8
#define ICMPV6_ECHO_REQUEST 128

/* Addresses that no connection can have (RFC 1122 section 3.2.1.3). */
static gboolean
is_unicast (const T2pIpAddress *address)
{
  guint32 v4;

  if (t2p_ip_address_is_multicast (address) || t2p_ip_address_is_unspecified (address))
    return FALSE;
  if (address->family != AF_INET)
    return !t2p_ip_address_is_loopback (address);
  v4 = t2p_ip_address_to_v4 (address);
  return v4 >> 24 != 0 && v4 >> 24 != 127 && v4 < 0xf0000000;
}

/* An answer to the address of lwIP's own interface would be looped back inside of lwIP, which
 * aborts for want of a thread. Those of its loopback are no unicast addresses here. */
static gboolean
may_be_source (const T2pIpAddress *address)
{
  return is_unicast (address) &&
         (address->family != AF_INET || t2p_ip_address_to_v4 (address) != T2PW_LWIP_ADDRESS_V4);
}

static void
read_vnet (T2pwPacket *packet, const struct virtio_net_hdr *vnet, guint checksum_at)
{
  guint gso = vnet->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;

  if ((vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0)
    packet->lacks_checksum =
        vnet->csum_start == packet->ip.header_bytes && vnet->csum_offset == checksum_at;
  packet->is_vouched =
      packet->lacks_checksum || (vnet->flags & VIRTIO_NET_HDR_F_DATA_VALID) != 0;
  if (gso == VIRTIO_NET_HDR_GSO_UDP_L4)
    packet->segment_bytes = vnet->gso_size;
}

static T2pwVerdict
parse_tcp (T2pwPacket *packet, const struct virtio_net_hdr *vnet)
{
  if (t2p_tcp_header_parse (t2pw_packet_transport (packet),
                            t2p_ip_header_payload_bytes (&packet->ip),
                            &packet->tcp) != T2P_TCP_PARSE_OK)
    return T2PW_VERDICT_MALFORMED;
  if (packet->tcp.source_port == 0 || packet->tcp.destination_port == 0)
    return T2PW_VERDICT_MALFORMED;
  if (vnet != NULL)
    read_vnet (packet, vnet, T2P_TCP_CHECKSUM_AT);
  if (!packet->is_vouched && !t2p_tcp_checksum_ok (packet->bytes, &packet->ip))
    return T2PW_VERDICT_CHECKSUM;
  return T2PW_VERDICT_TCP;
}

static T2pwVerdict
parse_udp (T2pwPacket *packet, const struct virtio_net_hdr *vnet)
{
  if (t2p_udp_header_parse (t2pw_packet_transport (packet),
                            t2p_ip_header_payload_bytes (&packet->ip),
                            &packet->udp) != T2P_UDP_PARSE_OK)
    return T2PW_VERDICT_MALFORMED;
  if (packet->udp.destination_port == 0)
    return T2PW_VERDICT_MALFORMED;
  if (vnet != NULL)
    read_vnet (packet, vnet, T2P_UDP_CHECKSUM_AT);
  if (!packet->is_vouched && !t2p_udp_checksum_ok (packet->bytes, &packet->ip))
    return T2PW_VERDICT_CHECKSUM;
  return T2PW_VERDICT_UDP;
}

static T2pwVerdict
parse_icmp (const T2pwPacket *packet)
{
  guint echo = packet->ip.version == 4 ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST;
  T2pCursor cursor;
  guint8 type;

  t2p_cursor_init (&cursor, t2pw_packet_transport (packet),
                   t2p_ip_header_payload_bytes (&packet->ip));
  if (!t2p_cursor_read_u8 (&cursor, &type))
    return T2PW_VERDICT_MALFORMED;
  if (type != echo)
    return T2PW_VERDICT_IGNORED;
  return t2p_icmp_checksum_ok (packet->bytes, &packet->ip) ? T2PW_VERDICT_ICMP_ECHO
                                                           : T2PW_VERDICT_CHECKSUM;
}

T2pwVerdict
t2pw_packet_parse (T2pwPacket *packet,
                   const struct virtio_net_hdr *vnet,
                   guint8 *bytes,
                   gsize length)
{
  T2pIpParse parse;

  packet->bytes = bytes;
  packet->segment_bytes = 0;
  packet->is_vouched = packet->lacks_checksum = FALSE;
  parse = t2p_ip_header_parse (bytes, length, &packet->ip);
  if (G_UNLIKELY (parse != T2P_IP_PARSE_OK))
    return parse == T2P_IP_PARSE_SOURCE_ROUTED ? T2PW_VERDICT_SOURCE_ROUTED
                                               : T2PW_VERDICT_MALFORMED;
  if (t2p_ip_address_is_multicast (&packet->ip.destination))
    return T2PW_VERDICT_MULTICAST;
  if (!is_unicast (&packet->ip.destination))
    return T2PW_VERDICT_MULTICAST;
  if (!may_be_source (&packet->ip.source))
    return T2PW_VERDICT_MALFORMED;
  if (packet->ip.version == 4 && !t2p_ip_header_checksum_ok (bytes, &packet->ip))
    return T2PW_VERDICT_CHECKSUM;
  if (packet->ip.is_fragment)
    return T2PW_VERDICT_FRAGMENT;
  if (packet->ip.protocol == IPPROTO_TCP)
    return parse_tcp (packet, vnet);
  if (packet->ip.protocol == IPPROTO_UDP)
    return parse_udp (packet, vnet);
  if (packet->ip.protocol == (packet->ip.version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
    return parse_icmp (packet);
  if (packet->ip.protocol == IPPROTO_NONE && packet->ip.version == 6)
    return T2PW_VERDICT_IGNORED;
  return T2PW_VERDICT_PROTOCOL;
}

void
t2pw_packet_finish_tcp_checksum (T2pwPacket *packet)
{
  guint8 *tcp = t2pw_packet_transport (packet);
  gsize length = packet->tcp.header_bytes + packet->tcp.payload_bytes;
  guint32 sum =
      t2p_checksum_pseudo (&packet->ip.source, &packet->ip.destination, IPPROTO_TCP, length);

  t2p_store_be16 (tcp + T2P_TCP_CHECKSUM_AT, 0);
  t2p_store_be16 (tcp + T2P_TCP_CHECKSUM_AT,
                  t2p_checksum_finish (t2p_checksum_add (sum, tcp, length)));
  packet->lacks_checksum = FALSE;
}
