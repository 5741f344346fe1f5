/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-dns-relay.h"

#include "t2p-dns.h"

#include <string.h>

#define IDLE_MS 10000 /* RFC 7766 section 6.2.3: servers may be impatient */
#define MAX_IOVECS 4

struct _T2pwDnsRelay
{
  T2pReactor *reactor;
  T2pwDnsResponder *responder;
  T2pwStack *stack;
  GHashTable *streams;   /* set of DnsStream */
  GHashTable *datagrams; /* set of DnsDatagram: on their way to the uplink */
};

typedef struct
{
  T2pwDnsRelay *relay;
  T2pwStream *stream;
  T2pwDnsSession *session;
  T2pTimer timer;
  T2pTask task;
  gboolean has_ended;
} DnsStream;

typedef struct
{
  T2pwDnsRelay *relay;
  T2pwDnsForward *forward;
  T2pwFlowKey key;
} DnsDatagram;

/* --- UDP */

static void
datagram_free (gpointer data)
{
  DnsDatagram *datagram = data;

  if (datagram->forward != NULL)
    t2pw_dns_forward_cancel (datagram->forward);
  g_free (datagram);
}

static void
forwarded_cb (const guint8 *answer, gsize length, gpointer user_data)
{
  DnsDatagram *datagram = user_data;

  datagram->forward = NULL;
  if (length > 0)
    t2pw_stack_send_datagram (datagram->relay->stack, &datagram->key, answer, length);
  g_hash_table_remove (datagram->relay->datagrams, datagram);
}

static void
take_datagram (T2pwDnsRelay *relay, const T2pwFlowKey *key, const guint8 *data, gsize length)
{
  guint8 answer[T2P_DNS_MAX_UDP_BYTES];
  T2pWriter writer;
  DnsDatagram *datagram;

  t2p_writer_init (&writer, answer, sizeof answer);
  switch (
      t2pw_dns_responder_answer (relay->responder, data, length, T2PW_DNS_OVER_UDP, &writer))
    {
    case T2PW_DNS_ANSWERED:
      t2pw_stack_send_datagram (relay->stack, key, answer, t2p_writer_length (&writer));
      return;
    case T2PW_DNS_FORWARD: /* bounded by T2P_DNS_MAX_WAITING */
      datagram = g_new0 (DnsDatagram, 1);
      datagram->relay = relay;
      datagram->key = *key;
      g_hash_table_add (relay->datagrams, datagram);
      datagram->forward = t2pw_dns_responder_forward (
          relay->responder, data, length, T2PW_DNS_OVER_UDP, forwarded_cb, datagram);
      return;
    case T2PW_DNS_DROP:
      return;
    }
}

/**
 * t2pw_dns_relay_take_datagrams:
 * @key: from the application to port 53 of whatever it takes for its server
 * @datagram_bytes: of each query but the last; 0: @data is one
 */
void
t2pw_dns_relay_take_datagrams (T2pwDnsRelay *relay,
                               const T2pwFlowKey *key,
                               const guint8 *data,
                               gsize length,
                               gsize datagram_bytes)
{
  gsize most = datagram_bytes > 0 ? datagram_bytes : length;
  gsize done = 0;

  do
    {
      take_datagram (relay, key, data + done, MIN (most, length - done));
      done += most;
    }
  while (done < length);
}

/* --- TCP */

static void
dns_stream_free (gpointer data)
{
  DnsStream *stream = data;

  t2p_reactor_disarm (stream->relay->reactor, &stream->timer);
  t2p_reactor_cancel (stream->relay->reactor, &stream->task);
  t2pw_dns_session_free (stream->session);
  if (stream->stream != NULL)
    t2pw_stream_abort (stream->stream);
  g_free (stream);
}

static void
dns_stream_drop (DnsStream *stream)
{
  g_hash_table_remove (stream->relay->streams, stream);
}

static void
idle_cb (T2pTimer *timer)
{
  dns_stream_drop (T2P_OWNER_OF (timer, DnsStream, timer));
}

static void dns_stream_run_cb (T2pTask *task);

static void
dns_stream_queue (DnsStream *stream)
{
  t2p_reactor_defer (stream->relay->reactor, &stream->task, dns_stream_run_cb);
}

/* FALSE when the client is to be reset. */
static gboolean
dns_stream_read (DnsStream *stream)
{
  struct iovec iov[MAX_IOVECS];
  gboolean at_end = FALSE;
  gsize consumed = 0;
  gsize available = 0;
  guint n = t2pw_stream_peek (stream->stream, iov, MAX_IOVECS, &at_end);
  T2pDecode result = T2P_DECODE_MORE;

  for (guint i = 0; i < n && result != T2P_DECODE_BAD; i++)
    {
      gsize used = 0;

      available += iov[i].iov_len;
      result = t2pw_dns_session_feed (stream->session, iov[i].iov_base, iov[i].iov_len, &used);
      consumed += used;
      if (used < iov[i].iov_len)
        break;
    }
  if (consumed > 0)
    t2pw_stream_consume (stream->stream, consumed);
  /* no edge will tell again */
  if (at_end && n < MAX_IOVECS && consumed == available)
    stream->has_ended = TRUE;
  else if (n == MAX_IOVECS && consumed == available)
    dns_stream_queue (stream);
  return result != T2P_DECODE_BAD;
}

