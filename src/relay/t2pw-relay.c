/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A SYN makes a flow, which asks the outbound for a carrier. When that opens, the SYN is
 * accepted and the stream relay pumps; when it fails, the SYN is refused in the way that tells
 * the application what the upstream said. Edges of both sides only set bits and queue the
 * flow's task, so a flow is handled once per turn, however many edges came.
 *
 * One timer per flow, re-armed only when it fires: it looks when the flow was last active.
 * While the stack still delivers, acknowledgements of the application are activity, too. */
#include "config.h"

#include "t2pw-relay.h"

#include "t2pw-dns-relay.h"
#include "t2pw-stream-relay.h"

#define DNS_PORT 53

struct _T2pwRelay
{
  T2pwRelayConfig config;
  T2pwFlowTable table;
  T2pwRelayCounters counters;
  GHashTable *held; /* T2pwHeldSyn → T2pwFlow */
  T2pwDnsRelay *dns;
  gboolean refuses_new;
};

static const char *
flow_host (const T2pwFlow *flow)
{
  if (flow->name_index == T2PW_VIRTUAL_NONE)
    return NULL;
  return t2pw_virtual_names_get_name (flow->owner->config.virtual_names, flow->name_index);
}

/* The flow's stream, SYN and carrier are gone, or were given away, before. */
static void
flow_free (T2pwFlow *flow)
{
  T2pwRelay *relay = flow->owner;
  T2pReactor *reactor = relay->config.reactor;

  t2pw_flow_set_state (flow, T2PW_FLOW_CLOSED);
  t2p_reactor_disarm (reactor, &flow->timer);
  t2p_reactor_cancel (reactor, &flow->task);
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

/* Resets both sides. */
static void
flow_abort (T2pwFlow *flow)
{
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

static void
idle_cb (T2pTimer *timer)
{
  T2pwFlow *flow = T2P_OWNER_OF (timer, T2pwFlow, timer);
  T2pReactor *reactor = flow->owner->config.reactor;
  gint64 active_us;
  gint64 left_ms = flow_patience_ms (flow, &active_us);

  left_ms -= (t2p_reactor_get_now_us (reactor) - active_us) / 1000;
  if (left_ms <= 0)
    flow_abort (flow);
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
      flow_abort (flow);
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
  flow_abort (flow);
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
  flow_abort (flow);
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

/* Where @key goes: by the name that its address stands for, or by the address. FALSE when it
 * must not reach the upstream. */
static gboolean
find_destination (T2pwRelay *relay,
                  const T2pwFlowKey *key,
                  T2pwDestination *out_destination,
                  guint32 *out_name_index,
                  T2pRefusal *out_refusal)
{
  const T2pwRelayConfig *config = &relay->config;
  const T2pIpEndpoint *destination = &key->destination;
  guint32 index;

  *out_destination =
      (T2pwDestination){ .address = destination->address, .port = destination->port };
  *out_name_index = T2PW_VIRTUAL_NONE;
  if (config->virtual_names == NULL ||
      !t2pw_virtual_names_covers (config->virtual_names, &destination->address))
    {
      *out_refusal = T2P_REFUSAL_NET_UNREACHABLE;
      return destination->address.family == AF_INET || config->has_ipv6;
    }
  index = t2pw_virtual_names_find (config->virtual_names, &destination->address);
  out_destination->name = t2pw_virtual_names_get_name (config->virtual_names, index);
  *out_name_index = index;
  *out_refusal = T2P_REFUSAL_HOST_UNREACHABLE;
  return out_destination->name != NULL;
}

static void
refuse (T2pwRelay *relay, T2pwHeldSyn *syn, T2pRefusal refusal)
{
  relay->counters.refused++;
  t2pw_held_syn_refuse (syn, refusal);
}

static void
flow_start (T2pwFlow *flow,
            T2pwHeldSyn *syn,
            guint32 name_index,
            const T2pwDestination *destination)
{
  T2pwRelay *relay = flow->owner;

  flow->syn = syn;
  flow->name_index = name_index;
  flow->opened_us = flow->active_us = t2p_reactor_get_now_us (relay->config.reactor);
  if (name_index != T2PW_VIRTUAL_NONE)
    t2pw_virtual_names_pin (relay->config.virtual_names, name_index);
  g_hash_table_insert (relay->held, syn, flow);
  if (relay->config.early_accept)
    {
      if (!flow_accept (flow))
        return;
      t2pw_flow_set_state (flow, T2PW_FLOW_EARLY);
    }
  flow->carrier =
      t2pw_outbound_open (relay->config.outbound, destination, &carrier_handler, flow);
}

static void
connecting_cb (T2pwHeldSyn *syn, const T2pwFlowKey *key, gpointer user_data)
{
  T2pwRelay *relay = user_data;
  T2pwDestination destination;
  guint32 name_index;
  T2pRefusal refusal = T2P_REFUSAL_RESET;
  T2pwFlow *flow;

  if (relay->dns != NULL && key->destination.port == DNS_PORT)
    t2pw_dns_relay_take_syn (relay->dns, syn);
  else if (relay->refuses_new ||
           !find_destination (relay, key, &destination, &name_index, &refusal))
    refuse (relay, syn, refusal);
  else if ((flow = t2pw_flow_table_add (&relay->table, key)) == NULL)
    refuse (relay, syn, T2P_REFUSAL_RESET);
  else
    {
      flow->owner = relay;
      flow_start (flow, syn, name_index, &destination);
    }
}

static void
abandoned_cb (T2pwHeldSyn *syn, gpointer user_data)
{
  T2pwRelay *relay = user_data;
  T2pwFlow *flow = g_hash_table_lookup (relay->held, syn);

  if (flow == NULL)
    return;
  flow_take_syn (flow);
  flow_abort (flow);
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
    return FALSE;
  t2pw_dns_relay_take_datagrams (relay->dns, key, data, length, datagram_bytes);
  return TRUE;
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
  .device_lost = device_lost_cb,
};

/* --- the relay */

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
    flow_abort (relay->table.first);
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
  if (relay->dns != NULL)
    t2pw_dns_relay_set_stack (relay->dns, stack);
}

const T2pwRelayCounters *
t2pw_relay_get_counters (const T2pwRelay *relay)
{
  return &relay->counters;
}

guint
t2pw_relay_get_n_flows (const T2pwRelay *relay)
{
  return relay->table.n_flows;
}

/**
 * t2pw_relay_foreach:
 * @after_id: only flows with a higher id, in their order
 * @func: may not touch the flow's life
 */
void
t2pw_relay_foreach (T2pwRelay *relay,
                    const T2pwFlowFilter *filter,
                    guint64 after_id,
                    T2pwFlowFunc func,
                    gpointer user_data)
{
  for (T2pwFlow *flow = relay->table.first; flow != NULL; flow = flow->next)
    {
      const char *host = flow_host (flow);

      if (flow->id > after_id && t2pw_flow_filter_matches (filter, flow, host) &&
          !func (flow, host, user_data))
        return;
    }
}

/* Returns: how many were reset. */
guint
t2pw_relay_close_matching (T2pwRelay *relay, const T2pwFlowFilter *filter)
{
  guint n = 0;

  for (T2pwFlow *flow = relay->table.first, *next; flow != NULL; flow = next)
    {
      next = flow->next;
      if (!t2pw_flow_filter_matches (filter, flow, flow_host (flow)))
        continue;
      flow_abort (flow);
      n++;
    }
  return n;
}

/* After the uplink changed: flows whose upstream connection is stuck are reset now rather than
 * when the kernel gives up. Returns: how many. */
guint
t2pw_relay_close_stalled (T2pwRelay *relay)
{
  guint n = 0;

  for (T2pwFlow *flow = relay->table.first, *next; flow != NULL; flow = next)
    {
      next = flow->next;
      if (flow->carrier == NULL || !t2pw_carrier_is_stalled (flow->carrier))
        continue;
      flow_abort (flow);
      n++;
    }
  return n;
}

/* For draining: what is open goes on. */
void
t2pw_relay_refuse_new (T2pwRelay *relay)
{
  relay->refuses_new = TRUE;
}
