/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "scripted-server.h"
#include "t2p-error.h"
#include "t2pw-http.h"
#include "t2pw-tcp-lower.h"
#include "t2pw-tls-lower.h"
#include "tls-server.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <string.h>

typedef struct
{
  T2pReactor *reactor;
  T2pwSocketPolicy policy;
  T2pwOutboundContext context;
  T2pwOutbound *outbound;
  T2pwCarrier *carrier;
  GError *error;
  T2pRefusal refusal;
  GString *received;
  gsize to_send; /* of 'x' */
  gboolean is_over;
  gboolean at_end;
  gboolean is_reset;
} Fixture;

static void
opened_cb (T2pwCarrier *carrier, gpointer data)
{
  Fixture *f = data;

  f->carrier = carrier;
  f->is_over = TRUE;
}

static void
failed_cb (T2pwCarrier *carrier, T2pRefusal refusal, const GError *error, gpointer data)
{
  Fixture *f = data;

  f->carrier = NULL;
  f->is_over = TRUE;
  f->refusal = refusal;
  f->error = g_error_copy (error);
}

static void
readable_cb (T2pwCarrier *carrier, gpointer data)
{
  Fixture *f = data;
  char bytes[3000];
  struct iovec iov[] = { { bytes, 1000 }, { bytes + 1000, 2000 } };
  gssize got;

  while ((got = t2pw_carrier_receive (carrier, iov, 2)) > 0)
    g_string_append_len (f->received, bytes, got);
  f->at_end = f->at_end || got == 0;
  f->is_reset = f->is_reset || (got < 0 && errno != EAGAIN);
}

static void
writable_cb (T2pwCarrier *carrier, gpointer data)
{
  static const char block[100000] = { [0 ... 99999] = 'x' };
  Fixture *f = data;

  while (f->to_send > 0)
    {
      struct iovec iov = { (char *) block, MIN (f->to_send, sizeof block) };
      gssize sent = t2pw_carrier_send (carrier, &iov, 1);

      if (sent < 0)
        {
          g_assert_cmpint (errno, ==, EAGAIN);
          return;
        }
      f->to_send -= (gsize) sent;
    }
}

static const T2pwCarrierHandler handler = { opened_cb, failed_cb, readable_cb, writable_cb };

static void
set_up (Fixture *f, gconstpointer data)
{
  f->reactor = t2p_reactor_new (NULL, NULL);
  f->context = (T2pwOutboundContext){ .reactor = f->reactor,
                                      .policy = &f->policy,
                                      .connect_timeout_ms = 5000 };
  f->context.files = g_hash_table_new (g_str_hash, g_str_equal);
  f->received = g_string_new (NULL);
}

static void
close_carrier (Fixture *f)
{
  if (f->carrier != NULL)
    t2pw_carrier_close (g_steal_pointer (&f->carrier), FALSE);
  f->is_over = f->at_end = f->is_reset = FALSE;
  g_string_truncate (f->received, 0);
  g_clear_error (&f->error);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  close_carrier (f);
  g_clear_pointer (&f->outbound, t2pw_outbound_free);
  g_hash_table_unref (f->context.files);
  g_string_free (f->received, TRUE);
  t2p_reactor_free (f->reactor);
}

static gboolean
make_outbound (Fixture *f, guint16 port, const char *options, GError **error)
{
  g_autofree char *uri = g_strdup_printf ("https://127.0.0.1:%u?%s", port, options);
  g_autoptr (T2pEndpoint) endpoint = t2p_endpoint_parse (uri, NULL);
  T2pwUpstream *upstream;

  g_assert_nonnull (endpoint);
  upstream = t2pw_upstream_new (&f->context, endpoint);
  f->outbound = t2pw_tls_lower_new (&f->context, endpoint,
                                    t2pw_tcp_lower_new (&f->context, upstream), error);
  return f->outbound != NULL;
}

static void
connect_again (Fixture *f)
{
  T2pwDestination nowhere = { .name = "nowhere.example", .port = 1 };

  close_carrier (f);
  f->carrier = t2pw_outbound_open (f->outbound, &nowhere, &handler, f);
  while (!f->is_over)
    g_main_context_iteration (NULL, TRUE);
  if (f->carrier != NULL)
    readable_cb (f->carrier, f);
}

