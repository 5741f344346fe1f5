/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 *   CONNECTING ──▶ SHAKING ──▶ the lower carrier is handed over      any may end in `failed`
 *        ▲             │
 *        └── restart ──┘
 *
 * The lower outbound connects to the proxy; the protocol's own part is pure (a T2pwHandshake
 * Class). One deadline holds for all connections and the handshake together. What came behind
 * the proxy's answer belongs to the application and is given back to the carrier. Everything
 * that a handshake needs is one allocation, gone when it is over, so that an idle flow costs
 * little.
 */
#include "config.h"

#include "t2pw-handshake.h"

#include "t2p-error.h"

#include <errno.h>
#include <string.h>

/* More than most handshakes. */
#define READ_BYTES 1024
/* A proxy may ask for a login by a challenge, and again when a nonce has gone stale. */
#define MAX_RESTARTS 3
/* The lower has a time-out of its own and tells more exactly what did not answer; but it may
 * have begun later, or have several things to wait for, one behind the other. */
#define LOWER_GRACE_MS 100

typedef struct
{
  T2pwCarrier base;
  const T2pwHandshakeConfig *config; /* of the outbound */
  T2pwCarrier *inner;
  T2pwDestination destination;
  T2pTimer timer;    /* also runs what must not happen within open() */
  GError *unsayable; /* then there is no state */
  gint64 deadline_us;
  guint n_restarts;
  guint has_begun : 1;
  guint is_shaking : 1;
  guint is_asked : 1;     /* and its owner was told */
  guint was_heard : 1;    /* the proxy has sent something */
  guint was_answered : 1; /* and something behind the request */
  int send_errno;         /* why nothing more can be sent, or 0 */
  gsize out_at;
  gsize out_length;
  guint8 *out;   /* behind the state */
  char *name;    /* of the destination; behind @out */
  guint64 state; /* the first of the state's words */
} Handshake;

static gpointer
state_of (Handshake *handshake)
{
  return &handshake->state;
}

static T2pReactor *
reactor_of (const Handshake *handshake)
{
  return handshake->config->context->reactor;
}

static void
handshake_free (Handshake *handshake)
{
  const T2pwHandshakeClass *klass = handshake->config->klass;

  t2p_reactor_disarm (reactor_of (handshake), &handshake->timer);
  if (klass->end != NULL && handshake->has_begun)
    klass->end (state_of (handshake));
  g_clear_error (&handshake->unsayable);
  explicit_bzero (handshake->out, klass->max_output_bytes);
  g_free (handshake);
}

static void
handshake_close (T2pwCarrier *base, gboolean reset)
{
  Handshake *handshake = (Handshake *) base;

  if (handshake->inner != NULL)
    t2pw_carrier_close (handshake->inner, reset);
  handshake_free (handshake);
}

static const T2pwCarrierClass handshake_carrier_class = {
  .send = t2pw_unopened_transfer,
  .receive = t2pw_unopened_transfer,
  .unread = t2pw_unopened_unread,
  .shutdown = t2pw_unopened_shutdown,
  .close = handshake_close,
  .is_stalled = t2pw_unopened_is_stalled,
};

static void
handshake_fail (Handshake *handshake, T2pRefusal refusal, const GError *error)
{
  T2pwCarrier base = handshake->base;

  if (handshake->inner != NULL)
    t2pw_carrier_close (g_steal_pointer (&handshake->inner), TRUE);
  base.handler->failed (&handshake->base, refusal, error, base.user_data);
  handshake_free (handshake);
}

static void handshake_connect (Handshake *handshake);

/* Whether the protocol goes on, on a new connection. */
static gboolean
handshake_restart (Handshake *handshake)
{
  const T2pwHandshakeClass *klass = handshake->config->klass;

  if (klass->restart == NULL || handshake->n_restarts == MAX_RESTARTS ||
      !klass->restart (state_of (handshake)))
    return FALSE;
  handshake->n_restarts++;
  t2pw_carrier_close (g_steal_pointer (&handshake->inner), TRUE);
  handshake_connect (handshake);
  return TRUE;
}

