/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-route-lookup.h"

#include <errno.h>
#include <gio/gio.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

struct _T2pnRouteLookup
{
  struct nl_sock *socket;
  /* of the answer that is waited for */
  int ifindex;
  guint8 type;
  int errno_of_last;
};

static int
answered_cb (struct nl_msg *message, void *user_data)
{
  T2pnRouteLookup *self = user_data;
  struct nlmsghdr *header = nlmsg_hdr (message);
  struct nlattr *link;

  if (header->nlmsg_type != RTM_NEWROUTE || !nlmsg_valid_hdr (header, sizeof (struct rtmsg)))
    return NL_OK;
  self->type = ((const struct rtmsg *) nlmsg_data (header))->rtm_type;
  link = nlmsg_find_attr (header, sizeof (struct rtmsg), RTA_OIF);
  if (link != NULL && nla_len (link) >= 4)
    self->ifindex = (int) nla_get_u32 (link);
  return NL_OK;
}

static int
error_cb (struct sockaddr_nl *sender, struct nlmsgerr *reply, void *user_data)
{
  ((T2pnRouteLookup *) user_data)->errno_of_last = -reply->error;
  return NL_STOP;
}

/* Without an acknowledgement the answer, or the error, is the only message there is. */
T2pnRouteLookup *
t2pn_route_lookup_new (GError **error)
{
  g_autoptr (T2pnRouteLookup) self = g_new0 (T2pnRouteLookup, 1);
  int result;

  self->socket = nl_socket_alloc ();
  g_assert (self->socket != NULL); /* lint: out of memory, as GLib would */
  nl_socket_disable_auto_ack (self->socket);
  nl_socket_modify_cb (self->socket, NL_CB_VALID, NL_CB_CUSTOM, answered_cb, self);
  nl_socket_modify_err_cb (self->socket, NL_CB_CUSTOM, error_cb, self);
  result = nl_connect (self->socket, NETLINK_ROUTE);
  if (result >= 0)
    return g_steal_pointer (&self);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "could not open a rtnetlink socket: %s",
               nl_geterror (result));
  return NULL;
}

void
t2pn_route_lookup_free (T2pnRouteLookup *self)
{
  if (self == NULL)
    return;
  nl_socket_free (self->socket);
  g_free (self);
}

static struct nl_msg *
make_question (const T2pIpAddress *destination, guint32 uid, guint32 mark)
{
  struct rtmsg header = {
    .rtm_family = destination->family,
    .rtm_dst_len = (unsigned char) t2p_ip_address_bits (destination),
  };
  struct nl_msg *message = nlmsg_alloc_simple (RTM_GETROUTE, 0);

  if (message == NULL || nlmsg_append (message, &header, sizeof header, NLMSG_ALIGNTO) < 0 ||
      nla_put (message, RTA_DST, (int) t2p_ip_address_bits (destination) / 8,
               destination->bytes) < 0 ||
      nla_put_u32 (message, RTA_UID, uid) < 0 || nla_put_u32 (message, RTA_MARK, mark) < 0)
    g_error ("out of memory"); /* lint: as every allocation of GLib would */
  return message;
}

T2pnWay
t2pn_route_lookup_ask (T2pnRouteLookup *self,
                       const T2pIpAddress *destination,
                       guint32 uid,
                       guint32 mark,
                       int *out_ifindex)
{
  struct nl_msg *question = make_question (destination, uid, mark);
  int result;

  self->ifindex = 0;
  self->type = RTN_UNSPEC;
  self->errno_of_last = 0;
  result = nl_send_auto (self->socket, question);
  nlmsg_free (question);
  if (result >= 0)
    (void) nl_recvmsgs_default (self->socket);
  /* IPv4 says it by an error, IPv6 by the type of the route. */
  if (self->errno_of_last == EHOSTUNREACH || self->type == RTN_UNREACHABLE)
    return T2PN_WAY_UNREACHABLE;
  if (self->ifindex == 0)
    return T2PN_WAY_NONE;
  *out_ifindex = self->ifindex;
  return T2PN_WAY_LINK;
}
