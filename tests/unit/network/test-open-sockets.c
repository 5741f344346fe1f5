/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sockets of this process's own on loopback. To end some needs privileges: tests/lab. */
#include "config.h"

#include "t2pn-open-sockets.h"
#include "t2pn-route-lookup.h"

#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct
{
  int listener, client, server;
  guint16 port; /* of the listener */
} Pair;

static guint16
get_port (int fd)
{
  struct sockaddr_in address;
  socklen_t length = sizeof address;

  g_assert_cmpint (getsockname (fd, (struct sockaddr *) &address, &length), ==, 0);
  return g_ntohs (address.sin_port);
}

static void
set_up (Pair *pair, gconstpointer data)
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_addr.s_addr = g_htonl (INADDR_LOOPBACK) };

  pair->listener = socket (AF_INET, SOCK_STREAM, 0);
  pair->client = socket (AF_INET, SOCK_STREAM, 0);
  g_assert_cmpint (bind (pair->listener, (struct sockaddr *) &address, sizeof address), ==, 0);
  g_assert_cmpint (listen (pair->listener, 1), ==, 0);
  pair->port = get_port (pair->listener);
  address.sin_port = g_htons (pair->port);
  g_assert_cmpint (connect (pair->client, (struct sockaddr *) &address, sizeof address), ==, 0);
  pair->server = accept (pair->listener, NULL, NULL);
  g_assert_cmpint (pair->server, >=, 0);
}

static void
tear_down (Pair *pair, gconstpointer data)
{
  close (pair->client);
  close (pair->server);
  close (pair->listener);
}

/* Of the one whose own port is @local. */
static const T2pnOpenSocket *
find (const GArray *sockets, guint16 local)
{
  for (guint i = 0; i < sockets->len; i++)
    {
      const T2pnOpenSocket *socket = &g_array_index (sockets, T2pnOpenSocket, i);

      if (socket->protocol == IPPROTO_TCP && g_ntohs (socket->id.idiag_sport) == local &&
          t2p_ip_address_is_loopback (&socket->remote.address))
        return socket;
    }
  return NULL;
}

static void
test_list (Pair *pair, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) sockets = t2pn_open_sockets_list (&error);
  const T2pnOpenSocket *client;
  const T2pnOpenSocket *server;

  g_assert_no_error (error);
  client = find (sockets, get_port (pair->client));
  server = find (sockets, pair->port);
  g_assert_nonnull (client);
  g_assert_nonnull (server);
  g_assert_false (client->is_inbound);
  g_assert_true (server->is_inbound);
  g_assert_cmpuint (client->remote.port, ==, pair->port);
  g_assert_cmpuint (client->uid, ==, getuid ());
  g_assert_false (client->is_bound);
}

static void
test_lookup (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (T2pnRouteLookup) lookup = t2pn_route_lookup_new (&error);
  T2pIpAddress loopback;
  int ifindex = 0;

  g_assert_no_error (error);
  t2p_ip_address_parse ("127.0.0.1", &loopback);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_cmpint (t2pn_route_lookup_ask (lookup, &loopback, getuid (), 0, &ifindex), ==,
                       T2PN_WAY_LINK);
      g_assert_cmpint (ifindex, ==, (int) if_nametoindex ("lo"));
    }
}

static void
test_none_to_end (void)
{
  g_autoptr (GArray) none = g_array_new (FALSE, FALSE, sizeof (T2pnOpenSocket));
  g_autoptr (GError) error = NULL;
  guint n = 7;

  g_assert_true (t2pn_open_sockets_end (none, &n, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/open-sockets/inbound-and-outbound", Pair, NULL, set_up, test_list, tear_down);
  g_test_add_func ("/open-sockets/nothing-to-end", test_none_to_end);
  g_test_add_func ("/route-lookup/loopback", test_lookup);
  return g_test_run ();
}
