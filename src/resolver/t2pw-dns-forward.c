/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A query that others answer: the uplink's servers, or those behind the upstream. */
#include "config.h"

#include "t2p-limits.h"
#include "t2pw-dns-pending.h"
#include "t2pw-dns-responder-private.h"

#include <string.h>

struct _T2pwDnsForward
{
  T2pwDnsResponder *responder;
  T2pwRawQuery *raw;     /* at the uplink's servers */
  T2pwDnsWaiter *waiter; /* behind the upstream */
  T2pTask task;          /* neither of them: there is no answer */
  guint16 sent_id;
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

/* What was sent had another id, and no options. */
static gboolean
is_answer_to (const T2pwDnsForward *forward, const guint8 *message, gsize length)
{
  T2pDnsQuery query;

  if (t2p_dns_query_decode (forward->query, forward->length, &query) != T2P_DNS_PARSE_OK)
    return FALSE;
  query.id = forward->sent_id;
  return t2p_dns_response_matches (message, length, &query);
}

static void
uplink_cb (const guint8 *message, gsize length, gpointer user_data)
{
  T2pwDnsForward *forward = user_data;
  T2pDnsAnswer answer;
  T2pwDnsKept kept = { .message = message, .answer = &answer };
  gboolean is_good = message != NULL && is_answer_to (forward, message, length) &&
                     t2p_dns_answer_decode (message, length, &answer);

  forward_end (forward, is_good ? &kept : NULL);
}

static T2pwRawQuery *
ask_uplink (T2pwDnsForward *forward, const T2pDnsQuery *query)
{
  guint8 message[T2P_DNS_MAX_ONWARD_BYTES];
  T2pWriter writer;

  forward->sent_id = t2pw_dns_random_id ();
  t2p_writer_init (&writer, message, sizeof message);
  t2p_dns_query_write_onward (&writer, forward->sent_id, query);
  return t2pw_raw_queries_ask (t2pw_names_get_raw (forward->responder->config.names), message,
                               t2p_writer_length (&writer), T2P_DNS_ANSWER_TIMEOUT_MS,
                               uplink_cb, forward);
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
        forward->raw = ask_uplink (forward, &query);
      else if (route == T2PW_DNS_ROUTE_UPSTREAM && responder->config.forwarder != NULL)
        forward->waiter =
            t2pw_dns_forwarder_ask (responder->config.forwarder, &query, upstream_cb, forward);
    }
  if (forward->raw == NULL && forward->waiter == NULL)
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
  if (forward->raw != NULL)
    t2pw_raw_query_cancel (forward->raw);
  if (forward->waiter != NULL)
    t2pw_dns_waiter_cancel (forward->waiter);
  g_free (forward);
}
