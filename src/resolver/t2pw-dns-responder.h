/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-cursor.h"
#include "t2pw-dns-forwarder.h"
#include "t2pw-name-set.h"
#include "t2pw-names.h"
#include "t2pw-virtual-names.h"

G_BEGIN_DECLS

/* Longer queries are refused: a question and an OPT with every option in use fit many times. */
#define T2PW_DNS_MAX_QUERY_BYTES 4096

typedef enum
{
  T2PW_DNS_OVER_UDP,
  T2PW_DNS_OVER_TCP,
} T2pwDnsTransport;

/** T2pwDnsVerdict: what became of a query. */
typedef enum
{
  T2PW_DNS_ANSWERED, /* the answer was written */
  T2PW_DNS_FORWARD,  /* hand it to t2pw_dns_responder_forward() */
  T2PW_DNS_DROP,     /* no answer is due: no query at all */
} T2pwDnsVerdict;

/**
 * T2pwDnsResponderConfig:
 * @virtual_names: (nullable): names get addresses of its pools; without it all questions are
 *   asked through the upstream. Outlives the responder.
 * @forwarder: (nullable): asks through the upstream; without it there are no records but
 *   virtual addresses. Outlives the responder.
 * @names: (nullable): asks the uplink's servers for what is excluded; without it nothing is
 * @exclude: (nullable): names that keep their real addresses
 * @has_ipv6: whether AAAA are answered from the pools
 */
typedef struct
{
  T2pReactor *reactor;
  T2pwVirtualNames *virtual_names;
  T2pwDnsForwarder *forwarder;
  T2pwNames *names;
  const T2pwNameSet *exclude;
  gboolean has_ipv6;
} T2pwDnsResponderConfig;

typedef struct
{
  guint64 queries;
  guint64 failures;   /* SERVFAIL, FORMERR and the like */
  guint64 cache_hits; /* answers of servers that were known already */
} T2pwDnsCounters;

typedef struct _T2pwDnsResponder T2pwDnsResponder;
typedef struct _T2pwDnsForward T2pwDnsForward;

typedef void (*T2pwDnsForwardDone) (const guint8 *answer, gsize length, gpointer user_data);

T2pwDnsResponder *t2pw_dns_responder_new (const T2pwDnsResponderConfig *config);
void t2pw_dns_responder_free (T2pwDnsResponder *responder);
/* For queries from now on; @exclude (nullable) outlives the responder or the next call. */
void t2pw_dns_responder_set_ipv6 (T2pwDnsResponder *responder, gboolean has_ipv6);
void t2pw_dns_responder_set_exclude (T2pwDnsResponder *responder, const T2pwNameSet *exclude);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwDnsResponder, t2pw_dns_responder_free)

/* How a question for the addresses of @name (lower case, no dot at the end) is answered:
 * "virtual", "own" (by us, with none of a pool), "uplink", "upstream". */
const char *t2pw_dns_responder_explain (const T2pwDnsResponder *responder, const char *name);

T2pwDnsVerdict t2pw_dns_responder_answer (T2pwDnsResponder *responder,
                                          const guint8 *query,
                                          gsize length,
                                          T2pwDnsTransport transport,
                                          T2pWriter *writer);
T2pwDnsForward *t2pw_dns_responder_forward (T2pwDnsResponder *responder,
                                            const guint8 *query,
                                            gsize length,
                                            T2pwDnsTransport transport,
                                            T2pwDnsForwardDone done,
                                            gpointer user_data);
void t2pw_dns_forward_cancel (T2pwDnsForward *forward);
const T2pwDnsCounters *t2pw_dns_responder_get_counters (const T2pwDnsResponder *responder);

G_END_DECLS
