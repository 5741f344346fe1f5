/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"
#include "t2p-http-client.h"

#include "hex.h"

#define OK "HTTP/1.1 200 Connection established\r\n\r\n"
#define DENIED "HTTP/1.1 407 Proxy Authentication Required\r\n"
#define REQUEST                                                                                \
  "CONNECT example.org:443 HTTP/1.1\r\n"                                                       \
  "Host: example.org:443\r\n"
#define BASIC REQUEST "Proxy-Authorization: Basic YWxpY2U6czNjcmV0\r\n\r\n"

/** Fixture: a client of alice's; @said is what it has sent last. */
typedef struct
{
  T2pHttpLogin login;
  T2pHttpAuth *auth;
  T2pHttpRequest request;
  T2pHttpClient client;
  char said[T2P_HTTP_MAX_NEGOTIATE_BYTES + 1];
} Fixture;

static void
start_anonymous (Fixture *f)
{
  g_autoptr (GError) error = NULL;

  f->request.name = "example.org";
  f->request.port = 443;
  t2p_http_client_init (&f->client, &f->request, &error);
  g_assert_no_error (error);
}

static void
log_in (Fixture *f, guint schemes)
{
  f->login.user = f->login.user != NULL ? f->login.user : "alice";
  f->login.password = "s3cret";
  f->login.password_bytes = 6;
  f->login.schemes = schemes;
  f->auth = f->request.auth = t2p_http_auth_new (&f->login);
}

static void
start (Fixture *f, guint schemes)
{
  log_in (f, schemes);
  start_anonymous (f);
}

static void
stop (Fixture *f)
{
  t2p_http_client_clear (&f->client);
  g_clear_pointer (&f->auth, t2p_http_auth_free);
}

/* The next connection to the same proxy. */
static void
start_another (Fixture *f)
{
  t2p_http_client_clear (&f->client);
  start_anonymous (f);
}

static const char *
say (Fixture *f)
{
  T2pWriter writer;

  t2p_writer_init (&writer, (guint8 *) f->said, sizeof f->said - 1);
  g_assert_true (t2p_http_client_write (&f->client, &writer));
  g_assert_false (t2p_http_client_has_output (&f->client));
  f->said[t2p_writer_length (&writer)] = '\0';
  return f->said;
}

static T2pDecode
feed_piece (Fixture *f, const char *text, gsize length, gsize *used)
{
  g_autofree guint8 *exact = exact_copy ((const guint8 *) text, length);

  return t2p_http_client_feed (&f->client, exact, length, used);
}

static void
expect (Fixture *f, const char *text, T2pDecode expected)
{
  gsize used;

  g_assert_cmpint (feed_piece (f, text, strlen (text), &used), ==, expected);
  if (expected == T2P_DECODE_MORE)
    g_assert_cmpuint (used, ==, strlen (text));
}

static void
expect_failure (Fixture *f, T2pHttpFailure failure, int code, const char *message)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (t2p_http_client_get_failure (&f->client), ==, failure);
  g_assert_false (t2p_http_client_has_output (&f->client));
  t2p_http_client_set_error (&f->client, &error);
  g_assert_error (error, T2P_ERROR, code);
  g_assert_cmpstr (error->message, ==, message);
}

/* Of a field of the last request. */
static char *
get_param (Fixture *f, const char *name)
{
  g_autofree char *quoted = g_strdup_printf ("%s=\"", name);
  const char *at = strstr (f->said, quoted);

  if (at == NULL)
    return NULL;
  at += strlen (quoted);
  return g_strndup (at, strcspn (at, "\""));
}

/* --- requests and answers */

static void
test_connect (void)
{
  Fixture f = { 0 };
  gsize used;

  start_anonymous (&f);
  g_assert_cmpstr (say (&f), ==, REQUEST "\r\n");
  g_assert_true (t2p_http_client_awaits_answer (&f.client));
  g_assert_cmpint (feed_piece (&f, OK "Hi", strlen (OK "Hi"), &used), ==, T2P_DECODE_DONE);
  g_assert_cmpuint (used, ==, strlen (OK));
  g_assert_cmpint (t2p_http_client_end (&f.client), ==, T2P_DECODE_DONE);
  stop (&f);
}

