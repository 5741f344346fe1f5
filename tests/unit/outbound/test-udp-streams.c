/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Datagrams in streams (udp-in-tcp, udpgw), and by no proxy at all. */
#include "config.h"

#include "association-fixture.h"
#include "t2p-error.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define BYTES(text) text, sizeof (text) - 1
#define STEP(verb, text, ...)                                                                  \
  {                                                                                            \
    verb, BYTES (text), ##__VA_ARGS__                                                          \
  }
#define GREETING "\x05\x01\x00"
#define METHOD "\x05\x00"
#define REPLY "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
#define FORWARD "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"
#define CONNECT                                                                                \
  "\x05\x01\x00\x03\x07"                                                                       \
  "gateway\x1c\x84"

static void
open_by (AssociationFixture *f,
         const char *uri,
         const ServerStep *script,
         ScriptedServer **out_server)
{
  *out_server = scripted_server_new (script);
  association_fixture_make (f, uri, scripted_server_get_port (*out_server));
  g_assert_true (association_fixture_open (f));
}

static void
wait_for_failure (AssociationFixture *f)
{
  while (f->n_failed == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_FAILED);
}

/* --- in the stream of SOCKS 5 */

static void
test_in_tcp_there_and_back (AssociationFixture *f, gconstpointer data)
{
  static const ServerStep script[] = {
    STEP (SERVER_READ, GREETING),
    STEP (SERVER_SEND, METHOD),
    STEP (SERVER_READ, FORWARD),
    STEP (SERVER_SEND, REPLY),
    STEP (SERVER_READ, "\x00\x05\x0a\x01\xc0\x00\x02\x01\x00\x35hello"
                       "\x00\x04\x0a\x03\x03two\x00\x07name"),
    STEP (SERVER_SEND,
          "\x00\x05\x0a\x01\xc6\x33\x64\x07\x10\x00reply"
          "\x00\x01\x0a\x03\x03two\x00\x07!",
          1),
    { SERVER_STALL },
    { SERVER_END },
  };
  g_autoptr (ScriptedServer) server = NULL;

  open_by (f, "socks5://127.0.0.1:%u?udp=udp-in-tcp", script, &server);
  g_assert_no_error (f->error);
  g_assert_true (association_fixture_send (f, "192.0.2.1:53", "hello"));
  g_assert_true (association_fixture_send (f, "two:7", "name"));
  association_fixture_expect (f, 2);
  g_assert_cmpstr (f->received->pdata[0], ==, "198.51.100.7:4096 reply");
  g_assert_cmpstr (f->received->pdata[1], ==, "two:7 !");
  g_assert_cmpint (t2pw_outbound_get_udp_mode (f->outbound), ==, T2PW_UDP_IN_TCP);
}

static void
test_in_tcp_limits (AssociationFixture *f, gconstpointer data)
{
  static const ServerStep script[] = {
    STEP (SERVER_READ, GREETING), STEP (SERVER_SEND, METHOD), STEP (SERVER_READ, FORWARD),
    STEP (SERVER_SEND, REPLY),    { SERVER_STALL },           { SERVER_END },
  };
  T2pwDestination to = { .address = t2p_ip_address_from_v4 (0xc0000201), .port = 53 };
  g_autofree guint8 *payload = g_malloc0 (1501);
  g_autoptr (ScriptedServer) server = NULL;
  guint n_sent = 0;

  open_by (f, "socks5://127.0.0.1:%u?udp=udp-in-tcp", script, &server);
  g_assert_false (t2pw_association_send (f->association, &to, payload, 1501, 0));
  g_assert_cmpuint (f->too_big_bytes, ==, 1500);
  g_assert_false (t2pw_association_send (f->association, &to, payload, 0, 0));
  /* nobody reads: what is sent is bounded, and the newest are dropped */
  while (n_sent < 20000 && t2pw_association_send (f->association, &to, payload, 1500, 0))
    n_sent++;
  g_assert_cmpuint (n_sent, >, 100);
  g_assert_cmpuint (n_sent, <, 200);
}

