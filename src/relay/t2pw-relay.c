/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A SYN makes a flow, unless the rules refuse it, and the flow asks the outbound that they name
 * for a carrier; when they depend on its user, it waits until that is known. When that opens,
 * the SYN is accepted and the stream relay pumps; when it fails, the SYN is refused in the way
 * that tells the application what the upstream said. Edges of both sides only set bits and
 * queue the flow's task, so a flow is handled once per turn, however many edges came.
 *
 * One timer per flow, re-armed only when it fires: it looks when the flow was last active.
 * While the stack still delivers, acknowledgements of the application are activity, too. */
#include "config.h"

#include "t2pw-relay-private.h"

#include "t2pw-flow-destination.h"
#include "t2pw-stream-relay.h"

#include <netinet/in.h>

#define DNS_PORT 53

/* The flow's stream, SYN and carrier are gone, or were given away, before. */
static void
flow_free (T2pwFlow *flow)
{
  T2pwRelay *relay = flow->owner;
  T2pReactor *reactor = relay->config.reactor;

  t2pw_flow_set_state (flow, T2PW_FLOW_CLOSED);
  t2p_reactor_disarm (reactor, &flow->timer);
  t2p_reactor_cancel (reactor, &flow->task);
  g_clear_pointer (&flow->inquiry, t2pw_flow_inquiry_cancel);
  if (flow->syn != NULL)
    g_hash_table_remove (relay->held, flow->syn);
  if (flow->name_index != T2PW_VIRTUAL_NONE)
    t2pw_virtual_names_unpin (relay->config.virtual_names, flow->name_index,
                              t2p_reactor_get_now_us (reactor));
  t2pw_flow_table_remove (&relay->table, flow);
}

static T2pwHeldSyn *
flow_take_syn (T2pwFlow *flow)
{
  g_hash_table_remove (flow->owner->held, flow->syn);
  return g_steal_pointer (&flow->syn);
}

void
t2pw_relay_abort_flow (T2pwFlow *flow)
{
  if (flow->datagrams != NULL)
    {
      t2pw_datagram_socket_close (flow->datagrams);
      return;
    }
  if (flow->carrier != NULL)
    t2pw_carrier_close (g_steal_pointer (&flow->carrier), TRUE);
  if (flow->stream != NULL)
    t2pw_stream_abort (g_steal_pointer (&flow->stream));
  if (flow->syn != NULL)
    t2pw_held_syn_refuse (flow_take_syn (flow), T2P_REFUSAL_RESET);
  flow_free (flow);
}

/* --- time */

/* How soon to look again: a flow may become half-closed in earnest without an event of ours. */
static guint
flow_look_again_ms (const T2pwFlow *flow)
{
  const T2pwRelayConfig *config = &flow->owner->config;

  return flow->state == T2PW_FLOW_OPEN
             ? config->idle_timeout_ms
             : MIN (config->half_close_timeout_ms, config->idle_timeout_ms);
}

/* What one side has sent and the other did not take yet must not be lost to the shorter time of
 * a half-closed flow: until it is delivered the flow is no more than slow. */
static guint
flow_patience_ms (const T2pwFlow *flow, gint64 *out_active_us)
{
  const T2pwRelayConfig *config = &flow->owner->config;
  gint64 progress_us = 0;
  gsize unacked =
      flow->stream != NULL ? t2pw_stream_get_unacked (flow->stream, &progress_us) : 0;

  *out_active_us = MAX (flow->active_us, progress_us);
  return flow->state == T2PW_FLOW_OPEN || unacked > 0 || flow->upstream_full
             ? config->idle_timeout_ms
             : config->half_close_timeout_ms;
}

/* A turn runs timers first: an edge may have come, and its task still wait. */
static void
idle_cb (T2pTimer *timer)
{
  T2pwFlow *flow = T2P_OWNER_OF (timer, T2pwFlow, timer);
  T2pReactor *reactor = flow->owner->config.reactor;
  gboolean is_queued = flow->task.pprev != NULL;
  gint64 active_us;
  gint64 left_ms = flow_patience_ms (flow, &active_us);

  left_ms -= (t2p_reactor_get_now_us (reactor) - active_us) / 1000;
  if (is_queued)
    t2p_reactor_arm (reactor, &flow->timer, flow_look_again_ms (flow), idle_cb);
  else if (left_ms <= 0)
    t2pw_relay_abort_flow (flow);
  else
    t2p_reactor_arm (reactor, &flow->timer,
                     (guint) MIN (left_ms, (gint64) flow_look_again_ms (flow)), idle_cb);
}

