/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-udp-in-tcp.h"

#define LENGTHS_BYTES 3

/**
 * t2p_udp_in_tcp_write_header:
 * @writer: where to; %T2P_UDP_IN_TCP_MAX_HEADER_BYTES are always enough
 * @peer: whom the datagram is for
 * @payload_bytes: %T2P_UDP_IN_TCP_MIN_PAYLOAD_BYTES to %T2P_UDP_IN_TCP_MAX_PAYLOAD_BYTES
 *
 * The payload follows.
 *
 * Returns: %FALSE when it does not fit, or cannot be said
 */
gboolean
t2p_udp_in_tcp_write_header (T2pWriter *writer,
                             const T2pSocks5Address *peer,
                             gsize payload_bytes)
{
  gsize start = t2p_writer_length (writer);
  guint8 *header_bytes;

  if (payload_bytes < T2P_UDP_IN_TCP_MIN_PAYLOAD_BYTES ||
      payload_bytes > T2P_UDP_IN_TCP_MAX_PAYLOAD_BYTES)
    return FALSE;
  t2p_writer_be16 (writer, (guint16) payload_bytes);
  header_bytes = t2p_writer_reserve (writer, 1);
  /* the longest name makes it one byte more than the field can say */
  if (!t2p_socks5_write_address (writer, peer) ||
      t2p_writer_length (writer) - start > G_MAXUINT8)
    return FALSE;
  *header_bytes = (guint8) (t2p_writer_length (writer) - start);
  return TRUE;
}

/**
 * t2p_udp_in_tcp_decode:
 * @bytes: (array length=length): the stream from the start of a frame on
 * @length: how much of it has come
 * @out_frame: (out caller-allocates): with %T2P_DECODE_DONE; borrows from @bytes
 * @out_used: (out): with %T2P_DECODE_DONE: the length of the frame
 *
 * Returns: %T2P_DECODE_BAD when the header's length and its address do not agree
 */
T2pDecode
t2p_udp_in_tcp_decode (const guint8 *bytes,
                       gsize length,
                       T2pUdpInTcpFrame *out_frame,
                       gsize *out_used)
{
  T2pUdpInTcpFrame frame = { 0 };
  T2pCursor cursor, header;
  guint16 payload_bytes;
  guint8 header_bytes;

  t2p_cursor_init (&cursor, bytes, length);
  if (!t2p_cursor_read_be16 (&cursor, &payload_bytes) ||
      !t2p_cursor_read_u8 (&cursor, &header_bytes))
    return T2P_DECODE_MORE;
  if (header_bytes < LENGTHS_BYTES)
    return T2P_DECODE_BAD;
  if (!t2p_cursor_sub (&cursor, header_bytes - LENGTHS_BYTES, &header) ||
      !t2p_cursor_read_bytes (&cursor, payload_bytes, &frame.payload))
    return T2P_DECODE_MORE;
  if (t2p_socks5_read_address (&header, &frame.peer) != T2P_DECODE_DONE ||
      t2p_cursor_remaining (&header) != 0)
    return T2P_DECODE_BAD;
  frame.payload_bytes = payload_bytes;
  *out_frame = frame;
  *out_used = t2p_cursor_position (&cursor);
  return T2P_DECODE_DONE;
}
