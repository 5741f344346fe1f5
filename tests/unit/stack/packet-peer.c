/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "packet-peer.h"

#include "t2p-checksum.h"
#include "t2p-udp-header.h"
#include "t2pw-accelerator.h"
#include "t2pw-packet.h"

#include <linux/if_tun.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define USO (0x20 | 0x40) /* TUN_F_USO4, TUN_F_USO6 */

const PeerMode peer_modes[] = {
  { "plain-v4", AF_INET, FALSE, FALSE },
  { "vnet-v4", AF_INET, TRUE, FALSE },
  { "accelerated-v4", AF_INET, TRUE, TRUE },
  { "accelerated-v6", AF_INET6, TRUE, TRUE },
};
const guint n_peer_modes = G_N_ELEMENTS (peer_modes);

guint8
pattern_at (gsize position)
{
  return (guint8) (position * 7 + position / 251);
}

GBytes *
pattern_new (gsize length)
{
  guint8 *bytes = g_malloc (length);

  for (gsize i = 0; i < length; i++)
    bytes[i] = pattern_at (i);
  return g_bytes_new_take (bytes, length);
}

/* --- the owner */

static void
owner_write (Peer *peer)
{
  Owner *owner = &peer->owner;

  while (owner->sent < owner->to_send)
    {
      struct iovec iov[4];
      gsize filled = 0;
      guint n = t2pw_stream_reserve (owner->stream, owner->to_send - owner->sent, iov, 4);

      if (n == 0)
        return;
      for (guint i = 0; i < n; i++)
        for (gsize j = 0; j < iov[i].iov_len; j++)
          ((guint8 *) iov[i].iov_base)[j] = pattern_at (owner->sent + filled++);
      t2pw_stream_commit (owner->stream, filled);
      owner->sent += filled;
    }
  if (owner->shuts_down)
    t2pw_stream_shutdown (owner->stream);
}

static void
writable_cb (T2pwStream *stream, gpointer user_data)
{
  Peer *peer = user_data;

  if (stream == peer->owner.stream)
    owner_write (peer);
}

static gsize
owner_read (Peer *peer)
{
  Owner *owner = &peer->owner;
  struct iovec iov[8];
  gsize total = 0;
  guint n = t2pw_stream_peek (owner->stream, iov, 8, &owner->is_at_end);

  for (guint i = 0; i < n; i++)
    {
      g_byte_array_append (owner->received, iov[i].iov_base, (guint) iov[i].iov_len);
      total += iov[i].iov_len;
    }
  t2pw_stream_consume (owner->stream, total);
  return total;
}

static void
readable_cb (T2pwStream *stream, gpointer user_data)
{
  Peer *peer = user_data;
  gsize before = peer->owner.received->len;

  if (peer->owner.holds_back || stream != peer->owner.stream)
    return;
  while (owner_read (peer) > 0)
    ;
  if (peer->owner.echoes)
    {
      peer->owner.to_send += peer->owner.received->len - before;
      owner_write (peer);
    }
}

static void
closed_cb (T2pwStream *stream, gboolean was_reset, gpointer user_data)
{
  Peer *peer = user_data;

  if (stream != peer->owner.stream)
    return; /* an earlier one */
  peer->owner.is_closed = TRUE;
  peer->owner.was_reset = was_reset;
  peer->owner.stream = NULL;
}

static const T2pwStreamHandler stream_handler = { readable_cb, writable_cb, closed_cb };

static void
connecting_cb (T2pwHeldSyn *syn, const T2pwFlowKey *key, gpointer user_data)
{
  Peer *peer = user_data;

  peer->n_connecting++;
  if (peer->upper != NULL)
    {
      peer->upper->connecting (syn, key, peer->upper_data);
      return;
    }
  switch (peer->policy)
    {
    case OWNER_ACCEPTS:
      peer->owner.stream = t2pw_held_syn_accept (syn, &stream_handler, peer);
      break;
    case OWNER_HOLDS:
      peer->held = syn;
      break;
    case OWNER_REFUSES:
      t2pw_held_syn_refuse (syn, peer->refusal);
      break;
    }
}

