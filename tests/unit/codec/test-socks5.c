/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2p-socks5-client.h"

#include "hex.h"

static T2pSocks5Request
request_by_name (const char *name, guint16 port)
{
  T2pSocks5Request request = { .command = T2P_SOCKS5_CONNECT };

  request.destination.name = name;
  request.destination.name_bytes = strlen (name);
  request.destination.port = port;
  return request;
}

static T2pSocks5Request
with_credentials (T2pSocks5Request request)
{
  request.username = "alice";
  request.username_bytes = 5;
  request.password = "s3cret";
  request.password_bytes = 6;
  return request;
}

static void
start (T2pSocks5Client *client, const T2pSocks5Request *request)
{
  g_autoptr (GError) error = NULL;

  t2p_socks5_client_init (client, request, &error);
  g_assert_no_error (error);
}

static void
expect_output (T2pSocks5Client *client, const char *hex)
{
  g_autoptr (GByteArray) expected = bytes_from_hex (hex);
  guint8 buffer[T2P_SOCKS5_MAX_OUTPUT_BYTES];
  T2pWriter writer;

  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_cmpint (t2p_socks5_client_has_output (client), ==, expected->len > 0);
  g_assert_true (t2p_socks5_client_write (client, &writer));
  g_assert_cmpmem (buffer, t2p_writer_length (&writer), expected->data, expected->len);
  g_assert_false (t2p_socks5_client_has_output (client));
}

static T2pDecode
feed_hex (T2pSocks5Client *client, const char *hex, gsize *out_used)
{
  g_autoptr (GByteArray) bytes = bytes_from_hex (hex);
  g_autofree guint8 *exact = exact_copy (bytes->data, bytes->len);

  return t2p_socks5_client_feed (client, exact, bytes->len, out_used);
}

static void
expect_feed (T2pSocks5Client *client, const char *hex, T2pDecode expected)
{
  gsize used;

  g_assert_cmpint (feed_hex (client, hex, &used), ==, expected);
}

static void
expect_failure (T2pSocks5Client *client,
                T2pSocks5Failure failure,
                int code,
                const char *message)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (t2p_socks5_client_get_failure (client), ==, failure);
  t2p_socks5_client_set_error (client, &error);
  g_assert_error (error, T2P_ERROR, code);
  g_assert_cmpstr (error->message, ==, message);
  g_assert_null (t2p_socks5_client_get_bound (client));
}

static void
test_connect_by_name (void)
{
  T2pSocks5Request request = request_by_name ("example.com", 443);
  T2pSocks5Client client;
  gsize used;

  start (&client, &request);
  expect_output (&client, "05 01 00");
  expect_feed (&client, "05 00", T2P_DECODE_MORE);
  expect_output (&client, "05 01 00 03 0b 6578616d706c652e636f6d 01bb");
  g_assert_cmpint (feed_hex (&client, "05 00 00 01 c0000205 1234 | 4869", &used), ==,
                   T2P_DECODE_DONE);
  g_assert_cmpuint (used, ==, 10);
  g_assert_cmpint (t2p_socks5_client_get_bound (&client)->address.family, ==, AF_INET);
  g_assert_cmphex (t2p_socks5_client_get_bound (&client)->port, ==, 0x1234);
  expect_output (&client, "");
}

static void
test_connect_with_credentials (void)
{
  T2pSocks5Request request = with_credentials (request_by_name ("a", 80));
  T2pSocks5Client client;

  start (&client, &request);
  expect_output (&client, "05 02 00 02");
  expect_feed (&client, "05 02", T2P_DECODE_MORE);
  expect_output (&client, "01 05 616c696365 06 733363726574");
  expect_feed (&client, "01 00", T2P_DECODE_MORE);
  expect_output (&client, "05 01 00 03 01 61 0050");
  expect_feed (&client, "05 00 00 03 03 666f6f 0001", T2P_DECODE_DONE);
  g_assert_cmpmem (t2p_socks5_client_get_bound (&client)->name,
                   t2p_socks5_client_get_bound (&client)->name_bytes, "foo", 3);
}

