/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * The life of a flow: accepting its SYN, pumping, its time, its end. Edges of both sides only
 * set bits and queue the flow's task, so a flow is handled once per turn, however many edges
 * came.
 *
 * One timer per flow, re-armed only when it fires: it looks when the flow was last active.
 * While the stack still delivers, acknowledgements of the application are activity, too. */
#include "config.h"

#include "t2pw-relay-private.h"

#include "t2pw-stream-relay.h"

void
t2pw_relay_free_flow (T2pwFlow *flow)
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

T2pwHeldSyn *
t2pw_relay_take_syn (T2pwFlow *flow)
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
    t2pw_held_syn_refuse (t2pw_relay_take_syn (flow), T2P_REFUSAL_RESET);
  t2pw_relay_free_flow (flow);
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

void
t2pw_relay_rearm_flow (T2pwFlow *flow)
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
    t2pw_relay_rearm_flow (flow);
}

void
t2pw_relay_queue_flow (T2pwFlow *flow)
{
  t2p_reactor_defer (flow->owner->config.reactor, &flow->task, flow_run_cb);
}

static void
stream_readable_cb (T2pwStream *stream, gpointer user_data)
{
  T2pwFlow *flow = user_data;

  flow->app_ready = TRUE;
  t2pw_relay_queue_flow (flow);
}

static void
stream_writable_cb (T2pwStream *stream, gpointer user_data)
{
  T2pwFlow *flow = user_data;

  flow->app_full = FALSE;
  t2pw_relay_queue_flow (flow);
}

static void
stream_closed_cb (T2pwStream *stream, gboolean was_reset, gpointer user_data)
{
  T2pwFlow *flow = user_data;

  flow->stream = NULL;
  if (flow->carrier != NULL)
    t2pw_carrier_close (g_steal_pointer (&flow->carrier), was_reset);
  t2pw_relay_free_flow (flow);
}

static const T2pwStreamHandler stream_handler = {
  .readable = stream_readable_cb,
  .writable = stream_writable_cb,
  .closed = stream_closed_cb,
};

gboolean
t2pw_relay_accept_flow (T2pwFlow *flow)
{
  T2pwStream *stream = t2pw_held_syn_accept (t2pw_relay_take_syn (flow), &stream_handler, flow);

  if (stream != NULL)
    {
      flow->stream = stream;
      return TRUE;
    }
  flow->owner->counters.refused++;
  t2pw_relay_abort_flow (flow);
  return FALSE;
}
