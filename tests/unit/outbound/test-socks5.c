/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fake-outbound.h"
#include "scripted-server.h"
#include "t2p-error.h"
#include "t2pw-socks5.h"
#include "t2pw-tcp-lower.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define GREETING "\x05\x01\x00"
#define GREETING_BOTH "\x05\x02\x00\x02"
#define REQUEST_NAME                                                                           \
  "\x05\x01\x00\x03\x0b"                                                                       \
  "example.org"                                                                                \
  "\x00\x50"
#define REPLY_OK "\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34"
#define STEP(verb, text, ...)                                                                  \
  {                                                                                            \
    verb, text, sizeof (text) - 1, ##__VA_ARGS__                                               \
  }

typedef struct
{
  T2pReactor *reactor;
  T2pwSocketPolicy policy;
  T2pwOutboundContext context;
  T2pwOutbound *outbound;
  T2pwCarrier *carrier;
  gboolean is_opened;
  gboolean is_over; /* opened or failed */
  guint n_asked;
  GError *error;
  T2pRefusal refusal;
  GString *received;
  gboolean at_end;
  gboolean is_reset;
} Fixture;

static void
opened_cb (T2pwCarrier *carrier, gpointer data)
{
  Fixture *f = data;

  f->carrier = carrier;
  f->is_opened = f->is_over = TRUE;
}

static void
failed_cb (T2pwCarrier *carrier, T2pRefusal refusal, const GError *error, gpointer data)
{
  Fixture *f = data;

  g_assert_true (carrier == f->carrier);
  f->carrier = NULL;
  f->is_over = TRUE;
  f->refusal = refusal;
  f->error = g_error_copy (error);
}

static void
drain (Fixture *f)
{
  char bytes[512];
  struct iovec iov = { bytes, sizeof bytes };
  gssize got;

  while ((got = t2pw_carrier_receive (f->carrier, &iov, 1)) > 0)
    g_string_append_len (f->received, bytes, got);
  if (got == 0)
    f->at_end = TRUE;
  else if (errno != EAGAIN)
    f->is_reset = TRUE;
}

static void
readable_cb (T2pwCarrier *carrier, gpointer data)
{
  drain (data);
}

static void
writable_cb (T2pwCarrier *carrier, gpointer data)
{
}

static void
asked_cb (T2pwCarrier *carrier, gboolean has_spoken, gpointer data)
{
  Fixture *f = data;

  g_assert_true (has_spoken);
  g_assert_false (f->is_over);
  f->n_asked++;
}

static const T2pwCarrierHandler handler = { opened_cb, failed_cb, readable_cb, writable_cb,
                                            asked_cb };

static T2pwOutbound *
new_outbound (Fixture *f, T2pEndpoint *endpoint)
{
  T2pwUpstream *upstream = t2pw_upstream_new (&f->context, endpoint);

  return t2pw_socks5_new (&f->context, endpoint, t2pw_tcp_lower_new (&f->context, upstream));
}

static void
open_to (Fixture *f, guint16 port, const char *userinfo, guint timeout_ms)
{
  g_autofree char *uri = g_strdup_printf ("socks5://%s127.0.0.1:%u", userinfo, port);
  g_autoptr (T2pEndpoint) endpoint = t2p_endpoint_parse (uri, NULL);
  T2pwDestination destination = { .name = "example.org", .port = 80 };

  f->context.connect_timeout_ms = timeout_ms;
  f->outbound = new_outbound (f, endpoint);
  f->carrier = t2pw_outbound_open (f->outbound, &destination, &handler, f);
  while (!f->is_over)
    g_main_context_iteration (NULL, TRUE);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->reactor = t2p_reactor_new (NULL, NULL);
  f->context = (T2pwOutboundContext){ .reactor = f->reactor, .policy = &f->policy };
  f->received = g_string_new (NULL);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  if (f->carrier != NULL)
    t2pw_carrier_close (f->carrier, FALSE);
  t2pw_outbound_free (f->outbound);
  g_clear_error (&f->error);
  g_string_free (f->received, TRUE);
  t2p_reactor_free (f->reactor);
}

static void
test_split_at_every_byte (Fixture *f, gconstpointer data)
{
  static const ServerStep script[] = { STEP (SERVER_READ, GREETING_BOTH),
                                       STEP (SERVER_SEND, "\x05\x02", 1),
                                       STEP (SERVER_READ, "\x01\x04"
                                                          "user"
                                                          "\x06"
                                                          "secret"),
                                       STEP (SERVER_SEND, "\x01\x00", 1),
                                       STEP (SERVER_READ, REQUEST_NAME),
                                       STEP (SERVER_SEND, REPLY_OK, 1),
                                       { SERVER_ECHO },
                                       { SERVER_END } };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);
  struct iovec iov = { (char *) "hello", 5 };

  open_to (f, scripted_server_get_port (server), "user:secret@", 5000);
  g_assert_no_error (f->error);
  g_assert_true (f->is_opened);
  g_assert_cmpuint (f->n_asked, ==, 1);
  g_assert_cmpstr (t2pw_outbound_get_auth (f->outbound), ==, "password");
  g_assert_cmpint (t2pw_carrier_send (f->carrier, &iov, 1), ==, 5);
  t2pw_carrier_shutdown (f->carrier);
  while (!f->at_end)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (f->received->str, ==, "hello");
}

