/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A SYN makes a flow, unless the rules refuse it, and the flow asks the outbound that they name
 * for a carrier; when they depend on its user, it waits until that is known. When that opens,
 * the SYN is accepted and the stream relay pumps; when it fails, the SYN is refused in the way
 * that tells the application what the upstream said. */
#include "config.h"

#include "t2pw-relay-private.h"

#include "t2pw-flow-destination.h"

#include <netinet/in.h>

#define DNS_PORT 53

/* --- carriers */

static void
carrier_opened_cb (T2pwCarrier *carrier, gpointer user_data)
{
  T2pwFlow *flow = user_data;

  flow->carrier = carrier;
  if (flow->state == T2PW_FLOW_CONNECTING && !t2pw_relay_accept_flow (flow))
    return;
  t2pw_flow_set_state (flow, T2PW_FLOW_OPEN);
  flow->owner->counters.opened++;
  flow->app_ready = TRUE;
  flow->upstream_ready = TRUE;
  flow->active_us = t2p_reactor_get_now_us (flow->owner->config.reactor);
  t2pw_relay_rearm_flow (flow);
  t2pw_relay_queue_flow (flow);
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
    t2pw_held_syn_refuse (t2pw_relay_take_syn (flow), refusal);
  t2pw_relay_abort_flow (flow);
}

static void
carrier_readable_cb (T2pwCarrier *carrier, gpointer user_data)
{
  T2pwFlow *flow = user_data;

  flow->upstream_ready = TRUE;
  t2pw_relay_queue_flow (flow);
}

static void
carrier_writable_cb (T2pwCarrier *carrier, gpointer user_data)
{
  T2pwFlow *flow = user_data;

  flow->upstream_full = FALSE;
  t2pw_relay_queue_flow (flow);
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
      if (!t2pw_relay_accept_flow (flow))
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
  refuse_by_rule (flow->owner, t2pw_relay_take_syn (flow), way);
  t2pw_relay_free_flow (flow);
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

static T2pwLoopVerdict
judge (const T2pwRelay *relay, guint8 protocol, const T2pwFlowKey *key)
{
  return t2pw_loop_guard_judge (relay->config.policy.guard, protocol, &key->source,
                                &key->destination);
}

static void
connecting_cb (T2pwHeldSyn *syn, const T2pwFlowKey *key, gpointer user_data)
{
  T2pwRelay *relay = user_data;
  T2pwDestination destination;
  guint32 name_index;
  T2pwLoopVerdict verdict = judge (relay, IPPROTO_TCP, key);

  if (verdict != T2PW_LOOP_PASS)
    t2pw_held_syn_refuse (syn, verdict == T2PW_LOOP_SILENCE ? T2P_REFUSAL_SILENCE
                                                            : T2P_REFUSAL_HOST_UNREACHABLE);
  else if (relay->dns != NULL && key->destination.port == DNS_PORT)
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
  t2pw_relay_take_syn (flow);
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
  T2pwLoopVerdict verdict;

  if (relay->dns == NULL || key->destination.port != DNS_PORT)
    return t2pw_datagram_relay_take (relay->datagrams, key, data, length, datagram_bytes);
  verdict = judge (relay, IPPROTO_UDP, key);
  if (verdict != T2PW_LOOP_PASS)
    return verdict == T2PW_LOOP_SILENCE;
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
  t2p_reactor_disarm (relay->config.reactor, &relay->doubt_timer);
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