/* Before the proxy has said a word, these are the connection's: it was made with data in its
 * SYN. */
static gboolean
is_connect_error (int saved_errno)
{
  return saved_errno == ECONNREFUSED || saved_errno == ETIMEDOUT ||
         saved_errno == EHOSTUNREACH || saved_errno == ENETUNREACH;
}

static void
handshake_broken (Handshake *handshake, int saved_errno)
{
  const T2pwHandshakeClass *klass = handshake->config->klass;
  gboolean never_was = !handshake->was_heard && is_connect_error (saved_errno);
  g_autoptr (GError) error = NULL;

  if (klass->hang_up (state_of (handshake)) == T2P_DECODE_BAD && handshake_restart (handshake))
    return;
  if (never_was)
    g_set_error (&error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE, "no connection to %s: %s",
                 handshake->config->label, g_strerror (saved_errno));
  else if (saved_errno == EPROTO && !handshake->was_heard)
    g_set_error (&error, T2P_ERROR, T2P_ERROR_TLS_FAILED,
                 "%s ended the TLS session, it may want a certificate (tls-cert)",
                 handshake->config->label);
  else
    g_set_error (&error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL,
                 "%s broke the connection in the handshake: %s", handshake->config->label,
                 g_strerror (saved_errno));
  handshake_fail (handshake, t2pw_refusal_of_fault (error), error);
}

static void
timeout_cb (T2pTimer *timer)
{
  Handshake *handshake = T2P_OWNER_OF (timer, Handshake, timer);
  gboolean was_asked =
      handshake->is_shaking && handshake->config->klass->was_asked (state_of (handshake));
  gboolean is_fault =
      !was_asked || (handshake->destination.must_answer && !handshake->was_heard);
  const char *what = was_asked ? "did not answer the request" : "did not answer the greeting";
  g_autoptr (GError) error = NULL;

  if (!handshake->is_shaking)
    what = "was not reached";
  /* Behind the request it may be the destination that does not answer. */
  g_set_error (&error, T2P_ERROR, is_fault ? T2P_ERROR_PROXY_UNREACHABLE : T2P_ERROR_TIMED_OUT,
               "%s %s in time", handshake->config->label, what);
  handshake_fail (handshake,
                  was_asked ? T2P_REFUSAL_HOST_UNREACHABLE : t2pw_refusal_of_fault (error),
                  error);
}

static void
arm_deadline (Handshake *handshake, gint64 grace_ms, gint64 most_ms)
{
  gint64 left_ms = (handshake->deadline_us - g_get_monotonic_time ()) / 1000 + grace_ms;

  t2p_reactor_arm (reactor_of (handshake), &handshake->timer,
                   (guint) CLAMP (left_ms, 1, most_ms), timeout_cb);
}

/* All before the request has gone well: from now on it may be the destination that is slow. */
static void
handshake_note_asked (Handshake *handshake)
{
  const T2pwCarrierHandler *handler = handshake->base.handler;

  if (handshake->is_asked || !handshake->config->klass->was_asked (state_of (handshake)))
    return;
  handshake->is_asked = TRUE;
  if (handshake->destination.answer_timeout_ms > 0)
    arm_deadline (handshake, 0, handshake->destination.answer_timeout_ms);
  if (handler->asked != NULL)
    handler->asked (&handshake->base, handshake->was_heard, handshake->base.user_data);
}

/* --- sending */

static void
fill_output (Handshake *handshake)
{
  const T2pwHandshakeClass *klass = handshake->config->klass;
  T2pWriter writer;

  t2p_writer_init (&writer, handshake->out, klass->max_output_bytes);
  klass->write (state_of (handshake), &writer);
  handshake->out_at = 0;
  handshake->out_length = t2p_writer_length (&writer);
}