static void
test_hands_over_what_follows_the_reply (Fixture *f, gconstpointer data)
{
  static const ServerStep script[] = { STEP (SERVER_READ, GREETING),
                                       STEP (SERVER_SEND, "\x05\x00"),
                                       STEP (SERVER_READ, REQUEST_NAME),
                                       STEP (SERVER_SEND, REPLY_OK "SSH-2.0-early"),
                                       { SERVER_END } };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);

  open_to (f, scripted_server_get_port (server), "", 5000);
  g_assert_true (f->is_opened);
  drain (f);
  while (!f->at_end)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (f->received->str, ==, "SSH-2.0-early");
}

typedef struct
{
  const char *name;
  const ServerStep script[6];
  int code;
  T2pRefusal refusal;
} Failure;

static const Failure failures[] = {
  { "refused-by-rule",
    { STEP (SERVER_READ, GREETING),
      STEP (SERVER_SEND, "\x05\x00"),
      STEP (SERVER_READ, REQUEST_NAME),
      STEP (SERVER_SEND, "\x05\x02\x00\x01\0\0\0\0\0\0"),
      { SERVER_END } },
    T2P_ERROR_FAILED,
    T2P_REFUSAL_ADMIN_PROHIBITED },
  { "host-unreachable",
    { STEP (SERVER_READ, GREETING),
      STEP (SERVER_SEND, "\x05\x00"),
      STEP (SERVER_READ, REQUEST_NAME),
      STEP (SERVER_SEND, "\x05\x04\x00\x01\0\0\0\0\0\0"),
      { SERVER_END } },
    T2P_ERROR_FAILED,
    T2P_REFUSAL_HOST_UNREACHABLE },
  { "connection-refused",
    { STEP (SERVER_READ, GREETING),
      STEP (SERVER_SEND, "\x05\x00"),
      STEP (SERVER_READ, REQUEST_NAME),
      STEP (SERVER_SEND, "\x05\x05\x00\x01\0\0\0\0\0\0"),
      { SERVER_END } },
    T2P_ERROR_FAILED,
    T2P_REFUSAL_RESET },
  { "demands-a-password",
    { STEP (SERVER_READ, GREETING), STEP (SERVER_SEND, "\x05\xff"), { SERVER_END } },
    T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
    T2P_REFUSAL_ADMIN_PROHIBITED },
  { "garbage",
    { STEP (SERVER_READ, GREETING),
      STEP (SERVER_SEND, "HTTP/1.0 400 Bad Request\r\n\r\n"),
      { SERVER_END } },
    T2P_ERROR_PROXY_PROTOCOL,
    T2P_REFUSAL_RESET },
  { "closes-after-greeting",
    { STEP (SERVER_READ, GREETING), { SERVER_END } },
    T2P_ERROR_PROXY_PROTOCOL,
    T2P_REFUSAL_RESET },
  { "hangs-up-on-the-request", /* as ssh -D does for a destination that it cannot reach */
    { STEP (SERVER_READ, GREETING),
      STEP (SERVER_SEND, "\x05\x00"),
      STEP (SERVER_READ, REQUEST_NAME),
      { SERVER_END } },
    T2P_ERROR_FAILED,
    T2P_REFUSAL_RESET },
  { "closes-in-the-reply",
    { STEP (SERVER_READ, GREETING),
      STEP (SERVER_SEND, "\x05\x00"),
      STEP (SERVER_READ, REQUEST_NAME),
      STEP (SERVER_SEND, "\x05\x00\x00\x01\x7f"),
      { SERVER_END } },
    T2P_ERROR_PROXY_PROTOCOL,
    T2P_REFUSAL_RESET },
  { "resets-after-greeting",
    { STEP (SERVER_READ, GREETING), { SERVER_RESET }, { SERVER_END } },
    T2P_ERROR_PROXY_PROTOCOL,
    T2P_REFUSAL_RESET },
  { "stalls-before-the-method",
    { { SERVER_STALL }, { SERVER_END } },
    T2P_ERROR_PROXY_UNREACHABLE,
    T2P_REFUSAL_NET_UNREACHABLE },
  { "stalls-behind-the-request",
    { STEP (SERVER_READ, GREETING),
      STEP (SERVER_SEND, "\x05\x00"),
      { SERVER_STALL },
      { SERVER_END } },
    T2P_ERROR_TIMED_OUT,
    T2P_REFUSAL_HOST_UNREACHABLE },
};

