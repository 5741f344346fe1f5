/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A stream is a connection to the gateway through the proxy, shared by many application
 * sockets (associations). The gateway knows pairs of an application socket and a far end; each
 * is a number of the stream, a "connection", and a socket of the gateway's own. So there is no
 * one mapping for all destinations, and only the far end itself can answer: that is udpgw's.
 *
 * When the numbers are used up, that of the pair which has been silent longest is given to the
 * next one; its first frame says so (REBIND), and what still comes for the pair before is told
 * by its far end and dropped. A keep-alive holds the stream for as long as anybody uses it;
 * without anybody it is closed at the next one. */
#include "config.h"

#include "t2pw-udpgw.h"

#include "t2p-error.h"
#include "t2p-udpgw.h"
#include "t2pw-frame-stream.h"
#include "t2pw-peer-names.h"
#include "t2pw-udpgw-lookup.h"

#include <string.h>

#define KEEPALIVE_MS 10000 /* gateways hang up after 20 s of silence */
/* Another stream is made when there are so many sockets on each. */
#define CROWDED 32

typedef struct _Stream Stream;
typedef struct _Association Association;

typedef struct
{
  Association *association;
  guint16 number;
  T2pIpEndpoint peer;
  gboolean is_known; /* to the gateway */
  GList link;        /* in the stream's queue, the longest silent first */
} Connection;

struct _Stream
{
  T2pwUdpgw *gateway;
  T2pwCarrier *asking;
  T2pwFrameStream frames;
  T2pTimer timer;
  T2pTask task; /* tells associations that it is open */
  guint generation;
  GQueue associations;
  GQueue recent;
  Connection *connections[T2PW_UDPGW_MAX_CONNECTIONS];
};

struct _Association
{
  T2pwAssociation base;
  Stream *stream;
  GList link; /* in the stream's queue, in the order of their coming */
  guint generation;
  gboolean is_open;
  GHashTable *connections; /* T2pIpEndpoint → Connection */
  T2pwPeerNames names;
};

struct _T2pwUdpgw
{
  const T2pwOutboundContext *context;
  T2pwOutbound *proxy;
  Stream streams[T2PW_UDPGW_MAX_STREAMS];
};

/* --- connections */

static guint
endpoint_hash (gconstpointer key)
{
  const T2pIpEndpoint *endpoint = key;
  guint hash = endpoint->port;

  for (guint i = 0; i < sizeof endpoint->address.bytes; i++)
    hash = hash * 31 + endpoint->address.bytes[i];
  return hash;
}

static gboolean
endpoint_equal (gconstpointer a, gconstpointer b)
{
  return t2p_ip_endpoint_equal (a, b);
}

/* The number is free. Called by the association's table. */
static void
connection_free (gpointer data)
{
  Connection *connection = data;
  Stream *stream = connection->association->stream;

  g_queue_unlink (&stream->recent, &connection->link);
  stream->connections[connection->number] = NULL;
  g_free (connection);
}

/* That of the longest silent, when none is free. */
static guint16
take_number (Stream *stream)
{
  Connection *oldest;
  guint16 number;

  for (number = 0; number < T2PW_UDPGW_MAX_CONNECTIONS; number++)
    if (stream->connections[number] == NULL)
      return number;
  oldest = stream->recent.head->data;
  number = oldest->number;
  g_hash_table_remove (oldest->association->connections, &oldest->peer);
  return number;
}

static Connection *
connection_new (Association *association, const T2pIpEndpoint *peer)
{
  Stream *stream = association->stream;
  Connection *connection = g_new0 (Connection, 1);

  connection->association = association;
  connection->number = take_number (stream);
  connection->peer = *peer;
  connection->link.data = connection;
  stream->connections[connection->number] = connection;
  g_queue_push_tail_link (&stream->recent, &connection->link);
  g_hash_table_insert (association->connections, &connection->peer, connection);
  return connection;
}

static Connection *
find_connection (Association *association, const T2pIpEndpoint *peer)
{
  GQueue *recent = &association->stream->recent;
  Connection *connection = g_hash_table_lookup (association->connections, peer);

  if (connection == NULL)
    return connection_new (association, peer);
  if (recent->tail != &connection->link)
    {
      g_queue_unlink (recent, &connection->link);
      g_queue_push_tail_link (recent, &connection->link);
    }
  return connection;
}

/* --- sending */

static gboolean
send_one (Connection *connection, const guint8 *data, gsize length)
{
  T2pUdpgwFrame frame = { .flags = connection->is_known ? 0 : T2P_UDPGW_REBIND,
                          .connection = connection->number,
                          .peer = connection->peer,
                          .payload_bytes = length };
  guint8 header[T2P_UDPGW_MAX_HEADER_BYTES];
  T2pWriter writer;

  t2p_writer_init (&writer, header, sizeof header);
  if (!t2p_udpgw_write_header (&writer, &frame) ||
      !t2pw_frame_stream_send (&connection->association->stream->frames, header,
                               t2p_writer_length (&writer), data, length))
    return FALSE;
  connection->is_known = TRUE;
  return TRUE;
}

