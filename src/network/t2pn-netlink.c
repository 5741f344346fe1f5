/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-netlink.h"

#include "t2p-error.h"
#include "t2pn-netlink-message.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/netlink.h>

#define TRANSMIT_QUEUE_PACKETS 1000
#define RP_FILTER_LOOSE 2

#define CREATE_NEW (NLM_F_CREATE | NLM_F_EXCL)

struct _T2pnNetlink
{
  struct nl_sock *socket;
  int errno_of_last; /* libnl's own codes fold several of the kernel's into one */
};

static int
error_cb (struct sockaddr_nl *sender, struct nlmsgerr *reply, void *user_data)
{
  T2pnNetlink *netlink = user_data;

  netlink->errno_of_last = -reply->error;
  return NL_STOP;
}

T2pnNetlink *
t2pn_netlink_new (GError **error)
{
  g_autoptr (T2pnNetlink) netlink = g_new0 (T2pnNetlink, 1);
  int result;

  netlink->socket = nl_socket_alloc ();
  g_assert (netlink->socket != NULL); /* lint: out of memory, as GLib would */
  nl_socket_modify_err_cb (netlink->socket, NL_CB_CUSTOM, error_cb, netlink);
  result = nl_connect (netlink->socket, NETLINK_ROUTE);
  if (result < 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                   "could not open a rtnetlink socket: %s", nl_geterror (result));
      return NULL;
    }
  return g_steal_pointer (&netlink);
}

void
t2pn_netlink_free (T2pnNetlink *netlink)
{
  if (netlink == NULL)
    return;
  nl_socket_free (netlink->socket);
  g_free (netlink);
}

/* Takes the message. 0, or the kernel's errno. */
static int
send_message (T2pnNetlink *netlink, struct nl_msg *message)
{
  int result;

  netlink->errno_of_last = 0;
  result = nl_send_sync (netlink->socket, message);
  if (result >= 0)
    return 0;
  return netlink->errno_of_last != 0 ? netlink->errno_of_last : EIO;
}

static gboolean
fail (int errsv, int exists_code, const char *action, char *text, GError **error)
{
  if (errsv == EEXIST && exists_code >= 0)
    g_set_error (error, T2P_ERROR, exists_code, "%s %s exists already", action, text);
  else
    g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errsv), "could not %s %s: %s",
                 action, text, g_strerror (errsv));
  g_free (text);
  return FALSE;
}

/* Whether a request to delete found nothing: the object, or its link, is gone already. */
static gboolean
is_gone (int errsv)
{
  return errsv == ENOENT || errsv == ESRCH || errsv == ENODEV || errsv == EADDRNOTAVAIL ||
         errsv == EAFNOSUPPORT;
}

static char *
describe_route (const T2pnRoute *route)
{
  g_autofree char *text = t2pn_route_to_text (route, NULL);

  return g_strdup_printf ("route %s", text);
}

static char *
describe_rule (const T2pnRule *rule)
{
  g_autofree char *text = t2pn_rule_to_text (rule);

  return g_strdup_printf ("IPv%c rule %s", rule->family == AF_INET ? '4' : '6', text);
}

static char *
describe_address (const T2pnAddress *address)
{
  char text[T2P_IP_STRLEN];

  t2p_ip_address_format (&address->address, text);
  return g_strdup_printf ("address %s/%u", text, address->length);
}

gboolean
t2pn_netlink_add_route (T2pnNetlink *netlink, const T2pnRoute *route, GError **error)
{
  int errsv =
      send_message (netlink, t2pn_netlink_build_route (route, RTM_NEWROUTE, CREATE_NEW));

  if (errsv == 0)
    return TRUE;
  return fail (errsv, T2P_ERROR_ROUTE_CONFLICT, "add", describe_route (route), error);
}

gboolean
t2pn_netlink_replace_route (T2pnNetlink *netlink, const T2pnRoute *route, GError **error)
{
  int errsv =
      send_message (netlink, t2pn_netlink_build_route (route, RTM_NEWROUTE, NLM_F_REPLACE));

  if (errsv == 0)
    return TRUE;
  return fail (errsv, T2P_ERROR_ROUTE_CONFLICT, "replace", describe_route (route), error);
}

gboolean
t2pn_netlink_delete_route (T2pnNetlink *netlink, const T2pnRoute *route, GError **error)
{
  int errsv = send_message (netlink, t2pn_netlink_build_route (route, RTM_DELROUTE, 0));

  if (errsv == 0 || is_gone (errsv))
    return TRUE;
  return fail (errsv, -1, "delete", describe_route (route), error);
}

gboolean
t2pn_netlink_add_rule (T2pnNetlink *netlink, const T2pnRule *rule, GError **error)
{
  int errsv = send_message (netlink, t2pn_netlink_build_rule (rule, RTM_NEWRULE, CREATE_NEW));

  if (errsv == 0)
    return TRUE;
  return fail (errsv, T2P_ERROR_ROUTE_CONFLICT, "add", describe_rule (rule), error);
}