static void
test_in_tcp_nonsense_ends_it (AssociationFixture *f, gconstpointer data)
{
  static const ServerStep script[] = {
    STEP (SERVER_READ, GREETING),
    STEP (SERVER_SEND, METHOD),
    STEP (SERVER_READ, FORWARD),
    STEP (SERVER_SEND, REPLY),
    STEP (SERVER_SEND, "\x00\x01\x02"),
    { SERVER_STALL },
    { SERVER_END },
  };
  g_autoptr (ScriptedServer) server = NULL;

  open_by (f, "socks5://127.0.0.1:%u?udp=udp-in-tcp", script, &server);
  wait_for_failure (f);
}

/* --- by a gateway */

static void
test_gateway_there_and_back (AssociationFixture *f, gconstpointer data)
{
  static const ServerStep script[] = {
    STEP (SERVER_READ, GREETING),
    STEP (SERVER_SEND, METHOD),
    STEP (SERVER_READ, CONNECT),
    STEP (SERVER_SEND, REPLY),
    STEP (SERVER_READ, "\x0e\x00\x02\x00\x00\xc0\x00\x02\x01\x00\x35hello"
                       "\x0d\x00\x00\x00\x00\xc0\x00\x02\x01\x00\x35more"
                       "\x0c\x00\x02\x01\x00\xc0\x00\x02\x02\x00\x35two"),
    /* the second number, the first, one that was never given, one with another far end */
    STEP (SERVER_SEND,
          "\x0a\x00\x00\x01\x00\xc0\x00\x02\x02\x00\x35"
          "b"
          "\x0a\x00\x00\x00\x00\xc0\x00\x02\x01\x00\x35"
          "a"
          "\x0a\x00\x00\x07\x00\xc0\x00\x02\x01\x00\x35"
          "x"
          "\x0a\x00\x00\x00\x00\xc0\x00\x02\x09\x00\x35"
          "y"
          "\x03\x00\x01\x00\x00"
          "\x0a\x00\x00\x00\x00\xc0\x00\x02\x01\x00\x35"
          "c",
          1),
    { SERVER_STALL },
    { SERVER_END },
  };
  g_autoptr (ScriptedServer) server = NULL;

  f->context.udpgw = (T2pHostPort){ .name = "gateway", .port = 7300 };
  open_by (f, "socks5://127.0.0.1:%u?udp=udpgw", script, &server);
  g_assert_no_error (f->error);
  g_assert_true (association_fixture_send (f, "192.0.2.1:53", "hello"));
  g_assert_true (association_fixture_send (f, "192.0.2.1:53", "more"));
  g_assert_true (association_fixture_send (f, "192.0.2.2:53", "two"));
  association_fixture_expect (f, 3);
  g_assert_cmpstr (f->received->pdata[0], ==, "192.0.2.2:53 b");
  g_assert_cmpstr (f->received->pdata[1], ==, "192.0.2.1:53 a");
  g_assert_cmpstr (f->received->pdata[2], ==, "192.0.2.1:53 c");
  g_assert_cmpint (t2pw_outbound_get_udp_mode (f->outbound), ==, T2PW_UDP_UDPGW);
}

/* More far ends than numbers: the longest silent gives its own away, and its answers are none
 * of the next one's. */
