/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fragment-cutter.h"

#include "t2p-checksum.h"
#include "t2p-ip-header.h"

#include <netinet/in.h>
#include <string.h>

static gsize
cut_v4 (const guint8 *packet, const Cut *cut, guint8 *out)
{
  gsize header = (packet[0] & 15) * 4u;

  memcpy (out, packet, header);
  memcpy (out + header, packet + header + cut->offset, cut->length);
  t2p_store_be16 (out + 2, (guint16) (header + cut->length));
  t2p_store_be16 (out + 4, (guint16) cut->id);
  t2p_store_be16 (out + 6, (guint16) (cut->offset / 8 | (cut->has_more ? 0x2000 : 0)));
  t2p_store_be16 (out + 10, 0);
  t2p_store_be16 (out + 10, t2p_checksum (out, header));
  return header + cut->length;
}

/* Of the headers before the fragment header only the fixed one, and one more, are looked for.
 */
static gsize
cut_v6 (const guint8 *packet, gsize head, const Cut *cut, guint8 *out)
{
  gsize named_at = head == T2P_IPV6_HEADER_BYTES ? 6 : T2P_IPV6_HEADER_BYTES;

  memcpy (out, packet, head);
  out[named_at] = IPPROTO_FRAGMENT;
  t2p_store_be16 (out + 4, (guint16) (head - T2P_IPV6_HEADER_BYTES + 8 + cut->length));
  out[head] = packet[named_at];
  out[head + 1] = 0;
  t2p_store_be16 (out + head + 2, (guint16) (cut->offset | cut->has_more));
  t2p_store_be32 (out + head + 4, cut->id);
  memcpy (out + head + 8, packet + head + cut->offset, cut->length);
  return head + 8 + cut->length;
}

gsize
cut_fragment (const guint8 *packet, gsize unfragmentable, const Cut *cut, guint8 *out)
{
  if (packet[0] >> 4 == 4)
    return cut_v4 (packet, cut, out);
  return cut_v6 (packet, unfragmentable > 0 ? unfragmentable : T2P_IPV6_HEADER_BYTES, cut, out);
}
