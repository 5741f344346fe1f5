/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Theory of operation
 *
 * A SOCKS5 server that is not the limit of a measurement: one thread, one epoll set, and the
 * payload moves by splice(2) from socket to pipe to socket, so user space never sees it. No
 * authentication, CONNECT by address only. It serves benchmarks on their own namespaces and
 * trusts its clients: the product's parsers are in src/codec, not here.
 *
 * A session is two sides; each side has a pipe for what it has read. A side reads while its
 * pipe has room, its peer drains the pipe; end of file travels as a shutdown behind the last
 * byte. */

#define PIPE_BYTES (1024 * 1024)
#define HANDSHAKE_MAX 512
#define SPARE_PIPES 256

typedef struct _Session Session;

typedef struct
{
  Session *session;
  int fd;
  int pipe[2]; /* what was read from fd and not yet written to the other side */
  gsize in_pipe;
  gboolean at_end;  /* fd will give no more */
  gboolean is_shut; /* the FIN behind our bytes was sent to the other side */
} Side;

typedef enum
{
  STATE_GREETING,
  STATE_REQUEST,
  STATE_CONNECTING,
  STATE_RELAYING,
  STATE_DEAD,
} State;

struct _Session
{
  State state;
  Side client;
  Side target;
  guint8 handshake[HANDSHAKE_MAX];
  gsize n_handshake;
  Session *next_dead;
};

static int epoll_fd;
static Session *dead;
static int spare[SPARE_PIPES][2];
static guint n_spare;

static void
watch (Side *side, guint32 events, int how)
{
  struct epoll_event event = { .events = events | EPOLLET, .data.ptr = side };

  if (epoll_ctl (epoll_fd, how, side->fd, &event) < 0)
    perror ("epoll_ctl");
}

static void
side_init (Side *side, Session *session, int fd)
{
  side->session = session;
  side->fd = fd;
  side->pipe[0] = side->pipe[1] = -1;
}

static void
side_clear (Side *side)
{
  int fds[] = { side->fd, side->pipe[0], side->pipe[1] };

  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    if (fds[i] >= 0)
      close (fds[i]);
}

/* Freed after the batch of events: a later one of it may still name the session. */
static void
session_kill (Session *session)
{
  if (session->state == STATE_DEAD)
    return;
  session->state = STATE_DEAD;
  side_clear (&session->client);
  side_clear (&session->target);
  session->next_dead = dead;
  dead = session;
}

/* A pipe is borrowed only while bytes are on their way: idle sessions cost two descriptors. */
static gboolean
borrow_pipe (Side *side)
{
  if (side->pipe[0] >= 0)
    return TRUE;
  if (n_spare > 0)
    {
      memcpy (side->pipe, spare[--n_spare], sizeof side->pipe);
      return TRUE;
    }
  if (pipe2 (side->pipe, O_NONBLOCK | O_CLOEXEC) < 0)
    return FALSE;
  (void) fcntl (side->pipe[1], F_SETPIPE_SZ, PIPE_BYTES);
  return TRUE;
}

static void
return_pipe (Side *side)
{
  if (side->pipe[0] < 0 || side->in_pipe > 0)
    return;
  if (n_spare < SPARE_PIPES)
    memcpy (spare[n_spare++], side->pipe, sizeof side->pipe);
  else
    {
      close (side->pipe[0]);
      close (side->pipe[1]);
    }
  side->pipe[0] = side->pipe[1] = -1;
}

