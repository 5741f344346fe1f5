/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "proxy-fixture.h"
#include "t2p-error.h"

#define HEAD "CONNECT example.org:80 HTTP/1.1\r\nHost: example.org:80\r\n"
#define ANONYMOUS HEAD "\r\n"
#define BASIC HEAD "Proxy-Authorization: Basic dXNlcjpzM2NyM3Q=\r\n\r\n"
#define OPENED "HTTP/1.1 200 OK\r\n\r\n"
#define DENIED                                                                                 \
  "HTTP/1.1 407 Denied\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"                           \
  "Content-Length: 5\r\n"
#define DENIED_KEPT DENIED "\r\nhello"
#define DENIED_CLOSED DENIED "Connection: close\r\n\r\nhello"

static const T2pwDestination by_name = { .name = "example.org", .port = 80 };

static void
test_split_at_every_byte (ProxyFixture *f, gconstpointer data)
{
  static const ServerStep script[] = { STEP (SERVER_READ, ANONYMOUS),
                                       STEP (SERVER_SEND, OPENED "SSH-2.0-early", 1),
                                       { SERVER_END } };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);

  proxy_fixture_make (f, "http://127.0.0.1:%u", server, 5000);
  g_assert_cmpstr (t2pw_outbound_get_auth (f->outbound), ==, "");
  proxy_fixture_open (f, &by_name);
  g_assert_no_error (f->error);
  g_assert_cmpstr (t2pw_outbound_get_auth (f->outbound), ==, "none");
  proxy_fixture_drain (f);
  g_assert_cmpstr (f->received->str, ==, "SSH-2.0-early");
}

/* Twice: the second connection is not asked any more. */
static void
log_in_twice (ProxyFixture *f, const ServerStep *script, guint n_connections)
{
  g_autoptr (ScriptedServer) server = scripted_server_new (script);

  proxy_fixture_make (f, "http://user:s3cr3t@127.0.0.1:%u", server, 5000);
  for (guint i = 0; i < 2; i++)
    {
      proxy_fixture_open (f, &by_name);
      g_assert_no_error (f->error);
      g_assert_cmpstr (t2pw_outbound_get_auth (f->outbound), ==, "basic");
      proxy_fixture_close (f);
    }
  g_assert_cmpuint (scripted_server_get_n_connections (server), ==, n_connections);
}

static void
test_challenge_on_a_kept_connection (ProxyFixture *f, gconstpointer data)
{
  static const ServerStep script[] = { STEP (SERVER_READ, ANONYMOUS),
                                       STEP (SERVER_SEND, DENIED_KEPT, 1),
                                       STEP (SERVER_READ, BASIC),
                                       STEP (SERVER_SEND, OPENED, 1),
                                       { SERVER_NEXT },
                                       STEP (SERVER_READ, BASIC),
                                       STEP (SERVER_SEND, OPENED),
                                       { SERVER_END } };

  log_in_twice (f, script, 2);
}

static void
test_challenge_and_a_new_connection (ProxyFixture *f, gconstpointer data)
{
  static const ServerStep script[] = {
    STEP (SERVER_READ, ANONYMOUS), STEP (SERVER_SEND, DENIED_CLOSED, 1), { SERVER_NEXT },
    STEP (SERVER_READ, BASIC),     STEP (SERVER_SEND, OPENED, 1),        { SERVER_NEXT },
    STEP (SERVER_READ, BASIC),     STEP (SERVER_SEND, OPENED),           { SERVER_END }
  };

  log_in_twice (f, script, 3);
}

/* It says nothing about the connection, and hangs up within the page. */
static void
test_challenge_and_hanging_up (ProxyFixture *f, gconstpointer data)
{
  static const ServerStep script[] = {
    STEP (SERVER_READ, ANONYMOUS), STEP (SERVER_SEND, DENIED "\r\nhel"), { SERVER_NEXT },
    STEP (SERVER_READ, BASIC),     STEP (SERVER_SEND, OPENED),           { SERVER_NEXT },
    STEP (SERVER_READ, BASIC),     STEP (SERVER_SEND, OPENED),           { SERVER_END }
  };

  log_in_twice (f, script, 3);
}

static void
test_basic_that_was_set_is_said_at_once (ProxyFixture *f, gconstpointer data)
{
  static const ServerStep script[] = { STEP (SERVER_READ, BASIC),
                                       STEP (SERVER_SEND, OPENED),
                                       { SERVER_END } };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);

  proxy_fixture_make (f, "http://user:s3cr3t@127.0.0.1:%u?auth=basic", server, 5000);
  proxy_fixture_open (f, &by_name);
  g_assert_no_error (f->error);
}

