/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What becomes of flows that the loop guard does not let pass. */
#include "config.h"

#include "fake-stack.h"
#include "t2pw-loop-guard.h"
#include "t2pw-relay.h"

#include <errno.h>

/* A way out that counts what is wanted of it, and carries no datagrams. */
typedef struct
{
  T2pwOutbound base;
  guint n_opened;
} Way;

typedef struct
{
  T2pReactor *reactor;
  T2pwLoopGuard *guard;
  Way way;
  T2pwRelay *relay;
  guint n_told;
} Fixture;

static void
carrier_close (T2pwCarrier *carrier, gboolean reset)
{
  g_free (carrier);
}

static const T2pwCarrierClass carrier_class = { .send = t2pw_unopened_transfer,
                                                .receive = t2pw_unopened_transfer,
                                                .unread = t2pw_unopened_unread,
                                                .shutdown = t2pw_unopened_shutdown,
                                                .close = carrier_close,
                                                .is_stalled = t2pw_unopened_is_stalled };

static T2pwCarrier *
way_open (T2pwOutbound *base,
          const T2pwDestination *destination,
          const T2pwCarrierHandler *handler,
          gpointer user_data)
{
  T2pwCarrier *carrier = g_new0 (T2pwCarrier, 1);

  ((Way *) base)->n_opened++;
  *carrier = (T2pwCarrier){ &carrier_class, handler, user_data, "" };
  return carrier;
}

static T2pwUdpMode
way_get_udp_mode (T2pwOutbound *base)
{
  return T2PW_UDP_NONE;
}

static const T2pwOutboundClass way_class = { .kind = "way",
                                             .open = way_open,
                                             .get_udp_mode = way_get_udp_mode };

static void
told_cb (T2pwLoopKind kind,
         guint8 protocol,
         const T2pIpEndpoint *source,
         const T2pIpEndpoint *destination,
         gpointer user_data)
{
  ((Fixture *) user_data)->n_told++;
}

static T2pIpEndpoint
endpoint (const char *text)
{
  T2pIpEndpoint parsed;

  g_assert_true (t2p_ip_endpoint_parse (text, &parsed));
  return parsed;
}

/* Whatever goes to 192.0.2.1:53 goes round. */
static void
set_up (Fixture *f, gconstpointer data)
{
  T2pIpEndpoint round = endpoint ("192.0.2.1:53");
  T2pwRelayConfig config = { .max_flows = 10,
                             .idle_timeout_ms = 60000,
                             .half_close_timeout_ms = 60000,
                             .udp_idle_timeout_ms = 60000 };

  f->reactor = t2p_reactor_new (NULL, NULL);
  f->guard = t2pw_loop_guard_new (f->reactor, told_cb, f);
  t2pw_loop_guard_block (f->guard, &round);
  f->way.base.klass = &way_class;
  config.reactor = f->reactor;
  config.policy = (T2pwFlowPolicy){ .group = &f->way.base, .guard = f->guard };
  f->relay = t2pw_relay_new (&config);
  t2pw_relay_set_stack (f->relay, NULL);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  t2pw_relay_free (f->relay);
  t2pw_loop_guard_free (f->guard);
  t2p_reactor_free (f->reactor);
}

static void
connect_to (Fixture *f, FakeSyn *syn, const char *destination)
{
  T2pwFlowKey key = { endpoint ("198.18.0.1:40000"), endpoint (destination) };

  t2pw_relay_get_stack_handler ()->connecting ((T2pwHeldSyn *) syn, &key, f->relay);
}

/* The first is left waiting, so that its socket can be found. */
static void
test_connections (Fixture *f, gconstpointer data)
{
  FakeSyn *syn = fake_syn_new (1000);

  connect_to (f, syn, "192.0.2.1:53");
  g_assert_true (syn->is_refused);
  g_assert_cmpint (syn->refusal, ==, T2P_REFUSAL_SILENCE);
  syn->is_refused = FALSE;
  connect_to (f, syn, "192.0.2.1:53");
  g_assert_cmpint (syn->refusal, ==, T2P_REFUSAL_HOST_UNREACHABLE);
  g_assert_cmpuint (f->way.n_opened, ==, 0);
  g_assert_cmpuint (f->n_told, ==, 1);
  syn->is_refused = FALSE;
  connect_to (f, syn, "192.0.2.2:53");
  g_assert_false (syn->is_refused);
  g_assert_cmpuint (f->way.n_opened, ==, 1);
  t2pw_relay_get_stack_handler ()->abandoned ((T2pwHeldSyn *) syn, f->relay);
  fake_syn_free (syn);
}

/* A question for the address of "a". */
static gboolean
ask (Fixture *f, const char *server)
{
  static const guint8 query[] = { 0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1 };
  T2pwFlowKey key = { endpoint ("198.18.0.1:40000"), endpoint (server) };

  return t2pw_relay_get_stack_handler ()->datagram (&key, query, sizeof query, 0, f->relay);
}

/* Nor is it carried in another way, as are questions that no datagram can be sent for. */
static void
test_datagrams (Fixture *f, gconstpointer data)
{
  g_assert_true (ask (f, "192.0.2.1:53"));
  g_assert_false (ask (f, "192.0.2.1:53"));
  g_assert_cmpuint (f->way.n_opened, ==, 0);
  g_assert_cmpuint (f->n_told, ==, 1);
  g_assert_cmpuint (t2pw_loop_guard_get_n_caught (f->guard), ==, 2);
  g_assert_true (ask (f, "192.0.2.2:53"));
  g_assert_cmpuint (f->way.n_opened, ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)
  ADD ("/loops/connections-that-go-round-are-refused", test_connections);
  ADD ("/loops/datagrams-that-go-round-go-nowhere", test_datagrams);
  return g_test_run ();
}
