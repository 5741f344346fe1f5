/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * An application's UDP socket, known by its address and port, is one flow, whatever it sends
 * to: one mapping at the far side, which anybody may answer (endpoint-independent, RFC 4787).
 * Each datagram is decided by the rules on its own; those that go the same way share an
 * association. While that is being opened, or while it is asked whose socket it is, a few
 * datagrams wait; more are dropped, the newest first. A way that does not come about is told to
 * the application with an ICMP error at once, so that QUIC and the like fall back.
 *
 * All flows are in a list by their last datagram: when the table is full, the idlest goes. */
#include "config.h"

#include "t2pw-datagram-private.h"

#include "t2pw-flow-destination.h"

#include <netinet/in.h>
#include <string.h>

/* Sockets that have only asked single questions are forgotten sooner. */
#define BRIEF_MS 10000
#define DNS_PORT 53

typedef enum
{
  DISPATCH_SENT,
  DISPATCH_WAITS,
  DISPATCH_REFUSED,
} Dispatch;

/** Datagrams: what the stack brought in one go, and what was found out about it. */
typedef struct
{
  T2pwFlowKey key;
  const guint8 *data;
  gsize length;
  gsize datagram_bytes;
  T2pwDestination destination;
  guint32 name_index;
  T2pwWay way;
} Datagrams;

static gboolean
is_brief_port (guint16 port)
{
  return port == DNS_PORT || port == 123 || port == 3478; /* …, NTP, STUN */
}

static gint64
now_of (const T2pwDatagramRelay *relay)
{
  return t2p_reactor_get_now_us (relay->config.reactor);
}

/* --- the list by the last datagram */

static void
list_remove (T2pwDatagramSocket *socket)
{
  T2pwDatagramRelay *relay = socket->relay;

  *(socket->older != NULL ? &socket->older->newer : &relay->oldest) = socket->newer;
  *(socket->newer != NULL ? &socket->newer->older : &relay->newest) = socket->older;
}

static void
list_append (T2pwDatagramSocket *socket)
{
  T2pwDatagramRelay *relay = socket->relay;

  socket->older = relay->newest;
  socket->newer = NULL;
  *(relay->newest != NULL ? &relay->newest->newer : &relay->oldest) = socket;
  relay->newest = socket;
}

void
t2pw_datagram_socket_touch (T2pwDatagramSocket *socket)
{
  socket->flow->active_us = now_of (socket->relay);
  if (socket->newer == NULL)
    return;
  list_remove (socket);
  list_append (socket);
}

/* --- application sockets */

void
t2pw_datagram_socket_close (T2pwDatagramSocket *socket)
{
  T2pwDatagramRelay *relay = socket->relay;
  T2pwFlow *flow = socket->flow;

  while (socket->ways != NULL)
    t2pw_datagram_way_free (socket->ways);
  g_clear_pointer (&flow->inquiry, t2pw_flow_inquiry_cancel);
  t2p_reactor_disarm (relay->config.reactor, &socket->timer);
  t2pw_datagram_names_clear (&socket->names, relay->config.virtual_names, now_of (relay));
  g_queue_clear_full (&socket->waiting, g_free);
  list_remove (socket);
  g_hash_table_remove (relay->sockets, &flow->key.source);
  relay->counters.flows--;
  t2pw_flow_set_state (flow, T2PW_FLOW_CLOSED);
  t2pw_flow_table_remove (relay->config.table, flow);
  g_free (socket);
}

static guint
patience_ms (const T2pwDatagramSocket *socket)
{
  guint most_ms = socket->relay->config.idle_timeout_ms;

  return socket->is_brief ? MIN (BRIEF_MS, most_ms) : most_ms;
}

static void
idle_cb (T2pTimer *timer)
{
  T2pwDatagramSocket *socket = T2P_OWNER_OF (timer, T2pwDatagramSocket, timer);
  gint64 left_ms = patience_ms (socket);

  left_ms -= (now_of (socket->relay) - socket->flow->active_us) / 1000;
  if (left_ms <= 0)
    t2pw_datagram_socket_close (socket);
  else
    t2p_reactor_arm (socket->relay->config.reactor, &socket->timer, (guint) left_ms, idle_cb);
}

static T2pwFlow *
add_flow (T2pwDatagramRelay *relay, const T2pwFlowKey *key)
{
  T2pwFlow *flow = t2pw_flow_table_add (relay->config.table, key);

  if (flow == NULL && t2pw_datagram_relay_evict (relay))
    flow = t2pw_flow_table_add (relay->config.table, key);
  return flow;
}

