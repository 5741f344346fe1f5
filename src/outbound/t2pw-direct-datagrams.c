/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * One unconnected socket for each family, made when it is first needed: one mapping for all
 * destinations, and anybody may answer. Names are looked up by our own queries; what is sent to
 * a name meanwhile waits, bounded. Answers from an address that a name stood for are told as
 * coming from that name. */
#include "config.h"

#include "t2pw-direct-datagrams.h"

#include "t2pw-peer-names.h"

typedef struct
{
  T2pwAssociation base;
  const T2pwOutboundContext *context;
  T2pTask task;
  T2pwUdpSocket v4, v6;
  T2pwPeerNames names;
} Association;

static void
association_close (T2pwAssociation *base)
{
  Association *association = (Association *) base;

  t2p_reactor_cancel (association->context->reactor, &association->task);
  t2pw_udp_socket_close (&association->v4);
  t2pw_udp_socket_close (&association->v6);
  t2pw_peer_names_clear (&association->names);
  g_free (association);
}

/* --- receiving */

static void
tell_received (Association *association,
               const T2pIpEndpoint *peer,
               const guint8 *data,
               gsize length)
{
  T2pwDestination from = { .name = t2pw_peer_names_find (&association->names, &peer->address),
                           .address = peer->address,
                           .port = peer->port };

  association->base.handler->received (&association->base, &from, data, length,
                                       association->base.user_data);
}

static void
tell_too_big (Association *association, const T2pIpEndpoint *peer, gsize most_bytes)
{
  T2pwDestination to = { .address = peer->address, .port = peer->port };

  association->base.handler->too_big (&association->base, &to, most_bytes,
                                      association->base.user_data);
}

static void
received_v4_cb (T2pwUdpSocket *udp, const T2pIpEndpoint *from, const guint8 *data, gsize length)
{
  tell_received (T2P_OWNER_OF (udp, Association, v4), from, data, length);
}

static void
received_v6_cb (T2pwUdpSocket *udp, const T2pIpEndpoint *from, const guint8 *data, gsize length)
{
  tell_received (T2P_OWNER_OF (udp, Association, v6), from, data, length);
}

static void
too_big_v4_cb (
    T2pwUdpSocket *udp, const T2pIpEndpoint *to, const guint8 *data, gsize length, gsize most)
{
  tell_too_big (T2P_OWNER_OF (udp, Association, v4), to, most);
}

static void
too_big_v6_cb (
    T2pwUdpSocket *udp, const T2pIpEndpoint *to, const guint8 *data, gsize length, gsize most)
{
  tell_too_big (T2P_OWNER_OF (udp, Association, v6), to, most);
}

/* Not connected, so it is told of nobody who does not listen. */
static void
refused_cb (T2pwUdpSocket *udp)
{
}

static const T2pwUdpSocketHandler v4_handler = { received_v4_cb, too_big_v4_cb, refused_cb };
static const T2pwUdpSocketHandler v6_handler = { received_v6_cb, too_big_v6_cb, refused_cb };

/* --- sending */

static gboolean
send_to_address (Association *association,
                 const T2pIpEndpoint *to,
                 const guint8 *data,
                 gsize length,
                 gsize datagram_bytes)
{
  gboolean is_v4 = to->address.family == AF_INET;
  T2pwUdpSocket *udp = is_v4 ? &association->v4 : &association->v6;

  if (!t2pw_socket_policy_allows (association->context->policy, &to->address))
    return FALSE;
  if (!t2pw_udp_socket_is_open (udp) &&
      !t2pw_udp_socket_open (udp, association->context->udp, is_v4 ? AF_INET : AF_INET6, NULL,
                             is_v4 ? &v4_handler : &v6_handler, NULL))
    return FALSE;
  return t2pw_udp_socket_send (udp, to, NULL, 0, data, length, datagram_bytes);
}

static gboolean
send_cb (gpointer owner,
         const T2pIpEndpoint *to,
         const guint8 *data,
         gsize length,
         gsize datagram_bytes)
{
  return send_to_address (owner, to, data, length, datagram_bytes);
}

static gpointer
look_up_cb (gpointer owner, const char *name, T2pwLookupDone done, gpointer user_data)
{
  const T2pwOutboundContext *context = ((Association *) owner)->context;

  if (context->names == NULL)
    return NULL;
  return t2pw_names_lookup (context->names, name, context->connect_timeout_ms, done, user_data);
}

static void
cancel_cb (gpointer lookup)
{
  t2pw_lookup_cancel (lookup);
}

static const T2pwPeerNamesClass names_class = { look_up_cb, cancel_cb, send_cb };

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

static const T2pwAssociationClass association_class = {
  .send = association_send,
  .close = association_close,
};

static void
open_cb (T2pTask *task)
{
  Association *association = T2P_OWNER_OF (task, Association, task);

  association->base.handler->opened (&association->base, association->base.user_data);
}

T2pwAssociation *
t2pw_direct_datagrams_open (const T2pwOutboundContext *context,
                            const char *label,
                            const T2pwAssociationHandler *handler,
                            gpointer user_data)
{
  Association *association = g_new0 (Association, 1);

  association->base = (T2pwAssociation){ &association_class, handler, user_data, label };
  association->context = context;
  t2pw_peer_names_init (&association->names, &names_class, association);
  t2p_reactor_defer (context->reactor, &association->task, open_cb);
  return &association->base;
}
