/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The input is a script of cuts from a handful of packets, in any order, with overlaps and with
 * lies, and of time that passes. Whatever comes out whole is byte for byte one of the packets,
 * memory stays within its limit, and none is left in the end. */
#include "config.h"

#include "fragment-cutter.h"
#include "fuzz.h"

#include "t2p-cursor.h"
#include "t2p-limits.h"
#include "t2p-udp-header.h"
#include "t2pw-reassembly.h"

#define N_PACKETS 4
#define PACKET_BYTES 70000
#define MAX_OPERATIONS 300

typedef struct
{
  guint8 bytes[PACKET_BYTES];
  gsize length, head;
} Original;

typedef struct
{
  T2pCursor cursor;
  T2pwBufferPool pool;
  T2pwReassembly reassembly;
  gint64 now_us;
} Script;

static Original originals[N_PACKETS];

static void
make_originals (void)
{
  static const char *const ends[N_PACKETS][2] = { { "10.9.0.2:4000", "198.51.100.7:53" },
                                                  { "10.9.0.2:4000", "198.51.100.8:53" },
                                                  { "[fd00:9::2]:4000", "[2001:db8::7]:53" },
                                                  { "[fd00:9::3]:4000", "[2001:db8::7]:53" } };
  static guint8 payload[65000];

  for (gsize i = 0; i < sizeof payload; i++)
    payload[i] = (guint8) (i * 7 + i / 251);
  for (guint i = 0; i < N_PACKETS; i++)
    {
      T2pIpEndpoint from, to;
      T2pWriter writer;

      g_assert_true (t2p_ip_endpoint_parse (ends[i][0], &from));
      g_assert_true (t2p_ip_endpoint_parse (ends[i][1], &to));
      t2p_writer_init (&writer, originals[i].bytes, PACKET_BYTES);
      g_assert_true (
          t2p_udp_packet_write (&writer, &from, &to, payload, i % 2 == 0 ? 3000 : 65000));
      originals[i].length = t2p_writer_length (&writer);
      originals[i].head = i < 2 ? T2P_IPV4_HEADER_BYTES : T2P_IPV6_HEADER_BYTES;
    }
}

static guint8
next_byte (Script *script)
{
  guint8 byte = 0;

  t2p_cursor_read_u8 (&script->cursor, &byte);
  return byte;
}

static void
check_whole (const Original *original, const T2pwBuffer *whole, gsize length)
{
  gsize payload = original->length - original->head;

  /* What lies about its end is shorter or longer, and still of the same bytes. */
  g_assert_cmpuint (length, >, original->head);
  g_assert_cmpuint (length, <=, T2PW_BUFFER_BYTES);
  g_assert_cmpmem (whole->data + original->head, MIN (length - original->head, payload),
                   original->bytes + original->head, MIN (length - original->head, payload));
}

/* @flags: 1 lies about the end, 2 changes a byte, 4 is of another id. */
static void
take_cut (Script *script, const Original *original, gsize offset, gsize length, guint8 flags)
{
  gsize payload = original->length - original->head;
  guint8 bytes[PACKET_BYTES + 100];
  T2pwPacket packet;
  T2pwBuffer *whole;
  gsize whole_length = 0;
  Cut cut = { .offset = MIN (offset, payload - 8), .id = flags & 4 };

  cut.length = MIN (length, payload - cut.offset);
  cut.has_more = (cut.offset + cut.length < payload) != ((flags & 1) != 0);
  length = cut_fragment (original->bytes, 0, &cut, bytes);
  if ((flags & 2) != 0)
    bytes[original->head + next_byte (script) % 60] = next_byte (script);
  if (t2pw_packet_parse (&packet, NULL, bytes, length) != T2PW_VERDICT_FRAGMENT)
    return;
  whole = t2pw_reassembly_take (&script->reassembly, &packet, script->now_us, &whole_length);
  if (whole == NULL)
    return;
  g_assert_cmpuint (whole_length, <=, T2PW_BUFFER_BYTES);
  if (t2pw_packet_parse (&packet, NULL, whole->data, whole_length) == T2PW_VERDICT_UDP)
    check_whole (original, whole, whole_length);
  t2pw_buffer_give (whole);
}

static void
run_operation (Script *script)
{
  guint8 byte = next_byte (script);
  const Original *original = &originals[byte % N_PACKETS];
  gsize offset = (gsize) next_byte (script) * 256 + (next_byte (script) & 0xf8);
  gsize length = ((gsize) next_byte (script) + 1) * ((byte & 0x40) != 0 ? 256 : 8);

  if ((byte & 0x3c) == 0x3c)
    {
      script->now_us += (gint64) offset * 1000;
      t2pw_reassembly_expire (&script->reassembly, script->now_us);
    }
  else if ((byte & 0x80) != 0)
    for (gsize at = 0; at < original->length - original->head; at += length)
      take_cut (script, original, at, length, 0);
  else
    take_cut (script, original, offset, length, (byte >> 2) & 7);
  g_assert_cmpuint (script->reassembly.held_bytes, <=, T2P_MAX_REASSEMBLY_BYTES);
  g_assert_cmpuint (script->pool.used_bytes, ==, script->reassembly.held_bytes);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Script script = { .now_us = G_USEC_PER_SEC };

  if (originals[0].length == 0)
    make_originals ();
  t2p_cursor_init (&script.cursor, data, size);
  t2pw_buffer_pool_init (&script.pool, 8 * 1024 * 1024);
  t2pw_reassembly_init (&script.reassembly, &script.pool);
  for (guint i = 0; i < MAX_OPERATIONS && t2p_cursor_remaining (&script.cursor) > 0; i++)
    run_operation (&script);
  t2pw_reassembly_clear (&script.reassembly);
  g_assert_cmpuint (script.pool.used_bytes, ==, 0);
  t2pw_buffer_pool_clear (&script.pool);
  return 0;
}
