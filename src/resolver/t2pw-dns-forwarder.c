/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * An exchange is one question that is under way, whoever waits for it: who asks the same joins.
 * It makes one attempt after another, each at the next server: when the one before has failed,
 * or has said nothing for ATTEMPT_MS. Earlier attempts go on meanwhile, and the first answer
 * counts. By datagrams all servers are tried first, then over TCP; an answer that did not fit
 * into a datagram is fetched over TCP from the same server. "I could not" (SERVFAIL, REFUSED)
 * is an answer only when no server knows better. An exchange that nobody waits for any more
 * goes on to its end, for the cache.
 *
 * Bounded: exchanges by T2P_DNS_MAX_EXCHANGES, waiters by T2P_DNS_MAX_WAITING, the life of an
 * exchange by T2P_DNS_ANSWER_TIMEOUT_MS, attempts by the number of servers and ways. */
#include "config.h"

#include "t2pw-dns-forwarder.h"

#include "t2p-limits.h"
#include "t2pw-dns-datagrams.h"
#include "t2pw-dns-server.h"

#include <string.h>

#define ATTEMPT_MS 1500
#define DATAGRAM_ATTEMPT_MS 1000
#define MAX_ATTEMPTS (2 * T2PW_DNS_MAX_SERVERS)

struct _T2pwDnsForwarder
{
  T2pReactor *reactor;
  T2pwDnsCache *cache;
  T2pwDnsServer servers[T2PW_DNS_MAX_SERVERS];
  guint n_servers;
  T2pwDnsDatagrams *datagrams; /* (nullable) */
  GHashTable *exchanges;       /* key → Exchange */
  guint n_waiting;
};

typedef struct _Exchange Exchange;

typedef struct
{
  Exchange *exchange;
  T2pwDnsServer *server;
  gboolean is_datagram;
  gboolean was_silent;
  T2pwDnsAsked *asked; /* NULL: over */
  gint64 since_us;
} Attempt;

struct _Exchange
{
  T2pwDnsForwarder *forwarder;
  char *key;
  GQueue waiters; /* T2pwDnsWaiter */
  T2pTimer timer;
  gint64 deadline_us;
  guint8 order[T2PW_DNS_MAX_SERVERS];
  guint step; /* the next: by datagrams in that order, then over TCP */
  guint n_attempts;
  Attempt attempts[MAX_ATTEMPTS];
  guint8 *refusal; /* (nullable): of a server that could not */
  T2pDnsAnswer refusal_decoded;
  guint8 query[T2P_DNS_MAX_ONWARD_BYTES];
  gsize query_bytes;
};

struct _T2pwDnsWaiter
{
  Exchange *exchange;
  GList link;
  T2pwDnsForwarderDone done;
  gpointer user_data;
};

/* --- the end of an exchange */

static void
waiter_free (T2pwDnsWaiter *waiter)
{
  g_queue_unlink (&waiter->exchange->waiters, &waiter->link);
  waiter->exchange->forwarder->n_waiting--;
  g_free (waiter);
}

/* Frees the waiter; its callback is not called. */
void
t2pw_dns_waiter_cancel (T2pwDnsWaiter *waiter)
{
  waiter_free (waiter);
}

/* Takes it out of the table; nobody is told. */
static void
exchange_stop (Exchange *exchange)
{
  T2pwDnsForwarder *forwarder = exchange->forwarder;

  t2p_reactor_disarm (forwarder->reactor, &exchange->timer);
  for (guint i = 0; i < exchange->n_attempts; i++)
    if (exchange->attempts[i].asked != NULL)
      t2pw_dns_asked_cancel (g_steal_pointer (&exchange->attempts[i].asked));
  g_hash_table_remove (forwarder->exchanges, exchange->key);
}

static void
exchange_free (Exchange *exchange)
{
  for (GList *link; (link = g_queue_peek_head_link (&exchange->waiters)) != NULL;)
    waiter_free (link->data);
  g_free (exchange->refusal);
  g_free (exchange->key);
  g_free (exchange);
}