/* What fails here shows when the next bytes are received: the proxy may have said why. */
static void
handshake_send (Handshake *handshake)
{
  if (handshake->out_at == handshake->out_length)
    fill_output (handshake);
  while (handshake->out_at < handshake->out_length)
    {
      struct iovec iov = { .iov_base = handshake->out + handshake->out_at,
                           .iov_len = handshake->out_length - handshake->out_at };
      gssize sent = t2pw_carrier_send (handshake->inner, &iov, 1);

      if (sent < 0 && errno == EAGAIN)
        return;
      if (sent < 0)
        {
          handshake->send_errno = errno;
          handshake->out_at = handshake->out_length;
          return;
        }
      handshake->out_at += (gsize) sent;
    }
}

/* --- receiving */

static void
handshake_succeed (Handshake *handshake, const guint8 *rest, gsize n_rest)
{
  T2pwCarrier base = handshake->base;
  T2pwCarrier *inner = g_steal_pointer (&handshake->inner);

  t2pw_carrier_unread (inner, rest, n_rest);
  inner->label = handshake->config->label;
  handshake_free (handshake);
  t2pw_carrier_hand_over (inner, base.handler, base.user_data);
  base.handler->opened (inner, base.user_data);
}

static void
handshake_refused (Handshake *handshake)
{
  const T2pwHandshakeClass *klass = handshake->config->klass;
  T2pRefusal refusal = T2P_REFUSAL_RESET;
  g_autoptr (GError) error = NULL;

  if (handshake_restart (handshake))
    return;
  klass->explain (state_of (handshake), handshake->config->label, &refusal, &error);
  handshake_fail (handshake, refusal, error);
}

/* A proxy that has spoken to us and then hangs up on the request without a word means the
 * destination: that is how ssh -D says no. */
static void
handshake_hung_up (Handshake *handshake, gboolean was_asked)
{
  g_autoptr (GError) error = NULL;

  if (!was_asked || !handshake->was_heard || handshake->was_answered)
    {
      handshake_refused (handshake);
      return;
    }
  g_set_error (&error, T2P_ERROR, T2P_ERROR_FAILED, "%s hung up on the request",
               handshake->config->label);
  handshake_fail (handshake, T2P_REFUSAL_RESET, error);
}

/* What stopped the sending is told by then, unless TLS has a better reason, or what it says is
 * still to be read: the edge of a broken connection comes. 0 for the end. */
static int
errno_of_break (const Handshake *handshake, int receive_errno)
{
  if (handshake->send_errno != 0 && receive_errno != EPROTO && receive_errno != EAGAIN)
    return handshake->send_errno;
  return receive_errno;
}

/* FALSE when nothing more is to be read: over, failed, or waiting for an edge. */
static gboolean
handshake_receive (Handshake *handshake)
{
  const T2pwHandshakeClass *klass = handshake->config->klass;
  guint8 bytes[READ_BYTES];
  struct iovec iov = { bytes, sizeof bytes };
  gboolean was_asked = klass->was_asked (state_of (handshake));
  gssize got = t2pw_carrier_receive (handshake->inner, &iov, 1);
  gsize used = 0;
  T2pDecode result;
  int broken;

  if (got <= 0 && (broken = errno_of_break (handshake, got < 0 ? errno : 0)) != 0)
    {
      if (broken != EAGAIN)
        handshake_broken (handshake, broken);
      return FALSE;
    }
  if (got > 0)
    {
      handshake->was_heard = TRUE;
      handshake->was_answered |= was_asked;
    }
  result = got == 0 ? klass->hang_up (state_of (handshake))
                    : klass->feed (state_of (handshake), bytes, (gsize) got, &used);
  if (result == T2P_DECODE_BAD)
    {
      if (got == 0)
        handshake_hung_up (handshake, was_asked);
      else
        handshake_refused (handshake);
      return FALSE;
    }
  handshake_send (handshake);
  if (result == T2P_DECODE_MORE)
    {
      handshake_note_asked (handshake);
      return TRUE;
    }
  handshake_succeed (handshake, bytes + used, (gsize) got - used);
  return FALSE;
}

/* --- the lower carrier */

static void
inner_opened_cb (T2pwCarrier *inner, gpointer user_data)
{
  Handshake *handshake = user_data;

  handshake->inner = inner;
  handshake->is_shaking = TRUE;
  arm_deadline (handshake, 0, G_MAXINT);
  handshake_send (handshake);
  handshake_note_asked (handshake);
  while (handshake_receive (handshake))
    ;
}

