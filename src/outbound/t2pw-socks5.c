/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 *   DIALING ──▶ SHAKING ──▶ OPEN          each of the first two may end in `failed`
 *
 * The socket is dialed by the upstream, the handshake is the codec's, the bytes afterwards are
 * the TCP carrier's. What the handshake needs (names, credentials, buffers) is allocated with
 * the carrier and freed when it is over, so that an idle flow costs little. One deadline holds
 * for connection and handshake together. Nothing is sent ahead of the answer that asks for it:
 * RFC 1928 lets a server throw such bytes away, and some do. */
#include "config.h"

#include "t2pw-socks5.h"

#include "t2p-error.h"
#include "t2p-socks5-client.h"
#include "t2pw-tcp-carrier.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* More than any handshake; what is left over belongs to the application. */
#define READ_BYTES 1024

typedef struct
{
  T2pwOutbound base;
  const T2pwOutboundContext *context;
  T2pwUpstream *upstream;
  T2pwSocks5Auth auth;
} Socks5Outbound;

typedef struct
{
  T2pSocks5Client client;
  T2pSocks5Request request;
  T2pwUpstreamDial *dial; /* NULL: shaking */
  gint64 deadline_us;
  guint answer_timeout_ms; /* behind the request; 0: until the deadline */
  gsize out_at;
  gsize out_length;
  guint8 out[T2P_SOCKS5_MAX_OUTPUT_BYTES];
  char name[T2P_SOCKS5_MAX_TEXT_BYTES + 1];
} Handshake;

typedef struct
{
  T2pwTcpCarrier tcp;
  Socks5Outbound *outbound;
  Handshake *handshake; /* NULL: open */
} Socks5Carrier;

static void
handshake_end (Socks5Carrier *carrier)
{
  Handshake *handshake = g_steal_pointer (&carrier->handshake);

  t2p_reactor_disarm (carrier->tcp.reactor, &carrier->tcp.timer);
  if (handshake == NULL)
    return;
  g_clear_pointer (&handshake->dial, t2pw_upstream_dial_cancel);
  explicit_bzero (handshake->out, sizeof handshake->out);
  g_free (handshake);
}

static void
socks5_close (T2pwCarrier *base, gboolean reset)
{
  Socks5Carrier *carrier = (Socks5Carrier *) base;

  handshake_end (carrier);
  t2pw_tcp_carrier_clear (&carrier->tcp, reset);
  g_free (carrier);
}

static void
carrier_fail (Socks5Carrier *carrier, T2pRefusal refusal, const GError *error)
{
  T2pwCarrier base = carrier->tcp.base;

  handshake_end (carrier);
  t2pw_tcp_carrier_clear (&carrier->tcp, TRUE);
  base.handler->failed (&carrier->tcp.base, refusal, error, base.user_data);
  g_free (carrier);
}

/* What the application sees when the upstream itself is at fault. */
static T2pRefusal
refusal_of_fault (const GError *error)
{
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED))
    return T2P_REFUSAL_ADMIN_PROHIBITED;
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL))
    return T2P_REFUSAL_RESET;
  return T2P_REFUSAL_NET_UNREACHABLE;
}

/* What the proxy says about the destination is no fault of the proxy: another code. */
static void
carrier_refused (Socks5Carrier *carrier)
{
  const T2pSocks5Client *client = &carrier->handshake->client;
  guint8 reply = t2p_socks5_client_get_reply_code (client);
  T2pRefusal refusal = t2p_socks5_client_get_refusal (client);
  g_autoptr (GError) error = NULL;

  if (t2p_socks5_client_get_failure (client) == T2P_SOCKS5_FAILURE_REPLY)
    {
      gboolean cannot = reply == 0x07 || reply == 0x08;

      g_set_error (&error, T2P_ERROR, cannot ? T2P_ERROR_NOT_SUPPORTED : T2P_ERROR_FAILED,
                   "%s refused: %s", t2pw_carrier_describe (&carrier->tcp.base),
                   t2p_socks5_reply_to_string (reply));
    }
  else
    {
      t2p_socks5_client_set_error (client, &error);
      refusal = refusal_of_fault (error);
    }
  carrier_fail (carrier, refusal, error);
}