static void
test_addresses (void)
{
  Fixture f = { .request = { .port = 80 } };
  T2pHttpClient *client = &f.client;

  t2p_ip_address_parse ("2001:db8::1", &f.request.address);
  g_assert_true (t2p_http_client_init (client, &f.request, NULL));
  g_assert_cmpstr (say (&f), ==,
                   "CONNECT [2001:db8::1]:80 HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n");
  stop (&f);
  t2p_ip_address_parse ("192.0.2.7", &f.request.address);
  g_assert_true (t2p_http_client_init (client, &f.request, NULL));
  g_assert_cmpstr (say (&f), ==, "CONNECT 192.0.2.7:80 HTTP/1.1\r\nHost: 192.0.2.7:80\r\n\r\n");
  stop (&f);
}

static void
test_what_http_cannot_say (void)
{
  g_autofree char *long_name = g_strnfill (256, 'n');
  const char *const names[] = { "",    "a b", "a\r\nX: y", "a/b",   "a@b",
                                "a:1", "[a]", "a%0d",      "a\x80", long_name };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      T2pHttpRequest request = { .name = names[i], .port = 1 };
      g_autoptr (GError) error = NULL;
      T2pHttpClient client;

      g_assert_false (t2p_http_client_init (&client, &request, &error));
      g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT);
    }
}

static void
test_answers_that_open (void)
{
  static const char *const answers[] = {
    "HTTP/1.0 200\r\n\r\n",
    "HTTP/1.1 299 \n\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n",
    ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: <x>\r\n\r\n" OK),
    "HTTP/1.1 200 OK\r\nX: a\r\n  folded\r\n\t too\r\nno field at all\r\n: nor this\r\n\r\n",
  };

  for (guint i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      Fixture f = { 0 };
      gsize used = 0;

      start_anonymous (&f);
      for (gsize at = 0; at + 1 < strlen (answers[i]); at++)
        g_assert_cmpint (feed_piece (&f, answers[i] + at, 1, &used), ==, T2P_DECODE_MORE);
      g_assert_cmpint (feed_piece (&f, "\n", 1, &used), ==, T2P_DECODE_DONE);
      stop (&f);
    }
}

