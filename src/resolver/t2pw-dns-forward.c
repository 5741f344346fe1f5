/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A query that others answer: the uplink's servers, or those behind the upstream. */
#include "config.h"

#include "t2p-error.h"
#include "t2p-limits.h"
#include "t2pw-dns-responder-private.h"

#include <string.h>

struct _T2pwDnsForward
{
  T2pwDnsResponder *responder;
  T2pwLookup *lookup;    /* at the uplink's servers */
  T2pwDnsWaiter *waiter; /* behind the upstream */
  T2pTask task;          /* neither of them: there is no answer */
  T2pwDnsTransport transport;
  T2pwDnsForwardDone done;
  gpointer user_data;
  gsize length;
  guint8 query[];
};

/* --- the end */

/* Frees it. */
static void
forward_tell (T2pwDnsForward *forward, const guint8 *answer, gsize length)
{
  T2pwDnsForwardDone done = forward->done;
  gpointer user_data = forward->user_data;

  forward->responder->n_forwards--;
  g_free (forward);
  done (answer, length, user_data);
}

/* @kept: (nullable): what a server has said. */
static void
forward_end (T2pwDnsForward *forward, const T2pwDnsKept *kept)
{
  guint8 answer[T2P_DNS_MAX_MESSAGE_BYTES];
  T2pDnsQuery query;
  T2pWriter writer;

  t2p_writer_init (&writer, answer, sizeof answer);
  if (t2p_dns_query_decode (forward->query, forward->length, &query) == T2P_DNS_PARSE_OK)
    {
      gsize limit = t2pw_dns_max_bytes (&query, forward->transport);

      if (kept != NULL)
        t2pw_dns_pass_on (forward->responder, &query, kept, limit, &writer);
      else
        t2pw_dns_answer_nothing (forward->responder, &query, limit, &writer);
    }
  forward_tell (forward, answer, t2p_writer_length (&writer));
}

static void
nobody_cb (T2pTask *task)
{
  forward_end (T2P_OWNER_OF (task, T2pwDnsForward, task), NULL);
}

static void
upstream_cb (const guint8 *message, const T2pDnsAnswer *answer, gpointer user_data)
{
  T2pwDnsKept kept = { .message = message, .answer = answer };

  forward_end (user_data, answer != NULL ? &kept : NULL);
}

/* --- what goes to the uplink's servers */

static gboolean
uplink_write (T2pwDnsForward *forward,
              const T2pIpAddress *addresses,
              guint n,
              guint32 ttl_s,
              const GError *error,
              T2pWriter *writer)
{
  T2pDnsQuery query;
  T2pDnsReply reply;
  int family;
  gsize limit;

  if (t2p_dns_query_decode (forward->query, forward->length, &query) != T2P_DNS_PARSE_OK)
    return FALSE;
  family = query.type == T2P_DNS_TYPE_A      ? AF_INET
           : query.type == T2P_DNS_TYPE_AAAA ? AF_INET6
                                             : AF_UNSPEC;
  limit = t2pw_dns_max_bytes (&query, forward->transport);
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_NOT_FOUND))
    return t2pw_dns_answer_negative (&query, T2P_DNS_NXDOMAIN, limit, writer) ==
           T2PW_DNS_ANSWERED;
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_FAILED))
    return t2pw_dns_answer_negative (&query, T2P_DNS_NOERROR, limit, writer) ==
           T2PW_DNS_ANSWERED;
  if (error != NULL)
    return t2pw_dns_answer_status (forward->responder, &query, T2P_DNS_SERVFAIL, limit,
                                   writer) == T2PW_DNS_ANSWERED;
  t2p_dns_reply_begin (&reply, writer, &query, T2P_DNS_NOERROR, limit);
  for (guint i = 0; i < n; i++)
    if (addresses[i].family == family)
      t2p_dns_reply_add_address (&reply, &addresses[i], ttl_s);
  if (reply.n_answers == 0)
    t2p_dns_reply_add_soa (&reply, T2PW_DNS_TTL_S);
  return t2p_dns_reply_end (&reply);
}

static void
uplink_cb (const T2pIpAddress *addresses,
           guint n,
           guint32 ttl_s,
           const GError *error,
           gpointer user_data)
{
  T2pwDnsForward *forward = user_data;
  guint8 answer[T2P_DNS_MAX_UDP_BYTES];
  T2pWriter writer;

  t2p_writer_init (&writer, answer, sizeof answer);
  if (!uplink_write (forward, addresses, n, ttl_s, error, &writer))
    t2p_writer_rewind (&writer, 0);
  forward_tell (forward, answer, t2p_writer_length (&writer));
}

/* --- the beginning */

static void
forward_start (T2pwDnsForward *forward)
{
  T2pwDnsResponder *responder = forward->responder;
  T2pDnsQuery query;

  if (t2p_dns_query_decode (forward->query, forward->length, &query) == T2P_DNS_PARSE_OK)
    {
      T2pwDnsRoute route = t2pw_dns_route_of (responder, &query);

      if (route == T2PW_DNS_ROUTE_UPLINK)
        forward->lookup = t2pw_names_lookup (responder->config.names, query.name.text,
                                             T2P_DNS_ANSWER_TIMEOUT_MS, uplink_cb, forward);
      else if (route == T2PW_DNS_ROUTE_UPSTREAM && responder->config.forwarder != NULL)
        forward->waiter =
            t2pw_dns_forwarder_ask (responder->config.forwarder, &query, upstream_cb, forward);
    }
  if (forward->lookup == NULL && forward->waiter == NULL)
    t2p_reactor_defer (responder->config.reactor, &forward->task, nobody_cb);
}

/**
 * t2pw_dns_responder_forward:
 * @query: for which t2pw_dns_responder_answer() has just said FORWARD; copied
 * @done: gets the answer, of no bytes when none can be given; the forward is gone then. Never
 *   called from within.
 *
 * Asks who knows.
 *
 * Returns: what can be cancelled
 */
T2pwDnsForward *
t2pw_dns_responder_forward (T2pwDnsResponder *responder,
                            const guint8 *query,
                            gsize length,
                            T2pwDnsTransport transport,
                            T2pwDnsForwardDone done,
                            gpointer user_data)
{
  T2pwDnsForward *forward = g_malloc0 (sizeof *forward + length);

  forward->responder = responder;
  forward->transport = transport;
  forward->done = done;
  forward->user_data = user_data;
  forward->length = length;
  memcpy (forward->query, query, length);
  responder->n_forwards++;
  forward_start (forward);
  return forward;
}

/* Its callback is not called. */
void
t2pw_dns_forward_cancel (T2pwDnsForward *forward)
{
  T2pwDnsResponder *responder = forward->responder;

  responder->n_forwards--;
  t2p_reactor_cancel (responder->config.reactor, &forward->task);
  if (forward->lookup != NULL)
    t2pw_lookup_cancel (forward->lookup);
  if (forward->waiter != NULL)
    t2pw_dns_waiter_cancel (forward->waiter);
  g_free (forward);
}
