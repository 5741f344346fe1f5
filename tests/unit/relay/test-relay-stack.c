/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "packet-peer.h"
#include "t2pw-relay.h"

#include <errno.h>

/* Relay and stack together: an application made of packets, an upstream of plain buffers. */

/* Gives @to_give bytes of the pattern and then its end; keeps what it gets. */
typedef struct
{
  T2pwOutbound base;
  T2pwCarrier carrier;
  gsize to_give, given;
  GByteArray *got;
  gboolean is_open, has_end, is_shut;
} Upstream;

typedef struct
{
  Peer *peer;
  Upstream upstream;
  T2pwRelay *relay;
} Fixture;

static Upstream *
upstream_of (T2pwCarrier *carrier)
{
  return (Upstream *) (gpointer) ((char *) carrier - G_STRUCT_OFFSET (Upstream, carrier));
}

static gssize
up_send (T2pwCarrier *carrier, const struct iovec *iov, guint n)
{
  Upstream *upstream = upstream_of (carrier);
  gsize before = upstream->got->len;

  for (guint i = 0; i < n; i++)
    g_byte_array_append (upstream->got, iov[i].iov_base, (guint) iov[i].iov_len);
  return (gssize) (upstream->got->len - before);
}

static gssize
up_receive (T2pwCarrier *carrier, const struct iovec *iov, guint n)
{
  Upstream *upstream = upstream_of (carrier);
  gsize before = upstream->given;

  for (guint i = 0; i < n; i++)
    for (gsize j = 0; j < iov[i].iov_len && upstream->given < upstream->to_give; j++)
      ((guint8 *) iov[i].iov_base)[j] = pattern_at (upstream->given++);
  if (upstream->given > before)
    return (gssize) (upstream->given - before);
  errno = EAGAIN;
  return upstream->has_end ? 0 : -1;
}

static void
up_shutdown (T2pwCarrier *carrier)
{
  upstream_of (carrier)->is_shut = TRUE;
}

static void
up_close (T2pwCarrier *carrier, gboolean reset)
{
  upstream_of (carrier)->is_open = FALSE;
}

static gboolean
up_is_stalled (T2pwCarrier *carrier)
{
  return FALSE;
}

static const T2pwCarrierClass carrier_class = { .send = up_send,
                                                .receive = up_receive,
                                                .unread = t2pw_unopened_unread,
                                                .shutdown = up_shutdown,
                                                .close = up_close,
                                                .is_stalled = up_is_stalled };

static T2pwCarrier *
up_open (T2pwOutbound *base,
         const T2pwDestination *destination,
         const T2pwCarrierHandler *handler,
         gpointer user_data)
{
  Upstream *upstream = (Upstream *) base;

  upstream->is_open = TRUE;
  upstream->carrier = (T2pwCarrier){ &carrier_class, handler, user_data, "upstream" };
  return &upstream->carrier;
}

static const T2pwOutboundClass outbound_class = { .kind = "plain", .open = up_open };

static void
set_up (Fixture *f, const T2pwStackConfig *overrides, T2pwRelayConfig config)
{
  f->peer = peer_new (&peer_modes[2], overrides);
  f->upstream = (Upstream){ .base.klass = &outbound_class, .got = g_byte_array_new () };
  config.reactor = f->peer->reactor;
  config.policy.group = &f->upstream.base;
  config.max_flows = 10;
  config.policy.has_ipv6 = TRUE;
  f->relay = t2pw_relay_new (&config);
  f->peer->upper = t2pw_relay_get_stack_handler ();
  f->peer->upper_data = f->relay;
}

static void
tear_down (Fixture *f)
{
  t2pw_relay_free (f->relay);
  g_byte_array_unref (f->upstream.got);
  peer_free (f->peer);
}

static void
upstream_opens (Fixture *f)
{
  f->upstream.carrier.handler->opened (&f->upstream.carrier, f->upstream.carrier.user_data);
  peer_pump (f->peer);
}

static void
assert_pattern (const GByteArray *bytes, gsize length)
{
  g_assert_cmpuint (bytes->len, ==, length);
  for (gsize i = 0; i < length; i++)
    g_assert_cmpuint (bytes->data[i], ==, pattern_at (i));
}

