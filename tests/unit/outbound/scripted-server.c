/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "scripted-server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct _ScriptedServer
{
  const ServerStep *script;
  const ServerStep *next; /* of the script, for the next connection */
  int listener;
  int wakeup[2];
  guint16 port;
  gint n_connections;
  GThread *thread;
};

static gboolean
wait_readable (ScriptedServer *server, int fd)
{
  struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
                          { .fd = server->wakeup[0], .events = POLLIN } };

  return poll (fds, 2, -1) > 0 && fds[1].revents == 0;
}

static gboolean
server_read (ScriptedServer *server, int fd, const ServerStep *step)
{
  guint8 bytes[1024];

  for (gsize at = 0; at < step->length;)
    {
      gssize got;

      if (!wait_readable (server, fd))
        return FALSE;
      got = recv (fd, bytes + at, step->length - at, 0);
      if (got <= 0)
        return FALSE;
      at += (gsize) got;
    }
  if (step->bytes != NULL)
    g_assert_cmpmem (bytes, step->length, step->bytes, step->length);
  return TRUE;
}

static gboolean
server_send (int fd, const ServerStep *step)
{
  gsize piece = step->piece > 0 ? step->piece : step->length;

  for (gsize at = 0; at < step->length; at += piece)
    {
      gsize length = MIN (piece, step->length - at);

      if (send (fd, step->bytes + at, length, MSG_NOSIGNAL) != (gssize) length)
        return FALSE;
      if (piece < step->length)
        g_usleep (1500); /* so that the reader sees the pieces one by one */
    }
  return TRUE;
}

static void
server_drain (ScriptedServer *server, int fd, gboolean echo)
{
  char bytes[65536];
  gssize got;

  while (wait_readable (server, fd) && (got = recv (fd, bytes, sizeof bytes, 0)) > 0)
    if (echo && send (fd, bytes, (gsize) got, MSG_NOSIGNAL) != got)
      return;
}

/* Also when the client hangs up in the middle. */
static const ServerStep *
next_connection (ScriptedServer *server, const ServerStep *step)
{
  while (step->verb != SERVER_END && step->verb != SERVER_NEXT)
    step++;
  return step->verb == SERVER_NEXT ? step + 1 : server->script;
}

static void
server_follow (ScriptedServer *server, int fd)
{
  struct linger at_once = { .l_onoff = 1 };
  const ServerStep *step = server->next;

  server->next = next_connection (server, step);
  for (; step->verb != SERVER_END && step->verb != SERVER_NEXT; step++)
    {
      if (step->verb == SERVER_READ && !server_read (server, fd, step))
        return;
      if (step->verb == SERVER_SEND && !server_send (fd, step))
        return;
      if (step->verb == SERVER_STALL || step->verb == SERVER_ECHO)
        server_drain (server, fd, step->verb == SERVER_ECHO);
      if (step->verb == SERVER_RESET)
        setsockopt (fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
}

static gpointer
server_main (gpointer data)
{
  ScriptedServer *server = data;

  while (wait_readable (server, server->listener))
    {
      int one = 1;
      int fd = accept (server->listener, NULL, NULL);

      if (fd < 0)
        break;
      g_atomic_int_inc (&server->n_connections);
      setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      server_follow (server, fd);
      close (fd);
    }
  return NULL;
}

ScriptedServer *
scripted_server_new (const ServerStep *script)
{
  ScriptedServer *server = g_new0 (ScriptedServer, 1);
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t length = sizeof address;

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  server->script = server->next = script;
  server->listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (bind (server->listener, (struct sockaddr *) &address, length), ==, 0);
  g_assert_cmpint (listen (server->listener, 16), ==, 0);
  g_assert_cmpint (getsockname (server->listener, (struct sockaddr *) &address, &length), ==,
                   0);
  g_assert_cmpint (pipe (server->wakeup), ==, 0);
  server->port = ntohs (address.sin_port);
  server->thread = g_thread_new ("server", server_main, server);
  return server;
}

void
scripted_server_free (ScriptedServer *server)
{
  close (server->wakeup[1]); /* POLLHUP */
  g_thread_join (server->thread);
  close (server->wakeup[0]);
  close (server->listener);
  g_free (server);
}

guint16
scripted_server_get_port (ScriptedServer *server)
{
  return server->port;
}

guint
scripted_server_get_n_connections (ScriptedServer *server)
{
  return (guint) g_atomic_int_get (&server->n_connections);
}
