/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2p-socks4-client.h"

#include "hex.h"

static T2pSocks4Request
request_by_name (const char *name, guint16 port)
{
  return (T2pSocks4Request){
    .says_names = TRUE, .name = name, .name_bytes = strlen (name), .port = port
  };
}

static T2pSocks4Request
request_by_address (guint32 address, guint16 port)
{
  return (T2pSocks4Request){ .address = t2p_ip_address_from_v4 (address), .port = port };
}

static void
start (T2pSocks4Client *client, const T2pSocks4Request *request)
{
  g_autoptr (GError) error = NULL;

  t2p_socks4_client_init (client, request, &error);
  g_assert_no_error (error);
}

static void
expect_output (T2pSocks4Client *client, const char *hex)
{
  g_autoptr (GByteArray) expected = bytes_from_hex (hex);
  guint8 buffer[T2P_SOCKS4_MAX_OUTPUT_BYTES];
  T2pWriter writer;

  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_cmpint (t2p_socks4_client_has_output (client), ==, expected->len > 0);
  g_assert_true (t2p_socks4_client_write (client, &writer));
  g_assert_cmpmem (buffer, t2p_writer_length (&writer), expected->data, expected->len);
  g_assert_false (t2p_socks4_client_has_output (client));
}

static T2pDecode
feed_hex (T2pSocks4Client *client, const char *hex, gsize *out_used)
{
  g_autoptr (GByteArray) bytes = bytes_from_hex (hex);
  g_autofree guint8 *exact = exact_copy (bytes->data, bytes->len);

  return t2p_socks4_client_feed (client, exact, bytes->len, out_used);
}

static void
test_connect_by_address (void)
{
  T2pSocks4Request request = request_by_address (0x5db8d822, 80);
  T2pSocks4Client client;
  gsize used;

  start (&client, &request);
  expect_output (&client, "04 01 0050 5db8d822 00");
  g_assert_cmpint (feed_hex (&client, "00 5a 0000 00000000 | 4869", &used), ==,
                   T2P_DECODE_DONE);
  g_assert_cmpuint (used, ==, 8);
  expect_output (&client, "");
  g_assert_cmpint (t2p_socks4_client_end (&client), ==, T2P_DECODE_DONE);
}

static void
test_connect_by_name_and_user (void)
{
  T2pSocks4Request request = request_by_name ("example.com", 443);
  T2pSocks4Client client;

  request.user = "alice";
  start (&client, &request);
  expect_output (&client, "04 01 01bb 00000001 616c696365 00 6578616d706c652e636f6d 00");
  request = request_by_address (0x7f000001, 1);
  request.user = "bob";
  request.says_names = TRUE;
  start (&client, &request);
  expect_output (&client, "04 01 0001 7f000001 626f62 00");
}

static void
expect_unsayable (const T2pSocks4Request *request, int code, const char *message)
{
  g_autoptr (GError) error = NULL;
  T2pSocks4Client client;

  g_assert_false (t2p_socks4_client_init (&client, request, &error));
  g_assert_error (error, T2P_ERROR, code);
  g_assert_cmpstr (error->message, ==, message);
}

static void
test_what_socks_cannot_say (void)
{
  g_autofree char *long_text = g_strnfill (256, 'n');
  T2pSocks4Request request = request_by_name ("example.com", 443);

  request.says_names = FALSE;
  expect_unsayable (&request, T2P_ERROR_NOT_SUPPORTED,
                    "SOCKS version 4 cannot say a name, expected an IPv4 address or a proxy of "
                    "scheme socks4a");
  request = request_by_name (long_text, 443);
  expect_unsayable (&request, T2P_ERROR_INVALID_ARGUMENT,
                    "the destination's name has 256 bytes, SOCKS expects 1 to 255 and no NUL");
  request = request_by_name ("", 443);
  expect_unsayable (&request, T2P_ERROR_INVALID_ARGUMENT,
                    "the destination's name has 0 bytes, SOCKS expects 1 to 255 and no NUL");
  request = request_by_name ("a", 443);
  request.user = long_text;
  expect_unsayable (&request, T2P_ERROR_INVALID_ARGUMENT,
                    "the user name has 256 bytes, SOCKS expects 1 to 255 and no NUL");
  request = request_by_address (0, 1);
  request.address.family = AF_INET6;
  expect_unsayable (&request, T2P_ERROR_NOT_SUPPORTED,
                    "SOCKS version 4 cannot say an IPv6 address, expected an IPv4 address");
  request = request_by_address (0x00000005, 1);
  expect_unsayable (&request, T2P_ERROR_NOT_SUPPORTED,
                    "SOCKS version 4 cannot say an address of 0.0.0.0/24, which marks a name");
}