/* NULL when there is no room, and no UDP flow to make some. */
static T2pwDatagramSocket *
socket_new (T2pwDatagramRelay *relay, const T2pwFlowKey *key)
{
  T2pwFlow *flow = add_flow (relay, key);
  T2pwDatagramSocket *socket;

  if (flow == NULL)
    return NULL;
  socket = g_new0 (T2pwDatagramSocket, 1);
  socket->relay = relay;
  socket->flow = flow;
  socket->is_brief = TRUE;
  flow->owner = relay->config.owner;
  flow->datagrams = socket;
  flow->opened_us = flow->active_us = now_of (relay);
  g_queue_init (&socket->waiting);
  list_append (socket);
  g_hash_table_insert (relay->sockets, &flow->key.source, socket);
  relay->counters.flows++;
  t2p_reactor_arm (relay->config.reactor, &socket->timer, patience_ms (socket), idle_cb);
  return socket;
}

/* --- what waits */

static void
keep_waiting (T2pwDatagramSocket *socket, T2pwWaitingDatagrams *waiting)
{
  socket->waiting_bytes += waiting->length;
  g_queue_push_tail (&socket->waiting, waiting);
}

static void
wait_with (T2pwDatagramSocket *socket, const Datagrams *datagrams)
{
  gsize length = datagrams->length;
  T2pwWaitingDatagrams *waiting;

  if (socket->waiting.length >= T2PW_DATAGRAM_MAX_WAITING ||
      socket->waiting_bytes + length > T2PW_DATAGRAM_MAX_WAITING_BYTES)
    {
      socket->relay->counters.dropped++;
      return;
    }
  waiting = g_malloc (sizeof *waiting + length);
  waiting->destination = datagrams->key.destination;
  waiting->length = length;
  waiting->datagram_bytes = datagrams->datagram_bytes;
  if (length > 0)
    memcpy (waiting->data, datagrams->data, length);
  keep_waiting (socket, waiting);
}

static T2pwWaitingDatagrams *
take_waiting (T2pwDatagramSocket *socket)
{
  T2pwWaitingDatagrams *waiting = g_queue_pop_head (&socket->waiting);

  socket->waiting_bytes -= waiting->length;
  return waiting;
}

static Datagrams
datagrams_of_waiting (const T2pwDatagramSocket *socket, const T2pwWaitingDatagrams *waiting)
{
  return (Datagrams){ .key = { socket->flow->key.source, waiting->destination },
                      .data = waiting->data,
                      .length = waiting->length,
                      .datagram_bytes = waiting->datagram_bytes };
}

/* One error for many datagrams is enough. */
static void
refuse_datagrams (T2pwDatagramRelay *relay, const Datagrams *datagrams, T2pRefusal refusal)
{
  gsize first = datagrams->datagram_bytes > 0
                    ? MIN (datagrams->datagram_bytes, datagrams->length)
                    : datagrams->length;

  relay->counters.refused++;
  t2pw_stack_refuse_datagram (relay->stack, &datagrams->key, datagrams->data, first, refusal);
}

/* --- one datagram, or many of one length */

/* FALSE: it stands for nothing, or the rules need to know whose it is: *@out_asks. */
static gboolean
find_way (T2pwDatagramRelay *relay, Datagrams *datagrams, gboolean *out_asks)
{
  *out_asks = FALSE;
  datagrams->way = (T2pwWay){ .refusal = T2P_REFUSAL_HOST_UNREACHABLE };
  if (!t2pw_flow_destination_find (relay->config.virtual_names, &datagrams->key.destination,
                                   &datagrams->destination, &datagrams->name_index))
    return FALSE;
  datagrams->destination.source = datagrams->key.source.address;
  *out_asks = !t2pw_flow_decide (relay->config.policy, IPPROTO_UDP, &datagrams->key,
                                 &datagrams->destination, &datagrams->way);
  return !*out_asks && datagrams->way.outbound != NULL;
}

/* A question for a name server goes over TCP where no datagram does. */
static gboolean
ask_over_tcp (T2pwDatagramRelay *relay, const Datagrams *datagrams)
{
  return datagrams->key.destination.port == DNS_PORT && datagrams->datagram_bytes == 0 &&
         datagrams->way.outbound != NULL &&
         t2pw_dns_over_tcp_take (relay->dns, datagrams->way.outbound, &datagrams->key,
                                 datagrams->data, datagrams->length);
}

void
t2pw_datagram_socket_refuse (T2pwDatagramSocket *socket, T2pRefusal refusal)
{
  T2pwDatagramRelay *relay = socket->relay;

  while (socket->waiting.length > 0)
    {
      g_autofree T2pwWaitingDatagrams *waiting = take_waiting (socket);
      Datagrams datagrams = datagrams_of_waiting (socket, waiting);
      gboolean asks;

      if (!find_way (relay, &datagrams, &asks) || !ask_over_tcp (relay, &datagrams))
        refuse_datagrams (relay, &datagrams, refusal);
    }
  if (socket->ways == NULL)
    t2pw_datagram_socket_close (socket);
}