/* A waiter may cancel others while it is told. */
static void
exchange_end (Exchange *exchange, const guint8 *message, const T2pDnsAnswer *answer)
{
  exchange_stop (exchange);
  for (GList *link; (link = g_queue_peek_head_link (&exchange->waiters)) != NULL;)
    {
      T2pwDnsWaiter *waiter = link->data;
      T2pwDnsForwarderDone done = waiter->done;
      gpointer user_data = waiter->user_data;

      waiter_free (waiter);
      done (message, answer, user_data);
    }
  exchange_free (exchange);
}

/* No server knew better than what one of them said. */
static void
exchange_give_up (Exchange *exchange)
{
  exchange_end (exchange, exchange->refusal,
                exchange->refusal != NULL ? &exchange->refusal_decoded : NULL);
}

/* --- attempts */

static gboolean
is_definite (const T2pDnsAnswer *answer)
{
  return !answer->is_truncated &&
         (answer->rcode == T2P_DNS_NOERROR || answer->rcode == T2P_DNS_NXDOMAIN);
}

static gboolean
has_attempts_under_way (const Exchange *exchange)
{
  for (guint i = 0; i < exchange->n_attempts; i++)
    if (exchange->attempts[i].asked != NULL)
      return TRUE;
  return FALSE;
}

static void
keep_refusal (Exchange *exchange, const guint8 *message, const T2pDnsAnswer *answer)
{
  if (answer->is_truncated || exchange->refusal != NULL)
    return;
  exchange->refusal = g_memdup2 (message, answer->length);
  exchange->refusal_decoded = *answer;
}

static gboolean
was_asked_over_tcp (const Exchange *exchange, const T2pwDnsServer *server)
{
  for (guint i = 0; i < exchange->n_attempts; i++)
    if (exchange->attempts[i].server == server && !exchange->attempts[i].is_datagram)
      return TRUE;
  return FALSE;
}

static void
note_outcome (const Attempt *attempt, const T2pDnsAnswer *answer)
{
  if (answer != NULL)
    t2pw_dns_server_answered (attempt->server);
  else if (!attempt->is_datagram)
    t2pw_dns_server_failed (attempt->server);
}

static void exchange_next (Exchange *exchange);
static void attempt_start (Exchange *exchange, T2pwDnsServer *server, gboolean is_datagram);

static void
asked_cb (const guint8 *message, const T2pDnsAnswer *answer, gpointer user_data)
{
  Attempt *attempt = user_data;
  Exchange *exchange = attempt->exchange;
  T2pwDnsForwarder *forwarder = exchange->forwarder;

  attempt->asked = NULL;
  note_outcome (attempt, answer);
  if (answer != NULL && is_definite (answer))
    {
      t2pw_dns_cache_add (forwarder->cache, exchange->key, message, answer,
                          t2p_reactor_get_now_us (forwarder->reactor));
      exchange_end (exchange, message, answer);
      return;
    }
  if (answer != NULL && answer->is_truncated && !was_asked_over_tcp (exchange, attempt->server))
    {
      attempt_start (exchange, attempt->server, FALSE);
      return;
    }
  if (answer != NULL)
    keep_refusal (exchange, message, answer);
  exchange_next (exchange);
}

/* It is over at once when no datagrams can be sent. */
static void
attempt_start (Exchange *exchange, T2pwDnsServer *server, gboolean is_datagram)
{
  T2pwDnsForwarder *forwarder = exchange->forwarder;
  Attempt *attempt = &exchange->attempts[exchange->n_attempts++];
  T2pDnsQuery query;

  attempt->exchange = exchange;
  attempt->server = server;
  attempt->is_datagram = is_datagram;
  attempt->since_us = t2p_reactor_get_now_us (forwarder->reactor);
  t2p_dns_query_decode (exchange->query, exchange->query_bytes, &query);
  attempt->asked =
      is_datagram
          ? t2pw_dns_datagrams_ask (forwarder->datagrams, (guint) (server - forwarder->servers),
                                    &query, asked_cb, attempt)
          : t2pw_dns_stream_server_ask (server->stream, &query, asked_cb, attempt);
}