static void
flow_rearm (T2pwFlow *flow)
{
  t2p_reactor_arm (flow->owner->config.reactor, &flow->timer, flow_look_again_ms (flow),
                   idle_cb);
}

/* --- pumping */

static void
flow_run_cb (T2pTask *task)
{
  T2pwFlow *flow = T2P_OWNER_OF (task, T2pwFlow, task);
  T2pReactor *reactor = flow->owner->config.reactor;
  T2pwFlowState before = flow->state;

  if (flow->state < T2PW_FLOW_OPEN || flow->carrier == NULL || flow->stream == NULL)
    return;
  flow->active_us = t2p_reactor_get_now_us (reactor);
  switch (t2pw_stream_relay_pump (flow))
    {
    case T2PW_PUMP_WAITS:
      break;
    case T2PW_PUMP_HAS_MORE:
      t2p_reactor_defer (reactor, &flow->task, flow_run_cb);
      break;
    case T2PW_PUMP_ENDED:
      t2pw_carrier_close (g_steal_pointer (&flow->carrier), FALSE);
      break;
    case T2PW_PUMP_BROKEN:
      t2pw_relay_abort_flow (flow);
      return;
    }
  if (flow->state != before)
    flow_rearm (flow);
}

static void
flow_queue (T2pwFlow *flow)
{
  t2p_reactor_defer (flow->owner->config.reactor, &flow->task, flow_run_cb);
}

static void
stream_readable_cb (T2pwStream *stream, gpointer user_data)
{
  T2pwFlow *flow = user_data;

  flow->app_ready = TRUE;
  flow_queue (flow);
}

static void
stream_writable_cb (T2pwStream *stream, gpointer user_data)
{
  T2pwFlow *flow = user_data;

  flow->app_full = FALSE;
  flow_queue (flow);
}

static void
stream_closed_cb (T2pwStream *stream, gboolean was_reset, gpointer user_data)
{
  T2pwFlow *flow = user_data;

  flow->stream = NULL;
  if (flow->carrier != NULL)
    t2pw_carrier_close (g_steal_pointer (&flow->carrier), was_reset);
  flow_free (flow);
}

static const T2pwStreamHandler stream_handler = {
  .readable = stream_readable_cb,
  .writable = stream_writable_cb,
  .closed = stream_closed_cb,
};

/* --- carriers */

/* FALSE when the flow is gone. */
static gboolean
flow_accept (T2pwFlow *flow)
{
  T2pwStream *stream = t2pw_held_syn_accept (flow_take_syn (flow), &stream_handler, flow);

  if (stream != NULL)
    {
      flow->stream = stream;
      return TRUE;
    }
  flow->owner->counters.refused++;
  t2pw_relay_abort_flow (flow);
  return FALSE;
}

static void
carrier_opened_cb (T2pwCarrier *carrier, gpointer user_data)
{
  T2pwFlow *flow = user_data;

  flow->carrier = carrier;
  if (flow->state == T2PW_FLOW_CONNECTING && !flow_accept (flow))
    return;
  t2pw_flow_set_state (flow, T2PW_FLOW_OPEN);
  flow->owner->counters.opened++;
  flow->app_ready = TRUE;
  flow->upstream_ready = TRUE;
  flow->active_us = t2p_reactor_get_now_us (flow->owner->config.reactor);
  flow_rearm (flow);
  flow_queue (flow);
}

static void
carrier_failed_cb (T2pwCarrier *carrier,
                   T2pRefusal refusal,
                   const GError *error,
                   gpointer user_data)
{
  T2pwFlow *flow = user_data;

  flow->carrier = NULL;
  flow->owner->counters.failed++;
  if (flow->syn != NULL)
    t2pw_held_syn_refuse (flow_take_syn (flow), refusal);
  t2pw_relay_abort_flow (flow);
}

static void
carrier_readable_cb (T2pwCarrier *carrier, gpointer user_data)
{
  T2pwFlow *flow = user_data;

  flow->upstream_ready = TRUE;
  flow_queue (flow);
}

static void
carrier_writable_cb (T2pwCarrier *carrier, gpointer user_data)
{
  T2pwFlow *flow = user_data;

  flow->upstream_full = FALSE;
  flow_queue (flow);
}

static const T2pwCarrierHandler carrier_handler = {
  .opened = carrier_opened_cb,
  .failed = carrier_failed_cb,
  .readable = carrier_readable_cb,
  .writable = carrier_writable_cb,
};

/* --- new flows */