static gsize
copy_to_iov (const struct iovec *iov, guint n, const guint8 *bytes, gsize length)
{
  gsize done = 0;

  for (guint i = 0; i < n && done < length; i++)
    {
      gsize piece = MIN (iov[i].iov_len, length - done);

      memcpy (iov[i].iov_base, bytes + done, piece);
      done += piece;
    }
  return done;
}

static void
dns_stream_write (DnsStream *stream)
{
  struct iovec iov[MAX_IOVECS];
  const guint8 *bytes;

  for (gsize length; (length = t2pw_dns_session_peek (stream->session, &bytes)) > 0;)
    {
      guint n = t2pw_stream_reserve (stream->stream, length, iov, MAX_IOVECS);
      gsize copied = copy_to_iov (iov, n, bytes, length);

      if (n == 0)
        return; /* writable follows */
      t2pw_stream_commit (stream->stream, copied);
      t2pw_dns_session_sent (stream->session, copied);
    }
}

static void
dns_stream_run_cb (T2pTask *task)
{
  DnsStream *stream = T2P_OWNER_OF (task, DnsStream, task);
  gboolean wanted_input = t2pw_dns_session_wants_input (stream->session);

  if (wanted_input && !stream->has_ended && !dns_stream_read (stream))
    {
      dns_stream_drop (stream);
      return;
    }
  dns_stream_write (stream);
  t2p_reactor_arm (stream->relay->reactor, &stream->timer, IDLE_MS, idle_cb);
  if (stream->has_ended && t2pw_dns_session_is_idle (stream->session))
    t2pw_stream_shutdown (stream->stream); /* `closed` follows */
  else if (!wanted_input && t2pw_dns_session_wants_input (stream->session))
    dns_stream_queue (stream);
}

static void
session_output_cb (gpointer user_data)
{
  dns_stream_queue (user_data);
}

static void
stream_edge_cb (T2pwStream *t2pw_stream, gpointer user_data)
{
  dns_stream_queue (user_data);
}

static void
stream_closed_cb (T2pwStream *t2pw_stream, gboolean was_reset, gpointer user_data)
{
  DnsStream *stream = user_data;

  stream->stream = NULL;
  dns_stream_drop (stream);
}

static const T2pwStreamHandler stream_handler = {
  .readable = stream_edge_cb,
  .writable = stream_edge_cb,
  .closed = stream_closed_cb,
};

/**
 * t2pw_dns_relay_take_syn:
 * @syn: to port 53; accepted, or refused when there are too many
 */
void
t2pw_dns_relay_take_syn (T2pwDnsRelay *relay, T2pwHeldSyn *syn)
{
  DnsStream *stream;

  if (g_hash_table_size (relay->streams) >= T2PW_DNS_RELAY_MAX_STREAMS)
    {
      t2pw_held_syn_refuse (syn, T2P_REFUSAL_RESET);
      return;
    }
  stream = g_new0 (DnsStream, 1);
  stream->relay = relay;
  stream->session = t2pw_dns_session_new (relay->responder, session_output_cb, stream);
  g_hash_table_add (relay->streams, stream);
  t2p_reactor_arm (relay->reactor, &stream->timer, IDLE_MS, idle_cb);
  stream->stream = t2pw_held_syn_accept (syn, &stream_handler, stream);
  if (stream->stream == NULL)
    dns_stream_drop (stream);
}

/* --- the relay */

T2pwDnsRelay *
t2pw_dns_relay_new (T2pReactor *reactor, T2pwDnsResponder *responder)
{
  T2pwDnsRelay *relay = g_new0 (T2pwDnsRelay, 1);

  relay->reactor = reactor;
  relay->responder = responder;
  relay->streams = g_hash_table_new_full (NULL, NULL, dns_stream_free, NULL);
  relay->datagrams = g_hash_table_new_full (NULL, NULL, datagram_free, NULL);
  return relay;
}

void
t2pw_dns_relay_set_stack (T2pwDnsRelay *relay, T2pwStack *stack)
{
  relay->stack = stack;
}

/* Its streams are reset. */
void
t2pw_dns_relay_free (T2pwDnsRelay *relay)
{
  g_hash_table_unref (relay->streams);
  g_hash_table_unref (relay->datagrams);
  g_free (relay);
}
