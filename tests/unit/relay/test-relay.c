/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fake-stack.h"
#include "t2p-dns.h"
#include "t2p-error.h"
#include "t2pw-relay.h"

#include <errno.h>
#include <string.h>

/* When the last acknowledgement came, for a flow that is not to time out meanwhile. */
#define FAR_AHEAD_US (g_get_monotonic_time () + G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC)

/* An upstream over plain buffers: takes as much as @room allows, gives what @input holds. */
typedef struct
{
  T2pwOutbound base;
  T2pwCarrier carrier;
  gboolean is_open; /* there is a carrier */
  char *name;
  T2pIpAddress address;
  gsize room;
  GByteArray *output;
  GByteArray *input;
  gboolean has_ended, is_broken, is_shut, was_reset;
  gboolean is_stalled, is_doubtful;
  guint n_opened;
} FakeUpstream;

typedef struct
{
  T2pReactor *reactor;
  FakeUpstream upstream;
  T2pwVirtualNames *virtual_names;
  T2pwDnsResponder *responder;
  T2pwRelayConfig config;
  T2pwRelay *relay;
  FakeSyn *syn;
  guint seen; /* bytes to the application at the end of the last turn */
  guint most_a_turn;
} Fixture;

static FakeUpstream *
upstream_of (T2pwCarrier *carrier)
{
  return (FakeUpstream *) (gpointer) ((char *) carrier -
                                      G_STRUCT_OFFSET (FakeUpstream, carrier));
}

static gssize
fake_send (T2pwCarrier *carrier, const struct iovec *iov, guint n)
{
  FakeUpstream *upstream = upstream_of (carrier);
  gsize done = 0;

  if (upstream->is_broken)
    {
      errno = EPIPE;
      return -1;
    }
  for (guint i = 0; i < n && upstream->room > 0; i++)
    {
      gsize piece = MIN (iov[i].iov_len, upstream->room);

      g_byte_array_append (upstream->output, iov[i].iov_base, (guint) piece);
      upstream->room -= piece;
      done += piece;
    }
  errno = EAGAIN;
  return done > 0 ? (gssize) done : -1;
}

static gssize
fake_receive (T2pwCarrier *carrier, const struct iovec *iov, guint n)
{
  FakeUpstream *upstream = upstream_of (carrier);
  gsize length = MIN (iov[0].iov_len, upstream->input->len);

  if (upstream->is_broken)
    {
      errno = ECONNRESET;
      return -1;
    }
  if (length == 0)
    {
      errno = EAGAIN;
      return upstream->has_ended ? 0 : -1;
    }
  memcpy (iov[0].iov_base, upstream->input->data, length);
  g_byte_array_remove_range (upstream->input, 0, (guint) length);
  return (gssize) length;
}

static void
fake_shutdown (T2pwCarrier *carrier)
{
  g_assert_false (upstream_of (carrier)->is_shut);
  upstream_of (carrier)->is_shut = TRUE;
}

static void
fake_close (T2pwCarrier *carrier, gboolean reset)
{
  g_assert_true (upstream_of (carrier)->is_open);
  upstream_of (carrier)->is_open = FALSE;
  upstream_of (carrier)->was_reset = reset;
}

static gboolean
fake_is_stalled (T2pwCarrier *carrier)
{
  return upstream_of (carrier)->is_stalled;
}

static void
fake_doubt (T2pwCarrier *carrier, gboolean is_doubtful)
{
  upstream_of (carrier)->is_doubtful = is_doubtful;
}

static const T2pwCarrierClass carrier_class = { .send = fake_send,
                                                .receive = fake_receive,
                                                .unread = t2pw_unopened_unread,
                                                .shutdown = fake_shutdown,
                                                .close = fake_close,
                                                .is_stalled = fake_is_stalled,
                                                .doubt = fake_doubt };

