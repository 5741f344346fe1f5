/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* The far end of a measurement: four ports from BASE on, for a sink, a source, both at once,
 * and an echo. One thread; what a connection does is decided by the port it came to. */

typedef enum
{
  ROLE_SINK,
  ROLE_SOURCE,
  ROLE_BOTH,
  ROLE_ECHO,
  N_ROLES,
} Role;

typedef struct
{
  int fd;
  Role role;
  gboolean is_listener;
} Peer;

static int epoll_fd;
static guint8 buffer[256 * 1024];

/* Level-triggered: bursts are bounded, so what is left over must come up again. */
static const guint32 interest[N_ROLES] = {
  [ROLE_SINK] = EPOLLIN,
  [ROLE_SOURCE] = EPOLLOUT | EPOLLRDHUP,
  [ROLE_BOTH] = EPOLLIN | EPOLLOUT,
  [ROLE_ECHO] = EPOLLIN,
};

static void
add (int fd, Role role, gboolean is_listener)
{
  Peer *peer = g_new0 (Peer, 1);
  struct epoll_event event = { .events = is_listener ? EPOLLIN : interest[role],
                               .data.ptr = peer };

  peer->fd = fd;
  peer->role = role;
  peer->is_listener = is_listener;
  epoll_ctl (epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void
accept_all (const Peer *listener)
{
  int one = 1, fd;

  while ((fd = accept4 (listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
    {
      setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      add (fd, listener->role, FALSE);
    }
}

static gboolean
drain (int fd)
{
  for (guint i = 0; i < 64; i++)
    {
      gssize n = recv (fd, buffer, sizeof buffer, MSG_TRUNC);

      if (n <= 0)
        return n < 0 && errno == EAGAIN;
    }
  return TRUE;
}

static gboolean
flood (int fd)
{
  for (guint i = 0; i < 64; i++)
    if (send (fd, buffer, sizeof buffer, MSG_NOSIGNAL) < 0)
      return errno == EAGAIN;
  return TRUE;
}

static gboolean
echo (int fd)
{
  for (;;)
    {
      gssize n = recv (fd, buffer, sizeof buffer, 0);

      if (n <= 0)
        return n < 0 && errno == EAGAIN;
      if (send (fd, buffer, n, MSG_NOSIGNAL) != n)
        return FALSE;
    }
}

static gboolean
serve (const Peer *peer)
{
  switch (peer->role)
    {
    case ROLE_SINK:
      return drain (peer->fd);
    case ROLE_SOURCE:
      return flood (peer->fd);
    case ROLE_BOTH:
      return drain (peer->fd) && flood (peer->fd);
    case ROLE_ECHO:
      return echo (peer->fd);
    case N_ROLES:
      break;
    }
  return FALSE;
}

static void
handle (Peer *peer, guint32 events)
{
  if (peer->is_listener)
    accept_all (peer);
  else if (!serve (peer) || (events & (EPOLLERR | EPOLLHUP)) ||
           (peer->role == ROLE_SOURCE && (events & EPOLLRDHUP)))
    {
      close (peer->fd);
      g_free (peer);
    }
}

static void
listen_on (guint16 port, Role role)
{
  int one = 1, fd = socket (AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons (port) };

  setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind (fd, (struct sockaddr *) &address, sizeof address) < 0 || listen (fd, 4096) < 0)
    {
      perror ("listen");
      exit (1);
    }
  add (fd, role, TRUE);
}

int
main (int argc, char **argv)
{
  struct epoll_event events[256];

  if (argc != 2)
    {
      fprintf (stderr, "usage: %s BASE-PORT\n", argv[0]);
      return 2;
    }
  epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  for (guint role = 0; role < N_ROLES; role++)
    listen_on ((guint16) (g_ascii_strtoull (argv[1], NULL, 10) + role), role);
  for (;;)
    {
      int n = epoll_wait (epoll_fd, events, G_N_ELEMENTS (events), -1);

      for (int i = 0; i < n; i++)
        handle (events[i].data.ptr, events[i].events);
    }
}