static void
refuse (T2pwRelay *relay, T2pwHeldSyn *syn, T2pRefusal refusal)
{
  relay->counters.refused++;
  t2pw_held_syn_refuse (syn, refusal);
}

static void
refuse_by_rule (T2pwRelay *relay, T2pwHeldSyn *syn, const T2pwWay *way)
{
  if (way->action != T2P_RULE_DROP)
    {
      refuse (relay, syn, way->refusal);
      return;
    }
  relay->counters.dropped++;
  t2pw_held_syn_refuse (syn, T2P_REFUSAL_SILENCE);
}

static void
flow_open (T2pwFlow *flow, const T2pwDestination *destination, const T2pwWay *way)
{
  T2pwDestination way_to = *destination;

  way_to.source = flow->key.source.address;
  flow->rule = way->rule;
  if (flow->owner->config.early_accept)
    {
      if (!flow_accept (flow))
        return;
      t2pw_flow_set_state (flow, T2PW_FLOW_EARLY);
    }
  flow->carrier = t2pw_outbound_open (way->outbound, &way_to, &carrier_handler, flow);
}

static void
decided_cb (const T2pwWay *way, gpointer user_data)
{
  T2pwFlow *flow = user_data;
  T2pwDestination destination;
  guint32 name_index; /* the same as before: it is pinned */

  flow->inquiry = NULL;
  if (way->outbound != NULL &&
      t2pw_flow_destination_find (flow->owner->config.virtual_names, &flow->key.destination,
                                  &destination, &name_index))
    {
      flow_open (flow, &destination, way);
      return;
    }
  refuse_by_rule (flow->owner, flow_take_syn (flow), way);
  flow_free (flow);
}

static void
flow_inquire (T2pwFlow *flow, const T2pwDestination *destination)
{
  T2pwWay unknown = t2pw_flow_way_unknown ();

  flow->inquiry = t2pw_flow_inquiry_new (&flow->owner->config.policy, IPPROTO_TCP, &flow->key,
                                         destination, decided_cb, flow);
  if (flow->inquiry == NULL)
    decided_cb (&unknown, flow);
}

/* NULL when there is no room. */
static T2pwFlow *
flow_new (T2pwRelay *relay, T2pwHeldSyn *syn, const T2pwFlowKey *key, guint32 name_index)
{
  T2pwFlow *flow = t2pw_flow_table_add (&relay->table, key);

  if (flow == NULL && t2pw_datagram_relay_evict (relay->datagrams))
    flow = t2pw_flow_table_add (&relay->table, key);
  if (flow == NULL)
    return NULL;
  flow->owner = relay;
  flow->syn = syn;
  flow->name_index = name_index;
  flow->opened_us = flow->active_us = t2p_reactor_get_now_us (relay->config.reactor);
  if (name_index != T2PW_VIRTUAL_NONE)
    t2pw_virtual_names_pin (relay->config.virtual_names, name_index);
  g_hash_table_insert (relay->held, syn, flow);
  return flow;
}

static void
take_syn (T2pwRelay *relay,
          T2pwHeldSyn *syn,
          const T2pwFlowKey *key,
          const T2pwDestination *destination,
          guint32 name_index)
{
  T2pwWay way = { 0 };
  gboolean is_decided =
      t2pw_flow_decide (&relay->config.policy, IPPROTO_TCP, key, destination, &way);
  T2pwFlow *flow;

  if (is_decided && way.outbound == NULL)
    refuse_by_rule (relay, syn, &way);
  else if ((flow = flow_new (relay, syn, key, name_index)) == NULL)
    refuse (relay, syn, T2P_REFUSAL_RESET);
  else if (is_decided)
    flow_open (flow, destination, &way);
  else
    flow_inquire (flow, destination);
}

static void
connecting_cb (T2pwHeldSyn *syn, const T2pwFlowKey *key, gpointer user_data)
{
  T2pwRelay *relay = user_data;
  T2pwDestination destination;
  guint32 name_index;

  if (relay->dns != NULL && key->destination.port == DNS_PORT)
    t2pw_dns_relay_take_syn (relay->dns, syn);
  else if (relay->refuses_new)
    refuse (relay, syn, T2P_REFUSAL_RESET);
  else if (!t2pw_flow_destination_find (relay->config.virtual_names, &key->destination,
                                        &destination, &name_index))
    refuse (relay, syn, T2P_REFUSAL_HOST_UNREACHABLE);
  else
    take_syn (relay, syn, key, &destination, name_index);
}