static void
connect_to (Fixture *f, TlsServer *server, const char *options)
{
  g_autoptr (GError) error = NULL;

  g_hash_table_insert (f->context.files, (char *) "/ca", tls_server_get_authority (server));
  g_hash_table_insert (f->context.files, (char *) "/me", tls_server_get_client (server));
  make_outbound (f, tls_server_get_port (server), options, &error);
  g_assert_no_error (error);
  connect_again (f);
}

static void
run_until (Fixture *f, const gboolean *condition)
{
  while (!*condition && !f->is_reset)
    g_main_context_iteration (NULL, TRUE);
}

#define OURS "tls-ca=/ca&tls-name=proxy.example"

static void
test_echo (Fixture *f, gconstpointer data)
{
  const TlsScript *script = data;
  g_autoptr (TlsServer) server = tls_server_new (script);

  connect_to (f, server, OURS);
  g_assert_no_error (f->error);
  f->to_send = 3000000;
  writable_cb (f->carrier, f);
  while (f->received->len < 3000000)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (f->to_send, ==, 0);
  t2pw_carrier_shutdown (f->carrier);
  run_until (f, &f->at_end);
  g_assert_false (f->is_reset);
  g_assert_cmpuint (f->received->len, ==, 3000000);
}

static void
test_half_close (Fixture *f, gconstpointer data)
{
  const TlsScript script = {
    .name = "proxy.example", .says = "hello", .echoes = TRUE, .piece = data != NULL ? 1 : 0
  };
  g_autoptr (TlsServer) server = tls_server_new (&script);
  struct iovec iov = { (char *) " world", 6 };

  connect_to (f, server, OURS);
  g_assert_cmpint (t2pw_carrier_send (f->carrier, &iov, 1), ==, 6);
  t2pw_carrier_shutdown (f->carrier);
  run_until (f, &f->at_end);
  g_assert_cmpstr (f->received->str, ==, "hello world");
}

/* As much as can be sent to somebody who does not read; how much that was. */
static gsize
fill (Fixture *f)
{
  const gsize much = 64 * 1024 * 1024;
  gsize sent;

  f->to_send = much;
  writable_cb (f->carrier, f);
  g_assert_cmpuint (f->to_send, >, 0);
  sent = much - f->to_send;
  f->to_send = 0;
  return sent;
}

/* What was taken is delivered, as a socket would: also when the other side has ended before. */
static void
test_closed_with_data_on_its_way (Fixture *f, gconstpointer data)
{
  const TlsScript script = { .name = "proxy.example", .hears_after_ms = 300 };
  g_autoptr (TlsServer) server = tls_server_new (&script);
  gboolean has_ended = FALSE;
  gsize sent;

  connect_to (f, server, OURS);
  run_until (f, &f->at_end);
  sent = fill (f);
  t2pw_carrier_shutdown (f->carrier);
  close_carrier (f);
  while (tls_server_get_n_heard (server, &has_ended) < sent || !has_ended)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (tls_server_get_n_heard (server, &has_ended), ==, sent);
}

/* Nobody waits for it when the outbound goes. */
static void
test_freed_with_data_on_its_way (Fixture *f, gconstpointer data)
{
  const TlsScript script = { .name = "proxy.example", .hears_after_ms = 60000 };
  g_autoptr (TlsServer) server = tls_server_new (&script);

  connect_to (f, server, OURS);
  run_until (f, &f->at_end);
  fill (f);
  close_carrier (f);
}

static void
test_cut_off (Fixture *f, gconstpointer data)
{
  const TlsScript script = { .name = "proxy.example", .says = "hel", .cuts = TRUE };
  g_autoptr (TlsServer) server = tls_server_new (&script);

  connect_to (f, server, OURS);
  while (!f->is_reset)
    g_main_context_iteration (NULL, TRUE);
  g_assert_false (f->at_end);
}

static void
test_resumes (Fixture *f, gconstpointer data)
{
  const TlsScript script = { .name = "proxy.example", .says = "x" };
  g_autoptr (TlsServer) server = tls_server_new (&script);

  connect_to (f, server, OURS);
  run_until (f, &f->at_end);
  connect_again (f);
  run_until (f, &f->at_end);
  g_assert_cmpuint (tls_server_get_n_resumed (server), ==, 1);
}

