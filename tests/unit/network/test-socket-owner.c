/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks the kernel about sockets of this process, on the loopback of wherever the test runs. */
#include "config.h"

#include "t2pn-socket-owner.h"

#include <netinet/in.h>
#include <unistd.h>

typedef struct
{
  T2pnSocketOwner *owner;
  int listener, connection, accepted;
  T2pIpEndpoint source, destination; /* of @connection */
} Fixture;

static T2pIpEndpoint
endpoint_of (int fd, gboolean is_peer)
{
  struct sockaddr_storage name;
  socklen_t length = sizeof name;
  T2pIpEndpoint endpoint;

  g_assert_cmpint (is_peer ? getpeername (fd, (struct sockaddr *) &name, &length)
                           : getsockname (fd, (struct sockaddr *) &name, &length),
                   ==, 0);
  g_assert_true (t2p_ip_endpoint_from_sockaddr ((struct sockaddr *) &name, length, &endpoint));
  return endpoint;
}

static int
bound_socket (const char *address, int type)
{
  T2pIpEndpoint endpoint = { .port = 0 };
  struct sockaddr_storage name;
  socklen_t length;
  int fd;

  g_assert_true (t2p_ip_address_parse (address, &endpoint.address));
  length = t2p_ip_endpoint_to_sockaddr (&endpoint, &name);
  fd = socket (endpoint.address.family, type | SOCK_CLOEXEC, 0);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &name, length), ==, 0);
  return fd;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  struct sockaddr_storage name;
  T2pIpEndpoint there;
  socklen_t length;

  f->owner = t2pn_socket_owner_new (&error);
  g_assert_no_error (error);
  f->listener = bound_socket (data, SOCK_STREAM);
  g_assert_cmpint (listen (f->listener, 1), ==, 0);
  there = endpoint_of (f->listener, FALSE);
  length = t2p_ip_endpoint_to_sockaddr (&there, &name);
  f->connection = bound_socket (data, SOCK_STREAM);
  g_assert_cmpint (connect (f->connection, (struct sockaddr *) &name, length), ==, 0);
  f->accepted = accept (f->listener, NULL, NULL);
  g_assert_cmpint (f->accepted, >=, 0);
  f->source = endpoint_of (f->connection, FALSE);
  f->destination = there;
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  close (f->listener);
  close (f->connection);
  close (f->accepted);
  t2pn_socket_owner_free (f->owner);
}

static T2pnOwnership
find (Fixture *f,
      guint8 protocol,
      const T2pIpEndpoint *source,
      const T2pIpEndpoint *destination)
{
  guint32 uid = G_MAXUINT32;
  T2pnOwnership ownership =
      t2pn_socket_owner_find (f->owner, protocol, source, destination, 1, &uid);

  g_assert_cmpuint (uid, ==, ownership == T2PN_OWNERSHIP_USER ? getuid () : G_MAXUINT32);
  return ownership;
}

static void
test_connection (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (find (f, IPPROTO_TCP, &f->source, &f->destination), ==, T2PN_OWNERSHIP_USER);
  g_assert_cmpint (find (f, IPPROTO_TCP, &f->source, &f->destination), ==, T2PN_OWNERSHIP_USER);
}

/* The kernel would answer with the listener. */
static void
test_listener_is_no_owner (Fixture *f, gconstpointer data)
{
  T2pIpEndpoint stranger = f->source;

  stranger.port ^= 1;
  g_assert_cmpint (find (f, IPPROTO_TCP, &f->destination, &stranger), ==,
                   T2PN_OWNERSHIP_UNKNOWN);
}

/* What is left of it belongs to nobody, and the kernel says "user 0" of it. */
static void
test_ended (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (shutdown (f->connection, SHUT_RDWR), ==, 0);
  g_assert_cmpint (shutdown (f->accepted, SHUT_RDWR), ==, 0);
  close (f->connection);
  f->connection = bound_socket (data, SOCK_STREAM);
  g_assert_cmpint (find (f, IPPROTO_TCP, &f->source, &f->destination), ==,
                   T2PN_OWNERSHIP_UNKNOWN);
}

static void
test_no_such_socket (Fixture *f, gconstpointer data)
{
  T2pIpEndpoint stranger = f->source;

  stranger.port ^= 1;
  g_assert_cmpint (find (f, IPPROTO_TCP, &stranger, &f->destination), ==,
                   T2PN_OWNERSHIP_UNKNOWN);
  g_assert_cmpint (find (f, IPPROTO_TCP, &f->source, &f->destination), ==, T2PN_OWNERSHIP_USER);
}

static void
test_forwarded (Fixture *f, gconstpointer data)
{
  T2pIpEndpoint foreign = f->source;

  g_assert_true (t2p_ip_address_parse (
      f->source.address.family == AF_INET ? "192.0.2.77" : "2001:db8::77", &foreign.address));
  g_assert_cmpint (find (f, IPPROTO_TCP, &foreign, &f->destination), ==, T2PN_OWNERSHIP_NOBODY);
}

static void
test_datagrams (Fixture *f, gconstpointer data)
{
  int fd = bound_socket (data, SOCK_DGRAM);
  T2pIpEndpoint source = endpoint_of (fd, FALSE);
  T2pIpEndpoint anywhere = f->destination;

  g_assert_true (t2p_ip_address_parse (
      f->source.address.family == AF_INET ? "192.0.2.77" : "2001:db8::77", &anywhere.address));
  g_assert_cmpint (find (f, IPPROTO_UDP, &source, &anywhere), ==, T2PN_OWNERSHIP_USER);
  close (fd);
  g_assert_cmpint (find (f, IPPROTO_UDP, &source, &anywhere), ==, T2PN_OWNERSHIP_UNKNOWN);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < 2; i++)
    {
      static const char *const addresses[] = { "127.0.0.1", "::1" };
      static const struct
      {
        const char *name;
        void (*func) (Fixture *f, gconstpointer data);
      } tests[] = {
        { "connection", test_connection },
        { "a-listener-is-no-owner", test_listener_is_no_owner },
        { "an-ended-connection-has-no-owner", test_ended },
        { "no-such-socket", test_no_such_socket },
        { "forwarded", test_forwarded },
        { "datagrams", test_datagrams },
      };

      for (guint j = 0; j < G_N_ELEMENTS (tests); j++)
        {
          g_autofree char *path =
              g_strdup_printf ("/socket-owner/%s/%s", i == 0 ? "ipv4" : "ipv6", tests[j].name);

          g_test_add (path, Fixture, addresses[i], set_up, tests[j].func, tear_down);
        }
    }
  return g_test_run ();
}
