/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "proxy-fixture.h"
#include "t2p-error.h"

#define BY_NAME                                                                                \
  "\x04\x01\x00\x50\x00\x00\x00\x01\x00"                                                       \
  "example.org\x00"
#define BY_ADDRESS                                                                             \
  "\x04\x01\x00\x50\xc0\x00\x02\x07"                                                           \
  "user\x00"
#define GRANTED "\x00\x5a\x00\x00\x00\x00\x00\x00"

static const T2pwDestination by_name = { .name = "example.org", .port = 80 };

static T2pwDestination
by_address (void)
{
  return (T2pwDestination){ .address = t2p_ip_address_from_v4 (0xc0000207), .port = 80 };
}

static void
test_a_name_by_socks4a (ProxyFixture *f, gconstpointer data)
{
  static const ServerStep script[] = { STEP (SERVER_READ, BY_NAME),
                                       STEP (SERVER_SEND, GRANTED "early", 1),
                                       { SERVER_END } };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);

  proxy_fixture_make (f, "socks4a://127.0.0.1:%u", server, 5000);
  proxy_fixture_open (f, &by_name);
  g_assert_no_error (f->error);
  g_assert_cmpstr (t2pw_outbound_get_auth (f->outbound), ==, "none");
  proxy_fixture_drain (f);
  g_assert_cmpstr (f->received->str, ==, "early");
}

static void
test_an_address_and_who_we_are (ProxyFixture *f, gconstpointer data)
{
  static const ServerStep script[] = { STEP (SERVER_READ, BY_ADDRESS),
                                       STEP (SERVER_SEND, GRANTED "early"),
                                       { SERVER_END } };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);
  T2pwDestination destination = by_address ();

  proxy_fixture_make (f, "socks4://user@127.0.0.1:%u", server, 5000);
  proxy_fixture_open (f, &destination);
  g_assert_no_error (f->error);
  proxy_fixture_drain (f);
  g_assert_cmpstr (f->received->str, ==, "early");
}

static void
test_no_name_by_plain_socks4 (ProxyFixture *f, gconstpointer data)
{
  static const ServerStep script[] = { { SERVER_STALL }, { SERVER_END } };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);

  proxy_fixture_make (f, "socks4://127.0.0.1:%u", server, 5000);
  proxy_fixture_open (f, &by_name);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED);
  g_assert_nonnull (strstr (f->error->message, "socks4a"));
  g_assert_cmpint (f->refusal, ==, T2P_REFUSAL_HOST_UNREACHABLE);
  g_assert_cmpuint (scripted_server_get_n_connections (server), ==, 0);
}

typedef struct
{
  const char *name;
  const ServerStep script[5];
  int code;
  T2pRefusal refusal;
} Failure;

static const Failure failures[] = {
  { "rejected",
    { STEP (SERVER_READ, BY_ADDRESS),
      STEP (SERVER_SEND, "\x00\x5b\x00\x00\x00\x00\x00\x00"),
      { SERVER_END } },
    T2P_ERROR_FAILED,
    T2P_REFUSAL_RESET },
  { "other-user",
    { STEP (SERVER_READ, BY_ADDRESS), STEP (SERVER_SEND, "\x00\x5d"), { SERVER_END } },
    T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
    T2P_REFUSAL_ADMIN_PROHIBITED },
  { "garbage",
    { STEP (SERVER_READ, BY_ADDRESS), STEP (SERVER_SEND, "HTTP/1.0 400"), { SERVER_END } },
    T2P_ERROR_PROXY_PROTOCOL,
    T2P_REFUSAL_RESET },
  { "closes-in-the-reply",
    { STEP (SERVER_READ, BY_ADDRESS), STEP (SERVER_SEND, "\x00\x5a\x00"), { SERVER_END } },
    T2P_ERROR_PROXY_PROTOCOL,
    T2P_REFUSAL_RESET },
  { "stalls-in-the-reply",
    { STEP (SERVER_READ, BY_ADDRESS),
      STEP (SERVER_SEND, "\x00\x5a"),
      { SERVER_STALL },
      { SERVER_END } },
    T2P_ERROR_TIMED_OUT,
    T2P_REFUSAL_HOST_UNREACHABLE },
};