static void
refuse_by_way (T2pwDatagramRelay *relay, const Datagrams *datagrams)
{
  if (datagrams->way.action == T2P_RULE_DROP && datagrams->way.rule != NULL)
    relay->counters.dropped++;
  else
    refuse_datagrams (relay, datagrams, datagrams->way.refusal);
}

static void
note_destination (T2pwDatagramSocket *socket, const Datagrams *datagrams)
{
  T2pwFlow *flow = socket->flow;
  T2pwDatagramRelay *relay = socket->relay;
  guint16 port = datagrams->key.destination.port;

  flow->key.destination = datagrams->key.destination;
  flow->rule = datagrams->way.rule;
  socket->is_brief = socket->is_brief && is_brief_port (port);
  if (relay->config.virtual_names != NULL)
    t2pw_datagram_names_add (&socket->names, relay->config.virtual_names, datagrams->name_index,
                             &datagrams->key.destination, now_of (relay));
  flow->name_index = datagrams->name_index;
}

static Dispatch
dispatch (T2pwDatagramSocket *socket, const Datagrams *datagrams)
{
  T2pwDatagramWay *way;

  note_destination (socket, datagrams);
  way = t2pw_datagram_way_get (socket, datagrams->way.outbound);
  if (way == NULL)
    return DISPATCH_REFUSED;
  if (!way->is_open)
    return DISPATCH_WAITS;
  socket->flow->rx_bytes += datagrams->length;
  if (!t2pw_association_send (way->association, &datagrams->destination, datagrams->data,
                              datagrams->length, datagrams->datagram_bytes))
    socket->relay->counters.dropped++;
  t2pw_datagram_socket_touch (socket);
  return DISPATCH_SENT;
}

static gboolean
is_idle (const T2pwDatagramSocket *socket)
{
  return socket->ways == NULL && socket->waiting.length == 0 && socket->flow->inquiry == NULL;
}

/* What waits once more. Frees @waiting unless it waits on. */
static void
send_one_waiting (T2pwDatagramSocket *socket, T2pwWaitingDatagrams *waiting)
{
  Datagrams datagrams = datagrams_of_waiting (socket, waiting);
  gboolean asks;

  if (!find_way (socket->relay, &datagrams, &asks))
    {
      refuse_by_way (socket->relay, &datagrams);
      g_free (waiting);
      return;
    }
  switch (dispatch (socket, &datagrams))
    {
    case DISPATCH_WAITS:
      keep_waiting (socket, waiting);
      return;
    case DISPATCH_REFUSED:
      if (!ask_over_tcp (socket->relay, &datagrams))
        refuse_datagrams (socket->relay, &datagrams, T2P_REFUSAL_PORT_UNREACHABLE);
      break;
    case DISPATCH_SENT:
      break;
    }
  g_free (waiting);
}

void
t2pw_datagram_socket_send_waiting (T2pwDatagramSocket *socket)
{
  for (guint n = socket->waiting.length; n > 0 && socket->waiting.length > 0; n--)
    send_one_waiting (socket, take_waiting (socket));
  if (is_idle (socket))
    t2pw_datagram_socket_close (socket);
}

/* --- whose socket it is */

static void
decided_cb (const T2pwWay *way, gpointer user_data)
{
  T2pwDatagramSocket *socket = user_data;
  gboolean is_unknown = way->outbound == NULL && way->rule == NULL;

  socket->flow->inquiry = NULL;
  if (is_unknown)
    t2pw_datagram_socket_refuse (socket, T2P_REFUSAL_ADMIN_PROHIBITED);
  else
    t2pw_datagram_socket_send_waiting (
        socket); /* each is decided anew: the user is known now */
}

static gboolean
inquire (T2pwDatagramSocket *socket, const Datagrams *datagrams)
{
  T2pwFlow *flow = socket->flow;

  flow->inquiry =
      t2pw_flow_inquiry_new (socket->relay->config.policy, IPPROTO_UDP, &datagrams->key,
                             &datagrams->destination, decided_cb, socket);
  if (flow->inquiry != NULL)
    wait_with (socket, datagrams);
  return flow->inquiry != NULL;
}

/* --- the relay */

static gboolean
carry (T2pwDatagramSocket *socket, const Datagrams *datagrams, gboolean asks)
{
  if (asks)
    return inquire (socket, datagrams);
  switch (dispatch (socket, datagrams))
    {
    case DISPATCH_SENT:
      return TRUE;
    case DISPATCH_WAITS:
      wait_with (socket, datagrams);
      return TRUE;
    case DISPATCH_REFUSED:
      break;
    }
  return FALSE;
}