static void
abandoned_cb (T2pwHeldSyn *syn, gpointer user_data)
{
  Peer *peer = user_data;

  peer->n_abandoned++;
  if (peer->upper != NULL)
    peer->upper->abandoned (syn, peer->upper_data);
  if (peer->held == syn)
    peer->held = NULL;
}

static gboolean
datagram_cb (const T2pwFlowKey *key,
             const guint8 *data,
             gsize length,
             gsize datagram_bytes,
             gpointer user_data)
{
  Peer *peer = user_data;

  if (peer->refuses_datagrams)
    return FALSE;
  peer->n_datagrams++;
  peer->told_datagram_bytes = datagram_bytes;
  peer->datagram_key = *key;
  g_byte_array_append (peer->datagram, data, (guint) length);
  return TRUE;
}

static void
lost_cb (const GError *error, gpointer user_data)
{
  Peer *peer = user_data;

  g_assert_nonnull (error);
  peer->n_lost++;
}

static gboolean
echo_cb (const T2pwEcho *echo, T2pRefusal *io_refusal, gpointer user_data)
{
  Peer *peer = user_data;

  peer->n_echoes++;
  peer->echo = *echo;
  peer->echo.message.data = NULL;
  *io_refusal = peer->refusal;
  return !peer->refuses_datagrams;
}

static const T2pwStackHandler stack_handler = { .connecting = connecting_cb,
                                                .abandoned = abandoned_cb,
                                                .datagram = datagram_cb,
                                                .echo = echo_cb,
                                                .device_lost = lost_cb };

/* --- the peer */

static T2pwStackConfig
config_for (const PeerMode *mode, const T2pwStackConfig *overrides)
{
  T2pwStackConfig config = { .mtu = 1500,
                             .has_vnet_header = mode->has_vnet,
                             .offloads = mode->has_vnet
                                             ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | USO
                                             : 0,
                             .memory_limit_bytes = 64 * 1024 * 1024,
                             .max_streams = 1000 };

  if (overrides != NULL && overrides->memory_limit_bytes > 0)
    config.memory_limit_bytes = overrides->memory_limit_bytes;
  if (overrides != NULL && overrides->max_streams > 0)
    config.max_streams = overrides->max_streams;
  if (overrides != NULL)
    {
      config.icmp = overrides->icmp;
      config.hop4 = overrides->hop4;
      config.hop6 = overrides->hop6;
    }
  return config;
}

Peer *
peer_new (const PeerMode *mode, const T2pwStackConfig *overrides)
{
  Peer *peer = g_new0 (Peer, 1);
  T2pwStackConfig config = config_for (mode, overrides);
  g_autoptr (GError) error = NULL;
  int size = 4 * 1024 * 1024, fds[2];
  gboolean is_v4 = mode->family == AF_INET;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
                   ==, 0);
  for (guint i = 0; i < 2; i++)
    setsockopt (fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  peer->mode = mode;
  peer->fd = fds[1];
  peer->context = g_main_context_new ();
  peer->reactor = t2p_reactor_new (peer->context, &error);
  g_assert_no_error (error);
  t2pw_accelerator_forbid (!mode->is_accelerated);
  peer->stack = t2pw_stack_new (peer->reactor, fds[0], &config, &stack_handler, peer, &error);
  g_assert_no_error (error);
  peer->owner.received = g_byte_array_new ();
  peer->datagram = g_byte_array_new ();
  g_assert_true (
      t2p_ip_endpoint_parse (is_v4 ? "10.9.0.2:40000" : "[fd00:9::2]:40000", &peer->local));
  g_assert_true (
      t2p_ip_endpoint_parse (is_v4 ? "198.51.100.7:443" : "[2001:db8::7]:443", &peer->remote));
  peer->next = 0xfffffff0; /* wraps in every test */
  peer->window = 65535;
  peer->mss = is_v4 ? 1460 : 1440;
  peer->scale = 7;
  return peer;
}

void
peer_free (Peer *peer)
{
  t2pw_stack_free (peer->stack);
  t2p_reactor_free (peer->reactor);
  g_main_context_unref (peer->context);
  close (peer->fd);
  g_byte_array_unref (peer->owner.received);
  g_byte_array_unref (peer->datagram);
  g_free (peer);
}

