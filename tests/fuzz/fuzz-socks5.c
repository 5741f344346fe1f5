/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first byte chooses the request, the second seeds the cuts, the rest is what the upstream
 * sends. Any cuts must give what one piece gives. The same bytes are then taken for a UDP
 * header, which must survive being written again.
 */
#include "config.h"

#include "fuzz.h"

#include "t2p-socks5-client.h"

#define HAS_CREDENTIALS 1
#define IS_PIPELINED 2
#define IS_UDP 4
#define BY_ADDRESS 8

typedef struct
{
  T2pSocks5Client client;
  T2pDecode result;
  gsize used;
  gsize sent;
} Run;

static T2pSocks5Request
make_request (guint8 flags)
{
  T2pSocks5Request request = { .command = T2P_SOCKS5_CONNECT };

  request.destination.port = 443;
  request.destination.name = "example.com";
  request.destination.name_bytes = 11;
  request.is_pipelined = (flags & IS_PIPELINED) != 0;
  if (flags & IS_UDP)
    request.command = T2P_SOCKS5_UDP_ASSOCIATE;
  if (flags & BY_ADDRESS)
    {
      request.destination.name = NULL;
      request.destination.address.family = AF_INET6;
    }
  if (flags & HAS_CREDENTIALS)
    {
      request.username = "user";
      request.username_bytes = 4;
      request.password = "password";
      request.password_bytes = 8;
    }
  return request;
}

static void
send_output (Run *run)
{
  guint8 output[T2P_SOCKS5_MAX_OUTPUT_BYTES];
  T2pWriter writer;

  t2p_writer_init (&writer, output, sizeof output);
  g_assert_true (t2p_socks5_client_write (&run->client, &writer));
  g_assert_false (t2p_socks5_client_has_output (&run->client));
  run->sent += t2p_writer_length (&writer);
}

/* @cuts of 0 is one piece. */
static void
run_client (
    Run *run, const T2pSocks5Request *request, const uint8_t *data, size_t size, guint32 cuts)
{
  size_t at = 0;

  memset (run, 0, sizeof *run);
  g_assert_true (t2p_socks5_client_init (&run->client, request, NULL));
  send_output (run);
  while (at < size && run->result == T2P_DECODE_MORE)
    {
      size_t piece = size - at;
      g_autofree guint8 *exact = NULL;
      gsize used;

      if (cuts != 0)
        {
          cuts = cuts * 1664525u + 1013904223u;
          piece = MIN (piece, 1 + (cuts >> 24) % 7);
        }
      exact = g_memdup2 (data + at, piece);
      run->result = t2p_socks5_client_feed (&run->client, exact, piece, &used);
      g_assert_cmpuint (used, <=, piece);
      if (run->result == T2P_DECODE_MORE)
        g_assert_cmpuint (used, ==, piece);
      run->used += used;
      at += piece;
      send_output (run);
    }
}

static void
check_outcome (const Run *run)
{
  g_autoptr (GError) error = NULL;
  const T2pSocks5Address *bound = t2p_socks5_client_get_bound (&run->client);

  t2p_socks5_client_set_error (&run->client, &error);
  g_assert_cmpint (error != NULL, ==, run->result == T2P_DECODE_BAD);
  g_assert_cmpint (bound != NULL, ==, run->result == T2P_DECODE_DONE);
  if (bound != NULL && bound->name != NULL)
    g_assert_cmpuint (bound->name_bytes, <=, 255);
}

static void
check_same (const Run *a, const Run *b)
{
  g_assert_cmpint (a->result, ==, b->result);
  g_assert_cmpuint (a->used, ==, b->used);
  g_assert_cmpint (a->client.stage, ==, b->client.stage);
  g_assert_cmpint (a->client.failure, ==, b->client.failure);
  g_assert_cmpuint (a->client.seen, ==, b->client.seen);
  g_assert_cmpuint (a->client.reply.bound.port, ==, b->client.reply.bound.port);
  if (a->result != T2P_DECODE_BAD) /* a failure forgets what it had not sent yet */
    g_assert_cmpuint (a->sent, ==, b->sent);
}

static void
check_udp_header (const uint8_t *data, size_t size)
{
  guint8 buffer[T2P_SOCKS5_MAX_HEADER_BYTES];
  T2pSocks5Address peer;
  T2pWriter writer;
  gsize header_bytes;

  if (t2p_socks5_decode_udp_header (data, size, &peer, &header_bytes) != T2P_DECODE_DONE)
    return;
  g_assert_cmpuint (header_bytes, <=, size);
  t2p_writer_init (&writer, buffer, sizeof buffer);
  if (peer.name != NULL && peer.name_bytes == 0) /* taken, never said */
    {
      g_assert_false (t2p_socks5_write_udp_header (&writer, &peer));
      return;
    }
  g_assert_true (t2p_socks5_write_udp_header (&writer, &peer));
  g_assert_cmpmem (buffer + 2, t2p_writer_length (&writer) - 2, data + 2, header_bytes - 2);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  T2pSocks5Request request;
  Run whole;
  Run pieces;

  if (size < 2)
    return 0;
  request = make_request (data[0]);
  run_client (&whole, &request, data + 2, size - 2, 0);
  run_client (&pieces, &request, data + 2, size - 2, 1u + data[1]);
  check_outcome (&whole);
  check_outcome (&pieces);
  check_same (&whole, &pieces);
  check_udp_header (data, size);
  return 0;
}
