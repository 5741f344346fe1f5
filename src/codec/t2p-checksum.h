/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

#include <glib.h>

G_BEGIN_DECLS

/* The internet checksum (RFC 1071). A running sum is opaque: start from 0, add parts, then fold
 * or finish. What fold and finish return is in host order, like every other field: write it
 * with t2p_store_be16(). */

guint32 t2p_checksum_add (guint32 sum, const guint8 *bytes, gsize length);
guint32 t2p_checksum_join (guint32 sum, guint32 next, gsize next_offset);
guint32 t2p_checksum_add_be16 (guint32 sum, guint16 value);
guint32 t2p_checksum_pseudo (const T2pIpAddress *source,
                             const T2pIpAddress *destination,
                             guint8 protocol,
                             gsize length);
guint16 t2p_checksum_fold (guint32 sum);
guint16 t2p_checksum_finish (guint32 sum);
guint16 t2p_checksum (const guint8 *bytes, gsize length);

G_END_DECLS