/* What is said of the destination comes behind the request; a proxy at fault never gets it. */
static guint
times_asked (int code)
{
  return code == T2P_ERROR_FAILED || code == T2P_ERROR_NOT_SUPPORTED ||
                 code == T2P_ERROR_TIMED_OUT
             ? 1
             : 0;
}

static void
test_failure (Fixture *f, gconstpointer data)
{
  const Failure *failure = data;
  g_autoptr (ScriptedServer) server = scripted_server_new (failure->script);

  open_to (f, scripted_server_get_port (server), "", 300);
  g_assert_false (f->is_opened);
  g_assert_error (f->error, T2P_ERROR, failure->code);
  g_assert_cmpint (f->refusal, ==, failure->refusal);
  if (failure->code != T2P_ERROR_PROXY_PROTOCOL) /* nonsense may come at any time */
    g_assert_cmpuint (f->n_asked, ==, times_asked (failure->code));
}

static void
test_wrong_password_is_never_shown (Fixture *f, gconstpointer data)
{
  static const ServerStep script[] = { STEP (SERVER_READ, GREETING_BOTH),
                                       STEP (SERVER_SEND, "\x05\x02"),
                                       { SERVER_READ, NULL, 13 },
                                       STEP (SERVER_SEND, "\x01\x01"),
                                       { SERVER_END } };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);

  open_to (f, scripted_server_get_port (server), "user:s3cr3t@", 5000);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED);
  g_assert_null (strstr (f->error->message, "s3cr3t"));
  g_assert_null (strstr (f->error->message, "user:"));
}

static void
test_nobody_listens (Fixture *f, gconstpointer data)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t length = sizeof address;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  /* bound and not listening: nobody else can take the port meanwhile */
  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, length), ==, 0);
  g_assert_cmpint (getsockname (fd, (struct sockaddr *) &address, &length), ==, 0);
  open_to (f, ntohs (address.sin_port), "", 5000);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
  g_assert_cmpint (f->refusal, ==, T2P_REFUSAL_NET_UNREACHABLE);
  close (fd);
}

static void
test_closed_while_it_dials (Fixture *f, gconstpointer data)
{
  static const ServerStep script[] = { { SERVER_STALL }, { SERVER_END } };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);
  T2pwDestination destination = { .name = "example.org", .port = 80 };
  g_autofree char *uri =
      g_strdup_printf ("socks5://127.0.0.1:%u", scripted_server_get_port (server));
  g_autoptr (T2pEndpoint) endpoint = t2p_endpoint_parse (uri, NULL);

  f->context.connect_timeout_ms = 1000;
  f->outbound = new_outbound (f, endpoint);
  for (guint turns = 0; turns < 4; turns++)
    {
      f->carrier = t2pw_outbound_open (f->outbound, &destination, &handler, f);
      for (guint i = 0; i < turns; i++)
        g_main_context_iteration (NULL, FALSE);
      t2pw_carrier_close (g_steal_pointer (&f->carrier), TRUE);
    }
  g_assert_false (f->is_over);
}

/* What connects to the proxy may have a ticket, a name and other proxies to wait for. */
static void
test_lower_that_takes_too_long (Fixture *f, gconstpointer data)
{
  T2pwDestination destination = { .name = "example.org", .port = 80 };
  g_autoptr (T2pEndpoint) endpoint = t2p_endpoint_parse ("socks5://127.0.0.1", NULL);
  FakeOutbound *lower = fake_outbound_new ("lower");

  f->context.connect_timeout_ms = 20;
  f->outbound = t2pw_socks5_new (&f->context, endpoint, &lower->base);
  f->carrier = t2pw_outbound_open (f->outbound, &destination, &handler, f);
  while (!f->is_over)
    g_main_context_iteration (NULL, TRUE);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
  g_assert_cmpuint (lower->n_closed, ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)
  ADD ("/socks5/split-at-every-byte-opens", test_split_at_every_byte);
  ADD ("/socks5/bytes-behind-the-reply-are-handed-over",
       test_hands_over_what_follows_the_reply);
  ADD ("/socks5/wrong-password-is-never-shown", test_wrong_password_is_never_shown);
  ADD ("/socks5/nobody-listens-is-unreachable", test_nobody_listens);
  ADD ("/socks5/a-lower-that-takes-too-long-is-given-up", test_lower_that_takes_too_long);
  ADD ("/socks5/closed-while-it-dials-calls-nobody", test_closed_while_it_dials);
  for (guint i = 0; i < G_N_ELEMENTS (failures); i++)
    {
      g_autofree char *path = g_strdup_printf ("/socks5/fails/%s", failures[i].name);

      g_test_add (path, Fixture, &failures[i], set_up, test_failure, tear_down);
    }
  return g_test_run ();
}
