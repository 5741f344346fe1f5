/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-refusal.h"
#include "t2pw-packet.h"

G_BEGIN_DECLS

#define T2PW_REPLY_MAX_BYTES 1280 /* RFC 4443 section 2.4 (c): no error is longer */

/* Answers that need no connection. Each writes a whole IP packet with full checksums into
 * @out, which has T2PW_REPLY_MAX_BYTES, and returns its length, or 0 for none. */

/* RST for a segment (RFC 9293 section 3.10.7.1); none for a RST. */
gsize t2pw_reply_reset (const T2pwPacket *packet, guint8 *out);
/* The ICMP error that says @refusal, quoting @packet; none for a refusal that is no ICMP. */
gsize t2pw_reply_icmp (const T2pwPacket *packet, T2pRefusal refusal, guint8 *out);
/* "There is no such protocol here": destination unreachable, or parameter problem in IPv6. */
gsize t2pw_reply_bad_protocol (const T2pwPacket *packet, guint8 *out);

G_END_DECLS