static void
test_credentials_may_go_unused (void)
{
  T2pSocks5Request request = with_credentials (request_by_name ("a", 80));
  T2pSocks5Client client;

  start (&client, &request);
  expect_output (&client, "05 02 00 02");
  expect_feed (&client, "05 00", T2P_DECODE_MORE);
  expect_output (&client, "05 01 00 03 01 61 0050");
}

static void
test_connect_by_address (void)
{
  T2pSocks5Request request = { .command = T2P_SOCKS5_CONNECT };
  T2pSocks5Client client;

  request.destination.address.family = AF_INET;
  memcpy (request.destination.address.bytes, "\x5d\xb8\xd8\x22", 4);
  request.destination.port = 8080;
  start (&client, &request);
  expect_output (&client, "05 01 00");
  expect_feed (&client, "05 00", T2P_DECODE_MORE);
  expect_output (&client, "05 01 00 01 5db8d822 1f90");

  request.destination.address.family = AF_INET6;
  memset (request.destination.address.bytes, 0x11, 16);
  start (&client, &request);
  expect_output (&client, "05 01 00");
  expect_feed (&client, "05 00", T2P_DECODE_MORE);
  expect_output (&client, "05 01 00 04 11111111111111111111111111111111 1f90");
  expect_feed (&client, "05 00 00 04 00000000000000000000000000000000 0000", T2P_DECODE_DONE);
}

static void
test_udp_associate (void)
{
  T2pSocks5Request request = { .command = T2P_SOCKS5_UDP_ASSOCIATE };
  T2pSocks5Client client;

  request.destination.address.family = AF_INET;
  start (&client, &request);
  expect_output (&client, "05 01 00");
  expect_feed (&client, "05 00", T2P_DECODE_MORE);
  expect_output (&client, "05 03 00 01 00000000 0000");
  expect_feed (&client, "05 00 00 01 7f000001 c001", T2P_DECODE_DONE);
  g_assert_cmphex (t2p_socks5_client_get_bound (&client)->port, ==, 0xc001);
}

static void
test_pipelined (void)
{
  T2pSocks5Request request = request_by_name ("a", 80);
  T2pSocks5Client client;
  gsize used;

  request.is_pipelined = TRUE;
  start (&client, &request);
  expect_output (&client, "05 01 00 | 05 01 00 03 01 61 0050");
  g_assert_cmpint (feed_hex (&client, "05 00 | 05 00 00 01 00000000 0000 | ff", &used), ==,
                   T2P_DECODE_DONE);
  g_assert_cmpuint (used, ==, 12);

  request = with_credentials (request);
  start (&client, &request);
  expect_output (&client,
                 "05 01 02 | 01 05 616c696365 06 733363726574 | 05 01 00 03 01 61 0050");
  expect_feed (&client, "05 02 | 01 00 | 05 00 00 01 00000000 0000", T2P_DECODE_DONE);

  start (&client, &request);
  expect_output (&client,
                 "05 01 02 | 01 05 616c696365 06 733363726574 | 05 01 00 03 01 61 0050");
  expect_feed (&client, "05 00", T2P_DECODE_BAD);
  expect_failure (&client, T2P_SOCKS5_FAILURE_UNOFFERED_METHOD, T2P_ERROR_PROXY_PROTOCOL,
                  "upstream chose authentication method 0, expected one that was offered");
}

