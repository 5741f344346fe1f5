/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-upstream-socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
add_link (GArray *links, const char *prefix, const char *name)
{
  T2pwBindLink link;

  memset (&link, 0, sizeof link);
  g_assert_true (t2p_ip_prefix_parse (prefix, &link.prefix, NULL));
  g_strlcpy (link.name, name, sizeof link.name);
  g_array_append_val (links, link);
}

static T2pwSocketPolicy
make_policy (void)
{
  T2pwSocketPolicy policy = { 0 };
  GArray *links = g_array_new (FALSE, FALSE, sizeof (T2pwBindLink));

  add_link (links, "0.0.0.0/0", "t2p-none");
  add_link (links, "192.0.2.0/24", "lo");
  t2pw_socket_policy_take_bind_links (&policy, links);
  return policy;
}

/* The link that a socket for @text is bound to, "" for none; or an errno in words. (transfer
 * full) */
static char *
link_of (T2pwSocketPolicy *policy, const char *text)
{
  T2pIpAddress destination;
  char name[IFNAMSIZ] = "";
  socklen_t length = sizeof name;
  int fd;

  g_assert_true (t2p_ip_address_parse (text, &destination));
  fd = t2pw_upstream_socket_new (policy, &destination);
  if (fd < 0)
    return g_strdup (g_strerror (errno));
  g_assert_cmpint (getsockopt (fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length), ==, 0);
  close (fd);
  return g_strndup (name, length);
}

static void
assert_link (T2pwSocketPolicy *policy, const char *destination, const char *expected)
{
  g_autofree char *found = link_of (policy, destination);

  g_assert_cmpstr (found, ==, expected);
}

static void
test_bind (void)
{
  T2pwSocketPolicy policy = make_policy ();

  assert_link (&policy, "192.0.2.7", "lo");
  assert_link (&policy, "198.51.100.7", g_strerror (ENODEV));
  t2pw_socket_policy_clear (&policy);
}

static void
test_own (void)
{
  T2pwSocketPolicy policy = make_policy ();

  assert_link (&policy, "127.0.0.1", "");
  assert_link (&policy, "127.9.9.9", "");
  t2pw_socket_policy_clear (&policy);
}

/* Unbound it would go into the tunnel. */
static void
test_no_link (void)
{
  T2pwSocketPolicy policy = make_policy ();

  assert_link (&policy, "2001:db8::7", g_strerror (ENETUNREACH));
  t2pw_socket_policy_take_bind_links (&policy,
                                      g_array_new (FALSE, FALSE, sizeof (T2pwBindLink)));
  assert_link (&policy, "192.0.2.7", g_strerror (ENETUNREACH));
  t2pw_socket_policy_take_bind_links (&policy, NULL);
  assert_link (&policy, "192.0.2.7", "");
}

/* The index of the link that @fd sends by; 0: the kernel chooses. Or -errno. */
static int
steered_to (const T2pwSocketPolicy *policy, int fd, const char *text)
{
  T2pIpAddress destination;
  gboolean is_v4;
  guint32 index = 0;
  socklen_t length = sizeof index;

  g_assert_true (t2p_ip_address_parse (text, &destination));
  is_v4 = destination.family == AF_INET;
  if (!t2pw_socket_policy_steer (policy, fd, &destination))
    return -errno;
  g_assert_cmpint (getsockopt (fd, is_v4 ? IPPROTO_IP : IPPROTO_IPV6,
                               is_v4 ? IP_UNICAST_IF : IPV6_UNICAST_IF, &index, &length),
                   ==, 0);
  return (int) ntohl (index);
}

static void
test_steer (void)
{
  T2pwSocketPolicy policy = make_policy ();
  const int lo = (int) if_nametoindex ("lo");
  int v4 = socket (AF_INET, SOCK_DGRAM, 0);
  int v6 = socket (AF_INET6, SOCK_DGRAM, 0);

  g_assert_cmpint (steered_to (&policy, v4, "192.0.2.7"), ==, lo);
  g_assert_cmpint (steered_to (&policy, v4, "198.51.100.7"), ==, -ENODEV);
  g_assert_cmpint (steered_to (&policy, v4, "127.0.0.1"), ==, 0);
  g_assert_cmpint (steered_to (&policy, v6, "2001:db8::7"), ==, -ENETUNREACH);
  add_link (policy.bind_links, "2001:db8::/32", "lo");
  g_assert_cmpint (steered_to (&policy, v6, "2001:db8::7"), ==, lo);
  g_assert_cmpint (steered_to (&policy, v6, "::1"), ==, 0);
  t2pw_socket_policy_clear (&policy);
  g_assert_cmpint (steered_to (&policy, v4, "198.51.100.7"), ==, 0);
  close (v4);
  close (v6);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/socket-policy/bound-to-the-link-of-the-longest-prefix", test_bind);
  g_test_add_func ("/socket-policy/not-bound-towards-this-machine", test_own);
  g_test_add_func ("/socket-policy/no-link-no-socket", test_no_link);
  g_test_add_func ("/socket-policy/one-that-is-for-many-is-steered", test_steer);
  return g_test_run ();
}
