/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip-header.h"
#include "t2p-refusal.h"

G_BEGIN_DECLS

#define T2P_ICMP_HEADER_BYTES 8
#define T2P_ICMPV4_MAX_ERROR_BYTES 576  /* RFC 1812 section 4.3.2.3, IP header included */
#define T2P_ICMPV6_MAX_ERROR_BYTES 1280 /* RFC 4443 section 2.4 (c) */

/* Errors quote the packet that they are about. @packet may be a part of it, like the copy of a
 * SYN without its data: @packet_bytes says how much is there. They are sent in the name of its
 * destination, since the application knows of no router. FALSE when they do not fit, and for
 * packets that must not be answered (t2p_icmp_may_answer()). */

gboolean
t2p_icmp_may_answer (const guint8 *packet, gsize packet_bytes, const T2pIpHeader *header);
gboolean t2p_icmp_write_refusal (T2pWriter *writer,
                                 const guint8 *packet,
                                 gsize packet_bytes,
                                 const T2pIpHeader *header,
                                 T2pRefusal refusal);
gboolean t2p_icmp_write_bad_protocol (T2pWriter *writer,
                                      const guint8 *packet,
                                      gsize packet_bytes,
                                      const T2pIpHeader *header);
gboolean t2p_icmp_write_too_big (T2pWriter *writer,
                                 const guint8 *packet,
                                 gsize packet_bytes,
                                 const T2pIpHeader *header,
                                 guint32 mtu_bytes);

gboolean t2p_icmp_is_echo_request (const guint8 *packet, const T2pIpHeader *header);
gboolean
t2p_icmp_write_echo_reply (T2pWriter *writer, const guint8 *packet, const T2pIpHeader *header);
gboolean t2p_icmp_checksum_ok (const guint8 *packet, const T2pIpHeader *header);

G_END_DECLS