static void
test_gateway_numbers_are_reused (AssociationFixture *f, gconstpointer data)
{
  enum
  {
    N = 256,
    FRAME = 2 + 3 + 6 + 1,
    PIECE = (N + 1) * FRAME / 4
  };
  g_autofree char *expected = g_malloc ((N + 1) * FRAME);
  static const char late[] = "\x0a\x00\x00\x00\x00\x0a\x00\x00\x00\x00\x35"
                             "l"
                             "\x0a\x00\x00\x00\x00\x0a\x00\x01\x00\x00\x35"
                             "n";
  ServerStep script[] = {
    STEP (SERVER_READ, GREETING),
    STEP (SERVER_SEND, METHOD),
    STEP (SERVER_READ, CONNECT),
    STEP (SERVER_SEND, REPLY),
    { SERVER_READ, expected, PIECE },
    { SERVER_READ, expected + PIECE, PIECE },
    { SERVER_READ, expected + 2 * PIECE, PIECE },
    { SERVER_READ, expected + 3 * PIECE, PIECE },
    STEP (SERVER_SEND, late),
    { SERVER_STALL },
    { SERVER_END },
  };
  g_autoptr (ScriptedServer) server = NULL;

  for (guint i = 0; i <= N; i++)
    {
      char *frame = expected + i * FRAME;

      memcpy (frame, "\x0a\x00\x02\x00\x00\x0a\x00\x00\x00\x00\x35x", FRAME);
      frame[3] = (char) (i % N);
      frame[7] = (char) (i / 256);
      frame[8] = (char) (i % 256);
    }
  f->context.udpgw = (T2pHostPort){ .name = "gateway", .port = 7300 };
  open_by (f, "socks5://127.0.0.1:%u?udp=udpgw", script, &server);
  for (guint i = 0; i <= N; i++)
    {
      g_autofree char *to = g_strdup_printf ("10.0.%u.%u:53", i / 256, i % 256);

      g_assert_true (association_fixture_send (f, to, "x"));
    }
  association_fixture_expect (f, 1);
  g_assert_cmpstr (f->received->pdata[0], ==, "10.0.1.0:53 n");
}

/* A name is asked of a name server by the same way, and answers come from the name. */
static void
test_gateway_looks_names_up (AssociationFixture *f, gconstpointer data)
{
  static const ServerStep refused[] = {
    STEP (SERVER_READ, GREETING),
    STEP (SERVER_SEND, METHOD),
    STEP (SERVER_READ, CONNECT),
    STEP (SERVER_SEND, REPLY),
    { SERVER_READ, NULL, 2 + 3 + 6 + 12 },
    { SERVER_STALL },
    { SERVER_END },
  };
  g_autoptr (ScriptedServer) server = NULL;

  f->context.udpgw = (T2pHostPort){ .name = "gateway", .port = 7300 };
  open_by (f, "socks5://127.0.0.1:%u?udp=udpgw", refused, &server);
  g_assert_false (association_fixture_send (f, "example.org:53", "x")); /* no server is known */
  f->context.udpgw_resolver = (T2pIpEndpoint){ t2p_ip_address_from_v4 (0x01010101), 53 };
  g_assert_true (association_fixture_send (f, "example.org:53", "x"));
  for (guint i = 0; i < 15; i++)
    g_assert_true (association_fixture_send (f, "example.org:53", "x"));
  g_assert_false (association_fixture_send (f, "example.org:53", "one too many"));
}

static void
test_gateway_hangs_up (AssociationFixture *f, gconstpointer data)
{
  static const ServerStep script[] = {
    STEP (SERVER_READ, GREETING),         STEP (SERVER_SEND, METHOD),
    STEP (SERVER_READ, CONNECT),          STEP (SERVER_SEND, REPLY),
    { SERVER_READ, NULL, 2 + 3 + 6 + 1 }, { SERVER_END },
  };
  g_autoptr (ScriptedServer) server = NULL;

  f->context.udpgw = (T2pHostPort){ .name = "gateway", .port = 7300 };
  open_by (f, "socks5://127.0.0.1:%u?udp=udpgw", script, &server);
  g_assert_no_error (f->error);
  association_fixture_send (f, "192.0.2.1:53", "x");
  wait_for_failure (f);
  /* and comes back */
  g_assert_true (association_fixture_open (f));
  g_assert_true (f->is_opened);
}

