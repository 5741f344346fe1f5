/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * The connection is made when there is something to ask and closed when there was nothing for
 * IDLE_MS. Servers close when they like, also with questions under way (some answer a hundred
 * and no more): a connection that had answered something was good, and what is left is asked
 * over a new one. One that ends without having answered anything is a failure of the server,
 * and everybody who waits is told. So each new connection costs an answer, and nothing goes
 * round.
 *
 * Bounded: questions under way by who asks (T2P_DNS_MAX_EXCHANGES), input by one message,
 * messages that answer nothing by MAX_STRAY_MESSAGES a connection. Output begins with what is
 * under way when the connection opens; questions that nobody waits for any more stay in it. A
 * server that reads so slowly that MAX_OUTPUT_BYTES are exceeded gets another connection, and
 * on it only what is still under way. */
#include "config.h"

#include "t2pw-dns-stream-server.h"

#include "t2p-limits.h"

#include <errno.h>

#define IDLE_MS 10000 /* RFC 7766 section 6.2.3: of the order of seconds */
#define SUSPECT_US G_USEC_PER_SEC
#define LENGTH_BYTES 2
#define READ_BYTES 16384
#define MAX_STRAY_MESSAGES 256 /* late answers to those who gave up are among them */
/* More than all that can be under way. */
#define MAX_OUTPUT_BYTES                                                                       \
  ((guint) T2P_DNS_MAX_EXCHANGES * (LENGTH_BYTES + T2P_DNS_MAX_ONWARD_BYTES))

struct _T2pwDnsStreamServer
{
  T2pReactor *reactor;
  T2pwOutbound *outbound;
  T2pIpEndpoint endpoint;
  T2pwDnsPending *pending;
  T2pwCarrier *carrier; /* NULL: not connected */
  gboolean is_open;
  guint n_answers; /* of this connection */
  gint64 heard_us; /* when it came about, or said something */
  guint n_strays;
  GByteArray *output;
  GByteArray *input;
  T2pTimer idle_timer;
  T2pTask send_task;
  T2pTask read_task;
};

/* --- the connection */

static void
close_connection (T2pwDnsStreamServer *server)
{
  t2p_reactor_disarm (server->reactor, &server->idle_timer);
  t2p_reactor_cancel (server->reactor, &server->send_task);
  t2p_reactor_cancel (server->reactor, &server->read_task);
  if (server->carrier != NULL)
    t2pw_carrier_close (g_steal_pointer (&server->carrier), FALSE);
  server->is_open = FALSE;
  server->n_answers = server->n_strays = 0;
  g_byte_array_set_size (server->output, 0);
  g_byte_array_set_size (server->input, 0);
}

static void
push_question (T2pwDnsAsked *asked, gpointer user_data)
{
  T2pwDnsStreamServer *server = user_data;
  guint8 prefix[LENGTH_BYTES];
  gsize length;
  const guint8 *message = t2pw_dns_asked_get_message (asked, &length);

  t2p_store_be16 (prefix, (guint16) length);
  g_byte_array_append (server->output, prefix, sizeof prefix);
  g_byte_array_append (server->output, message, (guint) length);
}

static const T2pwCarrierHandler carrier_handler;

static void
open_connection (T2pwDnsStreamServer *server)
{
  T2pwDestination destination = { .address = server->endpoint.address,
                                  .port = server->endpoint.port };

  server->carrier =
      t2pw_outbound_open (server->outbound, &destination, &carrier_handler, server);
}

static void
connection_ended (T2pwDnsStreamServer *server)
{
  gboolean was_good = server->n_answers > 0;

  close_connection (server);
  if (!was_good)
    t2pw_dns_pending_fail (server->pending, t2pw_dns_pending_mark (server->pending));
  else if (t2pw_dns_pending_get_n (server->pending) > 0)
    open_connection (server);
}

static void
idle_cb (T2pTimer *timer)
{
  T2pwDnsStreamServer *server = T2P_OWNER_OF (timer, T2pwDnsStreamServer, idle_timer);

  close_connection (server);
}

static void
note_idleness (T2pwDnsStreamServer *server)
{
  if (server->carrier == NULL || t2pw_dns_pending_get_n (server->pending) > 0)
    t2p_reactor_disarm (server->reactor, &server->idle_timer);
  else
    t2p_reactor_arm (server->reactor, &server->idle_timer, IDLE_MS, idle_cb);
}

/* --- questions out */

static void
send_cb (T2pTask *task)
{
  T2pwDnsStreamServer *server = T2P_OWNER_OF (task, T2pwDnsStreamServer, send_task);

  while (server->is_open && server->output->len > 0)
    {
      struct iovec iov = { server->output->data, server->output->len };
      gssize n = t2pw_carrier_send (server->carrier, &iov, 1);

      if (n < 0)
        {
          if (errno != EAGAIN) /* else `writable` follows */
            connection_ended (server);
          return;
        }
      g_byte_array_remove_range (server->output, 0, (guint) n);
    }
}

static void
queue_send (T2pwDnsStreamServer *server)
{
  if (server->is_open && server->output->len > 0)
    t2p_reactor_defer (server->reactor, &server->send_task, send_cb);
}

/* --- answers in */

/* FALSE when it is not whole yet. */
static gboolean
next_message (GByteArray *input, gsize at, const guint8 **out_message, guint16 *out_length)
{
  T2pCursor cursor;

  t2p_cursor_init (&cursor, input->data, input->len);
  return t2p_cursor_skip (&cursor, at) && t2p_cursor_read_be16 (&cursor, out_length) &&
         t2p_cursor_read_bytes (&cursor, *out_length, out_message);
}