static void
carrier_broken (Socks5Carrier *carrier, int saved_errno)
{
  g_autoptr (GError) error = NULL;

  g_set_error (&error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
               "%s broke the connection in the handshake: %s",
               t2pw_carrier_describe (&carrier->tcp.base), g_strerror (saved_errno));
  carrier_fail (carrier, refusal_of_fault (error), error);
}

static void
timeout_cb (T2pTimer *timer)
{
  Socks5Carrier *carrier = T2P_OWNER_OF (timer, Socks5Carrier, tcp.timer);
  gboolean was_asked = carrier->handshake->client.stage == T2P_SOCKS5_STAGE_REPLY;
  g_autoptr (GError) error = NULL;

  /* Behind the request it may be the destination that does not answer. */
  g_set_error (&error, T2P_ERROR, was_asked ? T2P_ERROR_TIMED_OUT : T2P_ERROR_PROXY_UNREACHABLE,
               "%s did not answer the %s in time", t2pw_carrier_describe (&carrier->tcp.base),
               was_asked ? "request" : "greeting");
  carrier_fail (carrier, was_asked ? T2P_REFUSAL_HOST_UNREACHABLE : refusal_of_fault (error),
                error);
}

/* --- the handshake */

/* FALSE when the carrier is gone. */
static gboolean
handshake_send (Socks5Carrier *carrier)
{
  Handshake *handshake = carrier->handshake;

  if (handshake->out_at == handshake->out_length)
    {
      T2pWriter writer;

      t2p_writer_init (&writer, handshake->out, sizeof handshake->out);
      t2p_socks5_client_write (&handshake->client, &writer);
      handshake->out_at = 0;
      handshake->out_length = t2p_writer_length (&writer);
    }
  while (handshake->out_at < handshake->out_length)
    {
      struct iovec iov = { .iov_base = handshake->out + handshake->out_at,
                           .iov_len = handshake->out_length - handshake->out_at };
      gssize sent = t2pw_tcp_carrier_send (&carrier->tcp.base, &iov, 1);

      if (sent < 0 && errno == EAGAIN)
        return TRUE;
      if (sent < 0)
        {
          carrier_broken (carrier, errno);
          return FALSE;
        }
      handshake->out_at += (gsize) sent;
    }
  return TRUE;
}

static void
carrier_opened (Socks5Carrier *carrier, const guint8 *leftover, gsize n_leftover)
{
  T2pwCarrier *base = &carrier->tcp.base;

  handshake_end (carrier);
  t2pw_tcp_carrier_open (&carrier->tcp, leftover, n_leftover);
  base->handler->opened (base, base->user_data);
}

static void
note_auth (Socks5Carrier *carrier, T2pSocks5Stage before)
{
  T2pSocks5Stage stage = carrier->handshake->client.stage;

  if (stage == T2P_SOCKS5_STAGE_CREDENTIALS)
    carrier->outbound->auth = T2PW_SOCKS5_AUTH_PASSWORD;
  else if (before == T2P_SOCKS5_STAGE_METHOD && stage == T2P_SOCKS5_STAGE_REPLY)
    carrier->outbound->auth = T2PW_SOCKS5_AUTH_NONE;
}

/* All before the request has gone well: from now on it may be the destination that is slow. */
static void
limit_answer (Socks5Carrier *carrier, T2pSocks5Stage before)
{
  const Handshake *handshake = carrier->handshake;
  gint64 left_ms = (handshake->deadline_us - g_get_monotonic_time ()) / 1000;

  if (before == T2P_SOCKS5_STAGE_REPLY || handshake->client.stage != T2P_SOCKS5_STAGE_REPLY ||
      handshake->answer_timeout_ms == 0)
    return;
  t2p_reactor_arm (carrier->tcp.reactor, &carrier->tcp.timer,
                   (guint) CLAMP (left_ms, 1, (gint64) handshake->answer_timeout_ms),
                   timeout_cb);
}

