/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 *   CONNECTING ──▶ SHAKING ──▶ OPEN ──▶ LINGERING
 *
 * OpenSSL reads and writes the inner carrier through a BIO of ours. Writing never fails for
 * want of room: what the inner carrier does not take is kept (@pending), and nothing more is
 * encrypted until it has gone. So what send() has taken is taken, a record is never made twice,
 * and at most one record and a few alerts wait. Reading waits for nothing but the inner
 * carrier, since renegotiation is off.
 *
 * The end of the stream is the proxy's close_notify; an inner connection that just ends could
 * have been cut off by anybody, and is a reset. Our own close_notify ends our direction only
 * (RFC 8446 section 6.1).
 *
 * Who closes a socket leaves what it has taken to the kernel. So a carrier that is closed while
 * something is kept lingers, owned by its outbound, until that has gone, or for LINGER_MS. */
#include "config.h"

#include "t2pw-tls-carrier.h"

#include "t2p-error.h"
#include "t2p-limits.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

/* One write of the BIO is at most a record, or a flight of the handshake. */
#define MAX_PENDING_BYTES (256 * 1024)
#define LINGER_MS 30000

typedef struct
{
  T2pwCarrier base;
  const T2pwOutboundContext *context;
  T2pwTlsContext *tls;
  T2pwCarrier *inner;
  SSL *ssl;
  GByteArray *pending; /* encrypted, not sent yet; NULL: nothing */
  GByteArray *unread;  /* NULL: nothing */
  T2pTimer timer;      /* of the handshake, or of lingering */
  GQueue *lingering;   /* of the outbound */
  GList link;          /* in it */
  gint64 deadline_us;
  guint is_open : 1;
  guint has_inner : 1; /* @inner is open */
  guint is_broken : 1; /* sending to @inner failed */
  guint is_lingering : 1;
} TlsCarrier;

/* --- the BIO */

static void
keep_pending (TlsCarrier *carrier, const char *bytes, gsize length)
{
  if (carrier->pending == NULL)
    carrier->pending = g_byte_array_new ();
  if (carrier->pending->len + length > MAX_PENDING_BYTES)
    carrier->is_broken = TRUE; /* no TLS peer makes us say so much unasked */
  else
    g_byte_array_append (carrier->pending, (const guint8 *) bytes, (guint) length);
}

static int
bio_write (BIO *bio, const char *bytes, int length)
{
  TlsCarrier *carrier = BIO_get_data (bio);
  struct iovec iov = { (char *) bytes, (gsize) length };
  gssize sent = 0;

  BIO_clear_retry_flags (bio);
  if (carrier->pending == NULL && !carrier->is_broken)
    sent = t2pw_carrier_send (carrier->inner, &iov, 1);
  if (sent < 0 && errno != EAGAIN)
    carrier->is_broken = TRUE;
  sent = MAX (sent, 0);
  if (!carrier->is_broken && sent < length)
    keep_pending (carrier, bytes + sent, (gsize) (length - sent));
  return carrier->is_broken ? -1 : length;
}

static int
bio_read (BIO *bio, char *bytes, int length)
{
  TlsCarrier *carrier = BIO_get_data (bio);
  struct iovec iov = { bytes, (gsize) length };
  gssize got = t2pw_carrier_receive (carrier->inner, &iov, 1);

  BIO_clear_retry_flags (bio);
  if (got < 0 && errno == EAGAIN)
    BIO_set_retry_read (bio);
  return (int) got;
}