/* Moves from one socket into its pipe and on to the other socket until neither would go on. */
static gboolean
pump (Side *from, Side *to)
{
  gboolean moved = TRUE;

  if (!borrow_pipe (from))
    return FALSE;
  while (moved)
    {
      gssize n = 0;

      moved = FALSE;
      if (!from->at_end && from->in_pipe < PIPE_BYTES)
        {
          n = splice (from->fd, NULL, from->pipe[1], NULL, PIPE_BYTES - from->in_pipe,
                      SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
          if (n == 0)
            from->at_end = TRUE;
          else if (n < 0 && errno != EAGAIN)
            return FALSE;
          else if (n > 0)
            from->in_pipe += n;
        }
      if (from->in_pipe > 0)
        {
          n = splice (from->pipe[0], NULL, to->fd, NULL, from->in_pipe,
                      SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
          if (n < 0 && errno != EAGAIN)
            return FALSE;
          if (n > 0)
            {
              from->in_pipe -= n;
              moved = TRUE;
            }
        }
    }
  if (from->at_end && from->in_pipe == 0 && !from->is_shut)
    {
      from->is_shut = TRUE;
      shutdown (to->fd, SHUT_WR);
    }
  return_pipe (from);
  return TRUE;
}

static void
relay (Session *session)
{
  if (!pump (&session->client, &session->target) || !pump (&session->target, &session->client))
    session_kill (session);
  else if (session->client.is_shut && session->target.is_shut)
    session_kill (session);
}

static gboolean
answer (Session *session, guint8 code)
{
  const guint8 reply[] = { 5, code, 0, 1, 0, 0, 0, 0, 0, 0 };

  return send (session->client.fd, reply, sizeof reply, MSG_NOSIGNAL) == sizeof reply;
}

static int
dial (const struct sockaddr *address, socklen_t length)
{
  int one = 1;
  int fd = socket (address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

  if (fd < 0)
    return -1;
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect (fd, address, length) < 0 && errno != EINPROGRESS)
    {
      close (fd);
      return -1;
    }
  return fd;
}

/* The address of a CONNECT; its length in the message, 0 for more bytes, -1 for a bad one. */
static int
read_request (const guint8 *bytes, gsize n, struct sockaddr_storage *out, socklen_t *out_length)
{
  struct sockaddr_in *v4 = (struct sockaddr_in *) out;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) out;

  if (n < 10)
    return 0;
  if (bytes[0] != 5 || bytes[1] != 1)
    return -1;
  memset (out, 0, sizeof *out);
  if (bytes[3] == 1)
    {
      v4->sin_family = AF_INET;
      memcpy (&v4->sin_addr, bytes + 4, 4);
      memcpy (&v4->sin_port, bytes + 8, 2);
      *out_length = sizeof *v4;
      return 10;
    }
  if (bytes[3] != 4)
    return -1;
  if (n < 22)
    return 0;
  v6->sin6_family = AF_INET6;
  memcpy (&v6->sin6_addr, bytes + 4, 16);
  memcpy (&v6->sin6_port, bytes + 20, 2);
  *out_length = sizeof *v6;
  return 22;
}

static gboolean
take_greeting (Session *session)
{
  const guint8 reply[] = { 5, 0 };
  gsize length;

  if (session->n_handshake < 2 || session->n_handshake < (gsize) 2 + session->handshake[1])
    return TRUE;
  length = 2 + session->handshake[1];
  session->n_handshake -= length;
  memmove (session->handshake, session->handshake + length, session->n_handshake);
  session->state = STATE_REQUEST;
  return send (session->client.fd, reply, sizeof reply, MSG_NOSIGNAL) == sizeof reply;
}

static gboolean
take_request (Session *session)
{
  struct sockaddr_storage address;
  socklen_t length;
  int fd, used;

  used = read_request (session->handshake, session->n_handshake, &address, &length);
  if (used <= 0)
    return used == 0;
  fd = dial ((struct sockaddr *) &address, length);
  if (fd < 0)
    {
      answer (session, 1);
      return FALSE;
    }
  side_init (&session->target, session, fd);
  session->state = STATE_CONNECTING;
  watch (&session->target, EPOLLIN | EPOLLOUT | EPOLLRDHUP, EPOLL_CTL_ADD);
  return TRUE;
}

static void
shake_hands (Session *session)
{
  gssize n = recv (session->client.fd, session->handshake + session->n_handshake,
                   HANDSHAKE_MAX - session->n_handshake, 0);

  if (n <= 0)
    {
      if (n == 0 || errno != EAGAIN)
        session_kill (session);
      return;
    }
  session->n_handshake += n;
  if (session->state == STATE_GREETING && !take_greeting (session))
    session_kill (session);
  if (session->state == STATE_REQUEST && !take_request (session))
    session_kill (session);
}

static void
target_connected (Session *session)
{
  int error = 0;
  socklen_t length = sizeof error;

  getsockopt (session->target.fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0)
    {
      answer (session, error == ECONNREFUSED ? 5 : 4);
      session_kill (session);
      return;
    }
  if (!answer (session, 0))
    {
      session_kill (session);
      return;
    }
  session->state = STATE_RELAYING;
  relay (session);
}

static void
dispatch (Side *side, guint32 events)
{
  Session *session = side->session;

  switch (session->state)
    {
    case STATE_GREETING:
    case STATE_REQUEST:
      shake_hands (session);
      break;
    case STATE_CONNECTING:
      if (side == &session->target && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
        target_connected (session);
      break;
    case STATE_RELAYING:
      relay (session);
      break;
    case STATE_DEAD:
      break;
    }
}

static void
accept_all (int listener)
{
  for (;;)
    {
      int one = 1;
      int fd = accept4 (listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
      Session *session;

      if (fd < 0)
        return;
      setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      session = g_new0 (Session, 1);
      side_init (&session->client, session, fd);
      side_init (&session->target, session, -1);
      watch (&session->client, EPOLLIN | EPOLLOUT | EPOLLRDHUP, EPOLL_CTL_ADD);
    }
}

static void
bury_the_dead (void)
{
  while (dead != NULL)
    {
      Session *session = dead;

      dead = session->next_dead;
      g_free (session);
    }
}

static int
listen_on (guint16 port)
{
  int one = 1, fd = socket (AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons (port) };

  setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind (fd, (struct sockaddr *) &address, sizeof address) < 0 || listen (fd, 4096) < 0)
    {
      perror ("listen");
      exit (1);
    }
  return fd;
}

int
main (int argc, char **argv)
{
  struct epoll_event events[256] = { 0 };
  int listener;

  if (argc != 2)
    {
      fprintf (stderr, "usage: %s PORT\n", argv[0]);
      return 2;
    }
  signal (SIGPIPE, SIG_IGN); /* splice has no MSG_NOSIGNAL */
  epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  listener = listen_on ((guint16) g_ascii_strtoull (argv[1], NULL, 10));
  events[0].events = EPOLLIN;
  epoll_ctl (epoll_fd, EPOLL_CTL_ADD, listener, &events[0]);
  for (;;)
    {
      int n = epoll_wait (epoll_fd, events, G_N_ELEMENTS (events), -1);

      for (int i = 0; i < n; i++)
        if (events[i].data.ptr == NULL)
          accept_all (listener);
        else
          dispatch (events[i].data.ptr, events[i].events);
      bury_the_dead ();
    }
}
