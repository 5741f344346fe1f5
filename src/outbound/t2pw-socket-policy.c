/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Our own sockets must not come back out of the tunnel. A mark does it for all destinations
 * alike. A link that they are bound to (SO_BINDTODEVICE) does not: the kernel then sends what
 * is for this machine out of that link, where nobody answers. So a socket for an address of
 * this machine is not bound; it needs no protection either, since the table `local` is asked
 * first. The first bind needs no privilege, a second one would: each socket is bound once,
 * before it connects. */
#include "config.h"

#include "t2pw-socket-policy.h"

#include "t2p-foreign-address.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* After it the policy may be forgotten. */
void
t2pw_socket_policy_clear (T2pwSocketPolicy *policy)
{
  g_clear_pointer (&policy->bind_links, g_array_unref);
}

/* @links: (transfer full) (nullable); for sockets that are made from now on. */
void
t2pw_socket_policy_take_bind_links (T2pwSocketPolicy *policy, GArray *links)
{
  t2pw_socket_policy_clear (policy);
  policy->bind_links = links;
}

/* To an address of its own a machine speaks from that very address. Asked of the kernel, since
 * addresses come and go; nothing is sent. */
static gboolean
is_own_address (const T2pIpAddress *address)
{
  const T2pIpEndpoint peer = { *address, 9 };
  struct sockaddr_storage name;
  socklen_t length = t2p_ip_endpoint_to_sockaddr (&peer, &name);
  int fd = socket (address->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  T2pIpEndpoint source;
  gboolean is_own;

  if (fd < 0)
    return FALSE;
  is_own = connect (fd, (const struct sockaddr *) &name, length) == 0;
  length = sizeof name;
  is_own = is_own && getsockname (fd, (struct sockaddr *) &name, &length) == 0 &&
           t2p_ip_endpoint_from_sockaddr ((const struct sockaddr *) &name, length, &source) &&
           t2p_ip_address_equal (&source.address, address);
  close (fd);
  return is_own;
}

static const T2pwBindLink *
find_link (const GArray *links, const T2pIpAddress *destination)
{
  const T2pwBindLink *best = NULL;

  for (guint i = 0; i < links->len; i++)
    {
      const T2pwBindLink *link = &g_array_index (links, T2pwBindLink, i);

      if (t2p_ip_prefix_contains (&link->prefix, destination) &&
          (best == NULL || link->prefix.length > best->prefix.length))
        best = link;
    }
  return best;
}

static gboolean
bind_to_link (const T2pwSocketPolicy *policy, int fd, const T2pIpAddress *destination)
{
  const T2pwBindLink *link;

  if (!t2p_ip_address_is_unspecified (destination) &&
      (t2p_ip_address_is_loopback (destination) || is_own_address (destination)))
    return TRUE;
  link = find_link (policy->bind_links, destination);
  if (link == NULL)
    {
      errno = ENETUNREACH; /* unbound it would go into the tunnel */
      return FALSE;
    }
  return setsockopt (fd, SOL_SOCKET, SO_BINDTODEVICE, link->name, sizeof link->name) == 0;
}

/**
 * t2pw_socket_policy_apply:
 * @fd: a socket that is not connected yet
 * @destination: (nullable): whom it is for; unspecified: for all of that family; %NULL: nobody
 *
 * Marks @fd and binds it to a link. That the mark is refused (no CAP_NET_RAW, Linux before
 * 5.17) is noted in the policy and is no failure: without a capture that needs the mark, the
 * socket works all the same.
 *
 * Returns: %FALSE, with errno, when no link leads there or it cannot be bound to
 */
gboolean
t2pw_socket_policy_apply (T2pwSocketPolicy *policy, int fd, const T2pIpAddress *destination)
{
  if (policy->mark != 0 &&
      setsockopt (fd, SOL_SOCKET, SO_MARK, &policy->mark, sizeof policy->mark) < 0)
    policy->mark_was_refused = TRUE;
  return policy->bind_links == NULL || destination == NULL ||
         bind_to_link (policy, fd, destination);
}

/**
 * t2pw_socket_policy_allows:
 * @destination: of a connection, or of datagrams, that go to no proxy
 */
gboolean
t2pw_socket_policy_allows (const T2pwSocketPolicy *policy, const T2pIpAddress *destination)
{
  return !policy->refuses_foreign || !t2p_ip_address_is_foreign (destination);
}

void
t2pw_socket_policy_note_shortage (T2pwSocketPolicy *policy, const char *message)
{
  policy->n_shortages++;
  if (policy->ran_short != NULL)
    policy->ran_short (message, policy->user_data);
}