/* FALSE when nothing more is to be read: open, failed, or waiting for an edge. */
static gboolean
handshake_receive (Socks5Carrier *carrier)
{
  guint8 bytes[READ_BYTES];
  Handshake *handshake = carrier->handshake;
  T2pSocks5Stage before = handshake->client.stage;
  gssize got = recv (carrier->tcp.watch.fd, bytes, sizeof bytes, 0);
  gsize used = 0;
  T2pDecode result;

  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return errno == EINTR;
  if (got < 0)
    {
      carrier_broken (carrier, errno);
      return FALSE;
    }
  result = got == 0 ? t2p_socks5_client_end (&handshake->client)
                    : t2p_socks5_client_feed (&handshake->client, bytes, (gsize) got, &used);
  note_auth (carrier, before);
  if (result == T2P_DECODE_BAD)
    {
      carrier_refused (carrier);
      return FALSE;
    }
  if (!handshake_send (carrier))
    return FALSE;
  if (result == T2P_DECODE_MORE)
    {
      limit_answer (carrier, before);
      return TRUE;
    }
  carrier->tcp.is_drained = (gsize) got < sizeof bytes;
  carrier_opened (carrier, bytes + used, (gsize) got - used);
  return FALSE;
}

static void
shaking_cb (T2pWatch *watch, guint32 events)
{
  Socks5Carrier *carrier = T2P_OWNER_OF (watch, Socks5Carrier, tcp.watch);

  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
    carrier->tcp.has_hung_up = TRUE;
  if ((events & EPOLLOUT) != 0 && !handshake_send (carrier))
    return;
  if ((events & ~(guint32) EPOLLOUT) != 0)
    while (handshake_receive (carrier))
      ;
}

static void
dialed_cb (T2pWatch *watch,
           const T2pIpEndpoint *peer,
           gint64 rtt_us,
           const GError *error,
           gpointer user_data)
{
  Socks5Carrier *carrier = user_data;
  Handshake *handshake = carrier->handshake;
  gint64 left_ms = (handshake->deadline_us - g_get_monotonic_time ()) / 1000;

  handshake->dial = NULL;
  if (watch == NULL)
    {
      carrier_fail (carrier, refusal_of_fault (error), error);
      return;
    }
  if (!t2pw_tcp_carrier_watch (&carrier->tcp, watch, shaking_cb))
    {
      g_autoptr (GError) shortage = g_error_new_literal (T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED,
                                                         "the connection cannot be watched");

      carrier_fail (carrier, refusal_of_fault (shortage), shortage);
      return;
    }
  t2p_reactor_arm (carrier->tcp.reactor, &carrier->tcp.timer, (guint) MAX (left_ms, 1),
                   timeout_cb);
  handshake_send (carrier);
}

/* --- the outbound */

static const char *
socks5_describe (T2pwCarrier *base)
{
  Socks5Carrier *carrier = (Socks5Carrier *) base;

  return t2p_endpoint_get_display (t2pw_upstream_get_endpoint (carrier->outbound->upstream));
}

static const T2pwCarrierClass socks5_carrier_class = {
  .send = t2pw_tcp_carrier_send,
  .receive = t2pw_tcp_carrier_receive,
  .shutdown = t2pw_tcp_carrier_shutdown,
  .close = socks5_close,
  .describe = socks5_describe,
  .is_stalled = t2pw_tcp_carrier_is_stalled,
};

static void
handshake_fill (Handshake *handshake,
                Socks5Outbound *outbound,
                T2pSocks5Command command,
                const T2pwDestination *destination)
{
  T2pSocks5Request *request = &handshake->request;
  T2pEndpoint *endpoint = t2pw_upstream_get_endpoint (outbound->upstream);
  T2pSecret *password = t2p_endpoint_get_password (endpoint);

  request->command = command;
  request->destination.port = destination->port;
  request->destination.address = destination->address;
  if (destination->name != NULL)
    {
      request->destination.name = handshake->name;
      request->destination.name_bytes =
          g_strlcpy (handshake->name, destination->name, sizeof handshake->name);
    }
  request->username = t2p_endpoint_get_user (endpoint);
  if (request->username != NULL)
    request->username_bytes = strlen (request->username);
  if (request->username != NULL && password != NULL)
    request->password = t2p_secret_peek (password, &request->password_bytes);
}

/* What SOCKS cannot say (a name that is too long) fails as soon as the caller has returned. */
static void
unsayable_cb (T2pTimer *timer)
{
  Socks5Carrier *carrier = T2P_OWNER_OF (timer, Socks5Carrier, tcp.timer);
  g_autoptr (GError) error = NULL;

  t2p_socks5_client_init (&carrier->handshake->client, &carrier->handshake->request, &error);
  carrier_fail (carrier, T2P_REFUSAL_HOST_UNREACHABLE, error);
}

