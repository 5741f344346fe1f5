/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-dns-cache.h"
#include "t2pw-outbound.h"

G_BEGIN_DECLS

/* Name servers that are asked at most. */
#define T2PW_DNS_MAX_SERVERS 16

/**
 * T2pwDnsForwarderConfig:
 * @outbound: by which the servers are reached; outlives the forwarder
 * @servers: in the order of preference; copied
 * @by_datagrams: whether they are asked by UDP first, and over TCP where that does not work
 */
typedef struct
{
  T2pReactor *reactor;
  T2pwOutbound *outbound;
  const T2pIpEndpoint *servers;
  guint n_servers;
  gboolean by_datagrams;
} T2pwDnsForwarderConfig;

/* Questions that are asked of name servers through the upstream, and the answers that are
 * kept. */
typedef struct _T2pwDnsForwarder T2pwDnsForwarder;
/* Somebody who waits for an answer. */
typedef struct _T2pwDnsWaiter T2pwDnsWaiter;

/**
 * T2pwDnsForwarderDone:
 * @message: (nullable): what a server said, or %NULL when none did in time
 * @answer: (nullable): @message, decoded
 *
 * The waiter is gone when this is called.
 */
typedef void (*T2pwDnsForwarderDone) (const guint8 *message,
                                      const T2pDnsAnswer *answer,
                                      gpointer user_data);

T2pwDnsForwarder *t2pw_dns_forwarder_new (const T2pwDnsForwarderConfig *config);
void t2pw_dns_forwarder_free (T2pwDnsForwarder *forwarder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwDnsForwarder, t2pw_dns_forwarder_free)

gboolean t2pw_dns_forwarder_find (T2pwDnsForwarder *forwarder,
                                  const T2pDnsQuery *query,
                                  T2pwDnsKept *out_kept);
T2pwDnsWaiter *t2pw_dns_forwarder_ask (T2pwDnsForwarder *forwarder,
                                       const T2pDnsQuery *query,
                                       T2pwDnsForwarderDone done,
                                       gpointer user_data);
void t2pw_dns_waiter_cancel (T2pwDnsWaiter *waiter);
gboolean t2pw_dns_forwarder_is_down (const T2pwDnsForwarder *forwarder);
void t2pw_dns_forwarder_uplink_changed (T2pwDnsForwarder *forwarder);

G_END_DECLS