static T2pwCarrier *
fake_open (T2pwOutbound *base,
           const T2pwDestination *destination,
           const T2pwCarrierHandler *handler,
           gpointer user_data)
{
  FakeUpstream *upstream = (FakeUpstream *) base;

  g_assert_false (upstream->is_open); /* one at a time here */
  upstream->is_open = TRUE;
  upstream->n_opened++;
  upstream->carrier = (T2pwCarrier){ &carrier_class, handler, user_data, "socks5://proxy" };
  g_free (upstream->name);
  upstream->name = g_strdup (destination->name);
  upstream->address = destination->address;
  return &upstream->carrier;
}

static const T2pwOutboundClass outbound_class = { .kind = "fake", .open = fake_open };

static void
set_up (Fixture *f, gconstpointer data)
{
  T2pIpPrefix pool4, pool6;
  T2pwDnsResponderConfig responder;

  g_assert_true (t2p_ip_prefix_parse ("198.18.0.0/18", &pool4, NULL));
  g_assert_true (t2p_ip_prefix_parse ("fd00:1::/64", &pool6, NULL));
  f->reactor = t2p_reactor_new (NULL, NULL);
  f->upstream.base.klass = &outbound_class;
  f->upstream.output = g_byte_array_new ();
  f->upstream.input = g_byte_array_new ();
  f->upstream.room = G_MAXSIZE / 2;
  f->virtual_names = t2pw_virtual_names_new (&pool4, &pool6);
  responder = (T2pwDnsResponderConfig){ .reactor = f->reactor,
                                        .virtual_names = f->virtual_names,
                                        .has_ipv6 = TRUE };
  f->responder = t2pw_dns_responder_new (&responder);
  f->config = (T2pwRelayConfig){ .reactor = f->reactor,
                                 .policy = { .group = &f->upstream.base },
                                 .virtual_names = f->virtual_names,
                                 .responder = f->responder,
                                 .worker_index = 5,
                                 .max_flows = 2,
                                 .idle_timeout_ms = 60000,
                                 .half_close_timeout_ms = 60000,
                                 .look_again_ms = 20 };
  f->relay = t2pw_relay_new (&f->config);
  f->syn = fake_syn_new (1 << 20);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  t2pw_relay_free (f->relay);
  g_assert_false (f->upstream.is_open);
  t2pw_dns_responder_free (f->responder);
  t2pw_virtual_names_free (f->virtual_names);
  t2p_reactor_free (f->reactor);
  fake_syn_free (f->syn);
  g_byte_array_unref (f->upstream.output);
  g_byte_array_unref (f->upstream.input);
  g_free (f->upstream.name);
}

static void
run (Fixture *f)
{
  for (guint i = 0; i < 30; i++)
    g_main_context_iteration (NULL, FALSE);
}

static void
connect_to (Fixture *f, const char *destination)
{
  T2pwFlowKey key = { 0 };

  g_assert_true (t2p_ip_endpoint_parse ("10.0.0.2:40000", &key.source));
  g_assert_true (t2p_ip_endpoint_parse (destination, &key.destination));
  t2pw_relay_get_stack_handler ()->connecting ((T2pwHeldSyn *) f->syn, &key, f->relay);
}

static void
upstream_opens (Fixture *f)
{
  f->upstream.carrier.handler->opened (&f->upstream.carrier, f->upstream.carrier.user_data);
}

static void
open_flow (Fixture *f)
{
  connect_to (f, "192.0.2.1:80");
  g_assert_false (f->syn->is_accepted);
  upstream_opens (f);
  g_assert_true (f->syn->is_accepted);
  run (f);
}

static void
upstream_says (Fixture *f, gsize length)
{
  guint before = f->upstream.input->len;

  g_byte_array_set_size (f->upstream.input, before + (guint) length);
  memset (f->upstream.input->data + before, 'u', length);
  f->upstream.carrier.handler->readable (&f->upstream.carrier, f->upstream.carrier.user_data);
}

static void
upstream_ends (Fixture *f)
{
  f->upstream.has_ended = TRUE;
  f->upstream.carrier.handler->readable (&f->upstream.carrier, f->upstream.carrier.user_data);
}

