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

/* --- t2pw-datagram-relay.c */

/* Sends what waits, by the ways that are open now. */
void t2pw_datagram_socket_send_waiting (T2pwDatagramSocket *socket);
/* The application is told that the datagrams that wait go nowhere; the socket goes. */
void t2pw_datagram_socket_refuse (T2pwDatagramSocket *socket, T2pRefusal refusal);
void t2pw_datagram_socket_touch (T2pwDatagramSocket *socket);

G_END_DECLS
