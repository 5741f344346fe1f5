/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Connects to the first of several addresses that answers, in the manner of RFC 8305: families
 * interleaved, a new attempt every 250 ms or as soon as one has failed, the first that connects
 * wins and the others are closed. One timer staggers, one ends the whole. Nothing blocks; the
 * number of attempts is bounded by T2PW_DIAL_MAX_ADDRESSES and so is the memory. When one of
 * the attempts lacked something of ours, the upstream is not found wanting: that error is told
 * whatever the others say. */
#include "config.h"

#include "t2pw-dialer.h"

#include "t2p-error.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define STAGGER_MS 250 /* RFC 8305 section 5, "Connection Attempt Delay" */

typedef struct
{
  T2pWatch watch;
  T2pwDial *dial;
  gint64 started_us;
  T2pIpEndpoint peer;
  T2pwOwnSocket own;
  gboolean is_deferred; /* the SYN waits for data */
} Attempt;

struct _T2pwDial
{
  T2pReactor *reactor;
  T2pwSocketPolicy *policy;
  T2pTimer stagger;
  T2pTimer total;
  T2pTask task;
  T2pwDialDone done;
  gpointer user_data;
  gboolean is_fast_open;
  GError *last_error;
  T2pRefusal refusal; /* that goes with it */
  guint n_attempts;
  guint n_begun;
  guint n_running;
  Attempt attempts[];
};

static void
attempt_close (Attempt *attempt)
{
  t2pw_loop_guard_forget (attempt->dial->policy->guard, &attempt->own);
  t2p_reactor_close (attempt->dial->reactor, &attempt->watch);
}

static void
dial_stop (T2pwDial *dial, const Attempt *winner)
{
  for (guint i = 0; i < dial->n_begun; i++)
    if (&dial->attempts[i] != winner)
      attempt_close (&dial->attempts[i]);
  t2p_reactor_disarm (dial->reactor, &dial->stagger);
  t2p_reactor_disarm (dial->reactor, &dial->total);
  t2p_reactor_cancel (dial->reactor, &dial->task);
  g_clear_error (&dial->last_error);
}

/**
 * t2pw_dial_cancel:
 *
 * Closes every attempt and frees the dial; its callback is not called.
 */
void
t2pw_dial_cancel (T2pwDial *dial)
{
  dial_stop (dial, NULL);
  g_free (dial);
}

static gboolean
is_shortage (const GError *error)
{
  return g_error_matches (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED);
}

static void
dial_fail (T2pwDial *dial, GError *error)
{
  T2pwDialDone done = dial->done;
  gpointer user_data = dial->user_data;
  T2pRefusal refusal = dial->refusal;

  if (is_shortage (error))
    t2pw_socket_policy_note_shortage (dial->policy, error->message);
  t2pw_dial_cancel (dial);
  done (NULL, NULL, 0, refusal, error, user_data);
  g_error_free (error);
}

static void
dial_succeed (T2pwDial *dial, Attempt *winner)
{
  gint64 rtt_us = winner->is_deferred ? 0 : g_get_monotonic_time () - winner->started_us;

  dial_stop (dial, winner);
  t2pw_loop_guard_forget (dial->policy->guard, &winner->own);
  dial->done (&winner->watch, &winner->peer, rtt_us, T2P_REFUSAL_SILENCE, NULL,
              dial->user_data);
  g_warn_if_fail (winner->watch.fd < 0);
  g_free (dial);
}

static T2pRefusal
refusal_of_errno (int saved_errno)
{
  switch (saved_errno)
    {
    case ECONNREFUSED:
      return T2P_REFUSAL_RESET;
    case ENETUNREACH:
      return T2P_REFUSAL_NET_UNREACHABLE;
    case EACCES:
    case EPERM:
      return T2P_REFUSAL_ADMIN_PROHIBITED;
    default:
      return T2P_REFUSAL_HOST_UNREACHABLE;
    }
}

