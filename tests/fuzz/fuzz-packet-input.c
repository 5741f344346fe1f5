/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The input is a script for an application (segments, also in fragments, windows, options,
 * pings, raw packets), for the owner of the stream, and for lwIP's clock. The library itself is
 * the judge, which aborts on what it did not expect; besides, memory stays within the limit,
 * and what the owner reads is what was sent. */
#include "config.h"

#include "fragment-cutter.h"
#include "fuzz.h"
#include "packet-peer.h"

#include "t2pw-lwip.h"

#include <netinet/in.h>

#define MEMORY_LIMIT (8 * 1024 * 1024)
#define MAX_OPERATIONS 400

/* Whom a connection may come from: lwIP treats some addresses as its own. */
static const char *const sources_v4[] = { "192.0.0.8",  "127.0.0.1",       "0.0.0.0",
                                          "224.0.0.1",  "255.255.255.255", "198.51.100.7",
                                          "169.254.0.1" };
static const char *const sources_v6[] = { "::1",     "::",          "ff02::1",
                                          "fe80::1", "2001:db8::7", "::ffff:192.0.0.8" };

typedef struct
{
  Peer *peer;
  T2pCursor cursor;
  const guint8 *pattern;
  guint32 base; /* the pattern's first byte */
} Script;

static const guint32 places[] = {
  0,     1,     2,     8,          100,        536,   1460,  3000,       16384,
  40000, 64000, 65535, 0x7fffffff, 0x80000000, 65536, 30000, 0xfffffffe, 0xffffffff
};
static const gsize lengths[] = { 0,    0,    1,    2,    8,     100,   536,   1460,
                                 1461, 2048, 2049, 4000, 16384, 16385, 40000, 65000 };
static const guint16 windows[] = { 0, 1, 2, 7, 100, 511, 512, 1460, 3000, 30000, 65535 };

static guint8
next_byte (Script *script)
{
  guint8 byte = 0;

  t2p_cursor_read_u8 (&script->cursor, &byte);
  return byte;
}

static guint32
next_place (Script *script)
{
  guint8 byte = next_byte (script);
  guint32 place = places[(byte & 0x7f) % G_N_ELEMENTS (places)];

  return (byte & 0x80) != 0 ? 0u - place : place;
}

/* Data is always what the pattern has at that place, so that overlaps agree. */
static gsize
build_segment (Script *script, guint8 flags, guint8 *out)
{
  Peer *peer = script->peer;
  guint32 sequence = peer->next + next_place (script);
  gsize length = lengths[next_byte (script) % G_N_ELEMENTS (lengths)];
  guint32 at = (sequence - script->base) % 131072;
  guint32 acknowledged = peer->acknowledged;
  gsize bytes;

  peer->acknowledged += (flags & 0x80) != 0 ? next_place (script) : 0;
  bytes = peer_build (peer, flags & 0x3f, sequence, script->pattern + at, length, out);
  peer->acknowledged = acknowledged;
  if ((flags & 0x40) != 0 && sequence == peer->next)
    peer->next += (guint32) length;
  return bytes;
}

static void
send_segment (Script *script)
{
  guint8 packet[66000];

  peer_send_raw (script->peer, packet, build_segment (script, next_byte (script), packet));
}

/* A SYN's options on something that is no SYN, with a byte changed. */
static void
send_odd_segment (Script *script)
{
  gsize tcp_at = script->peer->mode->family == AF_INET ? 20 : 40;
  guint8 flags = next_byte (script), packet[66000];
  gsize length = build_segment (script, flags | T2P_TCP_SYN, packet);

  packet[tcp_at + 13] = flags;
  packet[next_byte (script) % MIN (length, tcp_at + 28)] = next_byte (script);
  peer_send_raw (script->peer, packet, length);
}

static void
send_bytes (Script *script)
{
  const guint8 *bytes;
  gsize length = MIN (next_byte (script), t2p_cursor_remaining (&script->cursor));

  if (length > 0 && t2p_cursor_read_bytes (&script->cursor, length, &bytes))
    peer_send_raw (script->peer, bytes, length);
}

static void
acknowledge (Script *script)
{
  Peer *peer = script->peer;
  Segment segment;

  peer_pump (peer);
  while (peer_take (peer, &segment))
    {
      if (segment.ip.protocol != IPPROTO_TCP)
        continue;
      if ((segment.tcp.flags & T2P_TCP_SYN) != 0)
        peer->acknowledged = segment.tcp.sequence + 1;
      else if (segment.tcp.sequence == peer->acknowledged)
        peer->acknowledged +=
            (guint32) segment.tcp.payload_bytes + ((segment.tcp.flags & T2P_TCP_FIN) != 0);
    }
  peer_send (peer, T2P_TCP_ACK, peer->next, NULL, 0);
}