/* Without a socket for it: so many datagrams of QUIC are refused that each should cost little.
 */
static gboolean
is_hopeless (const Datagrams *datagrams, gboolean asks)
{
  return !asks && t2pw_outbound_get_udp_mode (datagrams->way.outbound) == T2PW_UDP_NONE;
}

static gboolean
take_new (T2pwDatagramRelay *relay, const Datagrams *datagrams, gboolean asks)
{
  T2pwDatagramSocket *socket;
  gboolean is_carried;

  if (relay->refuses_new || is_hopeless (datagrams, asks))
    return FALSE;
  socket = socket_new (relay, &datagrams->key);
  if (socket == NULL)
    return FALSE;
  is_carried = carry (socket, datagrams, asks);
  if (is_idle (socket))
    t2pw_datagram_socket_close (socket);
  return is_carried;
}

/**
 * t2pw_datagram_relay_take:
 * @datagram_bytes: 0 for one datagram; else @data holds many of that length
 *
 * Returns: %FALSE when the application is to be told that nobody listens there
 */
gboolean
t2pw_datagram_relay_take (T2pwDatagramRelay *relay,
                          const T2pwFlowKey *key,
                          const guint8 *data,
                          gsize length,
                          gsize datagram_bytes)
{
  T2pwDatagramSocket *socket = g_hash_table_lookup (relay->sockets, &key->source);
  Datagrams datagrams = {
    .key = *key, .data = data, .length = length, .datagram_bytes = datagram_bytes
  };
  gboolean asks, is_carried;

  if (socket != NULL && socket->flow->inquiry != NULL)
    {
      wait_with (socket, &datagrams);
      return TRUE;
    }
  if (!find_way (relay, &datagrams, &asks) && !asks)
    {
      refuse_by_way (relay, &datagrams);
      return TRUE;
    }
  is_carried =
      socket != NULL ? carry (socket, &datagrams, asks) : take_new (relay, &datagrams, asks);
  if (!is_carried && !asks)
    is_carried = ask_over_tcp (relay, &datagrams);
  relay->counters.refused += !is_carried;
  return is_carried;
}

/**
 * t2pw_datagram_relay_new:
 *
 * Returns: (transfer full): a relay without a stack: give it one before the first datagram
 */
T2pwDatagramRelay *
t2pw_datagram_relay_new (const T2pwDatagramConfig *config)
{
  T2pwDatagramRelay *relay = g_new0 (T2pwDatagramRelay, 1);

  relay->config = *config;
  relay->dns = t2pw_dns_over_tcp_new (config->reactor);
  relay->sockets = g_hash_table_new (t2p_ip_endpoint_hash, t2p_ip_endpoint_equal_func);
  return relay;
}

void
t2pw_datagram_relay_free (T2pwDatagramRelay *relay)
{
  t2pw_datagram_relay_flush (relay);
  t2pw_dns_over_tcp_free (relay->dns);
  g_hash_table_unref (relay->sockets);
  g_free (relay);
}

void
t2pw_datagram_relay_set_stack (T2pwDatagramRelay *relay, T2pwStack *stack)
{
  relay->stack = stack;
  t2pw_dns_over_tcp_set_stack (relay->dns, stack);
}

/* For draining: what is open goes on. */
void
t2pw_datagram_relay_refuse_new (T2pwDatagramRelay *relay)
{
  relay->refuses_new = TRUE;
}

/**
 * t2pw_datagram_relay_evict:
 *
 * Returns: whether there was an application socket to forget: the idlest
 */
gboolean
t2pw_datagram_relay_evict (T2pwDatagramRelay *relay)
{
  if (relay->oldest == NULL)
    return FALSE;
  t2pw_datagram_socket_close (relay->oldest);
  return TRUE;
}

/**
 * t2pw_datagram_relay_flush:
 *
 * Forgets every application socket: the next datagram of each gets a new way, by the uplink of
 * then.
 */
void
t2pw_datagram_relay_flush (T2pwDatagramRelay *relay)
{
  while (t2pw_datagram_relay_evict (relay))
    ;
  t2pw_dns_over_tcp_flush (relay->dns);
}

const T2pwDatagramCounters *
t2pw_datagram_relay_get_counters (const T2pwDatagramRelay *relay)
{
  return &relay->counters;
}

const char *
t2pw_datagram_socket_get_label (const T2pwDatagramSocket *socket)
{
  return socket->ways != NULL && socket->ways->association != NULL
             ? socket->ways->association->label
             : "";
}
