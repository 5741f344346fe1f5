/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-dns.h"
#include "t2pw-dns-responder.h"

G_BEGIN_DECLS

/* For t2pw-dns-responder.c and t2pw-dns-forward.c. */

#define T2PW_DNS_TTL_S 1 /* what a cache keeps of our own answers outlives the tunnel */

struct _T2pwDnsResponder
{
  T2pwDnsResponderConfig config;
  T2pwDnsCounters counters;
  guint n_forwards;
};

/** T2pwDnsRoute: who answers a question. */
typedef enum
{
  T2PW_DNS_ROUTE_OWN,      /* we, at once */
  T2PW_DNS_ROUTE_UPLINK,   /* the uplink's servers */
  T2PW_DNS_ROUTE_UPSTREAM, /* servers that are asked through the upstream */
} T2pwDnsRoute;

T2pwDnsRoute t2pw_dns_route_of (const T2pwDnsResponder *responder, const T2pDnsQuery *query);
gsize t2pw_dns_max_bytes (const T2pDnsQuery *query, T2pwDnsTransport transport);
T2pwDnsVerdict t2pw_dns_answer_status (T2pwDnsResponder *responder,
                                       const T2pDnsQuery *query,
                                       T2pDnsRcode rcode,
                                       gsize limit,
                                       T2pWriter *writer);
T2pwDnsVerdict t2pw_dns_answer_negative (const T2pDnsQuery *query,
                                         T2pDnsRcode rcode,
                                         gsize limit,
                                         T2pWriter *writer);
T2pwDnsVerdict t2pw_dns_answer_nothing (T2pwDnsResponder *responder,
                                        const T2pDnsQuery *query,
                                        gsize limit,
                                        T2pWriter *writer);
T2pwDnsVerdict t2pw_dns_pass_on (T2pwDnsResponder *responder,
                                 const T2pDnsQuery *query,
                                 const T2pwDnsKept *kept,
                                 gsize limit,
                                 T2pWriter *writer);

G_END_DECLS