static void
owner_reads (Script *script)
{
  gsize length = lengths[next_byte (script) % G_N_ELEMENTS (lengths)];
  T2pwStream *stream = script->peer->owner.stream;
  struct iovec iov[3];
  gboolean at_end;

  if (stream == NULL)
    return;
  t2pw_stream_peek (stream, iov, G_N_ELEMENTS (iov), &at_end);
  t2pw_stream_consume (stream, length);
}

static void
owner_writes (Script *script)
{
  gsize length = lengths[next_byte (script) % G_N_ELEMENTS (lengths)];
  T2pwStream *stream = script->peer->owner.stream;
  struct iovec iov[4];
  gsize room = 0;
  guint n;

  if (stream == NULL)
    return;
  n = t2pw_stream_reserve (stream, MAX (length, 1), iov, G_N_ELEMENTS (iov));
  for (guint i = 0; i < n; i++)
    {
      memset (iov[i].iov_base, 'w', iov[i].iov_len);
      room += iov[i].iov_len;
    }
  t2pw_stream_commit (stream, MIN (length, room));
}

static void
owner_decides (Script *script)
{
  Peer *peer = script->peer;
  guint8 byte = next_byte (script);

  if (peer->held != NULL && (byte & 1) != 0)
    t2pw_held_syn_refuse (g_steal_pointer (&peer->held), byte >> 1 & 3);
  else if (peer->owner.stream != NULL && (byte & 1) != 0)
    t2pw_stream_abort (g_steal_pointer (&peer->owner.stream));
  else if (peer->owner.stream != NULL)
    t2pw_stream_shutdown (peer->owner.stream);
  peer->owner.holds_back = (byte & 8) != 0;
  peer->policy = (byte & 0x30) == 0x30 ? OWNER_HOLDS : OWNER_ACCEPTS;
}

/* Segments, with or without a connection, come from somewhere else now. */
static void
move (Script *script)
{
  Peer *peer = script->peer;
  gboolean is_v4 = peer->mode->family == AF_INET;
  const char *const *sources = is_v4 ? sources_v4 : sources_v6;
  gsize n = is_v4 ? G_N_ELEMENTS (sources_v4) : G_N_ELEMENTS (sources_v6);

  g_assert_true (t2p_ip_address_parse (sources[next_byte (script) % n], &peer->local.address));
  peer_send (peer, T2P_TCP_SYN, peer->next, NULL, 0);
  acknowledge (script);
}

static void
pass_time (Script *script)
{
  guint ticks = 1 + next_byte (script) % 16;

  for (guint i = 0; i < ticks; i++)
    t2pw_lwip_run_timers (script->peer->stack);
  t2pw_lwip_send_acks (script->peer->stack, TRUE);
}

/* The same segment in pieces: in order or not, with one left out or changed, as the bytes say.
 */
static void
send_fragments (Script *script)
{
  guint8 how = next_byte (script), packet[66000], fragment[66100];
  gsize length = build_segment (script, next_byte (script), packet);
  gsize head = script->peer->mode->family == AF_INET ? 20 : 40;
  gsize payload = length - head;
  gsize piece = ((gsize) (how & 0x1f) + 1) * 8 * ((how & 0x20) != 0 ? 100 : 1);
  guint n = (guint) MIN ((payload + piece - 1) / piece, 300);

  for (guint i = 0; i < n; i++)
    {
      gsize at = ((how & 0x40) != 0 ? n - 1 - i : i) * piece;
      gsize bytes = MIN (piece, payload - at);
      Cut cut = { at, bytes, at + bytes < payload, how & 3 };

      if ((how & 0x80) != 0 && i == n / 2)
        cut.offset = cut.offset >= 8 ? cut.offset - 8 : cut.offset; /* overlaps */
      peer_send_raw (script->peer, fragment, cut_fragment (packet, 0, &cut, fragment));
      peer_pump (script->peer);
    }
}

