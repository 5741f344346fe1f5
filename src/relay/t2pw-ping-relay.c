/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * All pings leave by one socket for each family, so that a flood costs no descriptors. Since
 * they share its identifier, the sequence number is ours: the lower bits are a place in a table
 * that remembers whose ping it was, the upper ones count how often the place was used, so that
 * a late answer to the last one is told from an answer to this one. What the application had
 * for identifier and sequence number is put back on the way in.
 *
 * A place is free again when the answer came, an error came, or after T2P_PING_TIMEOUT_S. When
 * none is free, pings are dropped, which is what they are made to notice.
 *
 * An answer counts when it comes from whom was pinged; an error, when it is about that. */
#include "config.h"

#include "t2pw-ping-relay.h"

#include "t2p-limits.h"
#include "t2pw-ping-socket.h"

#include <errno.h>
#include <sys/epoll.h>

#define PLACE_BITS 10
#define N_PLACES (1u << PLACE_BITS)
#define ANSWERS_PER_TURN 64
#define LOOK_EVERY_MS 1000

G_STATIC_ASSERT (T2P_MAX_PINGS == N_PLACES);

/** Place: a ping that is under way. */
typedef struct
{
  T2pIpAddress source, destination;
  guint16 id, sequence; /* as the application has them */
  guint16 our_sequence;
  gboolean is_taken;
  gint64 deadline_us;
} Place;

struct _T2pwPingRelay
{
  T2pReactor *reactor;
  const T2pwVirtualNames *virtual_names;
  T2pwStack *stack;
  T2pwPingSocket v4, v6;
  T2pTimer timer;
  Place places[N_PLACES];
  guint16 free_places[N_PLACES]; /* a queue: the longest unused is taken first */
  guint first_free, n_free;
  guint64 n_dropped;
  T2pwPingAnswer answer; /* too big for the stack */
};

/* --- the table */

static guint
place_of (guint16 sequence)
{
  return sequence & (N_PLACES - 1);
}

static void
release (T2pwPingRelay *relay, Place *place)
{
  guint index = (guint) (place - relay->places);

  place->is_taken = FALSE;
  place->our_sequence = (guint16) (place->our_sequence + N_PLACES);
  relay->free_places[(relay->first_free + relay->n_free) % N_PLACES] = (guint16) index;
  relay->n_free++;
}

static Place *
reserve (T2pwPingRelay *relay, const T2pwEcho *echo)
{
  Place *place;

  if (relay->n_free == 0)
    return NULL;
  place = &relay->places[relay->free_places[relay->first_free]];
  relay->first_free = (relay->first_free + 1) % N_PLACES;
  relay->n_free--;
  place->is_taken = TRUE;
  place->source = echo->source;
  place->destination = echo->destination;
  place->id = echo->message.id;
  place->sequence = echo->message.sequence;
  place->deadline_us =
      t2p_reactor_get_now_us (relay->reactor) + T2P_PING_TIMEOUT_S * G_USEC_PER_SEC;
  return place;
}

static void
look_cb (T2pTimer *timer)
{
  T2pwPingRelay *relay = T2P_OWNER_OF (timer, T2pwPingRelay, timer);
  gint64 now_us = t2p_reactor_get_now_us (relay->reactor);

  for (guint i = 0; i < N_PLACES; i++)
    if (relay->places[i].is_taken && relay->places[i].deadline_us <= now_us)
      release (relay, &relay->places[i]);
  if (relay->n_free < N_PLACES)
    t2p_reactor_arm (relay->reactor, timer, LOOK_EVERY_MS, look_cb);
}

/* --- out */

static T2pRefusal
refusal_of_errno (int saved_errno)
{
  switch (saved_errno)
    {
    case ENETUNREACH:
      return T2P_REFUSAL_NET_UNREACHABLE;
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
      return T2P_REFUSAL_HOST_UNREACHABLE;
    default:
      return T2P_REFUSAL_ADMIN_PROHIBITED;
    }
}

static gboolean
is_full (int saved_errno)
{
  return saved_errno == EAGAIN || saved_errno == ENOBUFS || saved_errno == ENOMEM;
}

static gboolean
send_ping (T2pwPingRelay *relay,
           T2pwPingSocket *socket,
           const T2pwEcho *echo,
           T2pRefusal *io_refusal)
{
  Place *place = reserve (relay, echo);
  int result;

  if (place == NULL)
    {
      relay->n_dropped++;
      return TRUE;
    }
  result = t2pw_ping_socket_send (socket, &echo->destination, echo->ttl, place->our_sequence,
                                  echo->message.data, echo->message.length);
  if (relay->timer.deadline_us == 0)
    t2p_reactor_arm (relay->reactor, &relay->timer, LOOK_EVERY_MS, look_cb);
  if (result == 0)
    return TRUE;
  release (relay, place);
  if (is_full (result))
    {
      relay->n_dropped++;
      return TRUE;
    }
  *io_refusal = refusal_of_errno (result);
  return FALSE;
}

