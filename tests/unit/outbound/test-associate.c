/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UDP ASSOCIATE, and what is known of how a proxy carries UDP. */
#include "config.h"

#include "association-fixture.h"
#include "t2p-error.h"
#include "t2pw-udp-ways.h"

#include <string.h>
#include <unistd.h>

#define BYTES(text) text, sizeof (text) - 1
#define GREETING BYTES ("\x05\x01\x00")
#define METHOD BYTES ("\x05\x00")
#define REQUEST BYTES ("\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00")

/* What stands before each datagram to 192.0.2.1:53. */
#define HEADER "\x00\x00\x00\x01\xc0\x00\x02\x01\x00\x35"
#define HEADER_BYTES 10

typedef struct
{
  char reply[32];
  ServerStep steps[6];
} Script;

/* @address: the first bytes of a reply with the relay's address; its port follows. */
static ScriptedServer *
new_proxy (Script *script, const char *reply, gsize length, guint16 port, ServerVerb last)
{
  memcpy (script->reply, reply, length);
  script->reply[length] = (char) (port >> 8);
  script->reply[length + 1] = (char) (port & 0xff);
  script->steps[0] = (ServerStep){ SERVER_READ, GREETING };
  script->steps[1] = (ServerStep){ SERVER_SEND, METHOD };
  script->steps[2] = (ServerStep){ SERVER_READ, REQUEST };
  script->steps[3] = (ServerStep){ SERVER_SEND, script->reply, length + 2 };
  script->steps[4] = (ServerStep){ last, BYTES ("bye") };
  script->steps[5] = (ServerStep){ SERVER_END };
  return scripted_server_new (script->steps);
}

static ScriptedServer *
new_good_proxy (AssociationFixture *f, Script *script)
{
  return new_proxy (script, BYTES ("\x05\x00\x00\x01\x00\x00\x00\x00"), f->peer_port,
                    SERVER_STALL);
}

static void
assert_bytes (GBytes *bytes, const char *expected, gsize length)
{
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), expected, length);
}

static void
open_good (AssociationFixture *f, ScriptedServer *proxy)
{
  association_fixture_make (f, "socks5://127.0.0.1:%u", scripted_server_get_port (proxy));
  g_assert_cmpint (t2pw_outbound_get_udp_mode (f->outbound), ==, T2PW_UDP_UNKNOWN);
  g_assert_true (association_fixture_open (f));
  g_assert_no_error (f->error);
  g_assert_true (f->is_opened);
}

static void
test_there_and_back (AssociationFixture *f, gconstpointer data)
{
  Script script = { 0 };
  g_autoptr (ScriptedServer) proxy = new_good_proxy (f, &script);
  g_autoptr (GBytes) first = NULL;
  g_autoptr (GBytes) second = NULL;
  T2pIpEndpoint us, again;

  open_good (f, proxy);
  g_assert_true (association_fixture_send (f, "192.0.2.1:53", "hello"));
  g_assert_true (association_fixture_send (f, "example.org:443", "name"));
  first = association_fixture_peer_receive (f, &us);
  second = association_fixture_peer_receive (f, &again);
  assert_bytes (first, BYTES (HEADER "hello"));
  assert_bytes (second, BYTES ("\x00\x00\x00\x03\x0b"
                               "example.org\x01\xbb"
                               "name"));
  g_assert_true (t2p_ip_endpoint_equal (&us, &again)); /* one mapping for both */
  /* an answer from somebody else than was asked, one from a name, and nonsense */
  association_fixture_peer_send (f, f->peer, &us,
                                 BYTES ("\x00\x00\x00\x01\xc6\x33\x64\x07\x10\x00reply"));
  association_fixture_peer_send (f, f->peer, &us, BYTES ("\x00\x00\x01\x01\xc6\x33\x64\x07"));
  association_fixture_peer_send (f, f->peer, &us, BYTES ("\x00\x00\x00\x03\x01n\x00\x01named"));
  association_fixture_expect (f, 2);
  g_assert_cmpstr (f->received->pdata[0], ==, "198.51.100.7:4096 reply");
  g_assert_cmpstr (f->received->pdata[1], ==, "n:1 named");
  g_assert_cmpint (t2pw_outbound_get_udp_mode (f->outbound), ==, T2PW_UDP_ASSOCIATE);
  g_assert_cmpuint (f->n_told, ==, 1);
}

