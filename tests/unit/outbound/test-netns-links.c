/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* By which link our own sockets send, told by the kernel itself, in a network namespace of the
 * test's own. The route of last resort leads to a link that stands for the tunnel: nothing may
 * come there. */
#include "config.h"

#include "association-fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
must (const char *command)
{
  g_autoptr (GError) error = NULL;
  const char *argv[] = { "/bin/sh", "-ec", command, NULL };
  int status = -1;

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL, &status,
                &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
}

static void
make_machine (void)
{
  must ("ip link set lo up\n"
        "for i in up0 up1 up2 tun9; do\n"
        "  ip link add $i arp off type veth peer name $i-far\n"
        "  ip link set $i-far up; ip link set $i up\n"
        "done\n"
        "ip address add 192.0.2.7/24 dev up0\n"
        "ip address add 198.51.100.7/24 dev up1\n"
        "ip address add 192.0.2.9/24 dev up2\n"
        "ip address add 203.0.113.7/24 dev tun9\n"
        "ip route add default dev tun9\n");
}

static void
add_link (GArray *links, const char *prefix, const char *name)
{
  T2pwBindLink link;

  memset (&link, 0, sizeof link);
  g_assert_true (t2p_ip_prefix_parse (prefix, &link.prefix, NULL));
  g_strlcpy (link.name, name, sizeof link.name);
  g_array_append_val (links, link);
}

static GArray *
make_links (void)
{
  GArray *links = g_array_new (FALSE, FALSE, sizeof (T2pwBindLink));

  add_link (links, "0.0.0.0/0", "up0");
  add_link (links, "10.0.0.0/8", "up1");
  return links;
}

/* --- whatever leaves */

static int
open_sniffer (void)
{
  struct timeval patience = { .tv_sec = 5 };
  int fd = socket (AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons (ETH_P_ALL));

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), ==, 0);
  return fd;
}

/* "LINK DESTINATION" of the next UDP packet of IPv4 that leaves. (transfer full) */
static char *
next_packet (int sniffer)
{
  struct sockaddr_ll from = { 0 };
  socklen_t length = sizeof from;
  guint8 bytes[2048];
  char link[IFNAMSIZ];
  struct iphdr header;

  do
    {
      length = sizeof from;
      g_assert_cmpint (
          recvfrom (sniffer, bytes, sizeof bytes, 0, (struct sockaddr *) &from, &length), >, 0);
      memcpy (&header, bytes, sizeof header);
    }
  while (from.sll_pkttype != PACKET_OUTGOING || from.sll_protocol != htons (ETH_P_IP) ||
         header.protocol != IPPROTO_UDP);
  g_assert_nonnull (if_indextoname ((unsigned int) from.sll_ifindex, link));
  return g_strdup_printf ("%s %s", link, inet_ntoa ((struct in_addr){ header.daddr }));
}

static void
expect (int sniffer, const char *packet)
{
  g_autofree char *seen = next_packet (sniffer);

  g_assert_cmpstr (seen, ==, packet);
}

static gboolean
send_now (AssociationFixture *f, const char *address)
{
  T2pwDestination to = { .port = 4444 };

  g_assert_true (t2p_ip_address_parse (address, &to.address));
  return t2pw_association_send (f->association, &to, (const guint8 *) "x", 1, 0);
}

/* All in one turn, by one socket. */
static void
test_datagrams (AssociationFixture *f, gconstpointer data)
{
  int sniffer = open_sniffer ();

  association_fixture_make (f, "direct://", 0);
  t2pw_socket_policy_take_bind_links (&f->policy, make_links ());
  g_assert_true (association_fixture_open (f));
  g_assert_true (send_now (f, "100.64.0.1"));
  g_assert_true (send_now (f, "10.1.1.1"));
  g_assert_true (send_now (f, "10.1.1.2"));
  g_assert_true (send_now (f, "198.51.100.7"));
  g_assert_true (send_now (f, "100.64.0.2"));
  while (g_main_context_iteration (NULL, FALSE))
    ;
  expect (sniffer, "up0 100.64.0.1");
  expect (sniffer, "up1 10.1.1.1");
  expect (sniffer, "up1 10.1.1.2");
  expect (sniffer, "lo 198.51.100.7");
  expect (sniffer, "up0 100.64.0.2");
  close (sniffer);
  t2pw_socket_policy_clear (&f->policy);
}

/* Not by another one, either. */
static void
test_link_gone (AssociationFixture *f, gconstpointer data)
{
  int sniffer = open_sniffer ();

  association_fixture_make (f, "direct://", 0);
  t2pw_socket_policy_take_bind_links (&f->policy, make_links ());
  g_assert_true (association_fixture_open (f));
  must ("ip link set up1 name away");
  g_assert_false (send_now (f, "10.1.1.1"));
  g_assert_true (send_now (f, "100.64.0.1"));
  must ("ip link set away name up1");
  g_assert_true (send_now (f, "10.1.1.2"));
  while (g_main_context_iteration (NULL, FALSE))
    ;
  expect (sniffer, "up0 100.64.0.1");
  expect (sniffer, "up1 10.1.1.2");
  close (sniffer);
  t2pw_socket_policy_clear (&f->policy);
}

/* That a bound connection has a way is not said by a route that leads elsewhere. */
static void
test_has_route (AssociationFixture *f, gconstpointer data)
{
  struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons (4444) };
  T2pIpAddress destination;
  int fd;

  t2p_ip_address_parse ("100.64.0.1", &destination);
  peer.sin_addr.s_addr = inet_addr ("100.64.0.1");
  fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  t2pw_socket_policy_take_bind_links (&f->policy, make_links ());
  g_strlcpy (g_array_index (f->policy.bind_links, T2pwBindLink, 0).name, "up2", IFNAMSIZ);
  g_assert_true (t2pw_socket_policy_apply (&f->policy, fd, &destination));
  g_assert_cmpint (connect (fd, (struct sockaddr *) &peer, sizeof peer), ==, 0);
  g_assert_true (t2pw_upstream_socket_has_route (fd));
  must ("ip link set up2 down");
  g_assert_false (t2pw_upstream_socket_has_route (fd));
  must ("ip link del up2");
  g_assert_false (t2pw_upstream_socket_has_route (fd));
  close (fd);
  t2pw_socket_policy_clear (&f->policy);
}

#define ADD(name, func)                                                                        \
  g_test_add (name, AssociationFixture, NULL, association_fixture_set_up, func,                \
              association_fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (unshare (CLONE_NEWNET) != 0)
    {
      printf ("1..0 # SKIP needs root for a network namespace of its own\n");
      return 0;
    }
  make_machine ();
  ADD ("/netns/links/one-socket-sends-by-each-link", test_datagrams);
  ADD ("/netns/links/nothing-leaves-for-a-link-that-is-gone", test_link_gone);
  ADD ("/netns/links/a-bound-connection-has-no-way-by-others", test_has_route);
  return g_test_run ();
}