gboolean
t2pw_ping_relay_take (T2pwPingRelay *relay, const T2pwEcho *echo, T2pRefusal *io_refusal)
{
  T2pwPingSocket *socket = echo->destination.family == AF_INET ? &relay->v4 : &relay->v6;

  if (relay->virtual_names != NULL &&
      t2pw_virtual_names_covers (relay->virtual_names, &echo->destination))
    {
      *io_refusal = T2P_REFUSAL_HOST_UNREACHABLE;
      return FALSE;
    }
  return socket->watch.fd >= 0 && send_ping (relay, socket, echo, io_refusal);
}

/* --- in */

static void
take_answer (T2pwPingRelay *relay, const T2pwPingAnswer *answer)
{
  Place *place = &relay->places[place_of (answer->message.sequence)];
  const T2pIpAddress *pinged = answer->is_error ? &answer->pinged : &answer->from;
  T2pwEcho echo;

  if (!place->is_taken || place->our_sequence != answer->message.sequence ||
      !t2p_ip_address_equal (&place->destination, pinged))
    return;
  echo = (T2pwEcho){ .source = place->source,
                     .destination = place->destination,
                     .ttl = answer->ttl,
                     .message = answer->message };
  echo.message.id = place->id;
  echo.message.sequence = place->sequence;
  if (answer->is_error)
    t2pw_stack_send_echo_error (relay->stack, &echo, &answer->from, &answer->error);
  else
    t2pw_stack_send_echo_reply (relay->stack, &echo);
  release (relay, place);
}

/* Level-triggered: what is left comes in the next turn. */
static void
ready_cb (T2pWatch *watch, guint32 events)
{
  T2pwPingSocket *socket = T2P_OWNER_OF (watch, T2pwPingSocket, watch);
  T2pwPingRelay *relay = socket->family == AF_INET ? T2P_OWNER_OF (socket, T2pwPingRelay, v4)
                                                   : T2P_OWNER_OF (socket, T2pwPingRelay, v6);

  for (guint i = 0; i < ANSWERS_PER_TURN; i++)
    {
      if (!t2pw_ping_socket_receive (socket, &relay->answer))
        return;
      if (relay->answer.from.family != AF_UNSPEC && relay->stack != NULL)
        take_answer (relay, &relay->answer);
    }
}

/* --- life */

static gboolean
open_socket (T2pwPingRelay *relay,
             T2pwPingSocket *ping,
             T2pwSocketPolicy *policy,
             int family,
             GError **error)
{
  int fd;

  if (!t2pw_ping_socket_open (ping, policy, family, error))
    return FALSE;
  fd = ping->watch.fd;
  if (t2p_reactor_add (relay->reactor, &ping->watch, fd, EPOLLIN, ready_cb, error))
    return TRUE;
  close (fd);
  ping->watch.fd = -1;
  return FALSE;
}

T2pwPingRelay *
t2pw_ping_relay_new (T2pReactor *reactor,
                     T2pwSocketPolicy *policy,
                     const T2pwVirtualNames *virtual_names,
                     GError **error)
{
  g_autoptr (GError) v6_error = NULL;
  T2pwPingRelay *relay = g_new0 (T2pwPingRelay, 1);

  relay->reactor = reactor;
  relay->virtual_names = virtual_names;
  relay->v6.watch.fd = -1;
  for (guint i = 0; i < N_PLACES; i++)
    {
      relay->places[i].our_sequence = relay->free_places[i] = (guint16) i;
      relay->n_free++;
    }
  if (open_socket (relay, &relay->v4, policy, AF_INET, error))
    {
      /* A machine without IPv6 has pings all the same. */
      (void) open_socket (relay, &relay->v6, policy, AF_INET6, &v6_error);
      return relay;
    }
  g_free (relay);
  return NULL;
}

static void
close_socket (T2pwPingRelay *relay, T2pwPingSocket *socket)
{
  if (socket->watch.fd >= 0)
    t2p_reactor_close (relay->reactor, &socket->watch);
}

void
t2pw_ping_relay_free (T2pwPingRelay *relay)
{
  t2p_reactor_disarm (relay->reactor, &relay->timer);
  close_socket (relay, &relay->v4);
  close_socket (relay, &relay->v6);
  g_free (relay);
}

void
t2pw_ping_relay_set_stack (T2pwPingRelay *relay, T2pwStack *stack)
{
  relay->stack = stack;
}

guint64
t2pw_ping_relay_get_n_dropped (const T2pwPingRelay *relay)
{
  return relay->n_dropped;
}

guint
t2pw_ping_relay_get_n_waiting (const T2pwPingRelay *relay)
{
  return N_PLACES - relay->n_free;
}