static void
test_refusals (void)
{
  static const struct
  {
    const char *reply;
    guint8 code;
    int error;
    T2pRefusal refusal;
    const char *message;
  } cases[] = {
    { "00 5b", 91, T2P_ERROR_PROXY_UNREACHABLE, T2P_REFUSAL_RESET,
      "upstream refused the request: rejected or failed (reply 91)" },
    { "00 5c 0000 00000000", 92, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
      T2P_REFUSAL_ADMIN_PROHIBITED,
      "upstream refused the request: it cannot ask an ident server who we are (reply 92)" },
    { "00 5d", 93, T2P_ERROR_PROXY_AUTHENTICATION_FAILED, T2P_REFUSAL_ADMIN_PROHIBITED,
      "upstream refused the request: the ident server names another user (reply 93)" },
    { "00 00", 0, T2P_ERROR_PROXY_PROTOCOL, T2P_REFUSAL_RESET,
      "upstream refused the request: unassigned code (reply 0)" },
    { "05", 0, T2P_ERROR_PROXY_PROTOCOL, T2P_REFUSAL_RESET,
      "upstream answers like SOCKS version 5, expected 4" },
    { "48 54 54 50", 0, T2P_ERROR_PROXY_PROTOCOL, T2P_REFUSAL_RESET,
      "upstream answers like an HTTP server, expected SOCKS version 4" },
    { "04 5a", 0, T2P_ERROR_PROXY_PROTOCOL, T2P_REFUSAL_RESET,
      "upstream's reply begins with 4, SOCKS version 4 expects 0" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      T2pSocks4Request request = request_by_address (0x7f000001, 1);
      g_autoptr (GError) error = NULL;
      T2pSocks4Client client;
      gsize used;

      start (&client, &request);
      g_assert_cmpint (feed_hex (&client, cases[i].reply, &used), ==, T2P_DECODE_BAD);
      t2p_socks4_client_set_error (&client, &error);
      g_assert_error (error, T2P_ERROR, cases[i].error);
      g_assert_cmpstr (error->message, ==, cases[i].message);
      g_assert_cmpint (t2p_socks4_client_get_refusal (&client), ==, cases[i].refusal);
      g_assert_cmpuint (t2p_socks4_client_get_reply_code (&client), ==, cases[i].code);
      g_assert_false (t2p_socks4_client_has_output (&client));
      g_assert_cmpint (t2p_socks4_client_end (&client), ==, T2P_DECODE_BAD);
    }
}

static void
test_byte_by_byte_and_the_end_anywhere (void)
{
  T2pSocks4Request request = request_by_name ("a", 80);
  static const guint8 reply[] = { 0, 90, 1, 2, 3, 4, 5, 6 };

  for (gsize cut = 0; cut < sizeof reply; cut++)
    {
      g_autoptr (GError) error = NULL;
      T2pSocks4Client client;
      gsize used;

      start (&client, &request);
      for (gsize i = 0; i < cut; i++)
        g_assert_cmpint (t2p_socks4_client_feed (&client, reply + i, 1, &used), ==,
                         T2P_DECODE_MORE);
      g_assert_cmpint (t2p_socks4_client_end (&client), ==, T2P_DECODE_BAD);
      t2p_socks4_client_set_error (&client, &error);
      g_assert_error (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL);
    }
}

static void
test_output_waits_for_room (void)
{
  T2pSocks4Request request = request_by_name ("a", 80);
  T2pSocks4Client client;
  guint8 buffer[10];
  T2pWriter writer;

  start (&client, &request);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_false (t2p_socks4_client_write (&client, &writer));
  g_assert_cmpuint (t2p_writer_length (&writer), ==, 0);
  expect_output (&client, "04 01 0050 00000001 00 61 00");
}

static void
test_longest_texts_fit (void)
{
  g_autofree char *text = g_strnfill (255, 'n');
  T2pSocks4Request request = request_by_name (text, 80);
  guint8 buffer[T2P_SOCKS4_MAX_OUTPUT_BYTES];
  T2pSocks4Client client;
  T2pWriter writer;

  request.user = text;
  start (&client, &request);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_true (t2p_socks4_client_write (&client, &writer));
  g_assert_cmpuint (t2p_writer_length (&writer), ==, sizeof buffer);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/socks4/connect-by-address", test_connect_by_address);
  g_test_add_func ("/socks4/connect-by-name-and-user", test_connect_by_name_and_user);
  g_test_add_func ("/socks4/what-socks-cannot-say", test_what_socks_cannot_say);
  g_test_add_func ("/socks4/refusals", test_refusals);
  g_test_add_func ("/socks4/byte-by-byte-and-the-end-anywhere",
                   test_byte_by_byte_and_the_end_anywhere);
  g_test_add_func ("/socks4/output-waits-for-room", test_output_waits_for_room);
  g_test_add_func ("/socks4/longest-texts-fit", test_longest_texts_fit);
  return g_test_run ();
}