/* FALSE when there are no more. */
static gboolean
exchange_take_step (Exchange *exchange)
{
  T2pwDnsForwarder *forwarder = exchange->forwarder;
  guint n = forwarder->n_servers;

  while (exchange->step < 2 * n)
    {
      T2pwDnsServer *server = &forwarder->servers[exchange->order[exchange->step % n]];
      gboolean is_datagram = exchange->step++ < n;

      if (is_datagram
              ? forwarder->datagrams == NULL || !t2pw_dns_datagrams_work (forwarder->datagrams)
              : was_asked_over_tcp (exchange, server))
        continue;
      attempt_start (exchange, server, is_datagram);
      if (exchange->attempts[exchange->n_attempts - 1].asked != NULL)
        return TRUE;
    }
  return FALSE;
}

static void
note_silence (Attempt *attempt)
{
  T2pwDnsForwarder *forwarder = attempt->exchange->forwarder;

  if (attempt->asked == NULL)
    return;
  if (attempt->is_datagram && !attempt->was_silent)
    t2pw_dns_datagrams_are_silent (forwarder->datagrams, attempt->since_us);
  attempt->was_silent = TRUE;
  t2pw_dns_server_is_silent (attempt->server, attempt->since_us);
}

static void
exchange_timer_cb (T2pTimer *timer)
{
  Exchange *exchange = T2P_OWNER_OF (timer, Exchange, timer);

  for (guint i = 0; i < exchange->n_attempts; i++)
    note_silence (&exchange->attempts[i]);
  exchange_next (exchange);
}

/* The last attempt has failed, or has been silent for long enough. */
static void
exchange_next (Exchange *exchange)
{
  T2pwDnsForwarder *forwarder = exchange->forwarder;
  gint64 left_us = exchange->deadline_us - t2p_reactor_get_now_us (forwarder->reactor);
  guint wait_ms = left_us > 0 ? (guint) (left_us / 1000) : 0;

  if (left_us > 0 && exchange_take_step (exchange))
    wait_ms = MIN (wait_ms, exchange->attempts[exchange->n_attempts - 1].is_datagram
                                ? DATAGRAM_ATTEMPT_MS
                                : ATTEMPT_MS);
  if (left_us <= 0 || !has_attempts_under_way (exchange))
    exchange_give_up (exchange);
  else
    t2p_reactor_arm (forwarder->reactor, &exchange->timer, wait_ms, exchange_timer_cb);
}

/* --- who asks */

static Exchange *
exchange_new (T2pwDnsForwarder *forwarder, const char *key, const T2pDnsQuery *query)
{
  Exchange *exchange = g_new0 (Exchange, 1);
  T2pWriter writer;

  exchange->forwarder = forwarder;
  exchange->key = g_strdup (key);
  exchange->deadline_us = t2p_reactor_get_now_us (forwarder->reactor) +
                          T2P_DNS_ANSWER_TIMEOUT_MS * G_GINT64_CONSTANT (1000);
  t2p_writer_init (&writer, exchange->query, sizeof exchange->query);
  t2p_dns_query_write_onward (&writer, 0, query);
  exchange->query_bytes = t2p_writer_length (&writer);
  t2pw_dns_servers_sort (forwarder->servers, forwarder->n_servers, exchange->order);
  g_hash_table_insert (forwarder->exchanges, exchange->key, exchange);
  return exchange;
}

/**
 * t2pw_dns_forwarder_find:
 * @out_kept: (out caller-allocates): valid until the forwarder is touched again
 *
 * Returns: %TRUE when the answer is known already
 */
gboolean
t2pw_dns_forwarder_find (T2pwDnsForwarder *forwarder,
                         const T2pDnsQuery *query,
                         T2pwDnsKept *out_kept)
{
  char key[T2PW_DNS_KEY_STRLEN];

  t2pw_dns_key_make (query, key);
  return t2pw_dns_cache_find (forwarder->cache, key,
                              t2p_reactor_get_now_us (forwarder->reactor), out_kept);
}