static T2pwCarrier *
open_command (Socks5Outbound *outbound,
              T2pSocks5Command command,
              const T2pwDestination *destination,
              const T2pwCarrierHandler *handler,
              gpointer user_data)
{
  const T2pwOutboundContext *context = outbound->context;
  Socks5Carrier *carrier = g_new0 (Socks5Carrier, 1);
  Handshake *handshake = g_new0 (Handshake, 1);

  t2pw_tcp_carrier_init (&carrier->tcp, &socks5_carrier_class, context->reactor, handler,
                         user_data);
  carrier->outbound = outbound;
  carrier->handshake = handshake;
  handshake_fill (handshake, outbound, command, destination);
  handshake->answer_timeout_ms = destination->answer_timeout_ms;
  handshake->deadline_us =
      g_get_monotonic_time () + (gint64) context->connect_timeout_ms * 1000;
  if (t2p_socks5_client_init (&handshake->client, &handshake->request, NULL))
    handshake->dial = t2pw_upstream_dial (outbound->upstream, dialed_cb, carrier);
  else
    t2p_reactor_arm (context->reactor, &carrier->tcp.timer, 0, unsayable_cb);
  return &carrier->tcp.base;
}

static T2pwCarrier *
socks5_open (T2pwOutbound *base,
             const T2pwDestination *destination,
             const T2pwCarrierHandler *handler,
             gpointer user_data)
{
  return open_command ((Socks5Outbound *) base, T2P_SOCKS5_CONNECT, destination, handler,
                       user_data);
}

static gint64
socks5_get_rtt_us (T2pwOutbound *base)
{
  return t2pw_upstream_get_rtt_us (((Socks5Outbound *) base)->upstream);
}

static void
socks5_free (T2pwOutbound *base)
{
  Socks5Outbound *outbound = (Socks5Outbound *) base;

  t2pw_upstream_free (outbound->upstream);
  g_free (outbound);
}

static const T2pwOutboundClass socks5_class = {
  .kind = "socks5",
  .open = socks5_open,
  .get_rtt_us = socks5_get_rtt_us,
  .free = socks5_free,
};

/**
 * t2pw_socks5_new:
 * @context: outlives the outbound
 * @upstream: (transfer full): the proxy; its userinfo logs us in
 *
 * CONNECT by a SOCKS 5 proxy (RFC 1928, RFC 1929). A carrier fails with T2P_ERROR:
 * LIMIT_EXCEEDED (we lack descriptors, ports or memory), PROXY_UNREACHABLE (not reached),
 * PROXY_AUTHENTICATION_FAILED, PROXY_PROTOCOL (nonsense, or closed in the handshake), TIMED_OUT
 * (no answer to the request, all before it went well), NOT_SUPPORTED and FAILED (the proxy said
 * no to this destination), RESOLVE_FAILED (the proxy's own name).
 */
T2pwOutbound *
t2pw_socks5_new (const T2pwOutboundContext *context, T2pwUpstream *upstream)
{
  Socks5Outbound *outbound = g_new0 (Socks5Outbound, 1);

  outbound->base.klass = &socks5_class;
  outbound->context = context;
  outbound->upstream = upstream;
  return &outbound->base;
}

/* As the last handshake showed. */
T2pwSocks5Auth
t2pw_socks5_get_auth (T2pwOutbound *base)
{
  return ((Socks5Outbound *) base)->auth;
}

/**
 * t2pw_socks5_ask_associate:
 *
 * Asks whether the upstream carries UDP: a carrier that is good for nothing but to learn
 * whether it opens.
 */
T2pwCarrier *
t2pw_socks5_ask_associate (T2pwOutbound *base,
                           const T2pwCarrierHandler *handler,
                           gpointer user_data)
{
  T2pwDestination unknown = { .address = t2p_ip_address_from_v4 (0),
                              .answer_timeout_ms = T2PW_CHECK_ANSWER_MS };

  return open_command ((Socks5Outbound *) base, T2P_SOCKS5_UDP_ASSOCIATE, &unknown, handler,
                       user_data);
}