static void
test_address (Fixture *f, gconstpointer data)
{
  const TlsScript script = { .name = "127.0.0.1", .says = "x" };
  g_autoptr (TlsServer) server = tls_server_new (&script);

  connect_to (f, server, "tls-ca=/ca");
  g_assert_no_error (f->error);
}

static void
test_name_with_a_dot (Fixture *f, gconstpointer data)
{
  const TlsScript script = { .name = "proxy.example", .says = "x" };
  g_autoptr (TlsServer) server = tls_server_new (&script);

  connect_to (f, server, OURS ".");
  g_assert_no_error (f->error);
}

static void
test_not_verified (Fixture *f, gconstpointer data)
{
  const TlsScript script = { .name = "other.example", .is_expired = TRUE, .says = "x" };
  g_autoptr (TlsServer) server = tls_server_new (&script);

  connect_to (f, server, "tls-verify=no");
  g_assert_no_error (f->error);
}

static void
test_client_certificate (Fixture *f, gconstpointer data)
{
  const TlsScript script = { .name = "proxy.example", .wants_client = TRUE, .says = "x" };
  g_autoptr (TlsServer) server = tls_server_new (&script);

  connect_to (f, server, OURS "&tls-cert=/me");
  g_assert_no_error (f->error);
  run_until (f, &f->at_end);
  g_assert_cmpstr (f->received->str, ==, "x");
}

/* With TLS 1.3 that is said behind the handshake, to who asks for something already. */
static void
test_missing_client_certificate (Fixture *f, gconstpointer data)
{
  const TlsScript script = { .name = "proxy.example", .wants_client = TRUE };
  g_autoptr (TlsServer) server = tls_server_new (&script);
  g_autoptr (T2pEndpoint) endpoint = t2p_endpoint_parse ("https://127.0.0.1", NULL);

  g_hash_table_insert (f->context.files, (char *) "/ca", tls_server_get_authority (server));
  g_assert_true (make_outbound (f, tls_server_get_port (server), OURS, NULL));
  f->outbound = t2pw_http_new (&f->context, endpoint, f->outbound, NULL);
  connect_again (f);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_TLS_FAILED);
  g_assert_nonnull (strstr (f->error->message, "may want a certificate (tls-cert)"));
}

typedef struct
{
  const char *name;
  TlsScript script;
  const char *options;
  const char *says;
} Failure;

static const Failure failures[] = {
  { "unknown-authority",
    { .name = "proxy.example" },
    "tls-name=proxy.example",
    "certificate is not accepted" },
  { "wrong-name", { .name = "a.example" }, OURS, "for 'a.example', expected 'proxy.example'" },
  { "wrong-address", { .name = "192.0.2.1" }, "tls-ca=/ca", "expected '127.0.0.1'" },
  { "expired", { .name = "proxy.example", .is_expired = TRUE }, OURS, "expired" },
  { "old-version",
    { .name = "proxy.example", .max_version = TLS1_1_VERSION },
    OURS,
    "expected TLS 1.2 or 1.3" },
  /* Its certificate is not what is wrong. */
  { "no-client-certificate",
    { .name = "other.example", .max_version = TLS1_2_VERSION, .wants_client = TRUE },
    "tls-verify=no",
    "the TLS handshake failed" },
  { "wrong-name-that-is-hostile",
    { .name = "a\x1b[2J\x07" },
    OURS,
    "for 'a\\u001b[2J\\u0007'" },
};

static void
test_failure (Fixture *f, gconstpointer data)
{
  const Failure *failure = data;
  g_autoptr (TlsServer) server = tls_server_new (&failure->script);

  connect_to (f, server, failure->options);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_TLS_FAILED);
  g_assert_cmpint (f->refusal, ==, T2P_REFUSAL_RESET);
  if (strstr (f->error->message, failure->says) == NULL)
    g_error ("'%s' does not say '%s'", f->error->message, failure->says);
}

static void
test_no_tls (Fixture *f, gconstpointer data)
{
  static const ServerStep script[] = { { SERVER_SEND, "HTTP/1.1 400 Bad Request\r\n\r\n", 28 },
                                       { SERVER_STALL },
                                       { SERVER_END } };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);

  g_assert_true (make_outbound (f, scripted_server_get_port (server), "tls-verify=no", NULL));
  connect_again (f);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_TLS_FAILED);
}