static GError *
connect_error_new (const T2pIpEndpoint *peer, int saved_errno)
{
  struct sockaddr_storage storage;
  socklen_t length = t2p_ip_endpoint_to_sockaddr (peer, &storage);
  gboolean is_ours = t2pw_upstream_socket_is_shortage (
      saved_errno, (const struct sockaddr *) &storage, length);
  char text[T2P_ENDPOINT_STRLEN];

  t2p_ip_endpoint_format (peer, text);
  return g_error_new (T2P_ERROR,
                      is_ours ? T2P_ERROR_LIMIT_EXCEEDED : T2P_ERROR_PROXY_UNREACHABLE,
                      "no connection to %s: %s", text, g_strerror (saved_errno));
}

static void dial_advance_cb (T2pTask *task);

static void
attempt_failed (Attempt *attempt, int saved_errno)
{
  T2pwDial *dial = attempt->dial;

  attempt_close (attempt);
  dial->n_running--;
  if (!is_shortage (dial->last_error))
    {
      g_clear_error (&dial->last_error);
      dial->last_error = connect_error_new (&attempt->peer, saved_errno);
      dial->refusal = refusal_of_errno (saved_errno);
    }
  t2p_reactor_defer (dial->reactor, &dial->task, dial_advance_cb);
}

static int
socket_error (int fd)
{
  int so_error = 0;
  socklen_t length = sizeof so_error;

  if (getsockopt (fd, SOL_SOCKET, SO_ERROR, &so_error, &length) < 0)
    return errno;
  return so_error;
}

/* An attempt that is refused ends with another error: with these the peer had accepted. What it
 * then did to the connection is the handshake's to tell. */
static gboolean
has_connected (int so_error)
{
  return so_error == 0 || so_error == ECONNRESET || so_error == EPIPE;
}

static void
attempt_ready_cb (T2pWatch *watch, guint32 events)
{
  Attempt *attempt = T2P_OWNER_OF (watch, Attempt, watch);
  int so_error = (events & (EPOLLERR | EPOLLHUP)) != 0 ? socket_error (watch->fd) : 0;

  if (!has_connected (so_error))
    attempt_failed (attempt, so_error);
  else if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0)
    dial_succeed (attempt->dial, attempt);
}

/* FALSE with @out_errno when it failed at once; then @fd is closed. */
static gboolean
attempt_connect (Attempt *attempt, int fd, int *out_errno)
{
  T2pwDial *dial = attempt->dial;
  struct sockaddr_storage storage;
  socklen_t length = t2p_ip_endpoint_to_sockaddr (&attempt->peer, &storage);
  int result;

  do
    result = connect (fd, (struct sockaddr *) &storage, length);
  while (result < 0 && errno == EINTR);
  attempt->is_deferred = result == 0 && dial->is_fast_open;
  *out_errno = result < 0 ? errno : EINPROGRESS;
  if (*out_errno == EINPROGRESS)
    {
      t2pw_loop_guard_watch (dial->policy->guard, &attempt->own, IPPROTO_TCP, fd);
      if (t2p_reactor_add (dial->reactor, &attempt->watch, fd, EPOLLOUT, attempt_ready_cb,
                           NULL))
        return TRUE;
      *out_errno = ENOMEM;
    }
  close (fd);
  return FALSE;
}

static void
dial_begin_next (T2pwDial *dial)
{
  Attempt *attempt = &dial->attempts[dial->n_begun++];
  int saved_errno;
  int fd;

  attempt->started_us = g_get_monotonic_time ();
  fd = t2pw_upstream_socket_new (dial->policy, &attempt->peer.address);
  saved_errno = errno;
  dial->n_running++;
  if (fd >= 0 && dial->is_fast_open)
    t2pw_upstream_socket_open_fast (fd);
  if (fd < 0 || !attempt_connect (attempt, fd, &saved_errno))
    attempt_failed (attempt, saved_errno);
}