/* No password in the clear for a proxy that offers nothing else. */
static void
test_digest_that_was_set_is_no_basic (ProxyFixture *f, gconstpointer data)
{
  static const ServerStep script[] = { STEP (SERVER_READ, ANONYMOUS),
                                       STEP (SERVER_SEND, DENIED_KEPT),
                                       { SERVER_STALL },
                                       { SERVER_END } };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);

  proxy_fixture_make (f, "http://user:s3cr3t@127.0.0.1:%u?auth=digest", server, 5000);
  proxy_fixture_open (f, &by_name);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED);
  g_assert_cmpint (f->refusal, ==, T2P_REFUSAL_ADMIN_PROHIBITED);
}

static void
test_wrong_password_is_never_shown (ProxyFixture *f, gconstpointer data)
{
  static const ServerStep script[] = {
    STEP (SERVER_READ, ANONYMOUS), STEP (SERVER_SEND, DENIED_CLOSED), { SERVER_NEXT },
    STEP (SERVER_READ, BASIC),     STEP (SERVER_SEND, DENIED_CLOSED), { SERVER_END }
  };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);

  proxy_fixture_make (f, "http://user:s3cr3t@127.0.0.1:%u", server, 5000);
  proxy_fixture_open (f, &by_name);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED);
  g_assert_null (strstr (f->error->message, "s3cr3t"));
  g_assert_null (strstr (f->error->message, "user:"));
  g_assert_cmpstr (t2pw_outbound_get_auth (f->outbound), ==, "basic");
  g_assert_cmpint (f->refusal, ==, T2P_REFUSAL_ADMIN_PROHIBITED);
  g_assert_cmpuint (scripted_server_get_n_connections (server), ==, 2);
}

/* Each nonce is too old by the time it is used. */
static void
test_challenges_without_end (ProxyFixture *f, gconstpointer data)
{
  static const ServerStep script[] = {
    STEP (SERVER_SEND, "HTTP/1.1 407 Denied\r\nConnection: close\r\n"
                       "Proxy-Authenticate: Digest realm=x, nonce=y, stale=true\r\n\r\n"),
    { SERVER_STALL },
    { SERVER_END }
  };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);

  proxy_fixture_make (f, "http://user:s3cr3t@127.0.0.1:%u", server, 5000);
  proxy_fixture_open (f, &by_name);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL);
  g_assert_cmpuint (scripted_server_get_n_connections (server), ==, 4);
}

typedef struct
{
  const char *name;
  const ServerStep script[4];
  int code;
  T2pRefusal refusal;
} Failure;

