/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-packet.h"

G_BEGIN_DECLS

#define T2PW_RESET_MAX_BYTES (T2P_IPV6_HEADER_BYTES + T2P_TCP_HEADER_BYTES)

/* Writes the RST that answers a segment (RFC 9293 section 3.10.7.1), a whole packet with full
 * checksums, into @out, which has T2PW_RESET_MAX_BYTES. Returns its length: 0 for a RST, which
 * gets none. */
gsize t2pw_reply_reset (const T2pwPacket *packet, guint8 *out);

G_END_DECLS