static void
test_wrong_version (void)
{
  static const struct
  {
    const char *answer;
    const char *message;
  } cases[] = {
    { "04", "upstream speaks SOCKS version 4, expected 5" },
    { "00 5a", "upstream answers like SOCKS version 4, expected 5" },
    { "48 54 54 50", "upstream answers like an HTTP server, expected SOCKS version 5" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      T2pSocks5Request request = request_by_name ("a", 80);
      T2pSocks5Client client;

      start (&client, &request);
      expect_feed (&client, cases[i].answer, T2P_DECODE_BAD);
      expect_failure (&client, T2P_SOCKS5_FAILURE_VERSION, T2P_ERROR_PROXY_PROTOCOL,
                      cases[i].message);
      g_assert_cmpint (t2p_socks5_client_get_refusal (&client), ==, T2P_REFUSAL_RESET);
      g_assert_false (t2p_socks5_client_has_output (&client));
    }
}

static void
test_authentication_failures (void)
{
  T2pSocks5Request plain = request_by_name ("a", 80);
  T2pSocks5Request named = with_credentials (plain);
  T2pSocks5Client client;

  start (&client, &plain);
  expect_feed (&client, "05 ff", T2P_DECODE_BAD);
  expect_failure (&client, T2P_SOCKS5_FAILURE_NO_METHOD, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                  "upstream wants authentication, and no user name is set");
  start (&client, &named);
  expect_feed (&client, "05 ff", T2P_DECODE_BAD);
  expect_failure (&client, T2P_SOCKS5_FAILURE_NO_METHOD, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                  "upstream takes neither no authentication nor a user name and password");
  start (&client, &plain);
  expect_feed (&client, "05 02", T2P_DECODE_BAD);
  expect_failure (&client, T2P_SOCKS5_FAILURE_UNOFFERED_METHOD, T2P_ERROR_PROXY_PROTOCOL,
                  "upstream chose authentication method 2, expected one that was offered");
  start (&client, &named);
  expect_feed (&client, "05 02 01 01", T2P_DECODE_BAD);
  expect_failure (&client, T2P_SOCKS5_FAILURE_CREDENTIALS,
                  T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                  "upstream refused the user name or the password (status 1)");
  start (&client, &named);
  expect_feed (&client, "05 02 05 00", T2P_DECODE_BAD);
  expect_failure (&client, T2P_SOCKS5_FAILURE_CREDENTIALS_VERSION, T2P_ERROR_PROXY_PROTOCOL,
                  "upstream answers user name and password with version 5, expected 1");
}

static void
test_refused_requests (void)
{
  static const struct
  {
    const char *reply;
    guint8 code;
    int error;
    T2pRefusal refusal;
    const char *message;
  } cases[] = {
    { "05 01", 1, T2P_ERROR_PROXY_UNREACHABLE, T2P_REFUSAL_RESET,
      "upstream refused the request: general failure (reply 1)" },
    { "05 02 00 01 00000000 0000", 2, T2P_ERROR_FAILED, T2P_REFUSAL_ADMIN_PROHIBITED,
      "upstream refused the request: not allowed by its rules (reply 2)" },
    { "05 04 00 03", 4, T2P_ERROR_PROXY_UNREACHABLE, T2P_REFUSAL_HOST_UNREACHABLE,
      "upstream refused the request: host unreachable (reply 4)" },
    { "05 07", 7, T2P_ERROR_NOT_SUPPORTED, T2P_REFUSAL_RESET,
      "upstream refused the request: command not supported (reply 7)" },
    { "05 09", 9, T2P_ERROR_PROXY_PROTOCOL, T2P_REFUSAL_RESET,
      "upstream refused the request: unassigned code (reply 9)" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      T2pSocks5Request request = request_by_name ("a", 80);
      T2pSocks5Client client;

      start (&client, &request);
      expect_feed (&client, "05 00", T2P_DECODE_MORE);
      expect_feed (&client, cases[i].reply, T2P_DECODE_BAD);
      expect_failure (&client, T2P_SOCKS5_FAILURE_REPLY, cases[i].error, cases[i].message);
      g_assert_cmpuint (t2p_socks5_client_get_reply_code (&client), ==, cases[i].code);
      g_assert_cmpint (t2p_socks5_client_get_refusal (&client), ==, cases[i].refusal);
    }
}

static void
test_malformed_replies (void)
{
  T2pSocks5Request request = request_by_name ("a", 80);
  T2pSocks5Client client;

  start (&client, &request);
  expect_feed (&client, "05 00 05 00 00 02", T2P_DECODE_BAD);
  expect_failure (&client, T2P_SOCKS5_FAILURE_ADDRESS_TYPE, T2P_ERROR_PROXY_PROTOCOL,
                  "upstream replied with address type 2, expected 1, 3 or 4");
  start (&client, &request);
  expect_feed (&client, "05 00 00 00", T2P_DECODE_BAD);
  expect_failure (&client, T2P_SOCKS5_FAILURE_VERSION, T2P_ERROR_PROXY_PROTOCOL,
                  "upstream speaks SOCKS version 0, expected 5");
}

static void
test_end_in_the_middle (void)
{
  T2pSocks5Request request = with_credentials (request_by_name ("a", 80));
  T2pSocks5Client client;

  start (&client, &request);
  g_assert_cmpint (t2p_socks5_client_end (&client), ==, T2P_DECODE_BAD);
  expect_failure (&client, T2P_SOCKS5_FAILURE_CLOSED, T2P_ERROR_PROXY_PROTOCOL,
                  "upstream closed the connection after the greeting, expected an answer");
  start (&client, &request);
  expect_feed (&client, "05 02 01", T2P_DECODE_MORE);
  g_assert_cmpint (t2p_socks5_client_end (&client), ==, T2P_DECODE_BAD);
  expect_failure (
      &client, T2P_SOCKS5_FAILURE_CLOSED, T2P_ERROR_PROXY_PROTOCOL,
      "upstream closed the connection after user name and password, expected an answer");
  start (&client, &request);
  expect_feed (&client, "05 00 05 00 00 01", T2P_DECODE_MORE);
  g_assert_cmpint (t2p_socks5_client_end (&client), ==, T2P_DECODE_BAD);
  expect_failure (&client, T2P_SOCKS5_FAILURE_CLOSED, T2P_ERROR_PROXY_PROTOCOL,
                  "upstream closed the connection after the request, expected an answer");
  start (&client, &request);
  expect_feed (&client, "05 00 05 00 00 01 00000000 0000", T2P_DECODE_DONE);
  g_assert_cmpint (t2p_socks5_client_end (&client), ==, T2P_DECODE_DONE);
}

static const char *const transcripts[] = {
  "05 00 | 05 00 00 01 c0000205 1234 | 0102030405",
  "05 02 | 01 00 | 05 00 00 04 000102030405060708090a0b0c0d0e0f 1234 | 05",
  "05 02 | 01 00 | 05 00 00 03 00 0000 | aa",
  "05 02 | 01 00 | 05 00 00 03 0b 6578616d706c652e636f6d 01bb",
  "05 02 | 01 07 | 05 00",
  "05 00 | 05 05 00 01 00000000 0000",
  "05 00 | 05 00 00 09 00000000 0000",
  "04 5b",
};

/* Feeds in pieces of which @first is the length of the first; the others have @step. */
static void
run_split (
    const GByteArray *bytes, gsize first, gsize step, T2pSocks5Client *client, gsize *used)
{
  static T2pSocks5Request request;
  gsize at = 0;
  gsize piece = first;
  T2pDecode result = T2P_DECODE_MORE;

  request = with_credentials (request_by_name ("example.com", 443));
  start (client, &request);
  *used = 0;
  while (result == T2P_DECODE_MORE && at < bytes->len)
    {
      gsize length = MIN (piece, bytes->len - at);
      g_autofree guint8 *exact = exact_copy (bytes->data + at, length);
      gsize taken;

      result = t2p_socks5_client_feed (client, exact, length, &taken);
      g_assert_cmpuint (taken, <=, length);
      if (result == T2P_DECODE_MORE)
        g_assert_cmpuint (taken, ==, length);
      *used += taken;
      at += length;
      piece = step;
    }
}

static void
test_every_split_gives_the_same (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (transcripts); i++)
    {
      g_autoptr (GByteArray) bytes = bytes_from_hex (transcripts[i]);
      T2pSocks5Client whole;
      gsize whole_used;

      run_split (bytes, bytes->len, 1, &whole, &whole_used);
      g_assert_true (whole.stage == T2P_SOCKS5_STAGE_DONE ||
                     whole.stage == T2P_SOCKS5_STAGE_FAILED);
      for (gsize first = 1; first <= bytes->len; first++)
        for (gsize step = 1; step <= bytes->len; step++)
          {
            T2pSocks5Client client;
            gsize used;

            run_split (bytes, first, step, &client, &used);
            g_assert_cmpint (client.stage, ==, whole.stage);
            g_assert_cmpint (client.failure, ==, whole.failure);
            g_assert_cmpuint (client.seen, ==, whole.seen);
            g_assert_cmpuint (client.reply.bound.port, ==, whole.reply.bound.port);
            g_assert_cmpuint (used, ==, whole_used);
          }
    }
}

static void
test_every_truncation_asks_for_more (void)
{
  for (guint i = 0; i < 4; i++)
    {
      g_autoptr (GByteArray) bytes = bytes_from_hex (transcripts[i]);
      T2pSocks5Client client;
      gsize whole;
      gsize used;

      run_split (bytes, bytes->len, 1, &client, &whole);
      for (gsize length = 1; length < whole; length++)
        {
          g_byte_array_set_size (bytes, whole);
          bytes->len = (guint) length;
          run_split (bytes, length, 1, &client, &used);
          g_assert_cmpuint (used, ==, length);
          g_assert_cmpint (t2p_socks5_client_get_failure (&client), ==,
                           T2P_SOCKS5_FAILURE_NONE);
          g_assert_null (t2p_socks5_client_get_bound (&client));
        }
    }
}

static void
test_longest_name_fits (void)
{
  g_autofree char *name = g_strnfill (255, 'n');
  g_autofree char *text = g_strnfill (255, 'u');
  T2pSocks5Request request = request_by_name (name, 1);
  guint8 reply[2 + T2P_SOCKS5_MAX_REPLY_BYTES + 1] = { 5, 0, 5, 0, 0, 3, 255 };
  guint8 buffer[T2P_SOCKS5_MAX_OUTPUT_BYTES];
  T2pSocks5Client client;
  T2pWriter writer;
  gsize used;

  request.is_pipelined = TRUE;
  request.username = request.password = text;
  request.username_bytes = request.password_bytes = 255;
  start (&client, &request);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_true (t2p_socks5_client_write (&client, &writer));
  g_assert_cmpuint (t2p_writer_length (&writer), ==, 3 + 513 + 262);

  request.username = NULL;
  start (&client, &request);
  g_assert_cmpint (t2p_socks5_client_feed (&client, reply, sizeof reply, &used), ==,
                   T2P_DECODE_DONE);
  g_assert_cmpuint (used, ==, sizeof reply - 1);
}

static void
test_what_socks_cannot_say (void)
{
  g_autofree char *long_name = g_strnfill (256, 'n');
  T2pSocks5Request bad_name = request_by_name (long_name, 1);
  T2pSocks5Request no_name = request_by_name ("", 1);
  T2pSocks5Request no_address = { .command = T2P_SOCKS5_CONNECT };
  T2pSocks5Request no_user = with_credentials (request_by_name ("a", 1));
  T2pSocks5Request long_password = with_credentials (request_by_name ("a", 1));
  const T2pSocks5Request *const requests[] = { &bad_name, &no_name, &no_address, &no_user,
                                               &long_password };

  no_user.username_bytes = 0;
  long_password.password = long_name;
  long_password.password_bytes = 256;
  for (guint i = 0; i < G_N_ELEMENTS (requests); i++)
    {
      g_autoptr (GError) error = NULL;
      T2pSocks5Client client;

      g_assert_false (t2p_socks5_client_init (&client, requests[i], &error));
      g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT);
    }
}

