/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * c-ares sends a query from a socket of the channel, again when it is lost, to the next server,
 * over TCP when the answer was truncated. It cannot take a single query back and may answer
 * from within the call: so what it holds is the number of a query, which means nothing any more
 * once the query is gone, and whoever asked is told by a task. When the channel is exchanged,
 * what is under way is asked of the new one.
 *
 * Bounded by who asks. */
#include "config.h"

#include "t2pw-raw-query.h"

#include <string.h>

struct _T2pwRawQueries
{
  T2pReactor *reactor;
  T2pwAresChannel *channel; /* (nullable) */
  GHashTable *queries;      /* number → T2pwRawQuery */
  guint last_number;
};

struct _T2pwRawQuery
{
  T2pwRawQueries *owner;
  guint number;
  T2pTimer timer;
  T2pTask task;
  T2pwRawQueryDone done;
  gpointer user_data;
  guint8 *answer; /* (nullable) */
  gsize answer_bytes;
  gsize length;
  guint8 message[];
};

/* What c-ares holds. */
typedef struct
{
  T2pwRawQueries *owner;
  guint number;
} Sent;

static void
query_free (T2pwRawQuery *query)
{
  t2p_reactor_disarm (query->owner->reactor, &query->timer);
  t2p_reactor_cancel (query->owner->reactor, &query->task);
  g_hash_table_remove (query->owner->queries, GUINT_TO_POINTER (query->number));
  g_free (query->answer);
  g_free (query);
}

/**
 * t2pw_raw_query_cancel:
 *
 * Frees the query; its callback is not called.
 */
void
t2pw_raw_query_cancel (T2pwRawQuery *query)
{
  query_free (query);
}

static void
tell_cb (T2pTask *task)
{
  T2pwRawQuery *query = T2P_OWNER_OF (task, T2pwRawQuery, task);
  g_autofree guint8 *answer = g_steal_pointer (&query->answer);
  gsize answer_bytes = query->answer_bytes;
  T2pwRawQueryDone done = query->done;
  gpointer user_data = query->user_data;

  query_free (query);
  done (answer, answer_bytes, user_data);
}

static void
too_late_cb (T2pTimer *timer)
{
  T2pwRawQuery *query = T2P_OWNER_OF (timer, T2pwRawQuery, timer);

  t2p_reactor_defer (query->owner->reactor, &query->task, tell_cb);
}

static void
answered_cb (void *data, int status, int timeouts, unsigned char *bytes, int length)
{
  g_autofree Sent *sent = data;
  T2pwRawQueries *owner = sent->owner;
  T2pwRawQuery *query = g_hash_table_lookup (owner->queries, GUINT_TO_POINTER (sent->number));

  if (query == NULL || query->answer != NULL)
    return;
  if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED)
    return; /* t2pw_raw_queries_set_channel() asks again */
  if (bytes != NULL && length > 0)
    {
      query->answer = g_memdup2 (bytes, (gsize) length);
      query->answer_bytes = (gsize) length;
    }
  t2p_reactor_defer (owner->reactor, &query->task, tell_cb);
}

static void
query_send (T2pwRawQuery *query)
{
  Sent *sent = g_new (Sent, 1);

  *sent = (Sent){ .owner = query->owner, .number = query->number };
  t2pw_ares_channel_send (query->owner->channel, query->message, query->length, answered_cb,
                          sent);
}

/**
 * t2pw_raw_queries_ask:
 * @message: a whole query with an id that nobody can guess; copied
 * @timeout_ms: after which the asker is told, whatever c-ares does
 * @done: never called from within
 */
T2pwRawQuery *
t2pw_raw_queries_ask (T2pwRawQueries *queries,
                      const guint8 *message,
                      gsize length,
                      guint timeout_ms,
                      T2pwRawQueryDone done,
                      gpointer user_data)
{
  T2pwRawQuery *query = g_malloc0 (sizeof *query + length);

  query->owner = queries;
  query->done = done;
  query->user_data = user_data;
  query->length = length;
  memcpy (query->message, message, length);
  do
    query->number = ++queries->last_number;
  while (g_hash_table_contains (queries->queries, GUINT_TO_POINTER (query->number)));
  g_hash_table_insert (queries->queries, GUINT_TO_POINTER (query->number), query);
  t2p_reactor_arm (queries->reactor, &query->timer, timeout_ms, too_late_cb);
  if (queries->channel != NULL && t2pw_ares_channel_has_servers (queries->channel))
    query_send (query);
  else
    t2p_reactor_defer (queries->reactor, &query->task, tell_cb);
  return query;
}

/**
 * t2pw_raw_queries_set_channel:
 * @channel: (nullable): not owned; the one before is gone
 */
void
t2pw_raw_queries_set_channel (T2pwRawQueries *queries, T2pwAresChannel *channel)
{
  g_autoptr (GList) under_way = g_hash_table_get_values (queries->queries);

  queries->channel = channel;
  if (channel == NULL || !t2pw_ares_channel_has_servers (channel))
    return; /* they run into their time-outs */
  for (GList *link = under_way; link != NULL; link = link->next)
    if (((T2pwRawQuery *) link->data)->answer == NULL)
      query_send (link->data);
}

T2pwRawQueries *
t2pw_raw_queries_new (T2pReactor *reactor)
{
  T2pwRawQueries *queries = g_new0 (T2pwRawQueries, 1);

  queries->reactor = reactor;
  queries->queries = g_hash_table_new (NULL, NULL);
  return queries;
}

/* Whoever waits is not told. The channel is gone. */
void
t2pw_raw_queries_free (T2pwRawQueries *queries)
{
  g_autoptr (GList) under_way = g_hash_table_get_values (queries->queries);

  for (GList *link = under_way; link != NULL; link = link->next)
    query_free (link->data);
  g_hash_table_unref (queries->queries);
  g_free (queries);
}