/* FALSE when the connection ended, or is to be ended. */
static gboolean
take_messages (T2pwDnsStreamServer *server)
{
  const guint8 *message;
  guint16 length;
  gsize at = 0;

  while (next_message (server->input, at, &message, &length))
    {
      if (t2pw_dns_pending_take (server->pending, message, length))
        server->n_answers++;
      else if (++server->n_strays > MAX_STRAY_MESSAGES)
        return FALSE;
      at += LENGTH_BYTES + length;
    }
  g_byte_array_remove_range (server->input, 0, (guint) at);
  return TRUE;
}

static gssize
read_some (T2pwDnsStreamServer *server)
{
  guint8 bytes[READ_BYTES];
  struct iovec iov = { bytes, sizeof bytes };
  gssize n = t2pw_carrier_receive (server->carrier, &iov, 1);

  if (n > 0)
    g_byte_array_append (server->input, bytes, (guint) n);
  else if (n < 0 && errno == EAGAIN)
    return -EAGAIN;
  return n;
}

/* One piece a turn: a server that sends without end leaves the others theirs. */
static void
read_cb (T2pTask *task)
{
  T2pwDnsStreamServer *server = T2P_OWNER_OF (task, T2pwDnsStreamServer, read_task);
  gssize n;

  if (!server->is_open)
    return;
  n = read_some (server);
  if (n == -EAGAIN)
    return; /* `readable` follows */
  if (n <= 0 || !take_messages (server))
    {
      connection_ended (server);
      return;
    }
  server->heard_us = t2p_reactor_get_now_us (server->reactor);
  t2p_reactor_defer (server->reactor, &server->read_task, read_cb);
  note_idleness (server);
}

/* --- what the carrier tells */

static void
opened_cb (T2pwCarrier *carrier, gpointer user_data)
{
  T2pwDnsStreamServer *server = user_data;

  server->carrier = carrier;
  server->is_open = TRUE;
  server->heard_us = t2p_reactor_get_now_us (server->reactor);
  t2pw_dns_pending_foreach (server->pending, push_question, server);
  queue_send (server);
  t2p_reactor_defer (server->reactor, &server->read_task, read_cb);
  note_idleness (server);
}

static void
failed_cb (T2pwCarrier *carrier, T2pRefusal refusal, const GError *error, gpointer user_data)
{
  T2pwDnsStreamServer *server = user_data;

  server->carrier = NULL;
  connection_ended (server);
}

static void
readable_cb (T2pwCarrier *carrier, gpointer user_data)
{
  T2pwDnsStreamServer *server = user_data;

  t2p_reactor_defer (server->reactor, &server->read_task, read_cb);
}

static void
writable_cb (T2pwCarrier *carrier, gpointer user_data)
{
  queue_send (user_data);
}

static const T2pwCarrierHandler carrier_handler = {
  .opened = opened_cb,
  .failed = failed_cb,
  .readable = readable_cb,
  .writable = writable_cb,
};

/* --- the server */

T2pwDnsStreamServer *
t2pw_dns_stream_server_new (T2pReactor *reactor,
                            T2pwOutbound *outbound,
                            const T2pIpEndpoint *endpoint)
{
  T2pwDnsStreamServer *server = g_new0 (T2pwDnsStreamServer, 1);

  server->reactor = reactor;
  server->outbound = outbound;
  server->endpoint = *endpoint;
  server->pending = t2pw_dns_pending_new ();
  server->output = g_byte_array_new ();
  server->input = g_byte_array_new ();
  return server;
}

/* Nobody who waits is told. */
void
t2pw_dns_stream_server_free (T2pwDnsStreamServer *server)
{
  close_connection (server);
  t2pw_dns_pending_free (server->pending);
  g_byte_array_unref (server->output);
  g_byte_array_unref (server->input);
  g_free (server);
}

/**
 * t2pw_dns_stream_server_reset:
 *
 * The way there has changed: what is under way is asked over a new connection.
 */
void
t2pw_dns_stream_server_reset (T2pwDnsStreamServer *server)
{
  close_connection (server);
  if (t2pw_dns_pending_get_n (server->pending) > 0)
    open_connection (server);
}

/**
 * t2pw_dns_stream_server_ask:
 * @query: whole, with a question
 * @done: never called from within
 *
 * Returns: (transfer none): what can be cancelled, until @done is called
 */
T2pwDnsAsked *
t2pw_dns_stream_server_ask (T2pwDnsStreamServer *server,
                            const T2pDnsQuery *query,
                            T2pwDnsAskedDone done,
                            gpointer user_data)
{
  T2pwDnsAsked *asked = t2pw_dns_pending_add (server->pending, query, done, user_data);

  if (server->carrier == NULL)
    open_connection (server);
  else if (server->output->len > MAX_OUTPUT_BYTES)
    t2pw_dns_stream_server_reset (server);
  else if (server->is_open)
    {
      push_question (asked, server);
      queue_send (server);
    }
  note_idleness (server);
  return asked;
}

/**
 * t2pw_dns_stream_server_suspect:
 *
 * A question has had no answer for long: a connection that says nothing else either may be dead
 * without anybody knowing.
 */
void
t2pw_dns_stream_server_suspect (T2pwDnsStreamServer *server)
{
  gint64 quiet_us = t2p_reactor_get_now_us (server->reactor) - server->heard_us;

  if (server->is_open && t2pw_dns_pending_get_n (server->pending) > 0 && quiet_us >= SUSPECT_US)
    t2pw_dns_stream_server_reset (server);
}
