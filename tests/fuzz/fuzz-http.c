/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first byte says who we are, the second seeds the cuts, the rest is what the upstream
 * sends, over as many connections as are asked for. Any cuts must give what one piece gives,
 * and what we send never has a line in it that we did not write.
 */
#include "config.h"

#include "fuzz.h"

#include "t2p-http-client.h"

#define IS_ANONYMOUS 1
#define LACKS_BASIC 2
#define LACKS_DIGEST 4
#define LACKS_NEGOTIATE 8

typedef struct
{
  T2pHttpAuth *auth;
  T2pHttpClient client;
  T2pDecode result;
  gsize used;
  guint n_restarts;
} Run;

static char *
make_token (gpointer user_data, GError **error)
{
  return g_strdup ("dG9rZW4=");
}

static void
begin (Run *run, guint8 flags)
{
  T2pHttpLogin login = { .user = "us\"er", .password = "password", .password_bytes = 8 };
  T2pHttpRequest request = { .name = "example.com", .port = 443 };

  memset (run, 0, sizeof *run);
  login.make_token = make_token;
  login.schemes = (guint) (~flags >> 1) & 7;
  if ((flags & IS_ANONYMOUS) == 0)
    request.auth = run->auth = t2p_http_auth_new (&login);
  g_assert_true (t2p_http_client_init (&run->client, &request, NULL));
}

static void
end (Run *run)
{
  t2p_http_client_clear (&run->client);
  g_clear_pointer (&run->auth, t2p_http_auth_free);
}

static void
send_output (Run *run)
{
  guint8 output[T2P_HTTP_MAX_REQUEST_BYTES + 1];
  guint n_lines = 0;
  T2pWriter writer;
  gsize length;

  t2p_writer_init (&writer, output, sizeof output - 1);
  g_assert_true (t2p_http_client_write (&run->client, &writer));
  g_assert_false (t2p_http_client_has_output (&run->client));
  length = t2p_writer_length (&writer);
  for (gsize i = 0; i < length; i++)
    {
      g_assert_cmpuint (output[i], !=, 0);
      n_lines += output[i] == '\n' ? 1 : 0;
      g_assert_true (output[i] != '\n' || output[i - 1] == '\r');
    }
  g_assert_cmpuint (n_lines, <=, 4);
}

static void
restart (Run *run)
{
  if (run->result != T2P_DECODE_BAD || !t2p_http_client_restart (&run->client))
    return;
  run->n_restarts++;
  run->result = T2P_DECODE_MORE;
}

/* @cuts of 0 is one piece. */
static void
run_client (Run *run, guint8 flags, const uint8_t *data, size_t size, guint32 cuts)
{
  size_t at = 0;

  begin (run, flags);
  send_output (run);
  while (at < size && run->result == T2P_DECODE_MORE)
    {
      size_t piece = size - at;
      g_autofree guint8 *exact = NULL;
      gsize used;

      if (cuts != 0)
        {
          cuts = cuts * 1664525u + 1013904223u;
          piece = MIN (piece, 1 + (cuts >> 24) % 31);
        }
      exact = g_memdup2 (data + at, piece);
      run->result = t2p_http_client_feed (&run->client, exact, piece, &used);
      g_assert_cmpuint (used, <=, piece);
      if (run->result == T2P_DECODE_MORE)
        g_assert_cmpuint (used, ==, piece);
      run->used += used;
      at += used; /* the next connection goes on behind what this one took */
      restart (run);
      send_output (run);
    }
}

static void
check_outcome (const Run *run)
{
  g_autoptr (GError) error = NULL;

  t2p_http_client_set_error (&run->client, &error);
  g_assert_cmpint (error != NULL, ==, run->result == T2P_DECODE_BAD);
  g_assert_cmpuint (run->n_restarts, <, T2P_HTTP_MAX_REQUESTS + 1);
  if (error != NULL)
    g_assert_true (g_utf8_validate (error->message, -1, NULL));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Run whole;
  Run pieces;

  if (size < 2)
    return 0;
  run_client (&whole, data[0], data + 2, size - 2, 0);
  run_client (&pieces, data[0], data + 2, size - 2, 1u + data[1]);
  check_outcome (&whole);
  check_outcome (&pieces);
  g_assert_cmpint (whole.result, ==, pieces.result);
  g_assert_cmpuint (whole.used, ==, pieces.used);
  g_assert_cmpuint (whole.n_restarts, ==, pieces.n_restarts);
  g_assert_cmpint (whole.client.failure, ==, pieces.client.failure);
  g_assert_cmpuint (whole.client.n_requests, ==, pieces.client.n_requests);
  g_assert_cmpuint (whole.client.head.status, ==, pieces.client.head.status);
  end (&whole);
  end (&pieces);
  return 0;
}
