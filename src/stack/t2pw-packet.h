/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip-header.h"
#include "t2p-tcp-header.h"
#include "t2p-udp-header.h"

#include <linux/virtio_net.h>

G_BEGIN_DECLS

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5 /* Linux 6.2 */
#endif

/* The address of lwIP's interface: it sends nothing from one without, and takes a packet to it
 * for a packet to itself. So no application may have it: "IPv4 dummy address" (RFC 7600). The
 * interface has no IPv6 address. */
#define T2PW_LWIP_ADDRESS_V4 0xc0000008u /* 192.0.0.8 */

/** T2pwVerdict: what is to be done with a packet of the tun. */
typedef enum
{
  T2PW_VERDICT_TCP,
  T2PW_VERDICT_UDP,
  T2PW_VERDICT_ICMP_ECHO,
  T2PW_VERDICT_MALFORMED,
  T2PW_VERDICT_CHECKSUM,
  T2PW_VERDICT_FRAGMENT,
  T2PW_VERDICT_MULTICAST,
  T2PW_VERDICT_PROTOCOL,
  T2PW_VERDICT_SOURCE_ROUTED,
  T2PW_VERDICT_IGNORED, /* ICMP other than echo requests; IPv6 with nothing in it */
} T2pwVerdict;

/**
 * T2pwPacket:
 * @bytes: the packet, writable
 * @segment_bytes: of a USO super-packet: the payload of each datagram but the last; else 0
 * @is_vouched: the kernel has made the packet or verified it: the sum needs no look
 * @lacks_checksum: the checksum field holds the pseudo-header only
 */
typedef struct
{
  guint8 *bytes;
  T2pIpHeader ip;
  union
  {
    T2pTcpHeader tcp;
    T2pUdpHeader udp;
  };
  guint16 segment_bytes;
  gboolean is_vouched;
  gboolean lacks_checksum;
} T2pwPacket;

/* @vnet may be NULL (plain device). */
T2pwVerdict t2pw_packet_parse (T2pwPacket *packet,
                               const struct virtio_net_hdr *vnet,
                               guint8 *bytes,
                               gsize length);
/* Writes the full TCP checksum, after a change or where the kernel left it out. */
void t2pw_packet_finish_tcp_checksum (T2pwPacket *packet);

static inline guint8 *
t2pw_packet_transport (const T2pwPacket *packet)
{
  return packet->bytes + packet->ip.header_bytes;
}

G_END_DECLS
