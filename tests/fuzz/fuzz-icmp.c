/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every error that is written parses, checks out, keeps to its length and is not answered. */
#include "config.h"

#include "fuzz.h"

#include "t2p-icmp.h"

#include <netinet/in.h>
#include <string.h>

static void
check_error (const T2pWriter *writer, const T2pIpHeader *about)
{
  T2pIcmpEcho echo;
  T2pIpHeader ip;
  gsize length = t2p_writer_length (writer);

  g_assert_cmpint (t2p_ip_header_parse (writer->start, length, &ip), ==, T2P_IP_PARSE_OK);
  g_assert_cmpuint (ip.total_bytes, ==, length);
  g_assert_cmpuint (ip.version, ==, about->version);
  g_assert_true (t2p_ip_header_checksum_ok (writer->start, &ip));
  g_assert_true (t2p_icmp_checksum_ok (writer->start, &ip));
  g_assert_true (t2p_ip_header_is_unicast (&ip));
  g_assert_false (t2p_icmp_echo_parse (writer->start, &ip, &echo));
  g_assert_cmpuint (length, <=,
                    ip.version == 4 ? T2P_ICMPV4_MAX_ERROR_BYTES : T2P_ICMPV6_MAX_ERROR_BYTES);
  g_assert_false (t2p_icmp_may_answer (writer->start, length, &ip));
}

static void
check_errors (const uint8_t *data, size_t there, const T2pIpHeader *ip)
{
  guint8 buffer[T2P_ICMPV6_MAX_ERROR_BYTES];
  T2pIpAddress none = { 0 };
  gboolean may_answer = t2p_icmp_may_answer (data, there, ip);
  T2pWriter writer;

  for (T2pRefusal refusal = T2P_REFUSAL_RESET; refusal <= T2P_REFUSAL_SILENCE; refusal++)
    {
      gboolean expected = may_answer && refusal != T2P_REFUSAL_SILENCE;

      t2p_writer_init (&writer, buffer, sizeof buffer);
      g_assert_cmpint (t2p_icmp_write_refusal (&writer, data, there, ip, refusal), ==,
                       expected);
      if (expected)
        check_error (&writer, ip);
    }
  t2p_writer_init (&writer, buffer, sizeof buffer);
  if (t2p_icmp_write_bad_protocol (&writer, data, there, ip))
    check_error (&writer, ip);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  if (t2p_icmp_write_too_big (&writer, data, there, ip, 1280))
    check_error (&writer, ip);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  if (t2p_icmp_write_time_exceeded (&writer, data, there, ip, &none))
    check_error (&writer, ip);
}

/* The answer to a ping says what the ping said. */
static void
check_echo (const uint8_t *data, const T2pIpHeader *ip)
{
  g_autofree guint8 *reply = g_malloc (ip->total_bytes);
  T2pIcmpEcho echo, again;

  if (!t2p_icmp_echo_parse (data, ip, &echo))
    return;
  t2p_icmp_echo_write_header (reply, &ip->destination, &ip->source, TRUE, &echo);
  memcpy (reply + T2P_ICMP_HEADER_BYTES, echo.data, echo.length);
  g_assert_true (t2p_icmp_echo_parse_reply (reply, T2P_ICMP_HEADER_BYTES + echo.length,
                                            ip->version == 4, &again));
  g_assert_cmpuint (again.id, ==, echo.id);
  g_assert_cmpuint (again.sequence, ==, echo.sequence);
  g_assert_cmpmem (again.data, again.length, echo.data, echo.length);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  T2pIpHeader ip;

  if (t2p_ip_header_parse (data, size, &ip) != T2P_IP_PARSE_OK)
    return 0;
  check_errors (data, size, &ip);
  /* a copy of the beginning, cut anywhere */
  check_errors (data, data[size - 1] % (size + 1), &ip);
  check_echo (data, &ip);
  return 0;
}