/* The application is answered, sends and ends, all before the upstream is there. */
static void
test_early_accept (void)
{
  T2pwRelayConfig config = { .early_accept = TRUE,
                             .idle_timeout_ms = 60000,
                             .half_close_timeout_ms = 60000 };
  g_autoptr (GByteArray) got = g_byte_array_new ();
  Fixture f;

  set_up (&f, NULL, config);
  peer_connect (f.peer);
  peer_send (f.peer, T2P_TCP_ACK | T2P_TCP_FIN, f.peer->next, (const guint8 *) "early", 5);
  f.peer->next += 6;
  peer_drain (f.peer);
  g_assert_cmpuint (f.upstream.got->len, ==, 0);
  f.upstream.to_give = 100000;
  f.upstream.has_end = TRUE;
  upstream_opens (&f);
  g_assert_cmpmem (f.upstream.got->data, f.upstream.got->len, "early", 5);
  g_assert_true (f.upstream.is_shut);
  peer_receive (f.peer, got, 100000);
  assert_pattern (got, 100000);
  peer_drain (f.peer);
  g_assert_true (f.peer->has_fin);
  f.peer->acknowledged++;
  peer_send (f.peer, T2P_TCP_ACK, f.peer->next, NULL, 0);
  peer_drain (f.peer);
  g_assert_cmpuint (t2pw_relay_get_n_flows (f.relay), ==, 0);
  tear_down (&f);
}

/* An upstream that fails after an early answer leaves a reset. */
static void
test_early_accept_fails (void)
{
  T2pwRelayConfig config = { .early_accept = TRUE,
                             .idle_timeout_ms = 60000,
                             .half_close_timeout_ms = 60000 };
  g_autoptr (GError) error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED, "no");
  Fixture f;

  set_up (&f, NULL, config);
  peer_connect (f.peer);
  f.upstream.carrier.handler->failed (&f.upstream.carrier, T2P_REFUSAL_NET_UNREACHABLE, error,
                                      f.upstream.carrier.user_data);
  peer_drain (f.peer);
  g_assert_true (f.peer->has_rst);
  g_assert_cmpuint (t2pw_relay_get_n_flows (f.relay), ==, 0);
  tear_down (&f);
}

/* The application pauses for longer than the half-close time-out, the upstream has closed, and
 * more than the memory allows is to come: the rest waits with the upstream, and all arrives. */
static void
test_paused_reader (void)
{
  T2pwStackConfig overrides = { .memory_limit_bytes = 5 * 1024 * 1024 };
  T2pwRelayConfig config = { .idle_timeout_ms = 60000, .half_close_timeout_ms = 100 };
  g_autoptr (GByteArray) got = g_byte_array_new ();
  Fixture f;

  set_up (&f, &overrides, config);
  f.upstream.to_give = 6000000;
  peer_send (f.peer, T2P_TCP_SYN, f.peer->next, NULL, 0);
  peer_pump (f.peer);
  g_assert_true (f.upstream.is_open);
  upstream_opens (&f);
  peer_connect (f.peer); /* the same SYN again */
  f.upstream.has_end = TRUE;
  f.peer->window = 0;
  peer_send (f.peer, T2P_TCP_ACK | T2P_TCP_FIN, f.peer->next++, NULL, 0);
  peer_drain (f.peer);
  g_assert_cmpuint (f.upstream.given, <, 2500000);
  peer_wait (f.peer, 500, NULL);
  g_assert_cmpuint (t2pw_stack_get_counters (f.peer->stack)->memory_bytes, <=,
                    overrides.memory_limit_bytes);
  g_assert_cmpuint (t2pw_relay_get_n_flows (f.relay), ==, 1);
  f.peer->window = 65535;
  peer_receive (f.peer, got, 6000000);
  assert_pattern (got, 6000000);
  tear_down (&f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/relay-stack/early-accept-keeps-what-was-sent", test_early_accept);
  g_test_add_func ("/relay-stack/early-accept-ends-in-a-reset", test_early_accept_fails);
  g_test_add_func ("/relay-stack/a-paused-reader-loses-nothing", test_paused_reader);
  return g_test_run ();
}
