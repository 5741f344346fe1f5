/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * An application's UDP socket, known by its address and port, is one flow, whatever it sends
 * to: one mapping at the far side, which anybody may answer (endpoint-independent, RFC 4787).
 * Each datagram is decided by the rules on its own; those that go the same way share an
 * association. While that is being opened, or while it is asked whose socket it is, a few
 * datagrams wait; more are dropped, the newest first. A way that does not come about is told to
 * the application with an ICMP error at once, so that QUIC and the like fall back. */
#include "config.h"

#include "t2pw-datagram-private.h"

#include "t2pw-flow-destination.h"

#include <netinet/in.h>

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

static void
keep_copy (T2pwDatagramSocket *socket, const Datagrams *datagrams)
{
  t2pw_datagram_socket_keep_copy (socket, &datagrams->key.destination, datagrams->data,
                                  datagrams->length, datagrams->datagram_bytes);
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

static void
refuse_by_way (T2pwDatagramRelay *relay, const Datagrams *datagrams)
{
  if (datagrams->way.action == T2P_RULE_DROP && datagrams->way.rule != NULL)
    relay->counters.dropped++;
  else
    refuse_datagrams (relay, datagrams, datagrams->way.refusal);
}

static Dispatch
dispatch (T2pwDatagramSocket *socket, const Datagrams *datagrams)
{
  T2pwDatagramWay *way;

  t2pw_datagram_socket_note (socket, &datagrams->key.destination, datagrams->name_index,
                             datagrams->way.rule);
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

/* --- what waits */

/* TRUE: it is of another way. Else the application was told. */
static gboolean
refuse_one_waiting (T2pwDatagramSocket *socket,
                    const T2pwWaitingDatagrams *waiting,
                    const T2pwOutbound *outbound,
                    T2pRefusal refusal)
{
  Datagrams datagrams = datagrams_of_waiting (socket, waiting);
  gboolean asks;
  gboolean has_way = find_way (socket->relay, &datagrams, &asks);

  if (has_way && outbound != NULL && datagrams.way.outbound != outbound)
    return TRUE;
  if (!has_way || !ask_over_tcp (socket->relay, &datagrams))
    refuse_datagrams (socket->relay, &datagrams, refusal);
  return FALSE;
}

void
t2pw_datagram_socket_refuse (T2pwDatagramSocket *socket,
                             const T2pwOutbound *outbound,
                             T2pRefusal refusal)
{
  for (guint n = socket->waiting.length; n > 0; n--)
    {
      T2pwWaitingDatagrams *waiting = t2pw_datagram_socket_take (socket);

      if (refuse_one_waiting (socket, waiting, outbound, refusal))
        t2pw_datagram_socket_keep (socket, waiting);
      else
        t2pw_datagram_socket_drop (socket, waiting);
    }
  t2pw_datagram_socket_send_waiting (socket);
}

/* --- whose socket it is */

static void
decided_cb (const T2pwWay *way, gpointer user_data)
{
  T2pwDatagramSocket *socket = user_data;
  gboolean is_unknown = way->action == T2P_RULE_REJECT && way->rule == NULL;

  socket->flow->inquiry = NULL;
  if (is_unknown)
    t2pw_datagram_socket_refuse (socket, NULL, T2P_REFUSAL_ADMIN_PROHIBITED);
  else
    t2pw_datagram_socket_send_waiting (
        socket); /* each is decided anew: the user is known now */
}

/* FALSE: nobody can be asked now. */
static gboolean
inquire (T2pwDatagramSocket *socket, const Datagrams *datagrams)
{
  T2pwFlow *flow = socket->flow;

  if (flow->inquiry == NULL)
    flow->inquiry =
        t2pw_flow_inquiry_new (socket->relay->config.policy, IPPROTO_UDP, &datagrams->key,
                               &datagrams->destination, decided_cb, socket);
  return flow->inquiry != NULL;
}

/* What waits once more. Frees @waiting unless it waits on. */
static void
send_one_waiting (T2pwDatagramSocket *socket, T2pwWaitingDatagrams *waiting)
{
  Datagrams datagrams = datagrams_of_waiting (socket, waiting);
  gboolean asks;

  if (!find_way (socket->relay, &datagrams, &asks))
    {
      if (asks && inquire (socket, &datagrams)) /* it has waited for too long to know it */
        {
          t2pw_datagram_socket_keep (socket, waiting);
          return;
        }
      refuse_by_way (socket->relay, &datagrams);
      t2pw_datagram_socket_drop (socket, waiting);
      return;
    }
  switch (dispatch (socket, &datagrams))
    {
    case DISPATCH_WAITS:
      t2pw_datagram_socket_keep (socket, waiting);
      return;
    case DISPATCH_REFUSED:
      if (!ask_over_tcp (socket->relay, &datagrams))
        refuse_datagrams (socket->relay, &datagrams, T2P_REFUSAL_PORT_UNREACHABLE);
      break;
    case DISPATCH_SENT:
      break;
    }
  t2pw_datagram_socket_drop (socket, waiting);
}

static gboolean
is_idle (const T2pwDatagramSocket *socket)
{
  return socket->ways == NULL && socket->waiting.length == 0 && socket->flow->inquiry == NULL;
}

void
t2pw_datagram_socket_send_waiting (T2pwDatagramSocket *socket)
{
  for (guint n = socket->waiting.length; n > 0 && socket->waiting.length > 0; n--)
    send_one_waiting (socket, t2pw_datagram_socket_take (socket));
  if (is_idle (socket))
    t2pw_datagram_socket_close (socket);
}

/* --- the relay */

static gboolean
carry (T2pwDatagramSocket *socket, const Datagrams *datagrams, gboolean asks)
{
  if (asks && !inquire (socket, datagrams))
    return FALSE;
  if (asks)
    {
      keep_copy (socket, datagrams);
      return TRUE;
    }
  switch (dispatch (socket, datagrams))
    {
    case DISPATCH_SENT:
      return TRUE;
    case DISPATCH_WAITS:
      keep_copy (socket, datagrams);
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
  socket = t2pw_datagram_socket_new (relay, &datagrams->key);
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
  T2pwLoopVerdict verdict = T2PW_LOOP_PASS;
  gboolean asks, is_carried;

  if (socket != NULL && socket->flow->inquiry != NULL)
    {
      keep_copy (socket, &datagrams);
      return TRUE;
    }
  if (!find_way (relay, &datagrams, &asks) && !asks)
    {
      refuse_by_way (relay, &datagrams);
      return TRUE;
    }
  if (socket == NULL)
    verdict = t2pw_loop_guard_judge (relay->config.policy->guard, IPPROTO_UDP, &key->source,
                                     &key->destination);
  if (verdict != T2PW_LOOP_PASS)
    return verdict == T2PW_LOOP_SILENCE;
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
