/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-unix-lower.h"

#include "t2p-error.h"
#include "t2p-quote.h"
#include "t2pw-tcp-carrier.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct
{
  T2pwOutbound base;
  const T2pwOutboundContext *context;
  char *path;
} UnixLower;

/* How long a queue that is full is left alone: the kernel does not tell when it no longer is.
 */
#define RETRY_MS 20

/* Between open() and the end of the turn, for a unix socket connects at once or not at all; or
 * until there is room in its queue, or the answer of the helper. */
typedef struct
{
  T2pwCarrier base;
  UnixLower *lower;
  T2pTask task;
  gpointer request; /* of the helper */
  T2pTimer timer;   /* of the request, or until the next attempt */
  gint64 deadline_us;
} Connecting;

static void
connecting_free (Connecting *connecting)
{
  const T2pwOutboundContext *context = connecting->lower->context;

  t2p_reactor_cancel (context->reactor, &connecting->task);
  t2p_reactor_disarm (context->reactor, &connecting->timer);
  if (connecting->request != NULL)
    context->socket_helper->cancel (context->socket_helper->helper, connecting->request);
  g_free (connecting);
}

static void
connecting_close (T2pwCarrier *base, gboolean reset)
{
  connecting_free ((Connecting *) base);
}

static const T2pwCarrierClass connecting_class = {
  .send = t2pw_unopened_transfer,
  .receive = t2pw_unopened_transfer,
  .unread = t2pw_unopened_unread,
  .shutdown = t2pw_unopened_shutdown,
  .close = connecting_close,
  .is_stalled = t2pw_unopened_is_stalled,
};

/* -1 with errno */
static int
connect_to_path (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd;
  int saved_errno;

  if (g_strlcpy (address.sun_path, path, sizeof address.sun_path) >= sizeof address.sun_path)
    {
      errno = ENAMETOOLONG;
      return -1;
    }
  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect (fd, (struct sockaddr *) &address, sizeof address) == 0)
    return fd;
  saved_errno = errno;
  close (fd);
  errno = saved_errno;
  return -1;
}

static const char *
connect_reason (int saved_errno)
{
  return saved_errno == EAGAIN ? "its queue is full" : g_strerror (saved_errno);
}

static void
connecting_fail (Connecting *connecting, T2pError code, const char *reason)
{
  T2pwCarrier base = connecting->base;
  g_autofree char *path = t2p_quote (connecting->lower->path);
  g_autoptr (GError) error =
      g_error_new (T2P_ERROR, (int) code, "no connection to %s: %s", path, reason);

  if (code == T2P_ERROR_LIMIT_EXCEEDED)
    t2pw_socket_policy_note_shortage (connecting->lower->context->policy, error->message);
  base.handler->failed (&connecting->base, t2pw_refusal_of_fault (error), error,
                        base.user_data);
  connecting_free (connecting);
}

static void
ignore_cb (T2pWatch *watch, guint32 events)
{
}

/* @fd: (transfer full) */
static void
connecting_succeed (Connecting *connecting, int fd)
{
  T2pReactor *reactor = connecting->lower->context->reactor;
  T2pwCarrier base = connecting->base;
  T2pWatch watch = { .fd = -1 };
  T2pwCarrier *open = NULL;

  if (!t2p_reactor_add (reactor, &watch, fd, 0, ignore_cb, NULL))
    close (fd);
  else
    open = t2pw_tcp_carrier_new (reactor, &watch, base.handler, base.user_data);
  if (open == NULL)
    {
      connecting_fail (connecting, T2P_ERROR_LIMIT_EXCEEDED, "it cannot be watched");
      return;
    }
  if (connecting->lower->context->socket_helper != NULL)
    t2pw_tcp_carrier_set_shared (open);
  connecting_free (connecting);
  base.handler->opened (open, base.user_data);
}

static void retry_cb (T2pTimer *timer);

static void
connecting_try (Connecting *connecting)
{
  int fd = connect_to_path (connecting->lower->path);
  int saved_errno = errno;
  gboolean is_ours = saved_errno == EMFILE || saved_errno == ENFILE || saved_errno == ENOMEM;

  if (fd >= 0)
    connecting_succeed (connecting, fd);
  else if (saved_errno == EAGAIN && g_get_monotonic_time () < connecting->deadline_us)
    t2p_reactor_arm (connecting->lower->context->reactor, &connecting->timer, RETRY_MS,
                     retry_cb);
  else
    connecting_fail (connecting,
                     is_ours ? T2P_ERROR_LIMIT_EXCEEDED : T2P_ERROR_PROXY_UNREACHABLE,
                     connect_reason (saved_errno));
}

static void
connect_cb (T2pTask *task)
{
  connecting_try (T2P_OWNER_OF (task, Connecting, task));
}

static void
retry_cb (T2pTimer *timer)
{
  connecting_try (T2P_OWNER_OF (timer, Connecting, timer));
}

/* --- by the helper */

static void
helped_cb (int fd, const char *reason, gpointer user_data)
{
  Connecting *connecting = user_data;

  connecting->request = NULL;
  if (fd >= 0)
    connecting_succeed (connecting, fd);
  else
    connecting_fail (connecting, T2P_ERROR_PROXY_UNREACHABLE, reason);
}

static void
late_cb (T2pTimer *timer)
{
  connecting_fail (T2P_OWNER_OF (timer, Connecting, timer), T2P_ERROR_PROXY_UNREACHABLE,
                   g_strerror (ETIMEDOUT));
}

static void
ask_helper (Connecting *connecting)
{
  const T2pwOutboundContext *context = connecting->lower->context;

  t2p_reactor_arm (context->reactor, &connecting->timer, context->connect_timeout_ms, late_cb);
  connecting->request = context->socket_helper->ask (
      context->socket_helper->helper, connecting->lower->path, helped_cb, connecting);
}

static T2pwCarrier *
unix_open (T2pwOutbound *base,
           const T2pwDestination *destination,
           const T2pwCarrierHandler *handler,
           gpointer user_data)
{
  UnixLower *lower = (UnixLower *) base;
  Connecting *connecting = g_new0 (Connecting, 1);

  connecting->base = (T2pwCarrier){ &connecting_class, handler, user_data, "" };
  connecting->lower = lower;
  connecting->deadline_us =
      g_get_monotonic_time () + (gint64) lower->context->connect_timeout_ms * 1000;
  if (lower->context->socket_helper != NULL)
    ask_helper (connecting);
  else
    t2p_reactor_defer (lower->context->reactor, &connecting->task, connect_cb);
  return &connecting->base;
}

static void
unix_free (T2pwOutbound *base)
{
  UnixLower *lower = (UnixLower *) base;

  g_free (lower->path);
  g_free (lower);
}

static const T2pwOutboundClass unix_class = {
  .kind = "unix",
  .open = unix_open,
  .free = unix_free,
};

/**
 * t2pw_unix_lower_new:
 * @context: outlives the outbound
 * @path: absolute
 *
 * Connects to a proxy that listens on a unix socket. A carrier fails with T2P_ERROR:
 * PROXY_UNREACHABLE, LIMIT_EXCEEDED.
 */
T2pwOutbound *
t2pw_unix_lower_new (const T2pwOutboundContext *context, const char *path)
{
  UnixLower *lower = g_new0 (UnixLower, 1);

  lower->base.klass = &unix_class;
  lower->context = context;
  lower->path = g_strdup (path);
  return &lower->base;
}