static void
test_gateway_is_not_there (AssociationFixture *f, gconstpointer data)
{
  static const ServerStep script[] = {
    STEP (SERVER_READ, GREETING),
    STEP (SERVER_SEND, METHOD),
    STEP (SERVER_READ, CONNECT),
    STEP (SERVER_SEND, "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"),
    { SERVER_END },
  };
  g_autoptr (ScriptedServer) server = NULL;

  f->context.udpgw = (T2pHostPort){ .name = "gateway", .port = 7300 };
  open_by (f, "socks5://127.0.0.1:%u?udp=udpgw", script, &server);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED);
  g_assert_false (association_fixture_open (f));
}

/* --- by no proxy */

static void
test_direct_is_full_cone (AssociationFixture *f, gconstpointer data)
{
  g_autofree char *to = g_strdup_printf ("127.0.0.1:%u", f->peer_port);
  g_autofree char *expected = NULL;
  g_autoptr (GBytes) bytes = NULL;
  guint16 port;
  int stranger = association_fixture_new_peer (&port);
  T2pIpEndpoint us;

  association_fixture_make (f, "direct://", 0);
  g_assert_true (association_fixture_open (f));
  g_assert_true (association_fixture_send (f, to, "hello"));
  bytes = association_fixture_peer_receive (f, &us);
  us.address = t2p_ip_address_from_v4 (INADDR_LOOPBACK);
  association_fixture_peer_send (f, stranger, &us, BYTES ("from elsewhere"));
  association_fixture_expect (f, 1);
  expected = g_strdup_printf ("127.0.0.1:%u from elsewhere", port);
  g_assert_cmpstr (f->received->pdata[0], ==, expected);
  close (stranger);
}

static void
test_direct_names (AssociationFixture *f, gconstpointer data)
{
  g_autofree char *to = g_strdup_printf ("localhost:%u", f->peer_port);
  g_autofree char *expected = g_strdup_printf ("localhost:%u back", f->peer_port);
  T2pIpEndpoint us;

  f->context.names = t2pw_names_new (f->reactor, &f->policy);
  association_fixture_make (f, "direct://", 0);
  g_assert_true (association_fixture_open (f));
  g_assert_true (association_fixture_send (f, to, "hello"));
  g_assert_true (association_fixture_send (f, to, "again"));
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GBytes) bytes = NULL;

      g_main_context_iteration (NULL, FALSE);
      bytes = association_fixture_peer_receive (f, &us);
      g_assert_cmpuint (g_bytes_get_size (bytes), ==, 5);
    }
  association_fixture_peer_send (f, f->peer, &us, BYTES ("back"));
  association_fixture_expect (f, 1);
  g_assert_cmpstr (f->received->pdata[0], ==, expected);
}

static void
test_direct_not_to_everything (AssociationFixture *f, gconstpointer data)
{
  f->policy.refuses_foreign = TRUE;
  association_fixture_make (f, "direct://", 0);
  g_assert_true (association_fixture_open (f));
  g_assert_false (association_fixture_send (f, "169.254.169.254:80", "secret?"));
}

#define ADD(path, func)                                                                        \
  g_test_add (path, AssociationFixture, NULL, association_fixture_set_up, func,                \
              association_fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/udp-in-tcp/there-and-back", test_in_tcp_there_and_back);
  ADD ("/udp-in-tcp/limits", test_in_tcp_limits);
  ADD ("/udp-in-tcp/nonsense-ends-it", test_in_tcp_nonsense_ends_it);
  ADD ("/udpgw/there-and-back", test_gateway_there_and_back);
  ADD ("/udpgw/numbers-are-reused", test_gateway_numbers_are_reused);
  ADD ("/udpgw/looks-names-up", test_gateway_looks_names_up);
  ADD ("/udpgw/hangs-up", test_gateway_hangs_up);
  ADD ("/udpgw/is-not-there", test_gateway_is_not_there);
  ADD ("/direct/is-full-cone", test_direct_is_full_cone);
  ADD ("/direct/names", test_direct_names);
  ADD ("/direct/not-to-everything", test_direct_not_to_everything);
  return g_test_run ();
}
