/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-limits.h"
#include "t2pw-association.h"
#include "t2pw-datagram-names.h"
#include "t2pw-datagram-relay.h"
#include "t2pw-dns-over-tcp.h"

G_BEGIN_DECLS

/* What the files of the datagram relay share. Nothing else includes this. */

/* All upstreams together, each alone, and past all of them. */
#define T2PW_DATAGRAM_MAX_WAYS (T2P_MAX_PROXIES + 2)

/** T2pwDatagramWay: one outbound of an application socket. */
typedef struct _T2pwDatagramWay T2pwDatagramWay;
struct _T2pwDatagramWay
{
  T2pwDatagramWay *next;
  T2pwDatagramSocket *socket;
  T2pwOutbound *outbound;
  T2pwAssociation *association;
  gboolean is_open;
};

/** T2pwWaitingDatagrams: what one take() brought, kept until its way is open. */
typedef struct
{
  T2pIpEndpoint destination;
  gsize length;
  gsize datagram_bytes;
  guint8 data[];
} T2pwWaitingDatagrams;

struct _T2pwDatagramSocket
{
  T2pwDatagramRelay *relay;
  T2pwFlow *flow;
  T2pwDatagramSocket *older, *newer; /* by the last datagram */
  T2pwDatagramWay *ways;
  T2pwDatagramNames names;
  GQueue waiting; /* T2pwWaitingDatagrams */
  gsize waiting_bytes;
  T2pTimer timer;
  gboolean is_brief; /* has talked to ports of single questions only */
};

struct _T2pwDatagramRelay
{
  T2pwDatagramConfig config;
  T2pwStack *stack;
  GHashTable *sockets; /* T2pIpEndpoint of the application → T2pwDatagramSocket */
  T2pwDatagramSocket *oldest, *newest;
  T2pwDatagramCounters counters;
  T2pwDnsOverTcp *dns;
  gboolean refuses_new;
};

/* --- t2pw-datagram-way.c */

/* The way by @outbound, opened when there is none. NULL: the outbound carries no datagrams. */
T2pwDatagramWay *t2pw_datagram_way_get (T2pwDatagramSocket *socket, T2pwOutbound *outbound);
void t2pw_datagram_way_free (T2pwDatagramWay *way);

/* --- t2pw-datagram-socket.c */

/* NULL when there is no room, and no UDP flow to make some. */
T2pwDatagramSocket *t2pw_datagram_socket_new (T2pwDatagramRelay *relay, const T2pwFlowKey *key);
/* Of the last datagram: what people see, and whom answers come from. */
void t2pw_datagram_socket_note (T2pwDatagramSocket *socket,
                                const T2pIpEndpoint *destination,
                                guint32 name_index,
                                const char *rule);
void t2pw_datagram_socket_touch (T2pwDatagramSocket *socket);
/* Behind all that waits; @waiting was taken before. */
void t2pw_datagram_socket_keep (T2pwDatagramSocket *socket, T2pwWaitingDatagrams *waiting);
/* Drops them when too many wait, here or everywhere. */
void t2pw_datagram_socket_keep_copy (T2pwDatagramSocket *socket,
                                     const T2pIpEndpoint *destination,
                                     const guint8 *data,
                                     gsize length,
                                     gsize datagram_bytes);
/* The first that waits, there is one: to be kept again, or dropped. */
T2pwWaitingDatagrams *t2pw_datagram_socket_take (T2pwDatagramSocket *socket);
void t2pw_datagram_socket_drop (T2pwDatagramSocket *socket, T2pwWaitingDatagrams *waiting);

/* --- t2pw-datagram-relay.c */

/* Sends what waits, by the ways that are open now. */
void t2pw_datagram_socket_send_waiting (T2pwDatagramSocket *socket);
/* The application is told that the datagrams that wait for @outbound go nowhere, or, with NULL,
 * all that wait; a socket that is left with nothing goes. */
void t2pw_datagram_socket_refuse (T2pwDatagramSocket *socket,
                                  const T2pwOutbound *outbound,
                                  T2pRefusal refusal);

G_END_DECLS