/**
 * t2pw_dns_forwarder_ask:
 * @query: whole, with a question
 * @done: never called from within
 *
 * Returns: (transfer none) (nullable): what can be cancelled; %NULL when too many wait, or
 * there is no server
 */
T2pwDnsWaiter *
t2pw_dns_forwarder_ask (T2pwDnsForwarder *forwarder,
                        const T2pDnsQuery *query,
                        T2pwDnsForwarderDone done,
                        gpointer user_data)
{
  char key[T2PW_DNS_KEY_STRLEN];
  T2pwDnsWaiter *waiter;
  Exchange *exchange;

  t2pw_dns_key_make (query, key);
  exchange = g_hash_table_lookup (forwarder->exchanges, key);
  if (forwarder->n_servers == 0 || forwarder->n_waiting >= T2P_DNS_MAX_WAITING ||
      (exchange == NULL && g_hash_table_size (forwarder->exchanges) >= T2P_DNS_MAX_EXCHANGES))
    return NULL;
  waiter = g_new0 (T2pwDnsWaiter, 1);
  waiter->link.data = waiter;
  waiter->done = done;
  waiter->user_data = user_data;
  waiter->exchange = exchange != NULL ? exchange : exchange_new (forwarder, key, query);
  g_queue_push_tail_link (&waiter->exchange->waiters, &waiter->link);
  forwarder->n_waiting++;
  if (exchange == NULL)
    exchange_next (waiter->exchange);
  return waiter;
}

/* --- the forwarder */

T2pwDnsForwarder *
t2pw_dns_forwarder_new (const T2pwDnsForwarderConfig *config)
{
  T2pwDnsForwarder *forwarder = g_new0 (T2pwDnsForwarder, 1);

  forwarder->reactor = config->reactor;
  forwarder->cache = t2pw_dns_cache_new ();
  forwarder->exchanges = g_hash_table_new (g_str_hash, g_str_equal);
  forwarder->n_servers = MIN (config->n_servers, T2PW_DNS_MAX_SERVERS);
  for (guint i = 0; i < forwarder->n_servers; i++)
    t2pw_dns_server_init (&forwarder->servers[i], config->reactor, config->outbound,
                          &config->servers[i]);
  if (config->by_datagrams)
    forwarder->datagrams = t2pw_dns_datagrams_new (config->reactor, config->outbound,
                                                   config->servers, forwarder->n_servers);
  return forwarder;
}

/* Nobody who waits is told. */
void
t2pw_dns_forwarder_free (T2pwDnsForwarder *forwarder)
{
  GHashTableIter iter;
  gpointer exchange;

  for (g_hash_table_iter_init (&iter, forwarder->exchanges);
       g_hash_table_iter_next (&iter, NULL, &exchange);
       g_hash_table_iter_init (&iter, forwarder->exchanges))
    {
      exchange_stop (exchange);
      exchange_free (exchange);
    }
  for (guint i = 0; i < forwarder->n_servers; i++)
    t2pw_dns_server_clear (&forwarder->servers[i]);
  g_clear_pointer (&forwarder->datagrams, t2pw_dns_datagrams_free);
  g_hash_table_unref (forwarder->exchanges);
  t2pw_dns_cache_free (forwarder->cache);
  g_free (forwarder);
}

/* Every server has failed a short while ago: whoever can do without need not wait. */
gboolean
t2pw_dns_forwarder_is_down (const T2pwDnsForwarder *forwarder)
{
  for (guint i = 0; i < forwarder->n_servers; i++)
    if (!t2pw_dns_server_is_resting (&forwarder->servers[i]))
      return FALSE;
  return TRUE;
}

/* Connections may be dead and answers those of another place. */
void
t2pw_dns_forwarder_uplink_changed (T2pwDnsForwarder *forwarder)
{
  t2pw_dns_cache_flush (forwarder->cache);
  for (guint i = 0; i < forwarder->n_servers; i++)
    t2pw_dns_server_forgive (&forwarder->servers[i]);
  if (forwarder->datagrams != NULL)
    t2pw_dns_datagrams_reset (forwarder->datagrams);
}