static void
test_hangs_up (Fixture *f, gconstpointer data)
{
  static const ServerStep script[] = { { SERVER_READ, NULL, 1 }, { SERVER_END } };
  g_autoptr (ScriptedServer) server = scripted_server_new (script);

  g_assert_true (make_outbound (f, scripted_server_get_port (server), "tls-verify=no", NULL));
  connect_again (f);
  g_assert_error (f->error, T2P_ERROR, T2P_ERROR_TLS_FAILED);
}

/* Enough positions to meet each message of the handshake; behind it is nothing to wait for. */
static void
test_stalls (Fixture *f, gconstpointer data)
{
  gsize at = 1;

  f->context.connect_timeout_ms = 60;
  for (gboolean is_open = FALSE; !is_open; at += 29)
    {
      const TlsScript script = { .name = "proxy.example", .stall_at = at };
      g_autoptr (TlsServer) server = tls_server_new (&script);

      connect_to (f, server, OURS);
      is_open = f->error == NULL;
      if (!is_open)
        g_assert_error (f->error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE);
      close_carrier (f);
      g_clear_pointer (&f->outbound, t2pw_outbound_free);
    }
  g_assert_cmpuint (at, >, 400);
}

static void
test_files (Fixture *f, gconstpointer data)
{
  static const char *const cases[][2] = {
    { "tls-ca=/missing", "tls-ca: /missing: it was not handed over" },
    { "tls-ca=/garbage", "tls-ca: /garbage: there is no certificate in it" },
    { "tls-cert=/garbage", "tls-cert: /garbage: " },
  };
  g_autoptr (GBytes) garbage = g_bytes_new_static ("secret garbage", 14);

  g_hash_table_insert (f->context.files, (char *) "/garbage", garbage);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (make_outbound (f, 1, cases[i][0], &error));
      g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS);
      g_assert_nonnull (strstr (error->message, cases[i][1]));
      g_assert_null (strstr (error->message, "secret"));
    }
}

int
main (int argc, char **argv)
{
  static const TlsScript tls13 = { .name = "proxy.example", .echoes = TRUE };
  static const TlsScript tls12 = { .name = "proxy.example",
                                   .echoes = TRUE,
                                   .max_version = TLS1_2_VERSION };

  g_test_init (&argc, &argv, NULL);
#define ADD(path, data, function) g_test_add (path, Fixture, data, set_up, function, tear_down)
  ADD ("/tls/megabytes-come-back", &tls13, test_echo);
  ADD ("/tls/megabytes-come-back-with-1.2", &tls12, test_echo);
  ADD ("/tls/a-server-that-sends-byte-by-byte-is-understood", "pieces", test_half_close);
  ADD ("/tls/our-end-leaves-the-other-direction-open", NULL, test_half_close);
  ADD ("/tls/closed-with-data-on-its-way", NULL, test_closed_with_data_on_its_way);
  ADD ("/tls/freed-with-data-on-its-way", NULL, test_freed_with_data_on_its_way);
  ADD ("/tls/cut-off-is-no-end", NULL, test_cut_off);
  ADD ("/tls/sessions-are-resumed", NULL, test_resumes);
  ADD ("/tls/a-certificate-for-an-address", NULL, test_address);
  ADD ("/tls/a-name-with-the-dot-of-the-root", NULL, test_name_with_a_dot);
  ADD ("/tls/verify-no-takes-any-certificate", NULL, test_not_verified);
  ADD ("/tls/a-client-certificate-is-shown", NULL, test_client_certificate);
  ADD ("/tls/a-client-certificate-that-is-missing-is-told", NULL,
       test_missing_client_certificate);
  ADD ("/tls/something-else-than-tls-is-told", NULL, test_no_tls);
  ADD ("/tls/a-server-that-hangs-up-is-told", NULL, test_hangs_up);
  ADD ("/tls/a-server-that-stalls-is-given-up", NULL, test_stalls);
  ADD ("/tls/files-that-are-of-no-use-are-named", NULL, test_files);
  for (guint i = 0; i < G_N_ELEMENTS (failures); i++)
    {
      g_autofree char *path = g_strdup_printf ("/tls/fails/%s", failures[i].name);

      g_test_add (path, Fixture, &failures[i], set_up, test_failure, tear_down);
    }
  return g_test_run ();
}