static void
test_refusal (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = g_error_new_literal (T2P_ERROR, T2P_ERROR_FAILED, "no");

  connect_to (f, "192.0.2.1:80");
  f->upstream.is_open = FALSE;
  f->upstream.carrier.handler->failed (&f->upstream.carrier, T2P_REFUSAL_ADMIN_PROHIBITED,
                                       error, f->upstream.carrier.user_data);
  g_assert_true (f->syn->is_refused);
  g_assert_cmpint (f->syn->refusal, ==, T2P_REFUSAL_ADMIN_PROHIBITED);
  g_assert_cmpuint (t2pw_relay_get_n_flows (f->relay), ==, 0);
  g_assert_cmpuint (t2pw_relay_get_counters (f->relay)->failed, ==, 1);
}

static void
test_abandoned (Fixture *f, gconstpointer data)
{
  connect_to (f, "192.0.2.1:80");
  t2pw_relay_get_stack_handler ()->abandoned ((T2pwHeldSyn *) f->syn, f->relay);
  g_assert_false (f->syn->is_refused); /* it is gone */
  g_assert_false (f->upstream.is_open);
  g_assert_cmpuint (t2pw_relay_get_n_flows (f->relay), ==, 0);
}

static void
test_back_pressure_up (Fixture *f, gconstpointer data)
{
  g_autofree char *bytes = g_strnfill (100000, 'a');
  FakeStream *stream = &f->syn->stream;

  open_flow (f);
  f->upstream.room = 30500;
  fake_stream_send (stream, bytes, 100000);
  run (f);
  g_assert_cmpuint (f->upstream.output->len, ==, 30500);
  g_assert_cmpuint (stream->from_app->len, ==, 69500); /* not consumed: the window stays shut */
  f->upstream.room = 1000000;
  run (f);
  g_assert_cmpuint (f->upstream.output->len, ==, 30500); /* nobody polls */
  f->upstream.carrier.handler->writable (&f->upstream.carrier, f->upstream.carrier.user_data);
  run (f);
  g_assert_cmpuint (f->upstream.output->len, ==, 100000);
  g_assert_cmpuint (stream->from_app->len, ==, 0);
}

static void
test_back_pressure_down (Fixture *f, gconstpointer data)
{
  FakeStream *stream = &f->syn->stream;

  stream->room = 5000;
  open_flow (f);
  upstream_says (f, 20000);
  run (f);
  g_assert_cmpuint (stream->to_app->len, ==, 5000);
  g_assert_cmpuint (f->upstream.input->len, ==,
                    15000); /* not read: the kernel's window shuts */
  fake_stream_make_room (stream, 100000);
  run (f);
  g_assert_cmpuint (stream->to_app->len, ==, 20000);
}

static void
test_stalled_is_reset (Fixture *f, gconstpointer data)
{
  open_flow (f);
  f->upstream.is_stalled = TRUE;
  g_assert_cmpuint (t2pw_relay_uplink_changed (f->relay), ==, 1);
  g_assert_true (f->syn->stream.is_aborted);
  g_assert_true (f->upstream.was_reset);
  g_assert_cmpuint (t2pw_relay_get_n_flows (f->relay), ==, 0);
}

/* One of which nothing is known is in doubt for a while; what stalls meanwhile is reset, too.
 */
static void
test_doubt_ends (Fixture *f, gconstpointer data)
{
  gint64 until_us = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;

  open_flow (f);
  g_assert_cmpuint (t2pw_relay_uplink_changed (f->relay), ==, 0);
  g_assert_true (f->upstream.is_doubtful);
  while (f->upstream.is_doubtful && g_get_monotonic_time () < until_us)
    g_main_context_iteration (NULL, TRUE);
  g_assert_false (f->upstream.is_doubtful);
  g_assert_cmpuint (t2pw_relay_get_n_flows (f->relay), ==, 1);

  g_assert_cmpuint (t2pw_relay_uplink_changed (f->relay), ==, 0);
  f->upstream.is_stalled = TRUE;
  while (t2pw_relay_get_n_flows (f->relay) > 0 && g_get_monotonic_time () < until_us)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (t2pw_relay_get_n_flows (f->relay), ==, 0);
}