static gboolean
send_to_address (gpointer owner,
                 const T2pIpEndpoint *to,
                 const guint8 *data,
                 gsize length,
                 gsize datagram_bytes)
{
  Association *association = owner;
  gsize most = datagram_bytes > 0 ? datagram_bytes : length;
  gboolean was_sent = TRUE;
  Connection *connection;

  if (!association->is_open)
    return FALSE;
  connection = find_connection (association, to);
  do
    {
      gsize piece = MIN (length, most);

      was_sent = send_one (connection, data, piece) && was_sent;
      length -= piece;
      if (length > 0) /* C has no sum of NULL and 0 */
        data += piece;
    }
  while (length > 0);
  return was_sent;
}

static gboolean
association_send (T2pwAssociation *base,
                  const T2pwDestination *to,
                  const guint8 *data,
                  gsize length,
                  gsize datagram_bytes)
{
  Association *association = (Association *) base;

  if (to->name != NULL)
    return t2pw_peer_names_send (&association->names, to->name, to->port, data, length,
                                 datagram_bytes);
  return send_to_address (association, &(T2pIpEndpoint){ to->address, to->port }, data, length,
                          datagram_bytes);
}

static gpointer
look_up_cb (gpointer owner, const char *name, T2pwLookupDone done, gpointer user_data)
{
  T2pwUdpgw *gateway = ((Association *) owner)->stream->gateway;

  return t2pw_udpgw_lookup (gateway->context, gateway, name, done, user_data);
}

static void
cancel_cb (gpointer lookup)
{
  t2pw_udpgw_lookup_cancel (lookup);
}

static const T2pwPeerNamesClass names_class = { look_up_cb, cancel_cb, send_to_address };

/* --- associations */

static void
association_clear (Association *association)
{
  t2pw_peer_names_clear (&association->names);
  g_clear_pointer (&association->connections, g_hash_table_unref);
  g_queue_unlink (&association->stream->associations, &association->link);
}

static void
association_close (T2pwAssociation *base)
{
  association_clear ((Association *) base);
  g_free (base);
}

static const T2pwAssociationClass association_class = {
  .send = association_send,
  .close = association_close,
};

/* --- streams */

static void
stream_close (Stream *stream)
{
  T2pReactor *reactor = stream->gateway->context->reactor;

  t2p_reactor_disarm (reactor, &stream->timer);
  t2p_reactor_cancel (reactor, &stream->task);
  if (stream->asking != NULL)
    t2pw_carrier_close (g_steal_pointer (&stream->asking), FALSE);
  t2pw_frame_stream_clear (&stream->frames);
}

/* All that use it are told; whoever comes back meanwhile is for the next stream. */
static void
stream_fail (Stream *stream, T2pRefusal refusal, const GError *error)
{
  Association *association;

  stream_close (stream);
  stream->generation++;
  while ((association = g_queue_peek_head (&stream->associations)) != NULL &&
         association->generation != stream->generation)
    {
      T2pwAssociation base = association->base;

      association_clear (association);
      base.handler->failed (&association->base, refusal, error, base.user_data);
      g_free (association);
    }
}

static void
keepalive_cb (T2pTimer *timer)
{
  Stream *stream = T2P_OWNER_OF (timer, Stream, timer);
  guint8 bytes[T2P_UDPGW_KEEPALIVE_BYTES];
  T2pWriter writer;

  if (stream->associations.length == 0)
    {
      stream_close (stream);
      return;
    }
  t2p_writer_init (&writer, bytes, sizeof bytes);
  t2p_udpgw_write_keepalive (&writer);
  t2pw_frame_stream_send (&stream->frames, bytes, t2p_writer_length (&writer), NULL, 0);
  t2p_reactor_arm (stream->gateway->context->reactor, timer, KEEPALIVE_MS, keepalive_cb);
}

static void
tell_received (Connection *connection, const T2pUdpgwFrame *frame)
{
  Association *association = connection->association;
  const T2pIpAddress *address = &connection->peer.address;
  T2pwDestination from = { .name = t2pw_peer_names_find (&association->names, address),
                           .address = *address,
                           .port = connection->peer.port };

  association->base.handler->received (&association->base, &from, frame->payload,
                                       frame->payload_bytes, association->base.user_data);
}

static T2pDecode
frame_cb (T2pwFrameStream *frames, const guint8 *bytes, gsize length, gsize *out_used)
{
  Stream *stream = T2P_OWNER_OF (frames, Stream, frames);
  T2pUdpgwFrame frame;
  T2pDecode result = t2p_udpgw_decode (bytes, length, &frame, out_used);
  Connection *connection;

  if (result != T2P_DECODE_DONE || (frame.flags & T2P_UDPGW_KEEPALIVE) != 0 ||
      frame.connection >= T2PW_UDPGW_MAX_CONNECTIONS)
    return result;
  connection = stream->connections[frame.connection];
  if (connection != NULL && t2p_ip_endpoint_equal (&connection->peer, &frame.peer))
    tell_received (connection, &frame);
  return T2P_DECODE_DONE;
}

