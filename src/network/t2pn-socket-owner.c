/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * NETLINK_SOCK_DIAG finds one socket by its addresses in its own hash table, as it would for a
 * packet: so what it costs does not grow with the number of sockets. That is also why its
 * answer has to be looked at: where no connection fits, it gives the listener of that port, and
 * a connection that has ended belongs to nobody.
 *
 * For UDP it takes source and destination the other way round, for historical reasons: the
 * socket is looked for that would receive from our source. */
#include "config.h"

#include "t2pn-socket-owner.h"

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <string.h>
#include <unistd.h>

struct _T2pnSocketOwner
{
  struct nl_sock *socket;
  /* of the answer that is waited for */
  gboolean is_answered;
  struct inet_diag_msg answer;
};

static int
answered_cb (struct nl_msg *message, void *user_data)
{
  T2pnSocketOwner *self = user_data;
  struct nlmsghdr *header = nlmsg_hdr (message);

  if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
      !nlmsg_valid_hdr (header, sizeof self->answer))
    return NL_OK;
  memcpy (&self->answer, nlmsg_data (header), sizeof self->answer);
  self->is_answered = TRUE;
  return NL_OK;
}

/* Without an acknowledgement the answer, or the error, is the only message there is. */
T2pnSocketOwner *
t2pn_socket_owner_new (GError **error)
{
  g_autoptr (T2pnSocketOwner) self = g_new0 (T2pnSocketOwner, 1);
  int result;

  self->socket = nl_socket_alloc ();
  g_assert (self->socket != NULL); /* lint: out of memory, as GLib would */
  nl_socket_disable_auto_ack (self->socket);
  nl_socket_modify_cb (self->socket, NL_CB_VALID, NL_CB_CUSTOM, answered_cb, self);
  result = nl_connect (self->socket, NETLINK_SOCK_DIAG);
  if (result >= 0)
    result = nl_socket_set_nonblocking (self->socket);
  if (result < 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                   "could not open a socket to ask for owners of sockets: %s",
                   nl_geterror (result));
      return NULL;
    }
  return g_steal_pointer (&self);
}

void
t2pn_socket_owner_free (T2pnSocketOwner *self)
{
  nl_socket_free (self->socket);
  g_free (self);
}

static void
make_request (struct inet_diag_req_v2 *request,
              guint8 protocol,
              const T2pIpEndpoint *source,
              const T2pIpEndpoint *destination,
              int ifindex)
{
  memset (request, 0, sizeof *request);
  request->sdiag_family = source->address.family;
  request->sdiag_protocol = protocol;
  request->idiag_states = G_MAXUINT32;
  request->id.idiag_sport = g_htons (source->port);
  request->id.idiag_dport = g_htons (destination->port);
  memcpy (request->id.idiag_src, source->address.bytes, sizeof source->address.bytes);
  memcpy (request->id.idiag_dst, destination->address.bytes, sizeof destination->address.bytes);
  request->id.idiag_if = (guint32) ifindex;
  request->id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  request->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
}

static gboolean
ask (T2pnSocketOwner *self, struct inet_diag_req_v2 *request)
{
  struct nl_msg *message = nlmsg_alloc_simple (SOCK_DIAG_BY_FAMILY, 0);
  int result;

  if (message == NULL || nlmsg_append (message, request, sizeof *request, NLMSG_ALIGNTO) < 0)
    g_error ("out of memory"); /* lint: as every allocation of GLib would */
  self->is_answered = FALSE;
  result = nl_send_auto (self->socket, message);
  nlmsg_free (message);
  if (result >= 0)
    result = nl_recvmsgs_default (self->socket);
  return result >= 0 && self->is_answered;
}

static gboolean
find_connection (T2pnSocketOwner *self,
                 const T2pIpEndpoint *source,
                 const T2pIpEndpoint *destination,
                 int ifindex)
{
  struct inet_diag_req_v2 request;

  make_request (&request, IPPROTO_TCP, source, destination, ifindex);
  return ask (self, &request) && self->answer.idiag_state != TCP_LISTEN &&
         self->answer.idiag_state != TCP_TIME_WAIT &&
         self->answer.id.idiag_dport == request.id.idiag_dport;
}

static gboolean
find_datagrams (T2pnSocketOwner *self,
                const T2pIpEndpoint *source,
                const T2pIpEndpoint *destination,
                int ifindex)
{
  struct inet_diag_req_v2 request;

  make_request (&request, IPPROTO_UDP, destination, source, ifindex);
  return ask (self, &request);
}

static gboolean
is_local (const T2pIpAddress *address)
{
  const T2pIpEndpoint endpoint = { *address, 0 };
  struct sockaddr_storage name;
  socklen_t length = t2p_ip_endpoint_to_sockaddr (&endpoint, &name);
  int fd = socket (address->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  gboolean can_bind;

  if (fd < 0)
    return TRUE;
  can_bind = bind (fd, (const struct sockaddr *) &name, length) == 0;
  close (fd);
  return can_bind;
}

/**
 * t2pn_socket_owner_find:
 * @protocol: IPPROTO_TCP or IPPROTO_UDP
 * @source: of packets that a socket of this machine has sent
 * @destination: of them
 * @ifindex: the link by which they left; sockets that are bound to it are found, too
 * @out_uid: (out): whose it is, when the answer is %T2PN_OWNERSHIP_USER
 */
T2pnOwnership
t2pn_socket_owner_find (T2pnSocketOwner *self,
                        guint8 protocol,
                        const T2pIpEndpoint *source,
                        const T2pIpEndpoint *destination,
                        int ifindex,
                        guint32 *out_uid)
{
  gboolean is_found;

  if (source->address.family != destination->address.family ||
      source->address.family == AF_UNSPEC)
    return T2PN_OWNERSHIP_UNKNOWN;
  is_found = protocol == IPPROTO_TCP ? find_connection (self, source, destination, ifindex)
                                     : find_datagrams (self, source, destination, ifindex);
  if (!is_found)
    return is_local (&source->address) ? T2PN_OWNERSHIP_UNKNOWN : T2PN_OWNERSHIP_NOBODY;
  *out_uid = self->answer.idiag_uid;
  return T2PN_OWNERSHIP_USER;
}

guint32
t2pn_socket_owner_get_inode (const T2pnSocketOwner *self)
{
  return self->answer.idiag_inode;
}
