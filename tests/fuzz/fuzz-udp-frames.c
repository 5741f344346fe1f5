/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bytes are taken for a stream of frames of either kind: what is decoded must survive being
 * written again, unless we would never say it, and a frame must not depend on what follows it.
 */
#include "config.h"

#include "fuzz.h"

#include "t2p-udp-in-tcp.h"
#include "t2p-udpgw.h"

static void
check_udpgw_frame (const uint8_t *bytes, const T2pUdpgwFrame *frame, gsize used)
{
  guint8 buffer[T2P_UDPGW_MAX_HEADER_BYTES];
  T2pUdpgwFrame alone;
  T2pWriter writer;
  gsize used_alone;
  g_autofree guint8 *exact = g_memdup2 (bytes, used);

  g_assert_cmpint (t2p_udpgw_decode (exact, used, &alone, &used_alone), ==, T2P_DECODE_DONE);
  g_assert_cmpuint (used_alone, ==, used);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  if ((frame->flags & T2P_UDPGW_KEEPALIVE) != 0 ||
      frame->payload_bytes > T2P_UDPGW_MAX_PAYLOAD_BYTES)
    return;
  g_assert_true (t2p_udpgw_write_header (&writer, frame));
  g_assert_cmpmem (buffer, t2p_writer_length (&writer), bytes, used - frame->payload_bytes);
}

static void
check_udpgw (const uint8_t *data, size_t size)
{
  T2pUdpgwFrame frame;
  gsize used;

  while (t2p_udpgw_decode (data, size, &frame, &used) == T2P_DECODE_DONE)
    {
      g_assert_cmpuint (used, >, 0);
      g_assert_cmpuint (used, <=, size);
      check_udpgw_frame (data, &frame, used);
      data += used;
      size -= used;
    }
}

static void
check_udp_in_tcp_frame (const uint8_t *bytes, const T2pUdpInTcpFrame *frame, gsize used)
{
  guint8 buffer[T2P_UDP_IN_TCP_MAX_HEADER_BYTES];
  T2pWriter writer;
  gboolean is_said;

  t2p_writer_init (&writer, buffer, sizeof buffer);
  is_said = t2p_udp_in_tcp_write_header (&writer, &frame->peer, frame->payload_bytes);
  if (is_said)
    g_assert_cmpmem (buffer, t2p_writer_length (&writer), bytes, used - frame->payload_bytes);
  else
    g_assert_true ((frame->peer.name != NULL && frame->peer.name_bytes == 0) ||
                   frame->payload_bytes < T2P_UDP_IN_TCP_MIN_PAYLOAD_BYTES ||
                   frame->payload_bytes > T2P_UDP_IN_TCP_MAX_PAYLOAD_BYTES);
}

static void
check_udp_in_tcp (const uint8_t *data, size_t size)
{
  T2pUdpInTcpFrame frame;
  gsize used;

  while (t2p_udp_in_tcp_decode (data, size, &frame, &used) == T2P_DECODE_DONE)
    {
      g_assert_cmpuint (used, >, 0);
      g_assert_cmpuint (used, <=, size);
      check_udp_in_tcp_frame (data, &frame, used);
      data += used;
      size -= used;
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  check_udpgw (data, size);
  check_udp_in_tcp (data, size);
  return 0;
}
