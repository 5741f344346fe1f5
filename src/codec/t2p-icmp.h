/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip-header.h"
#include "t2p-refusal.h"

G_BEGIN_DECLS

#define T2P_ICMP_HEADER_BYTES 8
#define T2P_ICMPV4_MAX_ERROR_BYTES 576  /* RFC 1812 section 4.3.2.3, IP header included */
#define T2P_ICMPV6_MAX_ERROR_BYTES 1280 /* RFC 4443 section 2.4 (c) */

/**
 * T2pIcmpError:
 * @rest: the second half of the header: an MTU, a place in the packet
 */
typedef struct
{
  guint8 type;
  guint8 code;
  guint32 rest;
} T2pIcmpError;

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

/* @from: the router that says so; an address of family AF_UNSPEC: the destination. */
gboolean t2p_icmp_write_time_exceeded (T2pWriter *writer,
                                       const guint8 *packet,
                                       gsize packet_bytes,
                                       const T2pIpHeader *header,
                                       const T2pIpAddress *from);
/* Passes on what a router on the way has said of it. FALSE too for what is no error. */
gboolean t2p_icmp_write_error (T2pWriter *writer,
                               const guint8 *packet,
                               gsize packet_bytes,
                               const T2pIpHeader *header,
                               const T2pIpAddress *from,
                               const T2pIcmpError *error);

/** T2pIcmpEcho: a ping, or the answer to one; @data is borrowed. */
typedef struct
{
  guint16 id;
  guint16 sequence;
  const guint8 *data;
  gsize length;
} T2pIcmpEcho;

/* Pings only; FALSE for anything else. */
gboolean
t2p_icmp_echo_parse (const guint8 *packet, const T2pIpHeader *header, T2pIcmpEcho *out);
/* An answer, as a socket gives it: from its type on. */
gboolean t2p_icmp_echo_parse_reply (const guint8 *message,
                                    gsize length,
                                    gboolean is_v4,
                                    T2pIcmpEcho *out);
/* What stands before the data, with the checksum of all of it. */
void t2p_icmp_echo_write_header (guint8 out[T2P_ICMP_HEADER_BYTES],
                                 const T2pIpAddress *source,
                                 const T2pIpAddress *destination,
                                 gboolean is_reply,
                                 const T2pIcmpEcho *echo);
gboolean t2p_icmp_checksum_ok (const guint8 *packet, const T2pIpHeader *header);

G_END_DECLS
