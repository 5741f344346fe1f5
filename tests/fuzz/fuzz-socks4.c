/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first byte seeds the cuts, the rest is what the upstream sends. Any cuts must give what
 * one piece gives. */
#include "config.h"

#include "fuzz.h"

#include "t2p-socks4-client.h"

typedef struct
{
  T2pSocks4Client client;
  T2pDecode result;
  gsize used;
} Run;

/* @cuts of 0 is one piece. */
static void
run_client (
    Run *run, const T2pSocks4Request *request, const uint8_t *data, size_t size, guint32 cuts)
{
  size_t at = 0;

  memset (run, 0, sizeof *run);
  g_assert_true (t2p_socks4_client_init (&run->client, request, NULL));
  while (at < size && run->result == T2P_DECODE_MORE)
    {
      size_t piece = size - at;
      g_autofree guint8 *exact = NULL;
      gsize used;

      if (cuts != 0)
        {
          cuts = cuts * 1664525u + 1013904223u;
          piece = MIN (piece, 1 + (cuts >> 24) % 3);
        }
      exact = g_memdup2 (data + at, piece);
      run->result = t2p_socks4_client_feed (&run->client, exact, piece, &used);
      g_assert_cmpuint (used, <=, piece);
      if (run->result == T2P_DECODE_MORE)
        g_assert_cmpuint (used, ==, piece);
      run->used += used;
      at += piece;
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const T2pSocks4Request request = {
    .says_names = TRUE, .name = "example.com", .name_bytes = 11, .port = 443, .user = "user"
  };
  g_autoptr (GError) error = NULL;
  Run whole;
  Run pieces;

  if (size < 1)
    return 0;
  run_client (&whole, &request, data + 1, size - 1, 0);
  run_client (&pieces, &request, data + 1, size - 1, 1u + data[0]);
  g_assert_cmpint (whole.result, ==, pieces.result);
  g_assert_cmpuint (whole.used, ==, pieces.used);
  g_assert_cmpuint (whole.client.seen, ==, pieces.client.seen);
  t2p_socks4_client_set_error (&whole.client, &error);
  g_assert_cmpint (error != NULL, ==, whole.result == T2P_DECODE_BAD);
  return 0;
}