static void
turn_end_cb (gpointer data)
{
  Fixture *f = data;
  guint now = f->syn->stream.to_app->len;

  f->most_a_turn = MAX (f->most_a_turn, now - f->seen);
  f->seen = now;
}

static void
test_bursts_are_bounded (Fixture *f, gconstpointer data)
{
  FakeStream *stream = &f->syn->stream;

  stream->room = G_MAXSIZE / 2;
  open_flow (f);
  t2p_reactor_add_turn_end (f->reactor, turn_end_cb, f);
  upstream_says (f, 3 << 20);
  run (f);
  g_assert_cmpuint (stream->to_app->len, ==, 3 << 20);
  g_assert_cmpuint (f->most_a_turn, >, 0);
  g_assert_cmpuint (f->most_a_turn, <=, 256 * 1024);
  t2p_reactor_remove_turn_end (f->reactor, turn_end_cb, f);
}

static void
test_app_ends_first (Fixture *f, gconstpointer data)
{
  FakeStream *stream = &f->syn->stream;

  open_flow (f);
  fake_stream_send (stream, "request", 7);
  fake_stream_end (stream);
  run (f);
  g_assert_true (f->upstream.is_shut);
  g_assert_cmpuint (f->upstream.output->len, ==, 7);
  upstream_says (f, 50000); /* the answer still comes */
  upstream_ends (f);
  run (f);
  g_assert_cmpuint (stream->to_app->len, ==, 50000);
  g_assert_true (stream->is_shut);
  g_assert_false (f->upstream.is_open);
  g_assert_false (f->upstream.was_reset);
  g_assert_cmpuint (t2pw_relay_get_n_flows (f->relay), ==, 1); /* until it was delivered */
  fake_stream_close (stream, FALSE);
  g_assert_cmpuint (t2pw_relay_get_n_flows (f->relay), ==, 0);
}

static void
test_upstream_ends_first (Fixture *f, gconstpointer data)
{
  FakeStream *stream = &f->syn->stream;

  open_flow (f);
  upstream_ends (f);
  run (f);
  g_assert_true (stream->is_shut);
  g_assert_true (f->upstream.is_open);
  fake_stream_send (stream, "late", 4);
  fake_stream_end (stream);
  run (f);
  g_assert_cmpuint (f->upstream.output->len, ==, 4);
  g_assert_true (f->upstream.is_shut);
  fake_stream_close (stream, FALSE);
}

static void
test_resets (Fixture *f, gconstpointer data)
{
  FakeSyn *second = fake_syn_new (1000);

  open_flow (f);
  f->upstream.is_broken = TRUE;
  upstream_ends (f);
  run (f);
  g_assert_true (f->syn->stream.is_aborted);
  g_assert_cmpuint (t2pw_relay_get_n_flows (f->relay), ==, 0);

  f->upstream.is_broken = f->upstream.has_ended = FALSE;
  fake_syn_free (f->syn);
  f->syn = second;
  open_flow (f);
  fake_stream_close (&f->syn->stream, TRUE);
  g_assert_true (f->upstream.was_reset);
  g_assert_cmpuint (t2pw_relay_get_n_flows (f->relay), ==, 0);
}