static void
test_failure (ProxyFixture *f, gconstpointer data)
{
  const Failure *failure = data;
  g_autoptr (ScriptedServer) server = scripted_server_new (failure->script);
  T2pwDestination destination = by_address ();

  proxy_fixture_make (f, "socks4://user@127.0.0.1:%u", server, 300);
  proxy_fixture_open (f, &destination);
  g_assert_error (f->error, T2P_ERROR, failure->code);
  g_assert_cmpint (f->refusal, ==, failure->refusal);
}

/* As ssh -D does, once it is known to be a proxy. */
static void
test_hangs_up_on_the_request (ProxyFixture *f, gconstpointer data)
{
  static const ServerStep script[] = { STEP (SERVER_READ, BY_NAME),
                                       { SERVER_NEXT },
                                       STEP (SERVER_READ, BY_NAME),
                                       STEP (SERVER_SEND, GRANTED),
                                       { SERVER_NEXT },
                                       STEP (SERVER_READ, BY_NAME),
                                       { SERVER_END } };
  static const int codes[] = { T2P_ERROR_PROXY_PROTOCOL, -1, T2P_ERROR_FAILED };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);

  proxy_fixture_make (f, "socks4a://127.0.0.1:%u", server, 5000);
  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      proxy_fixture_open (f, &by_name);
      if (codes[i] >= 0)
        g_assert_error (f->error, T2P_ERROR, codes[i]);
      else
        g_assert_no_error (f->error);
      proxy_fixture_close (f);
    }
  g_assert_cmpint (f->refusal, ==, T2P_REFUSAL_RESET);
}

/* A check asks for what the protocol can say. */
static void
test_harmless_destinations (void)
{
  T2pIpAddress addresses[2];
  static const struct
  {
    const char *uri;
    const char *name;
    const char *address;
    guint n_addresses; /* of those that are known */
  } cases[] = {
    { "socks4://proxy.example", NULL, "127.0.0.1" },
    { "socks4://proxy.example", NULL, "192.0.2.9", 2 },
    { "socks4://proxy.example", NULL, "127.0.0.1", 1 },
    { "socks5://proxy.example | socks4://other.example", NULL, "127.0.0.1", 2 },
    { "socks4a://proxy.example", "proxy.example", NULL, 2 },
    { "socks4a://[2001:db8::1]", "2001:db8::1", NULL },
    { "socks4://192.0.2.1", NULL, "192.0.2.1" },
    { "socks4://[2001:db8::1]", NULL, "127.0.0.1" },
    { "http://[2001:db8::1]", NULL, "127.0.0.1" },
    { "https://proxy.example", NULL, "127.0.0.1" },
    { "socks5://[2001:db8::1]", NULL, "2001:db8::1" },
    { "socks5://proxy.example", "proxy.example", NULL },
  };

  t2p_ip_address_parse ("2001:db8::9", &addresses[0]);
  t2p_ip_address_parse ("192.0.2.9", &addresses[1]);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (T2pEndpoint) endpoint = t2p_endpoint_parse (cases[i].uri, NULL);
      T2pwDestination destination;
      char address[T2P_IP_STRLEN];

      t2pw_harmless_destination (endpoint, addresses, cases[i].n_addresses, &destination);
      g_assert_cmpstr (destination.name, ==, cases[i].name);
      if (cases[i].address == NULL)
        continue;
      t2p_ip_address_format (&destination.address, address);
      g_assert_cmpstr (address, ==, cases[i].address);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func)                                                                        \
  g_test_add ("/socks4/" name, ProxyFixture, NULL, proxy_fixture_set_up, func,                 \
              proxy_fixture_tear_down)
  ADD ("a-name-by-socks4a", test_a_name_by_socks4a);
  ADD ("an-address-and-who-we-are", test_an_address_and_who_we_are);
  ADD ("no-name-by-plain-socks4", test_no_name_by_plain_socks4);
  ADD ("hangs-up-on-the-request", test_hangs_up_on_the_request);
  for (guint i = 0; i < G_N_ELEMENTS (failures); i++)
    {
      g_autofree char *path = g_strconcat ("/socks4/failure/", failures[i].name, NULL);

      g_test_add (path, ProxyFixture, &failures[i], proxy_fixture_set_up, test_failure,
                  proxy_fixture_tear_down);
    }
  g_test_add_func ("/socks4/harmless-destinations", test_harmless_destinations);
  return g_test_run ();
}
