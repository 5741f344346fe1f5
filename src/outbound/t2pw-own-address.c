/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-own-address.h"

#include <sys/socket.h>
#include <unistd.h>

/* To an address of its own a machine speaks from that very address. */
gboolean
t2pw_is_own_address (const T2pIpAddress *address)
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