static void
test_only_the_relay_is_heard (AssociationFixture *f, gconstpointer data)
{
  Script script = { 0 };
  g_autoptr (ScriptedServer) proxy = new_good_proxy (f, &script);
  g_autoptr (GBytes) bytes = NULL;
  guint16 port;
  int stranger = association_fixture_new_peer (&port);
  T2pIpEndpoint us;

  open_good (f, proxy);
  association_fixture_send (f, "192.0.2.1:53", "hello");
  bytes = association_fixture_peer_receive (f, &us);
  association_fixture_peer_send (f, stranger, &us, BYTES (HEADER "forged"));
  association_fixture_peer_send (f, f->peer, &us, BYTES (HEADER "true"));
  association_fixture_expect (f, 1);
  g_assert_cmpstr (f->received->pdata[0], ==, "192.0.2.1:53 true");
  close (stranger);
}

/* Where the relay is said to be, and a proxy on loopback can be believed. */
static void
test_where_the_relay_is (AssociationFixture *f, gconstpointer data)
{
  static const struct
  {
    const char *reply;
    gsize length;
  } cases[] = {
    { BYTES ("\x05\x00\x00\x01\x7f\x00\x00\x01") },
    { BYTES (
        "\x05\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00") },
    { BYTES (
        "\x05\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x7f\x00\x00\x01") },
    { BYTES ("\x05\x00\x00\x03\x09"
             "127.0.0.1") },
    { BYTES ("\x05\x00\x00\x01\xe0\x00\x00\x01") }, /* nobody is a group of many */
    { BYTES ("\x05\x00\x00\x01\xff\xff\xff\xff") },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Script script = { 0 };
      g_autoptr (ScriptedServer) proxy =
          new_proxy (&script, cases[i].reply, cases[i].length, f->peer_port, SERVER_STALL);
      g_autoptr (GBytes) bytes = NULL;
      T2pIpEndpoint us;

      open_good (f, proxy);
      association_fixture_send (f, "192.0.2.1:53", "x");
      bytes = association_fixture_peer_receive (f, &us);
      assert_bytes (bytes, BYTES (HEADER "x"));
      t2pw_association_close (g_steal_pointer (&f->association));
      g_clear_pointer (&f->outbound, t2pw_outbound_free);
    }
}

static void
test_many_of_one_length (AssociationFixture *f, gconstpointer data)
{
  Script script = { 0 };
  g_autoptr (ScriptedServer) proxy = new_good_proxy (f, &script);
  T2pwDestination to = { .address = t2p_ip_address_from_v4 (0xc0000201), .port = 53 };
  T2pIpEndpoint us;

  open_good (f, proxy);
  g_assert_true (
      t2pw_association_send (f->association, &to, (const guint8 *) "aabbccddee!", 11, 2));
  g_assert_true (t2pw_association_send (f->association, &to, NULL, 0, 0));
  while (g_main_context_iteration (NULL, FALSE))
    ;
  for (guint i = 0; i < 7; i++)
    {
      static const char *const payloads[] = { "aa", "bb", "cc", "dd", "ee", "!", "" };
      g_autoptr (GBytes) bytes = association_fixture_peer_receive (f, &us);
      g_autofree char *payload =
          g_strndup ((const char *) g_bytes_get_data (bytes, NULL) + HEADER_BYTES,
                     g_bytes_get_size (bytes) - HEADER_BYTES);

      g_assert_cmpstr (payload, ==, payloads[i]);
    }
}

/* Together they are far more than one super-packet. */
static void
test_a_burst_is_whole_and_in_order (AssociationFixture *f, gconstpointer data)
{
  Script script = { 0 };
  g_autoptr (ScriptedServer) proxy = new_good_proxy (f, &script);
  T2pwDestination to = { .address = t2p_ip_address_from_v4 (0xc0000201), .port = 53 };
  g_autofree guint8 *payload = g_malloc0 (1200);
  T2pIpEndpoint us;

  open_good (f, proxy);
  for (guint round = 0; round < 10; round++)
    {
      for (guint8 i = 0; i < 10; i++)
        {
          payload[0] = i;
          g_assert_true (
              t2pw_association_send (f->association, &to, payload, i % 3 == 0 ? 1200 : 700, 0));
        }
      while (g_main_context_iteration (NULL, FALSE))
        ;
      for (guint8 i = 0; i < 10; i++)
        {
          g_autoptr (GBytes) bytes = association_fixture_peer_receive (f, &us);
          const guint8 *seen = g_bytes_get_data (bytes, NULL);

          g_assert_cmpuint (g_bytes_get_size (bytes), ==,
                            HEADER_BYTES + (i % 3 == 0 ? 1200 : 700));
          g_assert_cmpuint (seen[HEADER_BYTES], ==, i);
        }
    }
}