/* Not by the clock: who runs this may be stopped for longer than any time-out here. */
static void
run_until_aborted (FakeStream *stream)
{
  while (!stream->is_aborted)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_time_outs (Fixture *f, gconstpointer data)
{
  gint64 began_us = g_get_monotonic_time ();

  t2pw_relay_free (f->relay);
  f->config.half_close_timeout_ms = 150;
  f->relay = t2pw_relay_new (&f->config);
  open_flow (f);
  fake_stream_end (&f->syn->stream);
  run_until_aborted (&f->syn->stream);
  g_assert_cmpint (g_get_monotonic_time () - began_us, >=, 150 * 1000);
  g_assert_cmpuint (t2pw_relay_get_n_flows (f->relay), ==, 0);
}

static void
run_ms (guint ms)
{
  gint64 until_us = g_get_monotonic_time () + (gint64) ms * 1000;

  while (g_get_monotonic_time () < until_us)
    {
      g_main_context_iteration (NULL, FALSE);
      g_usleep (2000);
    }
}

/* Both sides have ended, but the application has not yet taken everything: the time of
 * half-closed flows begins when it has. */
static void
test_slow_reader (Fixture *f, gconstpointer data)
{
  FakeStream *stream = &f->syn->stream;

  t2pw_relay_free (f->relay);
  f->config.half_close_timeout_ms = 100;
  f->relay = t2pw_relay_new (&f->config);
  open_flow (f);
  upstream_says (f, 1000);
  upstream_ends (f);
  fake_stream_end (stream);
  stream->unacked = 1000;
  run_ms (400);
  g_assert_false (f->upstream.is_open);
  g_assert_false (stream->is_aborted);
  stream->unacked = 0;
  stream->progress_us = FAR_AHEAD_US;
  run_ms (300);
  g_assert_false (stream->is_aborted);
  stream->progress_us = g_get_monotonic_time ();
  run_until_aborted (stream);
}

/* The same the other way. */
static void
test_slow_upstream (Fixture *f, gconstpointer data)
{
  FakeStream *stream = &f->syn->stream;

  t2pw_relay_free (f->relay);
  f->config.half_close_timeout_ms = 100;
  f->relay = t2pw_relay_new (&f->config);
  open_flow (f);
  upstream_ends (f);
  f->upstream.room = 1;
  fake_stream_send (stream, "two", 3);
  run_ms (300);
  g_assert_false (stream->is_aborted);
  f->upstream.room = 1000;
  f->upstream.carrier.handler->writable (&f->upstream.carrier, f->upstream.carrier.user_data);
  run_until_aborted (stream);
  g_assert_cmpuint (f->upstream.output->len, ==, 3);
}

/* Acknowledgements keep a flow alive whose upstream is silent; then silence ends it. */
static void
test_idle_time_out (Fixture *f, gconstpointer data)
{
  FakeStream *stream = &f->syn->stream;

  t2pw_relay_free (f->relay);
  f->config.idle_timeout_ms = 200;
  f->relay = t2pw_relay_new (&f->config);
  open_flow (f);
  stream->unacked = 1000;
  stream->progress_us = FAR_AHEAD_US;
  run_ms (500);
  g_assert_false (stream->is_aborted);
  stream->progress_us = g_get_monotonic_time ();
  run_until_aborted (stream);
  g_assert_cmpint (g_get_monotonic_time () - stream->progress_us, >=, 200 * 1000);
  g_assert_true (f->upstream.was_reset);
  g_assert_cmpuint (t2pw_relay_get_n_flows (f->relay), ==, 0);
}

static void
test_names (Fixture *f, gconstpointer data)
{
  guint32 index = t2pw_virtual_names_assign (f->virtual_names, "example.org", 1);
  T2pwFlowFilter filter = { .host = "example.org" };

  g_assert_cmpuint (index, ==, 4);
  connect_to (f, "198.18.0.4:443");
  g_assert_cmpstr (f->upstream.name, ==, "example.org");
  g_assert_cmpuint (t2pw_relay_close_matching (f->relay, &filter), ==, 1);
  g_assert_true (f->syn->is_refused);

  /* one that stands for nothing never reaches the proxy */
  fake_syn_free (f->syn);
  f->syn = fake_syn_new (1000);
  connect_to (f, "198.18.0.5:443");
  g_assert_true (f->syn->is_refused);
  g_assert_cmpuint (f->upstream.n_opened, ==, 1);
}

static void
test_no_ipv6 (Fixture *f, gconstpointer data)
{
  connect_to (f, "[2001:db8::1]:80");
  g_assert_true (f->syn->is_refused);
  g_assert_cmpint (f->syn->refusal, ==, T2P_REFUSAL_NET_UNREACHABLE);
  g_assert_cmpuint (f->upstream.n_opened, ==, 0);
}

static gboolean
count_cb (T2pwFlow *flow, const char *host, gpointer data)
{
  g_assert_cmpuint (flow->id >> 56, ==, 5);
  ++*(guint *) data;
  return TRUE;
}

static void
test_table (Fixture *f, gconstpointer data)
{
  T2pwFlowFilter all = { 0 };
  T2pwFlowFilter matching = { .destination = "192.0.2.1", .state = "connecting" };
  T2pwFlowFilter other = { .destination = "192.0.2.1:81" };
  FakeSyn *syns[2] = { fake_syn_new (1), fake_syn_new (1) };
  FakeSyn *first = f->syn;
  guint n = 0;

  connect_to (f, "192.0.2.1:80");
  f->upstream.is_open = FALSE; /* lets another one be opened: this one is forgotten */
  t2pw_relay_foreach (f->relay, &matching, 0, count_cb, &n);
  t2pw_relay_foreach (f->relay, &all, 0, count_cb, &n);
  t2pw_relay_foreach (f->relay, &other, 0, count_cb, &n);
  t2pw_relay_foreach (f->relay, &all, ((guint64) 5 << 56) + 1, count_cb, &n);
  g_assert_cmpuint (n, ==, 2);
  f->syn = syns[0];
  connect_to (f, "192.0.2.2:80");
  f->syn = syns[1];
  connect_to (f, "192.0.2.3:80"); /* the third of two */
  g_assert_true (syns[1]->is_refused);
  g_assert_false (syns[0]->is_refused);
  g_assert_cmpuint (t2pw_relay_get_n_flows (f->relay), ==, 2);
  t2pw_relay_get_stack_handler ()->abandoned ((T2pwHeldSyn *) syns[0], f->relay);
  f->upstream.is_open = TRUE; /* the first one's, closed by the fixture */
  f->syn = first;
  fake_syn_free (syns[0]);
  fake_syn_free (syns[1]);
}

static void
test_filter_is_strict (void)
{
  g_autoptr (GVariant) good =
      g_variant_ref_sink (g_variant_new_parsed ("{'id': <uint64 7>, 'host': <'a'>}"));
  g_autoptr (GVariant) stranger =
      g_variant_ref_sink (g_variant_new_parsed ("{'colour': <'red'>}"));
  g_autoptr (GVariant) wrong = g_variant_ref_sink (g_variant_new_parsed ("{'id': <'7'>}"));
  g_autoptr (GError) error = NULL;
  T2pwFlowFilter filter;

  g_assert_true (t2pw_flow_filter_parse (good, &filter, NULL));
  g_assert_cmpuint (filter.id, ==, 7);
  g_assert_cmpstr (filter.host, ==, "a");
  g_assert_false (t2pw_flow_filter_parse (stranger, &filter, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "colour"));
  g_assert_false (t2pw_flow_filter_parse (wrong, &filter, NULL));
}

static void
test_early_accept (Fixture *f, gconstpointer data)
{
  t2pw_relay_free (f->relay);
  f->config.early_accept = TRUE;
  f->relay = t2pw_relay_new (&f->config);
  connect_to (f, "192.0.2.1:80");
  g_assert_true (f->syn->is_accepted);
  fake_stream_send (&f->syn->stream, "early", 5);
  run (f);
  g_assert_cmpuint (f->upstream.output->len, ==, 0);
  upstream_opens (f);
  run (f);
  g_assert_cmpuint (f->upstream.output->len, ==, 5);
}

static gsize
make_query (guint8 *buffer, gsize capacity, const char *name)
{
  T2pWriter writer;

  t2p_writer_init (&writer, buffer, capacity);
  g_assert_true (t2p_dns_query_write (&writer, 1, name, T2P_DNS_TYPE_A));
  return t2p_writer_length (&writer);
}

static void
test_dns_over_udp (Fixture *f, gconstpointer data)
{
  T2pwFlowKey key = { 0 };
  guint8 query[512];
  gsize length = make_query (query, sizeof query, "example.org");
  const T2pwStackHandler *handler = t2pw_relay_get_stack_handler ();
  GByteArray *datagrams = fake_stack_get_datagrams ();

  g_assert_true (t2p_ip_endpoint_parse ("10.0.0.2:40000", &key.source));
  g_assert_true (t2p_ip_endpoint_parse ("8.8.8.8:53", &key.destination));
  g_assert_true (handler->datagram (&key, query, length, 0, f->relay));
  g_assert_cmpuint (datagrams->len, ==, length + 16);
  /* queries of one length that an application sent as one super-packet */
  memcpy (query + length, query, length);
  memcpy (query + 2 * length, query, length);
  g_assert_true (handler->datagram (&key, query, 3 * length, length, f->relay));
  g_assert_cmpuint (datagrams->len, ==, 4 * (length + 16));
  key.destination.port = 54;
  g_assert_false (handler->datagram (&key, query, length, 0, f->relay));
}

/* All in one segment with the FIN: no edge comes after it. */
static void
test_dns_over_tcp (Fixture *f, gconstpointer data)
{
  FakeStream *stream = &f->syn->stream;
  guint8 message[514];
  gsize length = make_query (message + 2, sizeof message - 2, "example.org");

  connect_to (f, "8.8.8.8:53");
  g_assert_true (f->syn->is_accepted);
  t2p_store_be16 (message, (guint16) length);
  stream->app_ended = TRUE;
  fake_stream_send (stream, (const char *) message, length + 2);
  run (f);
  g_assert_cmpuint (stream->to_app->len, ==, 2 + length + 16);
  g_assert_true (stream->is_shut);
  fake_stream_close (stream, FALSE);
}

static void
test_states (void)
{
  g_assert_true (t2pw_flow_state_may_follow (T2PW_FLOW_CONNECTING, T2PW_FLOW_OPEN));
  g_assert_false (t2pw_flow_state_may_follow (T2PW_FLOW_OPEN, T2PW_FLOW_CONNECTING));
  g_assert_false (t2pw_flow_state_may_follow (T2PW_FLOW_OPEN, T2PW_FLOW_CLOSING));
  for (T2pwFlowState state = T2PW_FLOW_CONNECTING; state < T2PW_FLOW_CLOSED; state++)
    g_assert_true (t2pw_flow_state_may_follow (state, T2PW_FLOW_CLOSED));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)
  ADD ("/relay/uplink/stalled-flow-is-reset", test_stalled_is_reset);
  ADD ("/relay/uplink/doubt-ends-and-finds-what-stalls", test_doubt_ends);
  ADD ("/relay/refusal-reaches-the-application", test_refusal);
  ADD ("/relay/abandoned-syn-closes-the-carrier", test_abandoned);
  ADD ("/relay/back-pressure-up", test_back_pressure_up);
  ADD ("/relay/back-pressure-down", test_back_pressure_down);
  ADD ("/relay/bursts-are-bounded", test_bursts_are_bounded);
  ADD ("/relay/application-ends-first", test_app_ends_first);
  ADD ("/relay/upstream-ends-first", test_upstream_ends_first);
  ADD ("/relay/resets-go-both-ways", test_resets);
  ADD ("/relay/half-closed-flows-time-out", test_time_outs);
  ADD ("/relay/a-slow-reader-is-not-half-closed", test_slow_reader);
  ADD ("/relay/a-slow-upstream-is-not-half-closed", test_slow_upstream);
  ADD ("/relay/idle-time-out-ends-a-silent-flow", test_idle_time_out);
  ADD ("/relay/virtual-addresses-are-names", test_names);
  ADD ("/relay/no-ipv6-is-refused", test_no_ipv6);
  ADD ("/relay/table-is-bounded-and-filtered", test_table);
  ADD ("/relay/early-accept-holds-the-bytes", test_early_accept);
  ADD ("/relay/dns-over-udp", test_dns_over_udp);
  ADD ("/relay/dns-over-tcp-with-fin", test_dns_over_tcp);
  g_test_add_func ("/flow/states-follow-the-table", test_states);
  g_test_add_func ("/flow/filter-is-strict", test_filter_is_strict);
  return g_test_run ();
}
