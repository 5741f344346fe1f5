/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * One message at a time is collected in @held, answered into @output. Above the high-water
 * mark, or with too many queries on their way to servers, nothing is taken any more, and the
 * window of the connection closes. So a client that sends and never reads costs
 * HIGH_WATER_BYTES, and MAX_OUTPUT_BYTES when it asks for what is long. */
#include "config.h"

#include "t2pw-dns-session.h"

#include "t2p-dns.h"

#include <string.h>

#define HIGH_WATER_BYTES (16 * 1024)
#define MAX_FORWARDS 16
#define LENGTH_BYTES 2
/* What a client may leave unread; answers beyond it are lost to it. */
#define MAX_OUTPUT_BYTES (HIGH_WATER_BYTES + 128 * 1024)

struct _T2pwDnsSession
{
  T2pwDnsResponder *responder;
  T2pwDnsSessionOutput output_cb;
  gpointer user_data;
  GByteArray *held;   /* the length and the message so far */
  GByteArray *output; /* answers with their lengths */
  GPtrArray *forwards;
};

typedef struct
{
  T2pwDnsSession *session;
  T2pwDnsForward *forward;
} Forward;

static void
forward_free (gpointer data)
{
  Forward *forward = data;

  if (forward->forward != NULL)
    t2pw_dns_forward_cancel (forward->forward);
  g_free (forward);
}

T2pwDnsSession *
t2pw_dns_session_new (T2pwDnsResponder *responder,
                      T2pwDnsSessionOutput output,
                      gpointer user_data)
{
  T2pwDnsSession *session = g_new0 (T2pwDnsSession, 1);

  session->responder = responder;
  session->output_cb = output;
  session->user_data = user_data;
  session->held = g_byte_array_new ();
  session->output = g_byte_array_new ();
  session->forwards = g_ptr_array_new_with_free_func (forward_free);
  return session;
}

void
t2pw_dns_session_free (T2pwDnsSession *session)
{
  g_ptr_array_unref (session->forwards);
  g_byte_array_unref (session->held);
  g_byte_array_unref (session->output);
  g_free (session);
}

gboolean
t2pw_dns_session_wants_input (const T2pwDnsSession *session)
{
  return session->output->len < HIGH_WATER_BYTES && session->forwards->len < MAX_FORWARDS;
}

static void
push_answer (T2pwDnsSession *session, const guint8 *answer, gsize length)
{
  guint8 prefix[LENGTH_BYTES];

  t2p_store_be16 (prefix, (guint16) length);
  g_byte_array_append (session->output, prefix, sizeof prefix);
  g_byte_array_append (session->output, answer, (guint) length);
}

static void
forward_done_cb (const guint8 *answer, gsize length, gpointer user_data)
{
  Forward *forward = user_data;
  T2pwDnsSession *session = forward->session;

  forward->forward = NULL;
  g_ptr_array_remove_fast (session->forwards, forward);
  if (length > 0 && session->output->len + length <= MAX_OUTPUT_BYTES)
    push_answer (session, answer, length);
  session->output_cb (session->user_data);
}

static gboolean
take_query (T2pwDnsSession *session, const guint8 *query, gsize length)
{
  guint8 answer[T2P_DNS_MAX_MESSAGE_BYTES];
  T2pWriter writer;
  Forward *forward;

  t2p_writer_init (&writer, answer, sizeof answer);
  switch (
      t2pw_dns_responder_answer (session->responder, query, length, T2PW_DNS_OVER_TCP, &writer))
    {
    case T2PW_DNS_ANSWERED:
      push_answer (session, answer, t2p_writer_length (&writer));
      return TRUE;
    case T2PW_DNS_FORWARD:
      forward = g_new0 (Forward, 1);
      forward->session = session;
      g_ptr_array_add (session->forwards, forward);
      forward->forward = t2pw_dns_responder_forward (
          session->responder, query, length, T2PW_DNS_OVER_TCP, forward_done_cb, forward);
      return TRUE;
    case T2PW_DNS_DROP:
      break;
    }
  return FALSE;
}

/* How many bytes the message in @held still lacks; 0 with its length when it is whole. */
static gsize
bytes_missing (const T2pwDnsSession *session, gsize *out_length)
{
  T2pCursor cursor;
  guint16 length;

  t2p_cursor_init (&cursor, session->held->data, session->held->len);
  if (!t2p_cursor_read_be16 (&cursor, &length))
    return LENGTH_BYTES - session->held->len;
  *out_length = length;
  return length - t2p_cursor_remaining (&cursor);
}

static T2pDecode
take_held (T2pwDnsSession *session, gsize length)
{
  gboolean is_good = take_query (session, session->held->data + LENGTH_BYTES, length);

  g_byte_array_set_size (session->held, 0);
  return is_good ? T2P_DECODE_DONE : T2P_DECODE_BAD;
}

/**
 * t2pw_dns_session_feed:
 * @out_used: (out): how many bytes were taken; fewer than @length when no more input is wanted
 *   for the time being
 *
 * Returns: T2P_DECODE_BAD when the connection is to be reset: no DNS, or a query too long;
 * otherwise T2P_DECODE_MORE
 */
T2pDecode
t2pw_dns_session_feed (T2pwDnsSession *session,
                       const guint8 *bytes,
                       gsize length,
                       gsize *out_used)
{
  gsize used = 0;
  gsize message_bytes = 0;

  while (used < length && t2pw_dns_session_wants_input (session))
    {
      gsize piece = MIN (bytes_missing (session, &message_bytes), length - used);

      g_byte_array_append (session->held, bytes + used, (guint) piece);
      used += piece;
      if (session->held->len < LENGTH_BYTES || bytes_missing (session, &message_bytes) > 0)
        {
          if (session->held->len >= LENGTH_BYTES && message_bytes > T2PW_DNS_MAX_QUERY_BYTES)
            return T2P_DECODE_BAD;
          continue;
        }
      if (take_held (session, message_bytes) == T2P_DECODE_BAD)
        return T2P_DECODE_BAD;
    }
  *out_used = used;
  return T2P_DECODE_MORE;
}

/* What is to be sent; valid until the session is touched again. */
gsize
t2pw_dns_session_peek (const T2pwDnsSession *session, const guint8 **out_bytes)
{
  *out_bytes = session->output->data;
  return session->output->len;
}

/* The first @length bytes of it were sent. */
void
t2pw_dns_session_sent (T2pwDnsSession *session, gsize length)
{
  if (length > 0)
    g_byte_array_remove_range (session->output, 0, (guint) length);
}

/* Nothing to send, nothing on its way: after the client's end, ours may follow. */
gboolean
t2pw_dns_session_is_idle (const T2pwDnsSession *session)
{
  return session->output->len == 0 && session->forwards->len == 0;
}