static void
test_output_waits_for_room (void)
{
  T2pSocks5Request request = request_by_name ("a", 80);
  T2pSocks5Client client;
  guint8 buffer[2];
  T2pWriter writer;

  start (&client, &request);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_false (t2p_socks5_client_write (&client, &writer));
  g_assert_cmpuint (t2p_writer_length (&writer), ==, 0);
  g_assert_false (writer.overflowed);
  expect_output (&client, "05 01 00");
}

static void
check_udp_round_trip (const T2pSocks5Address *peer, const char *expected_hex)
{
  g_autoptr (GByteArray) expected = bytes_from_hex (expected_hex);
  guint8 buffer[T2P_SOCKS5_MAX_HEADER_BYTES];
  T2pSocks5Address seen;
  T2pWriter writer;
  gsize header_bytes;

  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_true (t2p_socks5_write_udp_header (&writer, peer));
  g_assert_cmpmem (buffer, t2p_writer_length (&writer), expected->data, expected->len);
  g_assert_cmpint (t2p_socks5_decode_udp_header (buffer, expected->len, &seen, &header_bytes),
                   ==, T2P_DECODE_DONE);
  g_assert_cmpuint (header_bytes, ==, expected->len);
  g_assert_cmpuint (seen.port, ==, peer->port);
  g_assert_cmpmem (seen.name, seen.name_bytes, peer->name, peer->name_bytes);
  g_assert_cmpmem (&seen.address, sizeof seen.address, &peer->address, sizeof peer->address);
  for (gsize length = 0; length < expected->len; length++)
    {
      g_autofree guint8 *exact = exact_copy (buffer, length);

      g_assert_cmpint (t2p_socks5_decode_udp_header (exact, length, &seen, &header_bytes), ==,
                       T2P_DECODE_BAD);
    }
}