static const Failure failures[] = {
  { "forbidden",
    { STEP (SERVER_READ, ANONYMOUS),
      STEP (SERVER_SEND, "HTTP/1.1 403 Forbidden\r\n\r\n"),
      { SERVER_END } },
    T2P_ERROR_FAILED,
    T2P_REFUSAL_ADMIN_PROHIBITED },
  { "unreachable",
    { STEP (SERVER_READ, ANONYMOUS),
      STEP (SERVER_SEND, "HTTP/1.0 503 No\r\n\r\n"),
      { SERVER_END } },
    T2P_ERROR_FAILED,
    T2P_REFUSAL_HOST_UNREACHABLE },
  { "no-connect",
    { STEP (SERVER_READ, ANONYMOUS),
      STEP (SERVER_SEND, "HTTP/1.1 501 What?\r\n\r\n"),
      { SERVER_END } },
    T2P_ERROR_NOT_SUPPORTED,
    T2P_REFUSAL_RESET },
  { "captive-portal",
    { STEP (SERVER_READ, ANONYMOUS),
      STEP (SERVER_SEND, "HTTP/1.1 302 Found\r\nLocation: http://log.in/\r\n\r\n"),
      { SERVER_END } },
    T2P_ERROR_PROXY_PROTOCOL,
    T2P_REFUSAL_RESET },
  { "nobody-logs-in",
    { STEP (SERVER_READ, ANONYMOUS), STEP (SERVER_SEND, DENIED_CLOSED), { SERVER_END } },
    T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
    T2P_REFUSAL_ADMIN_PROHIBITED },
  { "garbage",
    { STEP (SERVER_READ, ANONYMOUS), STEP (SERVER_SEND, "\x05\xff"), { SERVER_END } },
    T2P_ERROR_PROXY_PROTOCOL,
    T2P_REFUSAL_RESET },
  { "closes",
    { STEP (SERVER_READ, ANONYMOUS),
      STEP (SERVER_SEND, "HTTP/1.1 200 OK\r\n"),
      { SERVER_END } },
    T2P_ERROR_PROXY_PROTOCOL,
    T2P_REFUSAL_RESET },
  { "stalls",
    { STEP (SERVER_READ, ANONYMOUS),
      STEP (SERVER_SEND, "HTTP/1.1 200 OK\r\n\r"),
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

  proxy_fixture_make (f, "http://127.0.0.1:%u", server, 300);
  proxy_fixture_open (f, &by_name);
  g_assert_error (f->error, T2P_ERROR, failure->code);
  g_assert_cmpint (f->refusal, ==, failure->refusal);
  g_assert_cmpuint (scripted_server_get_n_connections (server), ==, 1);
}

/* A proxy that stalls at each byte of a challenge holds nobody longer than the time-out. */
static void
test_stalls_at_each_byte (ProxyFixture *f, gconstpointer data)
{
  static const char answer[] = DENIED_KEPT;

  for (gsize cut = 1; cut < sizeof answer; cut += 7)
    {
      const ServerStep script[] = { STEP (SERVER_READ, ANONYMOUS),
                                    { SERVER_SEND, answer, cut, 0 },
                                    { SERVER_STALL },
                                    { SERVER_END } };
      g_autoptr (ScriptedServer) server = scripted_server_new (script);

      proxy_fixture_make (f, "http://user:s3cr3t@127.0.0.1:%u", server, 30);
      proxy_fixture_open (f, &by_name);
      g_assert_false (f->is_opened);
      g_assert_nonnull (f->error);
      proxy_fixture_close (f);
      g_clear_pointer (&f->outbound, t2pw_outbound_free);
    }
}

/* A check asks for what whoever lives can answer at once; a word of it is a sign of life. */
static void
test_silence_of_who_must_answer (ProxyFixture *f, gconstpointer data)
{
  static const ServerStep silent[] = { STEP (SERVER_READ, ANONYMOUS),
                                       { SERVER_STALL },
                                       { SERVER_END } };
  static const ServerStep slow[] = { STEP (SERVER_READ, ANONYMOUS),
                                     STEP (SERVER_SEND, "HTTP/1.1 2"),
                                     { SERVER_STALL },
                                     { SERVER_END } };
  g_autoptr (ScriptedServer) server = scripted_server_new (data != NULL ? slow : silent);
  T2pwDestination destination = by_name;
  int expected = data != NULL ? T2P_ERROR_TIMED_OUT : T2P_ERROR_PROXY_UNREACHABLE;

  destination.must_answer = TRUE;
  proxy_fixture_make (f, "http://127.0.0.1:%u", server, 50);
  proxy_fixture_open (f, &destination);
  g_assert_error (f->error, T2P_ERROR, expected);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func)                                                                        \
  g_test_add ("/http/" name, ProxyFixture, NULL, proxy_fixture_set_up, func,                   \
              proxy_fixture_tear_down)
  ADD ("split-at-every-byte", test_split_at_every_byte);
  ADD ("challenge-on-a-kept-connection", test_challenge_on_a_kept_connection);
  ADD ("challenge-and-a-new-connection", test_challenge_and_a_new_connection);
  ADD ("challenge-and-hanging-up", test_challenge_and_hanging_up);
  ADD ("basic-that-was-set-is-said-at-once", test_basic_that_was_set_is_said_at_once);
  ADD ("digest-that-was-set-is-no-basic", test_digest_that_was_set_is_no_basic);
  ADD ("wrong-password-is-never-shown", test_wrong_password_is_never_shown);
  ADD ("challenges-without-end", test_challenges_without_end);
  ADD ("silence-of-who-must-answer-is-a-fault", test_silence_of_who_must_answer);
  g_test_add ("/http/half-a-word-of-who-must-answer-is-none", ProxyFixture, "slow",
              proxy_fixture_set_up, test_silence_of_who_must_answer, proxy_fixture_tear_down);
  ADD ("stalls-at-each-byte", test_stalls_at_each_byte);
  for (guint i = 0; i < G_N_ELEMENTS (failures); i++)
    {
      g_autofree char *path = g_strconcat ("/http/failure/", failures[i].name, NULL);

      g_test_add (path, ProxyFixture, &failures[i], proxy_fixture_set_up, test_failure,
                  proxy_fixture_tear_down);
    }
  return g_test_run ();
}