static void
test_too_big (AssociationFixture *f, gconstpointer data)
{
  Script script = { 0 };
  g_autoptr (ScriptedServer) proxy = new_good_proxy (f, &script);
  T2pwDestination to = { .address = t2p_ip_address_from_v4 (0xc0000201), .port = 53 };
  g_autofree guint8 *payload = g_malloc0 (65507);
  T2pIpEndpoint us;
  g_autoptr (GBytes) bytes = NULL;

  open_good (f, proxy);
  g_assert_false (t2pw_association_send (f->association, &to, payload, 65507, 0));
  g_assert_cmpuint (f->too_big_bytes, ==, 65507 - HEADER_BYTES);
  g_assert_true (t2pw_association_send (f->association, &to, payload, f->too_big_bytes, 0));
  while (g_main_context_iteration (NULL, FALSE))
    ;
  bytes = association_fixture_peer_receive (f, &us);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, 65507);
}

static void
test_ends_with_its_connection (AssociationFixture *f, gconstpointer data)
{
  Script script = { 0 };
  g_autoptr (ScriptedServer) proxy =
      new_proxy (&script, BYTES ("\x05\x00\x00\x01\x00\x00\x00\x00"), f->peer_port, SERVER_END);

  association_fixture_make (f, "socks5://127.0.0.1:%u", scripted_server_get_port (proxy));
  association_fixture_open (f);
  while (f->n_failed == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_FAILED);
  g_assert_cmpint (t2pw_outbound_get_udp_mode (f->outbound), ==, T2PW_UDP_ASSOCIATE);
}

/* The end comes together with what was said before it. */
static void
test_ends_with_the_reply (AssociationFixture *f, gconstpointer data)
{
  static const ServerVerb last[] = { SERVER_END, SERVER_SEND };

  for (guint i = 0; i < G_N_ELEMENTS (last); i++)
    {
      Script script = { 0 };
      g_autoptr (ScriptedServer) proxy = new_proxy (
          &script, BYTES ("\x05\x00\x00\x01\x00\x00\x00\x00"), f->peer_port, last[i]);

      association_fixture_make (f, "socks5://127.0.0.1:%u", scripted_server_get_port (proxy));
      f->n_failed = 0;
      association_fixture_begin (f);
      for (guint waited = 0; waited < 50 && f->n_failed == 0; waited++)
        {
          g_usleep (20000); /* the proxy is a thread of its own */
          while (g_main_context_iteration (NULL, FALSE))
            ;
        }
      g_assert_cmpuint (f->n_failed, ==, 1);
      g_assert_error (f->error, T2P_ERROR, T2P_ERROR_FAILED);
      g_clear_pointer (&f->outbound, t2pw_outbound_free);
    }
}

/* The relay is gone, and says so with an ICMP error. */
static void
test_ends_with_its_relay (AssociationFixture *f, gconstpointer data)
{
  Script script = { 0 };
  g_autoptr (ScriptedServer) proxy = new_good_proxy (f, &script);

  open_good (f, proxy);
  close (f->peer);
  f->peer = -1;
  association_fixture_send (f, "192.0.2.1:53", "hello");
  while (f->n_failed == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_FAILED);
}

/* So much in one turn that some leaves before its end, when the relay is gone. */
static void
test_does_not_end_while_it_sends (AssociationFixture *f, gconstpointer data)
{
  Script script = { 0 };
  g_autoptr (ScriptedServer) proxy = new_good_proxy (f, &script);
  T2pwDestination to = { .address = t2p_ip_address_from_v4 (0xc0000201), .port = 53 };
  g_autofree guint8 *payload = g_malloc0 (60000);

  open_good (f, proxy);
  close (f->peer);
  f->peer = -1;
  for (guint i = 0; i < 20; i++)
    {
      t2pw_association_send (f->association, &to, payload, 60000, 0);
      g_assert_cmpuint (f->n_failed, ==, 0);
    }
  while (f->n_failed == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_FAILED);
  g_assert_cmpuint (f->n_failed, ==, 1);
}

/* Many application sockets try, and it is asked and told once. */
static void
test_refused_once_is_refused_at_once (AssociationFixture *f, gconstpointer data)
{
  Script script = { 0 };
  g_autoptr (ScriptedServer) proxy =
      new_proxy (&script, BYTES ("\x05\x07\x00\x01\x00\x00\x00\x00"), 0, SERVER_END);

  association_fixture_make (f, "socks5://127.0.0.1:%u", scripted_server_get_port (proxy));
  g_assert_true (association_fixture_open (f));
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED);
  g_assert_cmpint (f->refusal, ==, T2P_REFUSAL_PORT_UNREACHABLE);
  g_assert_cmpint (t2pw_outbound_get_udp_mode (f->outbound), ==, T2PW_UDP_NONE);
  for (guint i = 0; i < 100; i++)
    g_assert_false (association_fixture_open (f));
  g_assert_cmpuint (scripted_server_get_n_connections (proxy), ==, 1);
  g_assert_cmpuint (f->n_told, ==, 1);
  g_assert_cmpint (f->told, ==, T2PW_UDP_NONE);
  t2pw_udp_ways_forget (f->outbound);
  g_assert_true (association_fixture_open (f));
  g_assert_cmpuint (scripted_server_get_n_connections (proxy), ==, 2);
  g_assert_cmpuint (f->n_told, ==, 1);
}