static void
test_udp_headers (void)
{
  T2pSocks5Address peer = { .port = 53 };

  peer.address.family = AF_INET;
  memcpy (peer.address.bytes, "\x08\x08\x04\x04", 4);
  check_udp_round_trip (&peer, "0000 00 01 08080404 0035");
  peer.address.family = AF_INET6;
  memset (peer.address.bytes, 0xab, 16);
  check_udp_round_trip (&peer, "0000 00 04 abababababababababababababababab 0035");
  memset (&peer.address, 0, sizeof peer.address);
  peer.name = "dns";
  peer.name_bytes = 3;
  check_udp_round_trip (&peer, "0000 00 03 03 646e73 0035");
}

static void
test_udp_fragments_are_refused (void)
{
  g_autoptr (GByteArray) datagram = bytes_from_hex ("0000 01 01 08080404 0035 6869");
  T2pSocks5Address peer;
  gsize header_bytes;

  g_assert_cmpint (
      t2p_socks5_decode_udp_header (datagram->data, datagram->len, &peer, &header_bytes), ==,
      T2P_DECODE_BAD);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/socks5/connect-by-name", test_connect_by_name);
  g_test_add_func ("/socks5/connect-with-credentials", test_connect_with_credentials);
  g_test_add_func ("/socks5/credentials-may-go-unused", test_credentials_may_go_unused);
  g_test_add_func ("/socks5/connect-by-address", test_connect_by_address);
  g_test_add_func ("/socks5/udp-associate", test_udp_associate);
  g_test_add_func ("/socks5/pipelined", test_pipelined);
  g_test_add_func ("/socks5/wrong-version", test_wrong_version);
  g_test_add_func ("/socks5/authentication-failures", test_authentication_failures);
  g_test_add_func ("/socks5/refused-requests", test_refused_requests);
  g_test_add_func ("/socks5/malformed-replies", test_malformed_replies);
  g_test_add_func ("/socks5/end-in-the-middle", test_end_in_the_middle);
  g_test_add_func ("/socks5/every-split-gives-the-same", test_every_split_gives_the_same);
  g_test_add_func ("/socks5/every-truncation-asks-for-more",
                   test_every_truncation_asks_for_more);
  g_test_add_func ("/socks5/longest-name-fits", test_longest_name_fits);
  g_test_add_func ("/socks5/what-socks-cannot-say", test_what_socks_cannot_say);
  g_test_add_func ("/socks5/output-waits-for-room", test_output_waits_for_room);
  g_test_add_func ("/socks5/udp/headers", test_udp_headers);
  g_test_add_func ("/socks5/udp/fragments-are-refused", test_udp_fragments_are_refused);
  return g_test_run ();
}
