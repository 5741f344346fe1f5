/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * c-ares says which sockets it wants to hear of; each becomes a watch, and its next time-out
 * the one timer. Sockets are ours, since the policy wants to know whom one is for before it
 * connects. Nothing is kept of answers here. */
#include "config.h"

#include "t2pw-ares-channel.h"

#include "t2p-error.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define QUERY_TIMEOUT_MS 1500
#define QUERY_TRIES 2

struct _T2pwAresChannel
{
  T2pReactor *reactor;
  T2pwSocketPolicy *policy;
  ares_channel ares;
  gboolean has_servers;
  GHashTable *sockets; /* fd → ServerSocket */
  GHashTable *own;     /* fd → T2pwOwnSocket */
  T2pTimer timer;
};

typedef struct
{
  T2pWatch watch;
  T2pwAresChannel *channel;
  ares_socket_t fd;
} ServerSocket;

static void channel_rearm (T2pwAresChannel *channel);

static void
socket_ready_cb (T2pWatch *watch, guint32 events)
{
  ServerSocket *server = T2P_OWNER_OF (watch, ServerSocket, watch);
  T2pwAresChannel *channel = server->channel;
  ares_socket_t fd = server->fd;
  gboolean reads = (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
  gboolean writes = (events & EPOLLOUT) != 0;

  ares_process_fd (channel->ares, reads ? fd : ARES_SOCKET_BAD, writes ? fd : ARES_SOCKET_BAD);
  channel_rearm (channel);
}

static void
timer_cb (T2pTimer *timer)
{
  T2pwAresChannel *channel = T2P_OWNER_OF (timer, T2pwAresChannel, timer);

  ares_process_fd (channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  channel_rearm (channel);
}

static void
channel_rearm (T2pwAresChannel *channel)
{
  struct timeval buffer;
  struct timeval *left = ares_timeout (channel->ares, NULL, &buffer);

  if (left == NULL)
    t2p_reactor_disarm (channel->reactor, &channel->timer);
  else
    t2p_reactor_arm (channel->reactor, &channel->timer,
                     (guint) (left->tv_sec * 1000 + left->tv_usec / 1000 + 1), timer_cb);
}

static void
server_socket_free (gpointer data)
{
  ServerSocket *server = data;

  t2p_reactor_remove (server->channel->reactor, &server->watch);
  g_free (server);
}

/* Called by c-ares whenever it wants other events of a socket, and with none before it closes.
 */
static void
socket_state_cb (void *data, ares_socket_t fd, int readable, int writable)
{
  T2pwAresChannel *channel = data;
  guint32 events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0);
  ServerSocket *server = g_hash_table_lookup (channel->sockets, GINT_TO_POINTER (fd));

  if (events == 0)
    {
      g_hash_table_remove (channel->sockets, GINT_TO_POINTER (fd));
      return;
    }
  if (server != NULL)
    {
      t2p_reactor_modify (channel->reactor, &server->watch, events);
      return;
    }
  server = g_new0 (ServerSocket, 1);
  server->channel = channel;
  server->fd = fd;
  if (!t2p_reactor_add (channel->reactor, &server->watch, fd, events, socket_ready_cb, NULL))
    g_free (server); /* the query runs into its time-out */
  else
    g_hash_table_insert (channel->sockets, GINT_TO_POINTER (fd), server);
}

/* --- sockets */

static ares_socket_t
socket_open_cb (int family, int type, int protocol, void *data)
{
  int fd = socket (family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  int on = 1;

  if (fd >= 0 && type == SOCK_STREAM)
    (void) setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static int
socket_close_cb (ares_socket_t fd, void *data)
{
  T2pwAresChannel *channel = data;
  T2pwOwnSocket *own = g_hash_table_lookup (channel->own, GINT_TO_POINTER (fd));

  if (own != NULL)
    t2pw_loop_guard_forget (channel->policy->guard, own);
  g_hash_table_remove (channel->own, GINT_TO_POINTER (fd));
  return close (fd);
}

static guint8
protocol_of (int fd)
{
  int type = SOCK_DGRAM;
  socklen_t length = sizeof type;

  if (getsockopt (fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0)
    return IPPROTO_UDP;
  return type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
}

static int
socket_connect_cb (ares_socket_t fd, const struct sockaddr *name, socklen_t length, void *data)
{
  T2pwAresChannel *channel = data;
  T2pIpEndpoint server;
  T2pwOwnSocket *own;
  int result, saved_errno;

  if (!t2p_ip_endpoint_from_sockaddr (name, length, &server))
    {
      errno = EAFNOSUPPORT;
      return -1;
    }
  if (!t2pw_socket_policy_apply (channel->policy, fd, &server.address))
    return -1;
  result = connect (fd, name, length);
  saved_errno = errno;
  own = g_new0 (T2pwOwnSocket, 1);
  t2pw_loop_guard_watch (channel->policy->guard, own, protocol_of (fd), fd);
  g_hash_table_insert (channel->own, GINT_TO_POINTER (fd), own);
  errno = saved_errno;
  return result;
}

static ares_ssize_t
socket_receive_cb (ares_socket_t fd,
                   void *data,
                   size_t size,
                   int flags,
                   struct sockaddr *name,
                   socklen_t *length,
                   void *user_data)
{
  return recvfrom (fd, data, size, flags, name, length);
}

static ares_ssize_t
socket_send_cb (ares_socket_t fd, const struct iovec *parts, int n_parts, void *data)
{
  return writev (fd, parts, n_parts);
}

static const struct ares_socket_functions socket_functions = {
  .asocket = socket_open_cb,
  .aclose = socket_close_cb,
  .aconnect = socket_connect_cb,
  .arecvfrom = socket_receive_cb,
  .asendv = socket_send_cb,
};

/* --- the channel */

/**
 * t2pw_ares_channel_new:
 * @policy: not owned, outlives the channel
 * @of_the_system: whether it asks the servers of /etc/resolv.conf
 * @has_servers: whether there are any; otherwise only /etc/hosts is asked
 *
 * Errors: T2P_ERROR_FAILED.
 */
T2pwAresChannel *
t2pw_ares_channel_new (T2pReactor *reactor,
                       T2pwSocketPolicy *policy,
                       gboolean of_the_system,
                       gboolean has_servers,
                       GError **error)
{
  T2pwAresChannel *channel = g_new0 (T2pwAresChannel, 1);
  struct ares_options options = {
    .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
    .timeout = QUERY_TIMEOUT_MS,
    .tries = QUERY_TRIES,
    /* file, then servers; asking none of them leaks in c-ares 1.18 */
    .lookups = (char *) (has_servers ? "fb" : "f"),
    .sock_state_cb = socket_state_cb,
    .sock_state_cb_data = channel,
  };
  int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
             ARES_OPT_SOCK_STATE_CB | ARES_OPT_DOMAINS | (of_the_system ? 0 : ARES_OPT_SERVERS);
  int status = ares_init_options (&channel->ares, &options, mask);

  if (status != ARES_SUCCESS)
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_FAILED, "no resolver: %s",
                   ares_strerror (status));
      g_free (channel);
      return NULL;
    }
  channel->reactor = reactor;
  channel->policy = policy;
  channel->has_servers = has_servers;
  channel->sockets = g_hash_table_new_full (NULL, NULL, NULL, server_socket_free);
  channel->own = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  ares_set_socket_functions (channel->ares, &socket_functions, channel);
  return channel;
}

/**
 * t2pw_ares_channel_free:
 *
 * Queries that run come back with ARES_EDESTRUCTION.
 */
void
t2pw_ares_channel_free (T2pwAresChannel *channel)
{
  ares_destroy (channel->ares);
  g_hash_table_unref (channel->sockets);
  g_hash_table_unref (channel->own);
  t2p_reactor_disarm (channel->reactor, &channel->timer);
  g_free (channel);
}

/* @csv: "192.0.2.1:53,[2001:db8::1]:53". FALSE when c-ares does not understand it. */
gboolean
t2pw_ares_channel_set_servers (T2pwAresChannel *channel, const char *csv)
{
  return ares_set_servers_ports_csv (channel->ares, csv) == ARES_SUCCESS;
}

gboolean
t2pw_ares_channel_has_servers (const T2pwAresChannel *channel)
{
  return channel->has_servers;
}

/**
 * t2pw_ares_channel_look_up:
 * @done: may be called from within, when the answer is in /etc/hosts
 */
void
t2pw_ares_channel_look_up (T2pwAresChannel *channel,
                           const char *name,
                           ares_addrinfo_callback done,
                           gpointer user_data)
{
  /* RFC 6724 sorting would open sockets of its own; RFC 8305 needs none. */
  struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC,
                                       .ai_socktype = SOCK_STREAM,
                                       .ai_flags = ARES_AI_NOSORT };

  ares_getaddrinfo (channel->ares, name, NULL, &hints, done, user_data);
  channel_rearm (channel);
}

/**
 * t2pw_ares_channel_send:
 * @message: a whole query; c-ares takes its id and asks over TCP what was truncated
 * @done: may be called from within, when there is no server
 */
void
t2pw_ares_channel_send (T2pwAresChannel *channel,
                        const guint8 *message,
                        gsize length,
                        ares_callback done,
                        gpointer user_data)
{
  ares_send (channel->ares, message, (int) length, done, user_data);
  channel_rearm (channel);
}