static void
abandoned_cb (T2pwHeldSyn *syn, gpointer user_data)
{
  T2pwRelay *relay = user_data;
  T2pwFlow *flow = g_hash_table_lookup (relay->held, syn);

  if (flow == NULL)
    return;
  flow_take_syn (flow);
  t2pw_relay_abort_flow (flow);
}

static gboolean
datagram_cb (const T2pwFlowKey *key,
             const guint8 *data,
             gsize length,
             gsize datagram_bytes,
             gpointer user_data)
{
  T2pwRelay *relay = user_data;

  if (relay->dns == NULL || key->destination.port != DNS_PORT)
    return t2pw_datagram_relay_take (relay->datagrams, key, data, length, datagram_bytes);
  t2pw_dns_relay_take_datagrams (relay->dns, key, data, length, datagram_bytes);
  return TRUE;
}

static gboolean
echo_cb (const T2pwEcho *echo, T2pRefusal *io_refusal, gpointer user_data)
{
  T2pwRelay *relay = user_data;

  return relay->config.pings != NULL &&
         t2pw_ping_relay_take (relay->config.pings, echo, io_refusal);
}

static void
device_lost_cb (const GError *error, gpointer user_data)
{
  T2pwRelay *relay = user_data;

  relay->config.device_lost (error, relay->config.user_data);
}

static const T2pwStackHandler stack_handler = {
  .connecting = connecting_cb,
  .abandoned = abandoned_cb,
  .datagram = datagram_cb,
  .echo = echo_cb,
  .device_lost = device_lost_cb,
};

/* --- the relay */

static T2pwDatagramRelay *
make_datagram_relay (T2pwRelay *relay)
{
  const T2pwRelayConfig *config = &relay->config;
  T2pwDatagramConfig datagrams = { .reactor = config->reactor,
                                   .owner = relay,
                                   .policy = &config->policy,
                                   .table = &relay->table,
                                   .virtual_names = config->virtual_names,
                                   .idle_timeout_ms = config->udp_idle_timeout_ms };

  return t2pw_datagram_relay_new (&datagrams);
}

/**
 * t2pw_relay_new:
 *
 * Returns: (transfer full): a relay without a stack: make the stack with its handler next
 */
T2pwRelay *
t2pw_relay_new (const T2pwRelayConfig *config)
{
  T2pwRelay *relay = g_new0 (T2pwRelay, 1);

  relay->config = *config;
  relay->held = g_hash_table_new (NULL, NULL);
  t2pw_flow_table_init (&relay->table, config->worker_index, config->max_flows);
  relay->datagrams = make_datagram_relay (relay);
  if (config->responder != NULL)
    relay->dns = t2pw_dns_relay_new (config->reactor, config->responder);
  return relay;
}

/**
 * t2pw_relay_free:
 *
 * Resets every flow; to be called before the stack goes.
 */
void
t2pw_relay_free (T2pwRelay *relay)
{
  while (relay->table.first != NULL)
    t2pw_relay_abort_flow (relay->table.first);
  g_clear_pointer (&relay->datagrams, t2pw_datagram_relay_free);
  g_clear_pointer (&relay->dns, t2pw_dns_relay_free);
  g_hash_table_unref (relay->held);
  g_free (relay);
}

const T2pwStackHandler *
t2pw_relay_get_stack_handler (void)
{
  return &stack_handler;
}

void
t2pw_relay_set_stack (T2pwRelay *relay, T2pwStack *stack)
{
  if (relay->config.pings != NULL)
    t2pw_ping_relay_set_stack (relay->config.pings, stack);
  t2pw_datagram_relay_set_stack (relay->datagrams, stack);
  if (relay->dns != NULL)
    t2pw_dns_relay_set_stack (relay->dns, stack);
}

const T2pwRelayCounters *
t2pw_relay_get_counters (const T2pwRelay *relay)
{
  return &relay->counters;
}

const T2pwDatagramCounters *
t2pw_relay_get_datagram_counters (const T2pwRelay *relay)
{
  return t2pw_datagram_relay_get_counters (relay->datagrams);
}

guint
t2pw_relay_get_n_flows (const T2pwRelay *relay)
{
  return relay->table.n_flows;
}

void
t2pw_relay_set_ipv6 (T2pwRelay *relay, gboolean has_ipv6)
{
  relay->config.policy.has_ipv6 = has_ipv6;
}

/* For draining: what is open goes on. */
void
t2pw_relay_refuse_new (T2pwRelay *relay)
{
  relay->refuses_new = TRUE;
  t2pw_datagram_relay_refuse_new (relay->datagrams);
}