static void
send_ping (Script *script)
{
  const Peer *peer = script->peer;
  gboolean is_v4 = peer->mode->family == AF_INET;
  guint8 ttl = next_byte (script), packet[66000];
  gsize length = lengths[next_byte (script) % G_N_ELEMENTS (lengths)];
  T2pIcmpEcho echo = { next_byte (script), next_byte (script), script->pattern, length };
  T2pIpHeader ip = { .source = peer->local.address,
                     .destination = peer->remote.address,
                     .protocol = is_v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
                     .ttl = ttl };
  T2pWriter writer;
  guint8 *header;

  t2p_writer_init (&writer, packet, sizeof packet);
  if (!t2p_ip_header_write (&writer, &ip, T2P_ICMP_HEADER_BYTES + length))
    return;
  header = t2p_writer_reserve (&writer, T2P_ICMP_HEADER_BYTES);
  t2p_icmp_echo_write_header (header, &ip.source, &ip.destination, FALSE, &echo);
  t2p_writer_bytes (&writer, echo.data, length);
  peer_send_raw (script->peer, packet, t2p_writer_length (&writer));
}

/* What the floor above may ask for at any time. */
static void
owner_answers (Script *script)
{
  Peer *peer = script->peer;
  guint8 byte = next_byte (script);
  gsize length = lengths[next_byte (script) % G_N_ELEMENTS (lengths)];
  T2pwFlowKey key = { .source = peer->local, .destination = peer->remote };
  T2pwEcho echo = { .source = peer->local.address,
                    .destination = peer->remote.address,
                    .ttl = 64,
                    .message = { byte, byte, script->pattern, length } };
  T2pIcmpError error = { byte, next_byte (script), length };

  switch (byte % 5)
    {
    case 0:
      t2pw_stack_send_datagram (peer->stack, &key, script->pattern, length);
      break;
    case 1:
      t2pw_stack_refuse_datagram (peer->stack, &key, script->pattern, length, byte % 6);
      break;
    case 2:
      t2pw_stack_tell_too_big (peer->stack, &key, script->pattern, length, error.code * 10);
      break;
    case 3:
      t2pw_stack_send_echo_reply (peer->stack, &echo);
      break;
    default:
      t2pw_stack_send_echo_error (peer->stack, &echo, &peer->remote.address, &error);
      break;
    }
}

static void
run_operation (Script *script)
{
  guint8 byte = next_byte (script);

  switch (byte % 16)
    {
    case 0:
      send_odd_segment (script);
      break;
    case 1:
      send_bytes (script);
      break;
    case 2:
      script->peer->window = windows[next_byte (script) % G_N_ELEMENTS (windows)];
      break;
    case 3:
      owner_reads (script);
      break;
    case 4:
    case 5:
      owner_writes (script);
      break;
    case 6:
      owner_decides (script);
      break;
    case 7:
      pass_time (script);
      break;
    case 8:
    case 9:
      acknowledge (script);
      break;
    case 12:
      move (script);
      break;
    case 13:
      send_fragments (script);
      break;
    case 14:
      send_ping (script);
      break;
    case 15:
      owner_answers (script);
      break;
    default:
      send_segment (script);
      break;
    }
}

static void
open_connection (Script *script, guint8 byte)
{
  Peer *peer = script->peer;

  script->base = peer->next + 1;
  peer->scale = (byte & 4) != 0 ? 7 : -1;
  peer->mss = (byte & 8) != 0 ? 100 : peer->mss;
  peer->window = (byte & 16) != 0 ? 3000 : 65535;
  peer_send (peer, T2P_TCP_SYN, peer->next++, NULL, 0);
  acknowledge (script);
  peer_pump (peer);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static GBytes *pattern;
  T2pwStackConfig overrides = { .memory_limit_bytes = MEMORY_LIMIT, .max_streams = 8 };
  Script script = { 0 };
  guint8 byte;

  if (pattern == NULL)
    pattern = pattern_new (131072 + 66000);
  script.pattern = g_bytes_get_data (pattern, NULL);
  t2p_cursor_init (&script.cursor, data, size);
  byte = next_byte (&script);
  overrides.icmp = (T2pwIcmpMode) (byte >> 6);
  script.peer = peer_new (&peer_modes[(byte & 3) % n_peer_modes], &overrides);
  script.peer->is_hostile = TRUE;
  open_connection (&script, byte);
  for (guint i = 0; i < MAX_OPERATIONS && t2p_cursor_remaining (&script.cursor) > 0; i++)
    {
      run_operation (&script);
      peer_pump (script.peer);
      g_assert_cmpuint (t2pw_stack_get_counters (script.peer->stack)->memory_bytes, <=,
                        MEMORY_LIMIT);
    }
  peer_free (script.peer);
  return 0;
}