static void
inner_failed_cb (T2pwCarrier *inner,
                 T2pRefusal refusal,
                 const GError *error,
                 gpointer user_data)
{
  Handshake *handshake = user_data;

  handshake->inner = NULL;
  handshake_fail (handshake, refusal, error);
}

static void
inner_readable_cb (T2pwCarrier *inner, gpointer user_data)
{
  while (handshake_receive (user_data))
    ;
}

static void
inner_writable_cb (T2pwCarrier *inner, gpointer user_data)
{
  handshake_send (user_data);
  while (handshake_receive (user_data))
    ;
}

static const T2pwCarrierHandler inner_handler = {
  .opened = inner_opened_cb,
  .failed = inner_failed_cb,
  .readable = inner_readable_cb,
  .writable = inner_writable_cb,
};

static void
handshake_connect (Handshake *handshake)
{
  handshake->is_shaking = handshake->is_asked = FALSE;
  handshake->was_heard = handshake->was_answered = FALSE;
  handshake->out_at = handshake->out_length = 0;
  handshake->send_errno = 0;
  arm_deadline (handshake, LOWER_GRACE_MS, G_MAXINT);
  handshake->inner = t2pw_outbound_open (handshake->config->lower, &handshake->destination,
                                         &inner_handler, handshake);
}

/* What the protocol cannot say (a name that is too long) fails as soon as the caller has
 * returned. */
static void
unsayable_cb (T2pTimer *timer)
{
  Handshake *handshake = T2P_OWNER_OF (timer, Handshake, timer);
  g_autoptr (GError) error = g_steal_pointer (&handshake->unsayable);

  handshake_fail (handshake, T2P_REFUSAL_HOST_UNREACHABLE, error);
}

static Handshake *
handshake_new (const T2pwHandshakeConfig *config, const T2pwDestination *destination)
{
  const T2pwHandshakeClass *klass = config->klass;
  gsize before_out = G_STRUCT_OFFSET (Handshake, state) + klass->state_bytes;
  gsize name_bytes = destination->name != NULL ? strlen (destination->name) + 1 : 0;
  Handshake *handshake = g_malloc0 (before_out + klass->max_output_bytes + name_bytes);

  handshake->config = config;
  handshake->out = (guint8 *) handshake + before_out;
  handshake->destination = *destination;
  if (name_bytes > 0)
    {
      handshake->name = (char *) handshake->out + klass->max_output_bytes;
      handshake->destination.name = handshake->name;
      memcpy (handshake->name, destination->name, name_bytes);
    }
  return handshake;
}

/**
 * t2pw_handshake_open:
 * @config: outlives the carrier
 * @closure: for the class's begin(); used during the call only
 *
 * Returns: a carrier that connects to the proxy and has it connect to @destination. It fails
 * with what @config's lower fails with, and T2P_ERROR: PROXY_AUTHENTICATION_FAILED,
 * PROXY_PROTOCOL (nonsense, or closed in the handshake), TIMED_OUT (no answer to the request,
 * all before it went well), NOT_SUPPORTED and FAILED (the proxy said no to this destination, or
 * greeted us and hung up on the request).
 */
T2pwCarrier *
t2pw_handshake_open (const T2pwHandshakeConfig *config,
                     gpointer closure,
                     const T2pwDestination *destination,
                     const T2pwCarrierHandler *handler,
                     gpointer user_data)
{
  Handshake *handshake = handshake_new (config, destination);

  handshake->base =
      (T2pwCarrier){ &handshake_carrier_class, handler, user_data, config->label };
  handshake->deadline_us =
      g_get_monotonic_time () + (gint64) config->context->connect_timeout_ms * 1000;
  handshake->has_begun = config->klass->begin (state_of (handshake), closure,
                                               &handshake->destination, &handshake->unsayable);
  if (handshake->has_begun)
    handshake_connect (handshake);
  else
    t2p_reactor_arm (reactor_of (handshake), &handshake->timer, 0, unsayable_cb);
  return &handshake->base;
}