gboolean
t2pn_netlink_delete_rule (T2pnNetlink *netlink, const T2pnRule *rule, GError **error)
{
  int errsv = send_message (netlink, t2pn_netlink_build_rule (rule, RTM_DELRULE, 0));

  if (errsv == 0 || is_gone (errsv))
    return TRUE;
  return fail (errsv, -1, "delete", describe_rule (rule), error);
}

gboolean
t2pn_netlink_add_address (T2pnNetlink *netlink, const T2pnAddress *address, GError **error)
{
  int errsv =
      send_message (netlink, t2pn_netlink_build_address (address, RTM_NEWADDR, CREATE_NEW));

  if (errsv == 0)
    return TRUE;
  return fail (errsv, T2P_ERROR_ADDRESS_CONFLICT, "add", describe_address (address), error);
}

gboolean
t2pn_netlink_delete_address (T2pnNetlink *netlink, const T2pnAddress *address, GError **error)
{
  int errsv = send_message (netlink, t2pn_netlink_build_address (address, RTM_DELADDR, 0));

  if (errsv == 0 || is_gone (errsv))
    return TRUE;
  return fail (errsv, -1, "delete", describe_address (address), error);
}

/* --- the link */

static struct nl_msg *
start_link_message (int ifindex, guint flags, guint change)
{
  struct ifinfomsg info = {
    .ifi_family = AF_UNSPEC,
    .ifi_index = ifindex,
    .ifi_flags = flags,
    .ifi_change = change,
  };
  struct nl_msg *message = nlmsg_alloc_simple (RTM_NEWLINK, 0);

  if (message == NULL || nlmsg_append (message, &info, sizeof info, NLMSG_ALIGNTO) < 0)
    g_error ("out of memory"); /* lint: as every allocation of GLib would */
  return message;
}

/* IFLA_AF_SPEC → @family → IFLA_INET_CONF → {@attribute: @value}; IPv6 has one level less. */
static void
put_family_option (struct nl_msg *message, int family, int attribute, guint32 value)
{
  struct nlattr *spec = nla_nest_start (message, IFLA_AF_SPEC);
  struct nlattr *per_family = nla_nest_start (message, family);

  if (family == AF_INET)
    {
      struct nlattr *conf = nla_nest_start (message, IFLA_INET_CONF);

      nla_put_u32 (message, attribute, value);
      nla_nest_end (message, conf);
    }
  else
    nla_put_u8 (message, attribute, (guint8) value);
  nla_nest_end (message, per_family);
  nla_nest_end (message, spec);
}

static gboolean
fail_link (int errsv, int ifindex, GError **error)
{
  return fail (errsv, -1, "change", g_strdup_printf ("link %d", ifindex), error);
}

gboolean
t2pn_netlink_prepare_link (T2pnNetlink *netlink, int ifindex, guint32 mtu, GError **error)
{
  struct nl_msg *message = start_link_message (ifindex, 0, 0);
  int errsv;

  nla_put_u32 (message, IFLA_MTU, mtu);
  nla_put_u32 (message, IFLA_TXQLEN, TRANSMIT_QUEUE_PACKETS);
  put_family_option (message, AF_INET, IPV4_DEVCONF_RP_FILTER, RP_FILTER_LOOSE);
  errsv = send_message (netlink, message);
  if (errsv != 0)
    return fail_link (errsv, ifindex, error);
  message = start_link_message (ifindex, 0, 0);
  put_family_option (message, AF_INET6, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
  errsv = send_message (netlink, message);
  /* No IPv6 in this kernel, or on a link with so small an MTU: then nothing is generated
   * either. */
  if (errsv != 0 && errsv != EAFNOSUPPORT && errsv != EOPNOTSUPP && errsv != EINVAL)
    return fail_link (errsv, ifindex, error);
  return TRUE;
}

gboolean
t2pn_netlink_route_localnet (T2pnNetlink *netlink,
                             int ifindex,
                             gboolean is_allowed,
                             GError **error)
{
  struct nl_msg *message = start_link_message (ifindex, 0, 0);
  int errsv;

  put_family_option (message, AF_INET, IPV4_DEVCONF_ROUTE_LOCALNET, is_allowed);
  errsv = send_message (netlink, message);
  return errsv == 0 || (!is_allowed && is_gone (errsv)) || fail_link (errsv, ifindex, error);
}

gboolean
t2pn_netlink_set_link_up (T2pnNetlink *netlink, int ifindex, gboolean is_up, GError **error)
{
  int errsv = send_message (netlink, start_link_message (ifindex, is_up ? IFF_UP : 0, IFF_UP));

  if (errsv == 0 || (!is_up && is_gone (errsv)))
    return TRUE;
  return fail_link (errsv, ifindex, error);
}