static void
stagger_cb (T2pTimer *timer)
{
  T2pwDial *dial = T2P_OWNER_OF (timer, T2pwDial, stagger);

  if (dial->n_begun < dial->n_attempts)
    dial_begin_next (dial);
  if (dial->n_begun < dial->n_attempts)
    t2p_reactor_arm (dial->reactor, &dial->stagger, STAGGER_MS, stagger_cb);
}

/* After a failure: the next address at once, or the end. */
static void
dial_advance_cb (T2pTask *task)
{
  T2pwDial *dial = T2P_OWNER_OF (task, T2pwDial, task);

  if (dial->n_begun < dial->n_attempts)
    stagger_cb (&dial->stagger);
  else if (dial->n_running == 0)
    dial_fail (dial, g_steal_pointer (&dial->last_error));
}

static void
total_cb (T2pTimer *timer)
{
  T2pwDial *dial = T2P_OWNER_OF (timer, T2pwDial, total);
  char text[T2P_ENDPOINT_STRLEN];

  if (is_shortage (dial->last_error))
    {
      dial_fail (dial, g_steal_pointer (&dial->last_error));
      return;
    }
  t2p_ip_endpoint_format (&dial->attempts[0].peer, text);
  dial->refusal = T2P_REFUSAL_HOST_UNREACHABLE;
  dial_fail (dial, g_error_new (T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE,
                                "%s did not answer in time", text));
}

/* RFC 8305 section 4: alternate the families, beginning with that of the first address. */
static void
dial_interleave (T2pwDial *dial, const T2pIpEndpoint *peers, guint n_peers)
{
  guint next[2] = { 0, 0 };
  int families[2] = { peers[0].address.family,
                      peers[0].address.family == AF_INET ? AF_INET6 : AF_INET };

  for (guint turn = 0; dial->n_attempts < MIN (n_peers, T2PW_DIAL_MAX_ADDRESSES); turn ^= 1)
    {
      while (next[turn] < n_peers && peers[next[turn]].address.family != families[turn])
        next[turn]++;
      if (next[turn] < n_peers)
        dial->attempts[dial->n_attempts++].peer = peers[next[turn]++];
      else if (next[turn ^ 1] >= n_peers)
        break;
    }
}

/**
 * t2pw_dial_start:
 * @peers: addresses in the order to try; copied
 * @n_peers: at least 1
 * @is_fast_open: where the kernel has a cookie of the peer (RFC 7413), the first data goes with
 *   the SYN; that the peer cannot be reached is told by the first receive then
 * @timeout_ms: for the whole
 *
 * Returns: the dial, valid until @done is called or it is cancelled. @done gets T2P_ERROR:
 * PROXY_UNREACHABLE; LIMIT_EXCEEDED when descriptors, ports or memory of ours were not enough.
 */
T2pwDial *
t2pw_dial_start (T2pReactor *reactor,
                 T2pwSocketPolicy *policy,
                 const T2pIpEndpoint *peers,
                 guint n_peers,
                 gboolean is_fast_open,
                 guint timeout_ms,
                 T2pwDialDone done,
                 gpointer user_data)
{
  guint n = MIN (n_peers, T2PW_DIAL_MAX_ADDRESSES);
  T2pwDial *dial;

  g_return_val_if_fail (n_peers > 0, NULL);

  dial = g_malloc0 (sizeof *dial + n * sizeof (Attempt));
  dial->reactor = reactor;
  dial->policy = policy;
  dial->is_fast_open = is_fast_open;
  dial->done = done;
  dial->user_data = user_data;
  dial_interleave (dial, peers, n_peers);
  for (guint i = 0; i < dial->n_attempts; i++)
    {
      dial->attempts[i].dial = dial;
      dial->attempts[i].watch.fd = -1;
    }
  t2p_reactor_arm (reactor, &dial->total, timeout_ms, total_cb);
  stagger_cb (&dial->stagger);
  return dial;
}