static long
bio_ctrl (BIO *bio, int command, long number, void *pointer)
{
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *
bio_method (void)
{
  static BIO_METHOD *method; /* of the one thread that carries flows; lives as long as it */

  if (method != NULL)
    return method;
  method = BIO_meth_new (BIO_get_new_index () | BIO_TYPE_SOURCE_SINK, "carrier");
  BIO_meth_set_write (method, bio_write);
  BIO_meth_set_read (method, bio_read);
  BIO_meth_set_ctrl (method, bio_ctrl);
  return method;
}

static void
attach_bio (TlsCarrier *carrier)
{
  BIO *bio = BIO_new (bio_method ());

  BIO_set_data (bio, carrier);
  BIO_set_init (bio, 1);
  SSL_set_bio (carrier->ssl, bio, bio);
}

/* Sends what waits. FALSE while something still does. */
static gboolean
flush_pending (TlsCarrier *carrier)
{
  while (carrier->pending != NULL && !carrier->is_broken)
    {
      struct iovec iov = { carrier->pending->data, carrier->pending->len };
      gssize sent = t2pw_carrier_send (carrier->inner, &iov, 1);

      if (sent < 0 && errno == EAGAIN)
        return FALSE;
      if (sent < 0)
        carrier->is_broken = TRUE;
      else if ((guint) sent == carrier->pending->len)
        g_clear_pointer (&carrier->pending, g_byte_array_unref);
      else
        g_byte_array_remove_range (carrier->pending, 0, (guint) sent);
    }
  return TRUE;
}

/* --- bytes */

static gssize
fail_with (int number)
{
  errno = number;
  return -1;
}

/* One record; 0 for nothing to send, -1 with errno. */
static gssize
send_record (TlsCarrier *carrier, const struct iovec *iov)
{
  gsize written = 0;

  if (carrier->pending != NULL && !flush_pending (carrier))
    return fail_with (EAGAIN);
  ERR_clear_error ();
  if (!carrier->is_broken &&
      SSL_write_ex (carrier->ssl, iov->iov_base, iov->iov_len, &written) == 1)
    return (gssize) written;
  ERR_clear_error ();
  return fail_with (EPIPE);
}

static gssize
tls_send (T2pwCarrier *base, const struct iovec *iov, guint n)
{
  TlsCarrier *carrier = (TlsCarrier *) base;
  gssize total = 0;

  for (guint i = 0; i < n; i++)
    for (gsize done = 0; done < iov[i].iov_len;)
      {
        struct iovec rest = { (guint8 *) iov[i].iov_base + done, iov[i].iov_len - done };
        gssize sent = send_record (carrier, &rest);

        if (sent < 0)
          return total > 0 ? total : -1;
        done += (gsize) sent;
        total += sent;
      }
  return total;
}

static gssize
receive_unread (TlsCarrier *carrier, const struct iovec *iov)
{
  gsize length = MIN (iov->iov_len, carrier->unread->len);

  memcpy (iov->iov_base, carrier->unread->data, length);
  if (length == carrier->unread->len)
    g_clear_pointer (&carrier->unread, g_byte_array_unref);
  else
    g_byte_array_remove_range (carrier->unread, 0, (guint) length);
  return (gssize) length;
}

/* What a failed SSL_read() means: 0 for the end, -1 with errno, EPROTO for an alert of the
 * peer: in TLS 1.3 that is how it says, behind the handshake, that it misses a certificate. */
static gssize
explain_read (TlsCarrier *carrier)
{
  int reason = SSL_get_error (carrier->ssl, 0);
  gboolean is_alert = ERR_GET_REASON (ERR_peek_error ()) > SSL_AD_REASON_OFFSET;

  ERR_clear_error ();
  if (reason == SSL_ERROR_WANT_READ)
    return fail_with (EAGAIN);
  if (reason == SSL_ERROR_SSL && is_alert)
    return fail_with (EPROTO);
  return reason == SSL_ERROR_ZERO_RETURN ? 0 : fail_with (ECONNRESET);
}

/* 0 for the end, -1 with errno */
static gssize
receive_into (TlsCarrier *carrier, guint8 *at, gsize length)
{
  gsize got = 0;

  ERR_clear_error ();
  if (SSL_read_ex (carrier->ssl, at, length, &got) == 1)
    return (gssize) got;
  return explain_read (carrier);
}

static gssize
tls_receive (T2pwCarrier *base, const struct iovec *iov, guint n)
{
  TlsCarrier *carrier = (TlsCarrier *) base;
  gssize total = 0;

  if (carrier->unread != NULL && n > 0)
    return receive_unread (carrier, iov);
  for (guint i = 0; i < n; i++)
    for (gsize done = 0; done < iov[i].iov_len;)
      {
        gssize got =
            receive_into (carrier, (guint8 *) iov[i].iov_base + done, iov[i].iov_len - done);

        if (got <= 0)
          return total > 0 ? total : got; /* an end, or an error, stays and is told again */
        done += (gsize) got;
        total += got;
      }
  return total;
}

static void
tls_unread (T2pwCarrier *base, const guint8 *bytes, gsize length)
{
  TlsCarrier *carrier = (TlsCarrier *) base;

  if (carrier->unread == NULL)
    carrier->unread = g_byte_array_new ();
  g_byte_array_prepend (carrier->unread, bytes, (guint) length);
}

static void
tls_shutdown (T2pwCarrier *base)
{
  TlsCarrier *carrier = (TlsCarrier *) base;

  ERR_clear_error ();
  SSL_shutdown (carrier->ssl);
  ERR_clear_error ();
}

static void
carrier_free (TlsCarrier *carrier, gboolean reset)
{
  t2p_reactor_disarm (carrier->context->reactor, &carrier->timer);
  if (carrier->is_lingering)
    g_queue_unlink (carrier->lingering, &carrier->link);
  SSL_free (carrier->ssl);
  if (carrier->inner != NULL)
    t2pw_carrier_close (carrier->inner, reset);
  g_clear_pointer (&carrier->pending, g_byte_array_unref);
  g_clear_pointer (&carrier->unread, g_byte_array_unref);
  g_free (carrier);
}

static void
linger_cb (T2pTimer *timer)
{
  carrier_free (T2P_OWNER_OF (timer, TlsCarrier, timer), TRUE);
}

static void
linger (TlsCarrier *carrier)
{
  carrier->is_lingering = TRUE;
  carrier->link.data = carrier;
  g_queue_push_tail_link (carrier->lingering, &carrier->link);
  t2p_reactor_arm (carrier->context->reactor, &carrier->timer, LINGER_MS, linger_cb);
}

static void
tls_close (T2pwCarrier *base, gboolean reset)
{
  TlsCarrier *carrier = (TlsCarrier *) base;

  if (carrier->is_open && !reset && !carrier->is_broken)
    tls_shutdown (base);
  if (carrier->is_open && !reset && !flush_pending (carrier) &&
      carrier->lingering->length < T2P_MAX_LINGERING)
    linger (carrier);
  else
    carrier_free (carrier, reset);
}

static gboolean
tls_is_stalled (T2pwCarrier *base)
{
  TlsCarrier *carrier = (TlsCarrier *) base;

  return carrier->has_inner && t2pw_carrier_is_stalled (carrier->inner);
}

static void
tls_doubt (T2pwCarrier *base, gboolean is_doubtful)
{
  TlsCarrier *carrier = (TlsCarrier *) base;

  if (carrier->has_inner)
    t2pw_carrier_doubt (carrier->inner, is_doubtful);
}

static const T2pwCarrierClass tls_carrier_class = {
  .send = tls_send,
  .receive = tls_receive,
  .unread = tls_unread,
  .shutdown = tls_shutdown,
  .close = tls_close,
  .is_stalled = tls_is_stalled,
  .doubt = tls_doubt,
};

/* --- the handshake */

/* @error: (transfer full) */
static void
tls_fail (TlsCarrier *carrier, GError *error)
{
  T2pwCarrier base = carrier->base;

  base.handler->failed (&carrier->base, t2pw_refusal_of_fault (error), error, base.user_data);
  g_error_free (error);
  tls_close (&carrier->base, TRUE);
}

static void
timeout_cb (T2pTimer *timer)
{
  TlsCarrier *carrier = T2P_OWNER_OF (timer, TlsCarrier, timer);

  tls_fail (carrier, g_error_new_literal (T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE,
                                          "the TLS handshake was not answered in time"));
}

static void
tls_shake (TlsCarrier *carrier)
{
  int result;

  ERR_clear_error ();
  result = SSL_do_handshake (carrier->ssl);
  if (result == 1)
    {
      carrier->is_open = TRUE;
      t2p_reactor_disarm (carrier->context->reactor, &carrier->timer);
      carrier->base.handler->opened (&carrier->base, carrier->base.user_data);
      return;
    }
  if (SSL_get_error (carrier->ssl, result) == SSL_ERROR_WANT_READ && !carrier->is_broken)
    return;
  tls_fail (carrier, t2pw_tls_context_explain (carrier->tls, carrier->ssl));
}

static void
inner_opened_cb (T2pwCarrier *inner, gpointer user_data)
{
  TlsCarrier *carrier = user_data;
  gint64 left_ms = (carrier->deadline_us - g_get_monotonic_time ()) / 1000;

  carrier->inner = inner;
  carrier->has_inner = TRUE;
  attach_bio (carrier);
  t2p_reactor_arm (carrier->context->reactor, &carrier->timer, (guint) MAX (left_ms, 1),
                   timeout_cb);
  tls_shake (carrier);
}

static void
inner_failed_cb (T2pwCarrier *inner,
                 T2pRefusal refusal,
                 const GError *error,
                 gpointer user_data)
{
  TlsCarrier *carrier = user_data;
  T2pwCarrier base = carrier->base;

  carrier->inner = NULL;
  base.handler->failed (&carrier->base, refusal, error, base.user_data);
  tls_close (&carrier->base, TRUE);
}

static void
inner_readable_cb (T2pwCarrier *inner, gpointer user_data)
{
  TlsCarrier *carrier = user_data;

  if (carrier->is_lingering)
    return;
  if (carrier->is_open)
    carrier->base.handler->readable (&carrier->base, carrier->base.user_data);
  else
    tls_shake (carrier);
}

static void
inner_writable_cb (T2pwCarrier *inner, gpointer user_data)
{
  TlsCarrier *carrier = user_data;

  if (!flush_pending (carrier))
    return;
  if (carrier->is_lingering)
    carrier_free (carrier, carrier->is_broken);
  else if (carrier->is_open)
    carrier->base.handler->writable (&carrier->base, carrier->base.user_data);
}

static const T2pwCarrierHandler inner_handler = {
  .opened = inner_opened_cb,
  .failed = inner_failed_cb,
  .readable = inner_readable_cb,
  .writable = inner_writable_cb,
};

/**
 * t2pw_tls_carrier_new:
 * @context: its time-out holds for connection and handshake together
 * @tls: outlives the carrier
 * @lingering: likewise: where it goes when it is closed and has something to send yet
 * @lower: what TLS goes over; opened with @destination
 *
 * Returns: a carrier that opens when the handshake has succeeded and the certificate is right.
 * It fails with what @lower fails with, T2P_ERROR_TLS_FAILED, and PROXY_UNREACHABLE when the
 * proxy does not answer the handshake.
 */
T2pwCarrier *
t2pw_tls_carrier_new (const T2pwOutboundContext *context,
                      T2pwTlsContext *tls,
                      GQueue *lingering,
                      T2pwOutbound *lower,
                      const T2pwDestination *destination,
                      const T2pwCarrierHandler *handler,
                      gpointer user_data)
{
  TlsCarrier *carrier = g_new0 (TlsCarrier, 1);

  carrier->base = (T2pwCarrier){ &tls_carrier_class, handler, user_data, "" };
  carrier->context = context;
  carrier->tls = tls;
  carrier->lingering = lingering;
  carrier->ssl = t2pw_tls_context_connect (tls);
  carrier->deadline_us = g_get_monotonic_time () + (gint64) context->connect_timeout_ms * 1000;
  carrier->inner = t2pw_outbound_open (lower, destination, &inner_handler, carrier);
  return &carrier->base;
}

/**
 * t2pw_tls_carriers_abandon:
 *
 * Of an outbound that goes.
 */
void
t2pw_tls_carriers_abandon (GQueue *lingering)
{
  while (lingering->head != NULL)
    carrier_free (lingering->head->data, TRUE);
}
