/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * An application's socket: one flow of the table, its place in the list by the last datagram,
 * what it talks to, and the few datagrams that wait. It goes when it has been silent for long
 * enough, or is the idlest when room is needed. */
#include "config.h"

#include "t2pw-datagram-private.h"

#include <string.h>

#define DNS_PORT 53
#define NTP_PORT 123
/* Sockets that have only asked single questions are forgotten sooner. STUN is none: who asks
 * for his mapping wants to keep it (RFC 4787 section 4.3 lets well-known ports alone be brief).
 */
#define BRIEF_MS 10000
#define MALLOC_BYTES 32 /* what an allocation and a place in a queue cost */

static gint64
now_of (const T2pwDatagramRelay *relay)
{
  return t2p_reactor_get_now_us (relay->config.reactor);
}

static gboolean
is_brief_port (guint16 port)
{
  return port == DNS_PORT || port == NTP_PORT;
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
  while (socket->waiting.length > 0)
    t2pw_datagram_socket_drop (socket, t2pw_datagram_socket_take (socket));
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

T2pwDatagramSocket *
t2pw_datagram_socket_new (T2pwDatagramRelay *relay, const T2pwFlowKey *key)
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

void
t2pw_datagram_socket_note (T2pwDatagramSocket *socket,
                           const T2pIpEndpoint *destination,
                           guint32 name_index,
                           const char *rule)
{
  T2pwFlow *flow = socket->flow;
  T2pwVirtualNames *virtual_names = socket->relay->config.virtual_names;

  flow->key.destination = *destination;
  flow->rule = rule;
  socket->is_brief = socket->is_brief && is_brief_port (destination->port);
  if (virtual_names != NULL)
    t2pw_datagram_names_add (&socket->names, virtual_names, name_index, destination,
                             now_of (socket->relay));
  flow->name_index = name_index;
}

/* --- what waits */

static gsize
held_bytes (gsize length)
{
  return sizeof (T2pwWaitingDatagrams) + length + MALLOC_BYTES;
}

void
t2pw_datagram_socket_drop (T2pwDatagramSocket *socket, T2pwWaitingDatagrams *waiting)
{
  t2pw_stack_release_memory (socket->relay->stack, held_bytes (waiting->length));
  g_free (waiting);
}

void
t2pw_datagram_socket_keep (T2pwDatagramSocket *socket, T2pwWaitingDatagrams *waiting)
{
  socket->waiting_bytes += waiting->length;
  g_queue_push_tail (&socket->waiting, waiting);
}

void
t2pw_datagram_socket_keep_copy (T2pwDatagramSocket *socket,
                                const T2pIpEndpoint *destination,
                                const guint8 *data,
                                gsize length,
                                gsize datagram_bytes)
{
  T2pwWaitingDatagrams *waiting;

  if (socket->waiting.length >= T2PW_DATAGRAM_MAX_WAITING ||
      socket->waiting_bytes + length > T2PW_DATAGRAM_MAX_WAITING_BYTES ||
      !t2pw_stack_hold_memory (socket->relay->stack, held_bytes (length)))
    {
      socket->relay->counters.dropped++;
      return;
    }
  waiting = g_malloc (sizeof *waiting + length);
  waiting->destination = *destination;
  waiting->length = length;
  waiting->datagram_bytes = datagram_bytes;
  if (length > 0)
    memcpy (waiting->data, data, length);
  t2pw_datagram_socket_keep (socket, waiting);
}

T2pwWaitingDatagrams *
t2pw_datagram_socket_take (T2pwDatagramSocket *socket)
{
  T2pwWaitingDatagrams *waiting = g_queue_pop_head (&socket->waiting);

  socket->waiting_bytes -= waiting->length;
  return waiting;
}

const char *
t2pw_datagram_socket_get_label (const T2pwDatagramSocket *socket)
{
  return socket->ways != NULL && socket->ways->association != NULL
             ? socket->ways->association->label
             : "";
}