void
peer_pump (Peer *peer)
{
  for (guint i = 0; i < 1000 && g_main_context_iteration (peer->context, FALSE); i++)
    ;
}

static gboolean
wake_cb (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

void
peer_wait (Peer *peer, guint ms, const gboolean *condition)
{
  gint64 until_us = g_get_monotonic_time () + (gint64) ms * 1000;
  GSource *tick = g_timeout_source_new (5);

  g_source_set_callback (tick, wake_cb, NULL, NULL);
  g_source_attach (tick, peer->context);
  while (g_get_monotonic_time () < until_us && (condition == NULL || !*condition))
    g_main_context_iteration (peer->context, TRUE);
  g_source_destroy (tick);
  g_source_unref (tick);
}

void
peer_send_raw (Peer *peer, const guint8 *packet, gsize length)
{
  struct virtio_net_hdr vnet = { .flags = peer->is_hostile ? VIRTIO_NET_HDR_F_DATA_VALID : 0 };
  struct iovec parts[] = { { &vnet, peer->mode->has_vnet ? sizeof vnet : 0 },
                           { (gpointer) packet, length } };
  gssize written;

  if (peer->datagram_bytes > 0)
    {
      vnet.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
      vnet.gso_size = peer->datagram_bytes;
    }
  written = writev (peer->fd, parts, 2);

  if (!peer->is_hostile)
    g_assert_cmpint (written, ==, parts[0].iov_len + length);
}

static void
write_options (const Peer *peer, T2pWriter *writer)
{
  t2p_writer_u8 (writer, 2);
  t2p_writer_u8 (writer, 4);
  t2p_writer_be16 (writer, peer->mss);
  if (peer->scale >= 0)
    t2p_writer_be32 (writer, 0x01030300u | (guint32) peer->scale);
}

gsize
peer_build (Peer *peer,
            guint8 flags,
            guint32 sequence,
            const guint8 *payload,
            gsize length,
            guint8 *out)
{
  gsize options = (flags & T2P_TCP_SYN) == 0 ? 0 : peer->scale >= 0 ? 8 : 4;
  gsize segment_bytes = T2P_TCP_HEADER_BYTES + options + length;
  T2pIpHeader ip = { .source = peer->local.address,
                     .destination = peer->remote.address,
                     .protocol = IPPROTO_TCP,
                     .ttl = 64 };
  T2pWriter writer;
  guint8 *tcp;
  guint32 sum;

  t2p_writer_init (&writer, out, 66000);
  g_assert_true (t2p_ip_header_write (&writer, &ip, segment_bytes));
  tcp = writer.at;
  t2p_writer_be16 (&writer, peer->local.port);
  t2p_writer_be16 (&writer, peer->remote.port);
  t2p_writer_be32 (&writer, sequence);
  t2p_writer_be32 (&writer, (flags & T2P_TCP_ACK) != 0 ? peer->acknowledged : 0);
  t2p_writer_u8 (&writer, (guint8) ((T2P_TCP_HEADER_BYTES + options) / 4 << 4));
  t2p_writer_u8 (&writer, flags);
  t2p_writer_be16 (&writer, peer->window);
  t2p_writer_be32 (&writer, 0);
  if (options > 0)
    write_options (peer, &writer);
  g_assert_true (t2p_writer_bytes (&writer, payload, length));
  sum = t2p_checksum_pseudo (&ip.source, &ip.destination, IPPROTO_TCP, segment_bytes);
  t2p_store_be16 (tcp + 16, t2p_checksum_finish (t2p_checksum_add (sum, tcp, segment_bytes)));
  return t2p_writer_length (&writer);
}

void
peer_send (Peer *peer, guint8 flags, guint32 sequence, const guint8 *payload, gsize length)
{
  g_autofree guint8 *packet = g_malloc (66000);

  peer_send_raw (peer, packet, peer_build (peer, flags, sequence, payload, length, packet));
}

/* What the kernel would do with a partial sum. */
static void
finish_checksum (guint8 *packet, gsize length, const struct virtio_net_hdr *vnet)
{
  guint8 *field = packet + vnet->csum_start + vnet->csum_offset;

  if ((vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0)
    return;
  g_assert_cmpuint (vnet->csum_start + vnet->csum_offset + 2, <=, length);
  t2p_store_be16 (field, t2p_checksum (packet + vnet->csum_start, length - vnet->csum_start));
}

gboolean
peer_take (Peer *peer, Segment *out)
{
  struct virtio_net_hdr vnet = { 0 };
  gsize header = peer->mode->has_vnet ? sizeof vnet : 0;
  struct iovec parts[] = { { &vnet, header }, { peer->bytes, sizeof peer->bytes } };
  gssize got = readv (peer->fd, parts, 2);

  if (got < 0)
    return FALSE;
  memset (out, 0, sizeof *out);
  got -= (gssize) header;
  g_assert_cmpint (t2p_ip_header_parse (peer->bytes, (gsize) got, &out->ip), ==,
                   T2P_IP_PARSE_OK);
  g_assert_cmpuint (out->ip.total_bytes, ==, (gsize) got);
  g_assert_true (t2p_ip_header_checksum_ok (peer->bytes, &out->ip));
  finish_checksum (peer->bytes, (gsize) got, &vnet);
  out->payload = peer->bytes + out->ip.header_bytes;
  out->gso_size = vnet.gso_size;
  if (out->ip.protocol == IPPROTO_UDP && !out->ip.is_fragment)
    g_assert_true (t2p_udp_checksum_ok (peer->bytes, &out->ip));
  if (out->ip.protocol != IPPROTO_TCP)
    return TRUE;
  g_assert_true (t2p_tcp_checksum_ok (peer->bytes, &out->ip));
  g_assert_cmpint (
      t2p_tcp_header_parse (out->payload, t2p_ip_header_payload_bytes (&out->ip), &out->tcp),
      ==, T2P_TCP_PARSE_OK);
  out->payload += out->tcp.header_bytes;
  peer->has_fin = peer->has_fin || (out->tcp.flags & T2P_TCP_FIN) != 0;
  peer->has_rst = peer->has_rst || (out->tcp.flags & T2P_TCP_RST) != 0;
  if (out->tcp.payload_bytes > peer->mss && !peer->is_hostile)
    g_assert_cmpuint (out->gso_size, ==, peer->mss);
  return TRUE;
}

guint
peer_drain (Peer *peer)
{
  Segment segment;
  guint n = 0;

  peer_pump (peer);
  while (peer_take (peer, &segment))
    n++;
  return n;
}

void
peer_connect (Peer *peer)
{
  Segment segment;

  peer_send (peer, T2P_TCP_SYN, peer->next++, NULL, 0);
  peer_pump (peer);
  g_assert_true (peer_take (peer, &segment));
  g_assert_cmphex (segment.tcp.flags, ==, T2P_TCP_SYN | T2P_TCP_ACK);
  g_assert_cmpuint (segment.tcp.acknowledgement, ==, peer->next);
  g_assert_cmpuint (segment.tcp.maximum_segment_bytes, ==,
                    peer->mode->family == AF_INET ? 1460 : 1440);
  g_assert_cmpint (segment.tcp.has_window_scale, ==, peer->scale >= 0);
  peer->acknowledged = segment.tcp.sequence + 1;
  peer_send (peer, T2P_TCP_ACK, peer->next, NULL, 0);
  peer_pump (peer);
  g_assert_true (peer->upper != NULL || peer->owner.stream != NULL);
}

void
peer_receive (Peer *peer, GByteArray *into, gsize length)
{
  for (guint idle = 0; into->len < length && idle < 1000; idle++)
    {
      Segment segment;

      peer_pump (peer);
      while (peer_take (peer, &segment))
        if (segment.tcp.sequence == peer->acknowledged && segment.tcp.payload_bytes > 0)
          {
            g_byte_array_append (into, segment.payload, (guint) segment.tcp.payload_bytes);
            peer->acknowledged += (guint32) segment.tcp.payload_bytes;
            idle = 0;
          }
      peer_send (peer, T2P_TCP_ACK, peer->next, NULL, 0);
    }
  g_assert_cmpuint (into->len, >=, length);
}