static void
test_unreached_shows_nothing (AssociationFixture *f, gconstpointer data)
{
  association_fixture_make (f, "socks5://127.0.0.1:1", 0);
  g_assert_true (association_fixture_open (f));
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
  g_assert_cmpint (t2pw_outbound_get_udp_mode (f->outbound), ==, T2PW_UDP_UNKNOWN);
  g_assert_cmpuint (f->n_told, ==, 0);
}

static void
test_which_ways_there_are (AssociationFixture *f, gconstpointer data)
{
  static const struct
  {
    const char *uri;
    gboolean has_gateway;
    T2pwUdpMode mode;
  } cases[] = {
    { "socks5://127.0.0.1:1", FALSE, T2PW_UDP_UNKNOWN },
    { "socks5://127.0.0.1:1?udp=udp-in-tcp", FALSE, T2PW_UDP_UNKNOWN },
    { "socks5://127.0.0.1:1?udp=udpgw", FALSE, T2PW_UDP_NONE },
    { "socks5://127.0.0.1:1?udp=reject", TRUE, T2PW_UDP_NONE },
    { "socks5+tls://127.0.0.1:1", FALSE, T2PW_UDP_NONE }, /* datagrams would be in the clear */
    { "socks5+tls://127.0.0.1:1", TRUE, T2PW_UDP_UNKNOWN },
    { "socks5+tls://127.0.0.1:1?udp=udp-in-tcp", FALSE, T2PW_UDP_UNKNOWN },
    { "socks5://127.0.0.1:1 | socks5://127.0.0.1:2", FALSE, T2PW_UDP_NONE },
    { "socks5://127.0.0.1:1 | socks5://127.0.0.1:2", TRUE, T2PW_UDP_UNKNOWN },
    { "socks5://unix:/nowhere", FALSE, T2PW_UDP_NONE },
    { "http://127.0.0.1:1", FALSE, T2PW_UDP_NONE },
    { "http://127.0.0.1:1", TRUE, T2PW_UDP_UNKNOWN },
    { "direct://", FALSE, T2PW_UDP_DIRECT },
    { "reject://", TRUE, T2PW_UDP_NONE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      f->context.udpgw = (T2pHostPort){ .name = "gateway", .port = 7300 };
      if (!cases[i].has_gateway)
        f->context.udpgw.port = 0;
      association_fixture_make (f, cases[i].uri, 0);
      g_test_message ("%s", cases[i].uri);
      g_assert_cmpint (t2pw_outbound_get_udp_mode (f->outbound), ==, cases[i].mode);
      if (cases[i].mode == T2PW_UDP_NONE)
        g_assert_false (association_fixture_open (f));
      g_clear_pointer (&f->outbound, t2pw_outbound_free);
    }
}

#define ADD(path, func)                                                                        \
  g_test_add (path, AssociationFixture, NULL, association_fixture_set_up, func,                \
              association_fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/associate/there-and-back", test_there_and_back);
  ADD ("/associate/only-the-relay-is-heard", test_only_the_relay_is_heard);
  ADD ("/associate/where-the-relay-is", test_where_the_relay_is);
  ADD ("/associate/many-of-one-length", test_many_of_one_length);
  ADD ("/associate/a-burst-is-whole-and-in-order", test_a_burst_is_whole_and_in_order);
  ADD ("/associate/too-big", test_too_big);
  ADD ("/associate/ends-with-its-connection", test_ends_with_its_connection);
  ADD ("/associate/ends-with-the-reply", test_ends_with_the_reply);
  ADD ("/associate/ends-with-its-relay", test_ends_with_its_relay);
  ADD ("/associate/does-not-end-while-it-sends", test_does_not_end_while_it_sends);
  ADD ("/associate/refused-once-is-refused-at-once", test_refused_once_is_refused_at_once);
  ADD ("/associate/unreached-shows-nothing", test_unreached_shows_nothing);
  ADD ("/associate/which-ways-there-are", test_which_ways_there_are);
  return g_test_run ();
}
