/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * One request to a key distribution centre and its answer, over TCP: four bytes of length, then
 * the message (RFC 4120 section 7.2.2). TCP only, since every centre has to serve it and most
 * answers do not fit a datagram. */
#include "config.h"

#include "t2pw-kdc-exchange.h"

#include "t2p-cursor.h"
#include "t2p-error.h"

#include <errno.h>
#include <string.h>

#define LENGTH_BYTES 4
#define READ_BYTES 4096

struct _T2pwKdcExchange
{
  const T2pwOutboundContext *context;
  T2pwCarrier *carrier;
  T2pTimer timer;
  GByteArray *request;
  gsize sent;
  GByteArray *reply;
  T2pwKdcExchangeDone done;
  gpointer user_data;
};

static void
exchange_free (T2pwKdcExchange *exchange)
{
  t2p_reactor_disarm (exchange->context->reactor, &exchange->timer);
  if (exchange->carrier != NULL)
    t2pw_carrier_close (exchange->carrier, TRUE);
  explicit_bzero (exchange->request->data, exchange->request->len);
  g_byte_array_unref (exchange->request);
  g_byte_array_unref (exchange->reply);
  g_free (exchange);
}

/**
 * t2pw_kdc_exchange_cancel:
 *
 * Its callback is not called.
 */
void
t2pw_kdc_exchange_cancel (T2pwKdcExchange *exchange)
{
  exchange_free (exchange);
}

static void
exchange_fail (T2pwKdcExchange *exchange, T2pError code, const char *what)
{
  g_autoptr (GError) error = g_error_new (T2P_ERROR, code, "the KDC %s", what);

  exchange->done (NULL, 0, error, exchange->user_data);
  exchange_free (exchange);
}

static void
timeout_cb (T2pTimer *timer)
{
  exchange_fail (T2P_OWNER_OF (timer, T2pwKdcExchange, timer), T2P_ERROR_PROXY_UNREACHABLE,
                 "did not answer in time");
}

static void
exchange_send (T2pwKdcExchange *exchange)
{
  while (exchange->sent < exchange->request->len)
    {
      struct iovec iov = { exchange->request->data + exchange->sent,
                           exchange->request->len - exchange->sent };
      gssize sent = t2pw_carrier_send (exchange->carrier, &iov, 1);

      if (sent < 0)
        return; /* an edge follows; what is broken is told by receiving */
      exchange->sent += (gsize) sent;
    }
}

/* DONE with *out_length of the message behind its length */
static T2pDecode
look_at_reply (const T2pwKdcExchange *exchange, guint32 *out_length)
{
  T2pCursor cursor;

  t2p_cursor_init (&cursor, exchange->reply->data, exchange->reply->len);
  if (!t2p_cursor_read_be32 (&cursor, out_length))
    return T2P_DECODE_MORE;
  if (*out_length > T2PW_KDC_MAX_REPLY_BYTES)
    return T2P_DECODE_BAD;
  return t2p_cursor_remaining (&cursor) >= *out_length ? T2P_DECODE_DONE : T2P_DECODE_MORE;
}

/* FALSE when the exchange is gone. */
static gboolean
exchange_look (T2pwKdcExchange *exchange)
{
  guint32 length = 0;

  switch (look_at_reply (exchange, &length))
    {
    case T2P_DECODE_MORE:
      return TRUE;
    case T2P_DECODE_DONE:
      exchange->done (exchange->reply->data + LENGTH_BYTES, length, NULL, exchange->user_data);
      exchange_free (exchange);
      return FALSE;
    case T2P_DECODE_BAD:
      break;
    }
  exchange_fail (exchange, T2P_ERROR_PROXY_PROTOCOL, "announced an answer that is too long");
  return FALSE;
}

static void
exchange_receive (T2pwKdcExchange *exchange)
{
  guint8 bytes[READ_BYTES];
  struct iovec iov = { bytes, sizeof bytes };
  gssize got;

  while ((got = t2pw_carrier_receive (exchange->carrier, &iov, 1)) > 0)
    {
      g_byte_array_append (exchange->reply, bytes, (guint) got);
      if (!exchange_look (exchange))
        return;
    }
  if (got == 0)
    exchange_fail (exchange, T2P_ERROR_PROXY_PROTOCOL,
                   "closed the connection, expected an answer");
  else if (errno != EAGAIN)
    exchange_fail (exchange, T2P_ERROR_PROXY_UNREACHABLE, "broke the connection");
}

static void
opened_cb (T2pwCarrier *carrier, gpointer user_data)
{
  T2pwKdcExchange *exchange = user_data;

  exchange->carrier = carrier;
  exchange_send (exchange);
}

static void
failed_cb (T2pwCarrier *carrier, T2pRefusal refusal, const GError *error, gpointer user_data)
{
  T2pwKdcExchange *exchange = user_data;
  gboolean is_ours = g_error_matches (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED);
  g_autofree char *what = g_strdup_printf ("was not reached: %s", error->message);

  exchange->carrier = NULL;
  exchange_fail (exchange, is_ours ? T2P_ERROR_LIMIT_EXCEEDED : T2P_ERROR_PROXY_UNREACHABLE,
                 what);
}

static void
readable_cb (T2pwCarrier *carrier, gpointer user_data)
{
  exchange_receive (user_data);
}

static void
writable_cb (T2pwCarrier *carrier, gpointer user_data)
{
  exchange_send (user_data);
}

static const T2pwCarrierHandler handler = {
  .opened = opened_cb,
  .failed = failed_cb,
  .readable = readable_cb,
  .writable = writable_cb,
};

/**
 * t2pw_kdc_exchange_start:
 * @context: its time-out holds for the whole
 * @way: how the centre is reached
 * @request: copied
 *
 * Returns: the exchange, valid until @done is called or it is cancelled
 */
T2pwKdcExchange *
t2pw_kdc_exchange_start (const T2pwOutboundContext *context,
                         T2pwOutbound *way,
                         const T2pwDestination *kdc,
                         const guint8 *request,
                         gsize length,
                         T2pwKdcExchangeDone done,
                         gpointer user_data)
{
  T2pwKdcExchange *exchange = g_new0 (T2pwKdcExchange, 1);
  guint32 announced = GUINT32_TO_BE ((guint32) length);

  exchange->context = context;
  exchange->request = g_byte_array_sized_new ((guint) length + LENGTH_BYTES);
  g_byte_array_append (exchange->request, (const guint8 *) &announced, LENGTH_BYTES);
  g_byte_array_append (exchange->request, request, (guint) length);
  exchange->reply = g_byte_array_new ();
  exchange->done = done;
  exchange->user_data = user_data;
  t2p_reactor_arm (context->reactor, &exchange->timer, context->connect_timeout_ms, timeout_cb);
  exchange->carrier = t2pw_outbound_open (way, kdc, &handler, exchange);
  return exchange;
}
