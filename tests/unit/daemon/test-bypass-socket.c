/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-bypass-socket.h"

#include "t2p-error.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOMEBODY_ELSE 54321

static void
assert_refused (int fd, guint32 uid, const char *part)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (t2pd_bypass_socket_check (fd, uid, &error));
  g_assert_error (error, T2P_ERROR, T2P_ERROR_INVALID_FD);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, part));
  close (fd);
}

static int
open_socket (int family, int type)
{
  int fd = socket (family, type | SOCK_CLOEXEC, 0);

  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static int
bind_loopback (int fd)
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };

  g_assert_no_errno (bind (fd, (struct sockaddr *) &address, sizeof address));
  return fd;
}

static void
connect_to (int fd, int server)
{
  struct sockaddr_in address;
  socklen_t size = sizeof address;

  g_assert_no_errno (getsockname (server, (struct sockaddr *) &address, &size));
  g_assert_no_errno (connect (fd, (struct sockaddr *) &address, size));
}

/* Those that the kernel lets us ask for their namespace, for which it wants CAP_NET_ADMIN. */
static void
test_taken (void)
{
  const int kinds[][2] = { { AF_INET, SOCK_STREAM },
                           { AF_INET, SOCK_DGRAM },
                           { AF_INET6, SOCK_STREAM } };

  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autoptr (GError) error = NULL;
      int fd = socket (kinds[i][0], kinds[i][1] | SOCK_CLOEXEC, 0);

      if (fd < 0)
        continue;
      if (geteuid () == 0)
        g_assert_true (t2pd_bypass_socket_check (fd, getuid (), &error));
      else
        {
          g_assert_false (t2pd_bypass_socket_check (fd, getuid (), &error));
          g_assert_nonnull (strstr (error->message, "namespace"));
        }
      close (fd);
    }
}

static void
test_no_socket (void)
{
  int pair[2];

  assert_refused (open ("/dev/null", O_RDWR | O_CLOEXEC), getuid (), "no socket");
  g_assert_no_errno (pipe2 (pair, O_CLOEXEC));
  assert_refused (pair[0], getuid (), "no socket");
  close (pair[1]);
}

static void
test_kinds (void)
{
  assert_refused (open_socket (AF_UNIX, SOCK_STREAM), getuid (), "family");
  assert_refused (open_socket (AF_NETLINK, SOCK_RAW), getuid (), "family");
  if (geteuid () == 0)
    {
      int raw = socket (AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

      if (raw >= 0)
        assert_refused (raw, 0, "protocol");
    }
}

static void
test_under_way (void)
{
  int server = bind_loopback (open_socket (AF_INET, SOCK_STREAM));
  int datagrams = bind_loopback (open_socket (AF_INET, SOCK_DGRAM));
  int stream = open_socket (AF_INET, SOCK_STREAM);
  int peer = open_socket (AF_INET, SOCK_DGRAM);

  g_assert_no_errno (listen (server, 1));
  connect_to (stream, server);
  connect_to (peer, datagrams);
  assert_refused (stream, getuid (), "connected");
  assert_refused (peer, getuid (), "connected");
  assert_refused (server, getuid (), "listens");
  close (datagrams);
}

/* A connect that has no answer yet: there is no peer, and still it is under way. */
static void
test_connecting (void)
{
  int server = bind_loopback (open_socket (AF_INET, SOCK_STREAM));
  int first = open_socket (AF_INET, SOCK_STREAM);
  int fd = open_socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  int next = open_socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  struct sockaddr_in address;
  socklen_t size = sizeof address;

  /* A full queue lets further ones wait. */
  g_assert_no_errno (listen (server, 0));
  connect_to (first, server);
  g_assert_no_errno (getsockname (server, (struct sockaddr *) &address, &size));
  (void) connect (next, (struct sockaddr *) &address, size);
  (void) connect (fd, (struct sockaddr *) &address, size);
  assert_refused (fd, getuid (), "connected");
  close (first);
  close (next);
  close (server);
}

static void
test_others (void)
{
  if (getuid () != SOMEBODY_ELSE)
    assert_refused (open_socket (AF_INET, SOCK_STREAM), SOMEBODY_ELSE, "another user's");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/bypass-socket/new-sockets-of-tcp-and-udp-are-taken", test_taken);
  g_test_add_func ("/bypass-socket/what-is-no-socket-is-refused", test_no_socket);
  g_test_add_func ("/bypass-socket/other-kinds-are-refused", test_kinds);
  g_test_add_func ("/bypass-socket/connected-or-listening-is-refused", test_under_way);
  g_test_add_func ("/bypass-socket/connecting-is-refused", test_connecting);
  g_test_add_func ("/bypass-socket/another-users-is-refused", test_others);
  return g_test_run ();
}
