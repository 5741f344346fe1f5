/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-dns-pending.h"

#include <sys/random.h>

struct _T2pwDnsPending
{
  GHashTable *by_id; /* id → T2pwDnsAsked */
  GQueue in_order;   /* of asking */
  guint n_marks;
};

struct _T2pwDnsAsked
{
  T2pwDnsPending *pending;
  GList link; /* in `in_order` */
  T2pwDnsAskedDone done;
  gpointer user_data;
  guint since; /* `n_marks` then */
  guint16 id;
  guint16 length;
  guint8 message[T2P_DNS_MAX_ONWARD_BYTES];
};

T2pwDnsPending *
t2pw_dns_pending_new (void)
{
  T2pwDnsPending *pending = g_new0 (T2pwDnsPending, 1);

  pending->by_id = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  return pending;
}

/* Nobody is told. */
void
t2pw_dns_pending_free (T2pwDnsPending *pending)
{
  g_hash_table_unref (pending->by_id);
  g_free (pending);
}

/* One that nobody can guess. */
guint16
t2pw_dns_random_id (void)
{
  guint16 id;

  if (getrandom (&id, sizeof id, GRND_NONBLOCK) != sizeof id)
    id = (guint16) g_random_int ();
  return id;
}

/* Ends soon: far fewer are under way than there are ids. */
static guint16
free_id (const T2pwDnsPending *pending)
{
  guint16 id = t2pw_dns_random_id ();

  while (g_hash_table_contains (pending->by_id, GUINT_TO_POINTER (id)))
    id++;
  return id;
}

/**
 * t2pw_dns_pending_add:
 * @query: whole, with a question; copied
 *
 * Returns: (transfer none): the question, which t2pw_dns_asked_get_message() is to be sent for
 */
T2pwDnsAsked *
t2pw_dns_pending_add (T2pwDnsPending *pending,
                      const T2pDnsQuery *query,
                      T2pwDnsAskedDone done,
                      gpointer user_data)
{
  T2pwDnsAsked *asked = g_new0 (T2pwDnsAsked, 1);
  T2pWriter writer;

  asked->pending = pending;
  asked->link.data = asked;
  asked->since = pending->n_marks;
  asked->done = done;
  asked->user_data = user_data;
  asked->id = free_id (pending);
  t2p_writer_init (&writer, asked->message, sizeof asked->message);
  t2p_dns_query_write_onward (&writer, asked->id, query);
  asked->length = (guint16) t2p_writer_length (&writer);
  g_hash_table_insert (pending->by_id, GUINT_TO_POINTER (asked->id), asked);
  g_queue_push_tail_link (&pending->in_order, &asked->link);
  return asked;
}

static void
asked_end (T2pwDnsAsked *asked, const guint8 *message, const T2pDnsAnswer *answer)
{
  T2pwDnsAskedDone done = asked->done;
  gpointer user_data = asked->user_data;

  t2pw_dns_asked_cancel (asked);
  done (message, answer, user_data);
}

/**
 * t2pw_dns_pending_take:
 * @message: what a server sent: hostile bytes
 *
 * Tells whoever asked. A malformed answer to a question of ours is a failure of the server.
 *
 * Returns: %FALSE when it answers nothing that is under way
 */
gboolean
t2pw_dns_pending_take (T2pwDnsPending *pending, const guint8 *message, gsize length)
{
  T2pwDnsAsked *asked;
  T2pDnsQuery query;
  T2pDnsAnswer answer;
  T2pCursor cursor;
  guint16 id;

  t2p_cursor_init (&cursor, message, length);
  if (!t2p_cursor_read_be16 (&cursor, &id))
    return FALSE;
  asked = g_hash_table_lookup (pending->by_id, GUINT_TO_POINTER (id));
  if (asked == NULL ||
      t2p_dns_query_decode (asked->message, asked->length, &query) != T2P_DNS_PARSE_OK ||
      !t2p_dns_response_matches (message, length, &query))
    return FALSE;
  if (t2p_dns_answer_decode (message, length, &answer))
    asked_end (asked, message, &answer);
  else
    asked_end (asked, NULL, NULL);
  return TRUE;
}

/* Returns: what t2pw_dns_pending_fail() takes for those that are there now */
guint
t2pw_dns_pending_mark (T2pwDnsPending *pending)
{
  return pending->n_marks++;
}

/* What was asked after @mark was made stays, inside the callbacks, too. */
void
t2pw_dns_pending_fail (T2pwDnsPending *pending, guint mark)
{
  T2pwDnsAsked *asked;

  while ((asked = g_queue_peek_head (&pending->in_order)) != NULL && asked->since <= mark)
    asked_end (asked, NULL, NULL);
}

guint
t2pw_dns_pending_get_n (const T2pwDnsPending *pending)
{
  return pending->in_order.length;
}

/* In the order of asking; nothing may be asked or cancelled inside @func. */
void
t2pw_dns_pending_foreach (T2pwDnsPending *pending, T2pwDnsAskedFunc func, gpointer user_data)
{
  for (GList *link = pending->in_order.head; link != NULL; link = link->next)
    func (link->data, user_data);
}

/* What to send; the id in it is the question's own. */
const guint8 *
t2pw_dns_asked_get_message (const T2pwDnsAsked *asked, gsize *out_length)
{
  *out_length = asked->length;
  return asked->message;
}

/* Frees it; its callback is not called. */
void
t2pw_dns_asked_cancel (T2pwDnsAsked *asked)
{
  g_queue_unlink (&asked->pending->in_order, &asked->link);
  g_hash_table_remove (asked->pending->by_id, GUINT_TO_POINTER (asked->id));
}
