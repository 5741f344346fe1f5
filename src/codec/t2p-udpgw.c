/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-udpgw.h"

#define LENGTH_BYTES 2
#define FIXED_BYTES 3 /* flags and number */

static gboolean
write_le16 (T2pWriter *writer, guint16 value)
{
  t2p_writer_u8 (writer, (guint8) (value & 0xff));
  return t2p_writer_u8 (writer, (guint8) (value >> 8));
}

static gboolean
read_le16 (T2pCursor *cursor, guint16 *out_value)
{
  const guint8 *bytes;

  if (!t2p_cursor_read_bytes (cursor, 2, &bytes))
    return FALSE;
  *out_value = (guint16) (bytes[0] | bytes[1] << 8);
  return TRUE;
}

static gsize
address_bytes (int family)
{
  return family == AF_INET6 ? 16 : 4;
}

/**
 * t2p_udpgw_write_header:
 * @writer: where to; %T2P_UDPGW_MAX_HEADER_BYTES are always enough
 * @frame: what to say; the payload is not written, only counted
 *
 * The payload follows.
 *
 * Returns: %FALSE when it does not fit, or the payload is longer than a datagram
 */
gboolean
t2p_udpgw_write_header (T2pWriter *writer, const T2pUdpgwFrame *frame)
{
  const T2pIpAddress *address = &frame->peer.address;
  gsize n_address = address_bytes (address->family);
  guint8 flags = frame->flags & (guint8) ~T2P_UDPGW_IPV6;

  if (frame->payload_bytes > T2P_UDPGW_MAX_PAYLOAD_BYTES)
    return FALSE;
  if (address->family == AF_INET6)
    flags |= T2P_UDPGW_IPV6;
  write_le16 (writer, (guint16) (FIXED_BYTES + n_address + 2 + frame->payload_bytes));
  t2p_writer_u8 (writer, flags);
  write_le16 (writer, frame->connection);
  t2p_writer_bytes (writer, address->bytes, n_address);
  return t2p_writer_be16 (writer, frame->peer.port);
}

/**
 * t2p_udpgw_write_keepalive:
 * @writer: where to; %T2P_UDPGW_KEEPALIVE_BYTES are enough
 *
 * With an empty address behind it, which gateways older than IPv6 want and newer ones skip.
 *
 * Returns: %FALSE when it does not fit
 */
gboolean
t2p_udpgw_write_keepalive (T2pWriter *writer)
{
  write_le16 (writer, T2P_UDPGW_KEEPALIVE_BYTES - LENGTH_BYTES);
  t2p_writer_u8 (writer, T2P_UDPGW_KEEPALIVE);
  return t2p_writer_zeros (writer, T2P_UDPGW_KEEPALIVE_BYTES - LENGTH_BYTES - 1);
}

static gboolean
read_peer (T2pCursor *cursor, guint8 flags, T2pIpEndpoint *out_peer)
{
  int family = (flags & T2P_UDPGW_IPV6) != 0 ? AF_INET6 : AF_INET;
  const guint8 *bytes;

  if (!t2p_cursor_read_bytes (cursor, address_bytes (family), &bytes) ||
      !t2p_cursor_read_be16 (cursor, &out_peer->port))
    return FALSE;
  out_peer->address = t2p_ip_address_from_bytes (family, bytes);
  return TRUE;
}

static gboolean
read_body (T2pCursor *body, T2pUdpgwFrame *out_frame)
{
  T2pUdpgwFrame frame = { 0 };

  if (!t2p_cursor_read_u8 (body, &frame.flags) || !read_le16 (body, &frame.connection))
    return FALSE;
  if ((frame.flags & T2P_UDPGW_KEEPALIVE) == 0)
    {
      if (!read_peer (body, frame.flags, &frame.peer))
        return FALSE;
      frame.payload_bytes = t2p_cursor_remaining (body);
      t2p_cursor_read_bytes (body, frame.payload_bytes, &frame.payload);
    }
  *out_frame = frame;
  return TRUE;
}

/**
 * t2p_udpgw_decode:
 * @bytes: (array length=length): the stream from the start of a frame on
 * @length: how much of it has come
 * @out_frame: (out caller-allocates): with %T2P_DECODE_DONE; borrows from @bytes
 * @out_used: (out): with %T2P_DECODE_DONE: the length of the frame
 *
 * Returns: %T2P_DECODE_BAD when a frame is shorter than what it must hold
 */
T2pDecode
t2p_udpgw_decode (const guint8 *bytes, gsize length, T2pUdpgwFrame *out_frame, gsize *out_used)
{
  T2pCursor cursor, body;
  guint16 frame_bytes;

  t2p_cursor_init (&cursor, bytes, length);
  if (!read_le16 (&cursor, &frame_bytes) || !t2p_cursor_sub (&cursor, frame_bytes, &body))
    return T2P_DECODE_MORE;
  if (!read_body (&body, out_frame))
    return T2P_DECODE_BAD;
  *out_used = t2p_cursor_position (&cursor);
  return T2P_DECODE_DONE;
}
