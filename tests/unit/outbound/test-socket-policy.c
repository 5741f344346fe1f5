/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-upstream-socket.h"

#include <errno.h>
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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/socket-policy/bound-to-the-link-of-the-longest-prefix", test_bind);
  g_test_add_func ("/socket-policy/not-bound-towards-this-machine", test_own);
  g_test_add_func ("/socket-policy/no-link-no-socket", test_no_link);
  return g_test_run ();
}
