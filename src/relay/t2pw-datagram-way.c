/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * An application socket has one association for each outbound that its destinations need,
 * mostly one, and uses it for all of them. Whatever comes back is given to the application with
 * the source that it has, whoever that is. When an association ends, the next datagram opens
 * another. */
#include "config.h"

#include "t2pw-datagram-private.h"

#include "t2p-error.h"

static void
way_unlink (T2pwDatagramWay *way)
{
  T2pwDatagramWay **at = &way->socket->ways;

  while (*at != way)
    at = &(*at)->next;
  *at = way->next;
}

void
t2pw_datagram_way_free (T2pwDatagramWay *way)
{
  way_unlink (way);
  if (way->association != NULL)
    t2pw_association_close (way->association);
  g_free (way);
}

static void
opened_cb (T2pwAssociation *association, gpointer user_data)
{
  T2pwDatagramWay *way = user_data;
  T2pwDatagramSocket *socket = way->socket;

  way->association = association;
  way->is_open = TRUE;
  if (socket->flow->state == T2PW_FLOW_CONNECTING)
    {
      t2pw_flow_set_state (socket->flow, T2PW_FLOW_OPEN);
      socket->relay->counters.opened++;
    }
  t2pw_datagram_socket_send_waiting (socket);
}

/* What the application is told when the proxy is at fault: UDP knows no reset. */
static T2pRefusal
refusal_for_udp (T2pRefusal refusal, const GError *error)
{
  return refusal == T2P_REFUSAL_RESET || refusal == T2P_REFUSAL_SILENCE ||
                 g_error_matches (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED)
             ? T2P_REFUSAL_PORT_UNREACHABLE
             : refusal;
}

static void
failed_cb (T2pwAssociation *association,
           T2pRefusal refusal,
           const GError *error,
           gpointer user_data)
{
  T2pwDatagramWay *way = user_data;
  T2pwDatagramSocket *socket = way->socket;
  gboolean was_open = way->is_open;
  const T2pwOutbound *outbound = way->outbound;

  way->association = NULL;
  t2pw_datagram_way_free (way);
  if (!was_open)
    t2pw_datagram_socket_refuse (socket, outbound, refusal_for_udp (refusal, error));
  else if (socket->ways == NULL && socket->flow->inquiry == NULL)
    t2pw_datagram_socket_close (socket);
}

/* FALSE when the application could not know the source: it is of the other family. */
static gboolean
find_source (T2pwDatagramSocket *socket, const T2pwDestination *from, T2pIpEndpoint *out_source)
{
  const T2pwDatagramConfig *config = &socket->relay->config;
  int family = socket->flow->key.source.address.family;
  T2pIpEndpoint seen = { from->address, from->port };

  *out_source = seen;
  if (socket->names.n > 0 &&
      t2pw_datagram_names_find_source (&socket->names, config->virtual_names, from->name, &seen,
                                       family, &out_source->address))
    return TRUE;
  return from->name == NULL && from->address.family == family;
}

static void
received_cb (T2pwAssociation *association,
             const T2pwDestination *from,
             const guint8 *data,
             gsize length,
             gpointer user_data)
{
  T2pwDatagramSocket *socket = ((T2pwDatagramWay *) user_data)->socket;
  T2pwFlowKey key = { .source = socket->flow->key.source };

  if (!find_source (socket, from, &key.destination) ||
      !t2pw_stack_send_datagram (socket->relay->stack, &key, data, length))
    {
      socket->relay->counters.dropped++;
      return;
    }
  socket->flow->tx_bytes += length;
  t2pw_datagram_socket_touch (socket);
}

/* The datagram itself is gone; its headers are all that the kernel needs to find the socket. */
static void
too_big_cb (T2pwAssociation *association,
            const T2pwDestination *to,
            gsize most_bytes,
            gpointer user_data)
{
  T2pwDatagramSocket *socket = ((T2pwDatagramWay *) user_data)->socket;
  T2pwFlowKey key = { .source = socket->flow->key.source };

  if (find_source (socket, to, &key.destination))
    t2pw_stack_tell_too_big (socket->relay->stack, &key, (const guint8 *) "", 0, most_bytes);
}

static const T2pwAssociationHandler handler = {
  .opened = opened_cb,
  .failed = failed_cb,
  .received = received_cb,
  .too_big = too_big_cb,
};

T2pwDatagramWay *
t2pw_datagram_way_get (T2pwDatagramSocket *socket, T2pwOutbound *outbound)
{
  T2pwDatagramWay *way;
  guint n = 0;

  for (way = socket->ways; way != NULL; way = way->next, n++)
    if (way->outbound == outbound)
      return way;
  if (n >= T2PW_DATAGRAM_MAX_WAYS)
    return NULL;
  way = g_new0 (T2pwDatagramWay, 1);
  way->socket = socket;
  way->outbound = outbound;
  way->next = socket->ways;
  socket->ways = way;
  way->association = t2pw_outbound_associate (outbound, &handler, way);
  if (way->association != NULL)
    return way;
  t2pw_datagram_way_free (way);
  return NULL;
}