static void
test_refusals (void)
{
  static const struct
  {
    const char *answer;
    guint status;
    int error;
    T2pRefusal refusal;
    const char *message;
  } cases[] = {
    { "HTTP/1.1 403 Forbidden\r\n\r\n", 403, T2P_ERROR_FAILED, T2P_REFUSAL_ADMIN_PROHIBITED,
      "upstream refused the request: status 403 'Forbidden'" },
    { "HTTP/1.1 502 Bad Gateway\r\n\r\n", 502, T2P_ERROR_PROXY_UNREACHABLE,
      T2P_REFUSAL_HOST_UNREACHABLE, "upstream refused the request: status 502 'Bad Gateway'" },
    { "HTTP/1.1 503 \x1b[1m\r\n\r\n", 503, T2P_ERROR_PROXY_UNREACHABLE,
      T2P_REFUSAL_HOST_UNREACHABLE, "upstream refused the request: status 503 '\\u001b[1m'" },
    { "HTTP/1.1 504 Late\r\n\r\n", 504, T2P_ERROR_PROXY_UNREACHABLE,
      T2P_REFUSAL_HOST_UNREACHABLE, "upstream refused the request: status 504 'Late'" },
    { "HTTP/1.1 405 No\r\n\r\n", 405, T2P_ERROR_NOT_SUPPORTED, T2P_REFUSAL_RESET,
      "upstream refused the request: status 405 'No'" },
    { "HTTP/1.1 302 Found\r\nLocation: x\r\n\r\n", 302, T2P_ERROR_PROXY_PROTOCOL,
      T2P_REFUSAL_RESET, "upstream refused the request: status 302 'Found'" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Fixture f = { 0 };

      start_anonymous (&f);
      say (&f);
      expect (&f, cases[i].answer, T2P_DECODE_BAD);
      expect_failure (&f, T2P_HTTP_FAILURE_STATUS, cases[i].error, cases[i].message);
      g_assert_cmpuint (t2p_http_client_get_status (&f.client), ==, cases[i].status);
      g_assert_cmpint (t2p_http_client_get_refusal (&f.client), ==, cases[i].refusal);
      g_assert_false (t2p_http_client_restart (&f.client));
      stop (&f);
    }
}

static void
test_strangers (void)
{
  static const char *const malformed =
      "upstream's answer is malformed, expected the head of an HTTP/1 answer";
  const struct
  {
    const char *answer;
    const char *message;
  } cases[] = {
    { "\x05", "upstream answers like a SOCKS server, expected HTTP" },
    { "\x15\x03", "upstream answers like a TLS server, expected HTTP without it" },
    { "SSH-", "upstream's answer begins with byte 0x53 and is not HTTP/1" },
    { "\r\n", "upstream's answer begins with byte 0x0d and is not HTTP/1" },
    { "HTTP/2", "upstream's answer begins with byte 0x48 and is not HTTP/1" },
    { "HTTP/1.1 20\r\n", malformed },
    { "HTTP/1.1 2000\r\n", malformed },
    { "HTTP/1.1 099 x\r\n", malformed },
    { "HTTP/1.1\r\n", malformed },
    { "HTTP/1.x 200 OK\r\n", malformed },
    { "HTTP/1.1 200 OK\r\nX: a\rb\r\n", malformed },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Fixture f = { 0 };

      start_anonymous (&f);
      say (&f);
      expect (&f, cases[i].answer, T2P_DECODE_BAD);
      expect_failure (&f, T2P_HTTP_FAILURE_HEAD, T2P_ERROR_PROXY_PROTOCOL, cases[i].message);
      g_assert_cmpint (t2p_http_client_get_refusal (&f.client), ==, T2P_REFUSAL_RESET);
      stop (&f);
    }
}

static void
test_a_nul_is_malformed (void)
{
  static const char answer[] = "HTTP/1.1 200 OK\r\nX: \0";
  Fixture f = { 0 };
  gsize used;

  start_anonymous (&f);
  g_assert_cmpint (feed_piece (&f, answer, sizeof answer, &used), ==, T2P_DECODE_BAD);
  stop (&f);
}

/* However they are made long: one line, many, folds, or heads of 1xx. */
static void
test_heads_are_bounded (void)
{
  static const char *const pieces[] = { "x", "X: y\r\n", "\r\n ", "" };

  for (guint i = 0; i < G_N_ELEMENTS (pieces); i++)
    {
      const char *head = i == 3 ? "HTTP/1.1 100 x\r\n\r\n" : "HTTP/1.1 200 OK\r\nX: ";
      T2pDecode result = T2P_DECODE_MORE;
      Fixture f = { 0 };
      gsize n = 0, used;

      start_anonymous (&f);
      say (&f);
      for (gboolean is_first = TRUE; result == T2P_DECODE_MORE; is_first = FALSE)
        {
          const char *piece = is_first || i == 3 ? head : pieces[i];

          result = feed_piece (&f, piece, strlen (piece), &used);
          n += used;
        }
      g_assert_cmpuint (n, ==, T2P_HTTP_MAX_HEAD_BYTES + 1);
      expect_failure (&f, T2P_HTTP_FAILURE_HEAD, T2P_ERROR_PROXY_PROTOCOL,
                      "upstream's answer has a head of more than 32768 bytes");
      stop (&f);
    }
}

static void
test_end_in_the_middle (void)
{
  Fixture f = { 0 };

  start_anonymous (&f);
  say (&f);
  expect (&f, "HTTP/1.1 200 OK\r\n", T2P_DECODE_MORE);
  g_assert_cmpint (t2p_http_client_end (&f.client), ==, T2P_DECODE_BAD);
  expect_failure (&f, T2P_HTTP_FAILURE_CLOSED, T2P_ERROR_PROXY_PROTOCOL,
                  "upstream closed the connection after the request, expected an answer");
  stop (&f);
}

/* --- logging in */

static void
test_basic_kept_alive (void)
{
  static const char *const bodies[] = {
    "Content-Length: 0\r\n\r\n",
    "Content-Length: 5\r\n\r\nHTTP/",
    "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA \r\n0123456789\r\n0\r\nT: x\r\n\r\n",
  };

  for (guint i = 0; i < G_N_ELEMENTS (bodies); i++)
    {
      g_autofree char *answer =
          g_strconcat (DENIED "Proxy-Authenticate: Basic realm=\"x\"\r\n", bodies[i], NULL);
      Fixture f = { 0 };
      gsize used;

      start (&f, T2P_HTTP_SCHEME_BASIC);
      g_assert_cmpstr (say (&f), ==, REQUEST "\r\n");
      for (gsize at = 0; at < strlen (answer); at++)
        {
          g_assert_cmpint (feed_piece (&f, answer + at, 1, &used), ==, T2P_DECODE_MORE);
          g_assert_true (at + 1 == strlen (answer) || !t2p_http_client_has_output (&f.client));
        }
      g_assert_cmpstr (say (&f), ==, BASIC);
      expect (&f, OK, T2P_DECODE_DONE);
      start_another (&f); /* is not asked any more */
      g_assert_cmpstr (say (&f), ==, BASIC);
      stop (&f);
    }
}

static void
test_basic_on_a_new_connection (void)
{
  static const char *const rests[] = {
    "Connection: close\r\nContent-Length: 0\r\n\r\n",
    "Proxy-Connection: foo, Close\r\nContent-Length: 0\r\n\r\n",
    "\r\n",
    "Content-Length: 65537\r\n\r\n",
    "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "Content-Length: -1\r\n\r\n",
    "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "Transfer-Encoding: gzip, chunked\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\nzz",
    "Transfer-Encoding: chunked\r\n\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffff",
    "Transfer-Encoding: chunked\r\n\r\n1\r\nab",
  };

  for (guint i = 0; i < G_N_ELEMENTS (rests); i++)
    {
      g_autofree char *answer =
          g_strconcat (DENIED "Proxy-Authenticate: Basic realm=\"x\"\r\n", rests[i], NULL);
      Fixture f = { 0 };

      start (&f, T2P_HTTP_SCHEME_BASIC);
      say (&f);
      expect (&f, answer, T2P_DECODE_BAD);
      g_assert_cmpint (t2p_http_client_get_failure (&f.client), ==,
                       T2P_HTTP_FAILURE_NEEDS_RECONNECT);
      g_assert_true (t2p_http_client_restart (&f.client));
      g_assert_false (t2p_http_client_restart (&f.client));
      g_assert_cmpstr (say (&f), ==, BASIC);
      expect (&f, OK, T2P_DECODE_DONE);
      stop (&f);
    }
}

static void
test_http_1_0_closes_unless_it_says_so (void)
{
  Fixture f = { 0 };

  start (&f, T2P_HTTP_SCHEME_BASIC);
  say (&f);
  expect (&f,
          "HTTP/1.0 407 x\r\nProxy-Authenticate: basic realm=x\r\nContent-Length: 0\r\n\r\n",
          T2P_DECODE_BAD);
  g_assert_true (t2p_http_client_restart (&f.client));
  stop (&f);
  start (&f, T2P_HTTP_SCHEME_BASIC);
  say (&f);
  expect (&f,
          "HTTP/1.0 407 x\r\nProxy-Authenticate: basic realm=x\r\nContent-Length: 0\r\n"
          "Connection: Keep-Alive\r\n\r\n",
          T2P_DECODE_MORE);
  g_assert_cmpstr (say (&f), ==, BASIC);
  stop (&f);
}

/* It said that it would keep the connection, and did not. */
static void
test_hanging_up_between_answers (void)
{
  Fixture f = { 0 };

  start (&f, T2P_HTTP_SCHEME_BASIC);
  say (&f);
  expect (&f, DENIED "Proxy-Authenticate: Basic realm=x\r\nContent-Length: 9\r\n\r\nabc",
          T2P_DECODE_MORE);
  g_assert_cmpint (t2p_http_client_end (&f.client), ==, T2P_DECODE_BAD);
  g_assert_true (t2p_http_client_restart (&f.client));
  say (&f);
  g_assert_cmpint (t2p_http_client_end (&f.client), ==, T2P_DECODE_BAD);
  g_assert_false (t2p_http_client_restart (&f.client));
  stop (&f);
  start (&f, T2P_HTTP_SCHEME_BASIC);
  say (&f);
  expect (&f, DENIED "Proxy-Authenticate: Basic realm=x\r\nContent-Length: 1\r\n\r\na",
          T2P_DECODE_MORE);
  say (&f);
  g_assert_cmpint (t2p_http_client_end (&f.client), ==, T2P_DECODE_BAD);
  g_assert_true (t2p_http_client_restart (&f.client));
  stop (&f);
}

static void
test_wrong_password (void)
{
  Fixture f = { 0 };

  start (&f, T2P_HTTP_SCHEME_BASIC);
  t2p_http_auth_learn (f.auth, T2P_HTTP_SCHEME_BASIC, NULL); /* it is set: auth=basic */
  start_another (&f);
  g_assert_cmpstr (say (&f), ==, BASIC);
  expect (&f, DENIED "Proxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n",
          T2P_DECODE_BAD);
  expect_failure (&f, T2P_HTTP_FAILURE_LOGIN, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                  "upstream refused the user name or the password (Basic)");
  g_assert_cmpint (t2p_http_client_get_refusal (&f.client), ==, T2P_REFUSAL_ADMIN_PROHIBITED);
  stop (&f);
}

/* A password that is wrong gets 401 from tinyproxy, though nobody asked a web server. */
static void
test_unauthorized (void)
{
  static const char answer[] = "HTTP/1.0 401 Unauthorized\r\n\r\n";
  Fixture f = { 0 };

  start_anonymous (&f);
  say (&f);
  expect (&f, answer, T2P_DECODE_BAD);
  expect_failure (&f, T2P_HTTP_FAILURE_NO_LOGIN, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                  "upstream wants authentication (status 401 'Unauthorized'), and no user name "
                  "is set");
  stop (&f);
  start (&f, T2P_HTTP_SCHEME_BASIC);
  say (&f);
  expect (&f, answer, T2P_DECODE_BAD);
  expect_failure (&f, T2P_HTTP_FAILURE_LOGIN, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                  "upstream refused the user name or the password (status 401 'Unauthorized')");
  stop (&f);
}

static void
test_no_login_and_no_scheme (void)
{
  Fixture f = { 0 };

  start_anonymous (&f);
  say (&f);
  expect (&f, DENIED "Proxy-Authenticate: Digest realm=x, nonce=y, NTLM\r\n\r\n",
          T2P_DECODE_BAD);
  expect_failure (&f, T2P_HTTP_FAILURE_NO_LOGIN, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                  "upstream wants authentication (Digest, NTLM), and no user name is set");
  stop (&f);
  start (&f, T2P_HTTP_SCHEME_BASIC | T2P_HTTP_SCHEME_DIGEST);
  say (&f);
  expect (&f, DENIED "Proxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n\r\n",
          T2P_DECODE_BAD);
  expect_failure (&f, T2P_HTTP_FAILURE_NO_SCHEME, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                  "upstream offers no authentication that can be used (NTLM, Negotiate)");
  stop (&f);
  f.login.user = "a:b"; /* Basic cannot say it */
  start (&f, T2P_HTTP_SCHEME_BASIC);
  say (&f);
  expect (&f, DENIED "Proxy-Authenticate: Basic realm=x\r\n\r\n", T2P_DECODE_BAD);
  g_assert_cmpint (t2p_http_client_get_failure (&f.client), ==, T2P_HTTP_FAILURE_NO_SCHEME);
  stop (&f);
  f.login.user = "a\nb"; /* nor Digest that: it would end the line */
  start (&f, T2P_HTTP_SCHEME_DIGEST);
  say (&f);
  expect (&f, DENIED "Proxy-Authenticate: Digest realm=x, nonce=y\r\n\r\n", T2P_DECODE_BAD);
  g_assert_cmpint (t2p_http_client_get_failure (&f.client), ==, T2P_HTTP_FAILURE_NO_SCHEME);
  stop (&f);
}

#define DIGEST_OFFER                                                                           \
  DENIED                                                                                       \
  "Proxy-Authenticate: Basic realm=\"b\"\r\n"                                                  \
  "Proxy-Authenticate: Digest realm=\"a \\\"q\\\", b\", nonce=\"n1\", qop=\"auth\",\r\n"       \
  "   algorithm=MD5\r\n"                                                                       \
  "Proxy-Authenticate: Digest realm=\"a\", nonce=\"n2\", qop=\"auth-int, auth\","              \
  " algorithm=SHA-256, opaque=\"o\\\\p\", userhash=true\r\n"                                   \
  "Content-Length: 0\r\n\r\n"

static void
test_digest_is_preferred_and_remembered (void)
{
  g_autofree char *response = NULL;
  g_autofree char *cnonce = NULL;
  g_autofree char *again = NULL;
  g_autofree char *second = NULL;
  Fixture f = { 0 };

  start (&f, T2P_HTTP_SCHEME_BASIC | T2P_HTTP_SCHEME_DIGEST);
  say (&f);
  expect (&f, DIGEST_OFFER, T2P_DECODE_MORE);
  say (&f);
  g_assert_nonnull (strstr (f.said, "nonce=\"n2\", uri=\"example.org:443\", "
                                    "algorithm=SHA-256, qop=auth, nc=00000001, "));
  g_assert_nonnull (strstr (f.said, "opaque=\"o\\\\p\""));
  g_assert_nonnull (strstr (f.said, ", userhash=true, "));
  g_assert_null (strstr (f.said, "alice"));
  g_assert_null (strstr (f.said, "s3cret"));
  response = get_param (&f, "response");
  cnonce = get_param (&f, "cnonce");
  g_assert_cmpuint (strlen (response), ==, 64);
  expect (&f, OK, T2P_DECODE_DONE);
  start_another (&f);
  say (&f);
  g_assert_nonnull (strstr (f.said, "nonce=\"n2\""));
  g_assert_nonnull (strstr (f.said, ", nc=00000002, "));
  again = get_param (&f, "cnonce");
  second = get_param (&f, "response");
  g_assert_cmpstr (again, ==, cnonce);
  g_assert_cmpstr (second, !=, response);
  stop (&f);
}

/* Not told so, or told so: a nonce that was learnt by another client may be too old. */
static void
test_an_old_nonce_is_no_wrong_password (void)
{
  static const char *const offers[] = {
    DENIED "Proxy-Authenticate: Digest realm=r, nonce=\"n3\", qop=\"auth\"\r\n"
           "Content-Length: 0\r\n\r\n",
    DENIED "Proxy-Authenticate: Digest realm=r, nonce=\"n3\", qop=\"auth\", stale=TRUE\r\n"
           "Content-Length: 0\r\n\r\n",
  };

  for (guint i = 0; i < G_N_ELEMENTS (offers); i++)
    {
      Fixture f = { 0 };

      start (&f, T2P_HTTP_SCHEME_DIGEST);
      say (&f);
      expect (&f, DIGEST_OFFER, T2P_DECODE_MORE);
      say (&f);
      expect (&f, OK, T2P_DECODE_DONE);
      start_another (&f);
      say (&f);
      expect (&f, offers[i], T2P_DECODE_MORE);
      say (&f);
      g_assert_nonnull (strstr (f.said, "nonce=\"n3\""));
      g_assert_nonnull (strstr (f.said, "nc=00000001"));
      stop (&f);
    }
}

static void
test_a_folded_challenge (void)
{
  Fixture f = { 0 };

  start (&f, T2P_HTTP_SCHEME_DIGEST);
  say (&f);
  expect (&f,
          DENIED "Proxy-Authenticate: Digest\r\n\trealm=\"a\r\n  b\",\r\n nonce=\"n\"\r\n"
                 "Content-Length: 0\r\n\r\n",
          T2P_DECODE_MORE);
  g_assert_nonnull (strstr (say (&f), "realm=\"a  b\", nonce=\"n\""));
  stop (&f);
}

static void
test_digest_with_the_wrong_password (void)
{
  Fixture f = { 0 };

  start (&f, T2P_HTTP_SCHEME_BASIC | T2P_HTTP_SCHEME_DIGEST);
  say (&f);
  expect (&f, DIGEST_OFFER, T2P_DECODE_MORE);
  say (&f);
  expect (&f, DIGEST_OFFER, T2P_DECODE_BAD); /* and is not told it in the clear */
  expect_failure (&f, T2P_HTTP_FAILURE_LOGIN, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                  "upstream refused the user name or the password (Basic, Digest, Digest)");
  stop (&f);
}

static void
test_challenges_without_end (void)
{
  static const char stale[] =
      DENIED "Proxy-Authenticate: Digest realm=r, nonce=n, qop=auth, stale=true\r\n"
             "Content-Length: 0\r\n\r\n";
  T2pDecode result = T2P_DECODE_MORE;
  Fixture f = { 0 };
  guint n = 0;
  gsize used;

  start (&f, T2P_HTTP_SCHEME_DIGEST);
  for (; result == T2P_DECODE_MORE; n++)
    {
      say (&f);
      result = feed_piece (&f, stale, sizeof stale - 1, &used);
    }
  g_assert_cmpuint (n, ==, T2P_HTTP_MAX_REQUESTS);
  g_assert_cmpint (t2p_http_client_get_failure (&f.client), ==, T2P_HTTP_FAILURE_LOGIN);
  stop (&f);
}

static char *
make_token (gpointer user_data, GError **error)
{
  guint *n = user_data;

  if (*n < 2)
    return g_strdup_printf ("token%u", (*n)++);
  g_set_error_literal (error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED, "no ticket");
  return NULL;
}

static void
test_negotiate (void)
{
  static const char offer[] = DENIED "Proxy-Authenticate: Negotiate\r\n"
                                     "Proxy-Authenticate: Basic realm=x\r\n\r\n";
  guint n_tokens = 0;
  Fixture f = { .login = { .make_token = make_token, .token_data = &n_tokens } };

  start (&f, T2P_HTTP_SCHEME_NEGOTIATE);
  say (&f);
  expect (&f, offer, T2P_DECODE_BAD);
  g_assert_true (t2p_http_client_restart (&f.client));
  g_assert_cmpstr (say (&f), ==, REQUEST "Proxy-Authorization: Negotiate token0\r\n\r\n");
  expect (&f, DENIED "Proxy-Authenticate: Negotiate oQcwBaADCgEC\r\n\r\n", T2P_DECODE_BAD);
  g_assert_cmpint (t2p_http_client_get_failure (&f.client), ==, T2P_HTTP_FAILURE_LOGIN);
  start_another (&f); /* is not asked any more */
  g_assert_cmpstr (say (&f), ==, REQUEST "Proxy-Authorization: Negotiate token1\r\n\r\n");
  expect (&f, OK, T2P_DECODE_DONE);
  start_another (&f);
  g_assert_cmpstr (say (&f), ==, REQUEST "\r\n");
  expect (&f, offer, T2P_DECODE_BAD);
  expect_failure (&f, T2P_HTTP_FAILURE_TOKEN, T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
                  "no ticket");
  stop (&f);
}

/* The longest of everything that goes into a request. */
static void
test_the_longest_request_fits (void)
{
  g_autofree char *name = g_strnfill (T2P_HTTP_MAX_NAME_BYTES, 'n');
  g_autofree char *user = g_strnfill (255, '"');
  g_autofree char *slashes = g_strnfill (T2P_HTTP_MAX_PARAM_BYTES / 2 * 2, '\\');
  g_autofree char *offer = g_strdup_printf (
      DENIED "Proxy-Authenticate: Digest realm=\"%s\", nonce=\"%s\", opaque=\"%s\", "
             "algorithm=SHA-256-sess, qop=auth\r\nContent-Length: 0\r\n\r\n",
      slashes, slashes, slashes);
  Fixture f = { .login = { .user = user }, .request = { .name = name, .port = 65535 } };
  guint8 buffer[T2P_HTTP_MAX_REQUEST_BYTES];
  T2pWriter writer;

  log_in (&f, T2P_HTTP_SCHEME_DIGEST);
  g_assert_true (t2p_http_client_init (&f.client, &f.request, NULL));
  say (&f);
  expect (&f, offer, T2P_DECODE_MORE);
  t2p_writer_init (&writer, buffer, 10);
  g_assert_false (t2p_http_client_write (&f.client, &writer));
  g_assert_cmpuint (t2p_writer_length (&writer), ==, 0);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  g_assert_true (t2p_http_client_write (&f.client, &writer));
  stop (&f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http/connect", test_connect);
  g_test_add_func ("/http/addresses", test_addresses);
  g_test_add_func ("/http/what-http-cannot-say", test_what_http_cannot_say);
  g_test_add_func ("/http/answers-that-open", test_answers_that_open);
  g_test_add_func ("/http/refusals", test_refusals);
  g_test_add_func ("/http/strangers", test_strangers);
  g_test_add_func ("/http/a-nul-is-malformed", test_a_nul_is_malformed);
  g_test_add_func ("/http/heads-are-bounded", test_heads_are_bounded);
  g_test_add_func ("/http/end-in-the-middle", test_end_in_the_middle);
  g_test_add_func ("/http/basic-kept-alive", test_basic_kept_alive);
  g_test_add_func ("/http/basic-on-a-new-connection", test_basic_on_a_new_connection);
  g_test_add_func ("/http/http-1.0-closes-unless-it-says-so",
                   test_http_1_0_closes_unless_it_says_so);
  g_test_add_func ("/http/hanging-up-between-answers", test_hanging_up_between_answers);
  g_test_add_func ("/http/wrong-password", test_wrong_password);
  g_test_add_func ("/http/unauthorized", test_unauthorized);
  g_test_add_func ("/http/no-login-and-no-scheme", test_no_login_and_no_scheme);
  g_test_add_func ("/http/digest-is-preferred-and-remembered",
                   test_digest_is_preferred_and_remembered);
  g_test_add_func ("/http/an-old-nonce-is-no-wrong-password",
                   test_an_old_nonce_is_no_wrong_password);
  g_test_add_func ("/http/a-folded-challenge", test_a_folded_challenge);
  g_test_add_func ("/http/digest-with-the-wrong-password", test_digest_with_the_wrong_password);
  g_test_add_func ("/http/challenges-without-end", test_challenges_without_end);
  g_test_add_func ("/http/negotiate", test_negotiate);
  g_test_add_func ("/http/the-longest-request-fits", test_the_longest_request_fits);
  return g_test_run ();
}
