/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Our own sockets must not come back out of the tunnel. A mark does it for all destinations
 * alike. A link that they are bound to (SO_BINDTODEVICE) does not: the kernel then sends what
 * is for this machine out of that link, where nobody answers. So a socket for an address of
 * this machine is not bound; it needs no protection either, since the table `local` is asked
 * first. The first bind needs no privilege, a second one would: each socket is bound once,
 * before it connects.
 *
 * One that never connects is for many destinations, behind several links and on this machine,
 * by one address and port. It is not bound at all, but told the link before it sends
 * (IP_UNICAST_IF), which rules see like one that it is bound to. */
#include "config.h"

#include "t2pw-socket-policy.h"

#include "t2p-foreign-address.h"
#include "t2pw-own-address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

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

/* Which link what goes to @destination leaves by: *@out_link, NULL when the kernel chooses.
 * FALSE with errno: by none. */
static gboolean
choose_link (const T2pwSocketPolicy *policy,
             const T2pIpAddress *destination,
             const T2pwBindLink **out_link)
{
  *out_link = NULL;
  if (policy->bind_links == NULL || t2p_ip_address_is_loopback (destination) ||
      t2pw_is_own_address (destination))
    return TRUE;
  *out_link = find_link (policy->bind_links, destination);
  if (*out_link == NULL)
    errno = ENETUNREACH; /* by none it would go into the tunnel */
  return *out_link != NULL;
}

/**
 * t2pw_socket_policy_apply:
 * @fd: a socket that is not connected yet
 * @destination: (nullable): whom it is for; %NULL: many, or nobody
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
  const T2pwBindLink *link;

  if (policy->mark != 0 &&
      setsockopt (fd, SOL_SOCKET, SO_MARK, &policy->mark, sizeof policy->mark) < 0)
    policy->mark_was_refused = TRUE;
  if (destination == NULL)
    return TRUE;
  if (!choose_link (policy, destination, &link))
    return FALSE;
  return link == NULL ||
         setsockopt (fd, SOL_SOCKET, SO_BINDTODEVICE, link->name, sizeof link->name) == 0;
}

/**
 * t2pw_socket_policy_steer:
 * @fd: a socket that is for many destinations
 * @destination: the one that it sends to next
 *
 * Returns: %FALSE, with errno, when no link leads there: nothing may be sent then
 */
gboolean
t2pw_socket_policy_steer (const T2pwSocketPolicy *policy,
                          int fd,
                          const T2pIpAddress *destination)
{
  const gboolean is_v4 = destination->family == AF_INET;
  const T2pwBindLink *link;
  guint32 index = 0; /* of a link, in network order; 0: the kernel chooses */

  if (policy->bind_links == NULL)
    return TRUE;
  if (!choose_link (policy, destination, &link))
    return FALSE;
  if (link != NULL && (index = htonl (if_nametoindex (link->name))) == 0)
    return FALSE;
  return setsockopt (fd, is_v4 ? IPPROTO_IP : IPPROTO_IPV6,
                     is_v4 ? IP_UNICAST_IF : IPV6_UNICAST_IF, &index, sizeof index) == 0;
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