static void
ended_cb (T2pwFrameStream *frames, const char *how)
{
  g_autoptr (GError) error =
      g_error_new (T2P_ERROR, T2P_ERROR_FAILED, "the gateway for UDP %s", how);

  stream_fail (T2P_OWNER_OF (frames, Stream, frames), T2P_REFUSAL_PORT_UNREACHABLE, error);
}

static const T2pwFrameStreamHandler frames_handler = { frame_cb, ended_cb };

static void
tell_opened_cb (T2pTask *task)
{
  Stream *stream = T2P_OWNER_OF (task, Stream, task);

  for (GList *link = stream->associations.head; link != NULL; link = link->next)
    {
      Association *association = link->data;

      if (association->is_open)
        continue;
      association->is_open = TRUE;
      t2p_reactor_defer (stream->gateway->context->reactor, task, tell_opened_cb);
      association->base.handler->opened (&association->base, association->base.user_data);
      return; /* the list may be another one now */
    }
}

static void
asking_opened_cb (T2pwCarrier *carrier, gpointer user_data)
{
  Stream *stream = user_data;
  const T2pwOutboundContext *context = stream->gateway->context;

  stream->asking = NULL;
  t2pw_frame_stream_init (&stream->frames, context, carrier, &frames_handler);
  t2p_reactor_arm (context->reactor, &stream->timer, KEEPALIVE_MS, keepalive_cb);
  t2p_reactor_defer (context->reactor, &stream->task, tell_opened_cb);
}

static void
asking_failed_cb (T2pwCarrier *carrier,
                  T2pRefusal refusal,
                  const GError *error,
                  gpointer user_data)
{
  Stream *stream = user_data;

  stream->asking = NULL;
  stream_fail (stream, refusal, error);
}

static void
asking_edge_cb (T2pwCarrier *carrier, gpointer user_data)
{
}

static const T2pwCarrierHandler asking_handler = {
  .opened = asking_opened_cb,
  .failed = asking_failed_cb,
  .readable = asking_edge_cb,
  .writable = asking_edge_cb,
};

static void
stream_need (Stream *stream)
{
  const T2pwOutboundContext *context = stream->gateway->context;
  const T2pHostPort *host_port = &context->udpgw;
  T2pwDestination gateway = { .name = *host_port->name != '\0' ? host_port->name : NULL,
                              .address = host_port->address,
                              .port = host_port->port };

  if (t2pw_frame_stream_is_open (&stream->frames))
    t2p_reactor_defer (context->reactor, &stream->task, tell_opened_cb);
  else if (stream->asking == NULL)
    stream->asking =
        t2pw_outbound_open (stream->gateway->proxy, &gateway, &asking_handler, stream);
}

/* The least used of those that are there, or another one when all of them are crowded. */
static Stream *
choose_stream (T2pwUdpgw *gateway)
{
  Stream *best = NULL;
  Stream *unused = NULL;

  for (guint i = 0; i < T2PW_UDPGW_MAX_STREAMS; i++)
    {
      Stream *stream = &gateway->streams[i];

      if (stream->asking == NULL && !t2pw_frame_stream_is_open (&stream->frames))
        unused = stream;
      else if (best == NULL || stream->associations.length < best->associations.length)
        best = stream;
    }
  if (best == NULL || (unused != NULL && best->associations.length >= CROWDED))
    return unused;
  return best;
}

T2pwAssociation *
t2pw_udpgw_associate (T2pwUdpgw *gateway,
                      const T2pwAssociationHandler *handler,
                      gpointer user_data)
{
  Association *association = g_new0 (Association, 1);

  association->base = (T2pwAssociation){ &association_class, handler, user_data, "" };
  association->stream = choose_stream (gateway);
  association->generation = association->stream->generation;
  association->link.data = association;
  association->connections =
      g_hash_table_new_full (endpoint_hash, endpoint_equal, NULL, connection_free);
  t2pw_peer_names_init (&association->names, &names_class, association);
  g_queue_push_tail_link (&association->stream->associations, &association->link);
  stream_need (association->stream);
  return &association->base;
}

/**
 * t2pw_udpgw_new:
 * @context: names the gateway; outlives it
 * @proxy: (transfer none): leads to it; outlives it
 */
T2pwUdpgw *
t2pw_udpgw_new (const T2pwOutboundContext *context, T2pwOutbound *proxy)
{
  T2pwUdpgw *gateway = g_new0 (T2pwUdpgw, 1);

  gateway->context = context;
  gateway->proxy = proxy;
  for (guint i = 0; i < T2PW_UDPGW_MAX_STREAMS; i++)
    gateway->streams[i].gateway = gateway;
  return gateway;
}

void
t2pw_udpgw_free (T2pwUdpgw *gateway)
{
  for (guint i = 0; i < T2PW_UDPGW_MAX_STREAMS; i++)
    stream_close (&gateway->streams[i]);
  g_free (gateway);
}
