/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-netlink-dump.h"

#include "t2pn-claims.h"
#include "t2pn-netlink-message.h"

#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <sys/socket.h>

/* Older headers lack it; kernels have it from 4.20. */
#ifndef NETLINK_GET_STRICT_CHK
#define NETLINK_GET_STRICT_CHK 12
#endif

/* The kernel says when a table changed under a dump; on a busy machine that may go on for ever.
 */
#define MAX_ATTEMPTS 10

struct _T2pnNetlinkDump
{
  struct nl_sock *socket;
};

typedef gboolean (*ParseFunc) (struct nlmsghdr *header, gpointer out_element);

typedef struct
{
  GArray *elements;
  int type;
  ParseFunc parse;
  guint32 table; /* of routes: 0 for all */
} DumpContext;

/* --- what NetworkManager has installed for us shows as ours */

static gboolean
parse_route (struct nlmsghdr *header, gpointer out_element)
{
  if (!t2pn_netlink_parse_route (header, out_element))
    return FALSE;
  t2pn_claims_tag_route (out_element);
  return TRUE;
}

static gboolean
parse_rule (struct nlmsghdr *header, gpointer out_element)
{
  if (!t2pn_netlink_parse_rule (header, out_element))
    return FALSE;
  t2pn_claims_tag_rule (out_element);
  return TRUE;
}

typedef struct
{
  struct rtmsg info;
  struct nlattr attribute;
  guint32 table;
} TableRequest;

T2pnNetlinkDump *
t2pn_netlink_dump_new (GError **error)
{
  g_autoptr (T2pnNetlinkDump) dump = g_new0 (T2pnNetlinkDump, 1);
  int result;

  dump->socket = nl_socket_alloc ();
  g_assert (dump->socket != NULL); /* lint: out of memory, as GLib would */
  result = nl_connect (dump->socket, NETLINK_ROUTE);
  if (result < 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                   "could not open a rtnetlink socket: %s", nl_geterror (result));
      return NULL;
    }
  return g_steal_pointer (&dump);
}

void
t2pn_netlink_dump_free (T2pnNetlinkDump *dump)
{
  if (dump == NULL)
    return;
  nl_socket_free (dump->socket);
  g_free (dump);
}

static int
valid_cb (struct nl_msg *message, void *user_data)
{
  DumpContext *context = user_data;
  struct nlmsghdr *header = nlmsg_hdr (message);
  union
  {
    T2pnLink link;
    T2pnAddress address;
    T2pnRoute route;
    T2pnRule rule;
  } element;

  if (header->nlmsg_type == context->type && context->parse (header, &element) &&
      (context->table == 0 || element.route.table == context->table))
    g_array_append_vals (context->elements, &element, 1);
  return NL_OK;
}

static int
run_once (T2pnNetlinkDump *dump, int request, const void *header, gsize bytes)
{
  int result = nl_send_simple (dump->socket, request, NLM_F_DUMP, (void *) header, bytes);

  if (result < 0)
    return result;
  return nl_recvmsgs_default (dump->socket);
}

static gboolean
run (T2pnNetlinkDump *dump,
     int request,
     const void *header,
     gsize bytes,
     DumpContext *context,
     GError **error)
{
  guint before = context->elements->len;
  int result = -NLE_DUMP_INTR;

  nl_socket_modify_cb (dump->socket, NL_CB_VALID, NL_CB_CUSTOM, valid_cb, context);
  for (guint i = 0; i < MAX_ATTEMPTS && result == -NLE_DUMP_INTR; i++)
    {
      g_array_set_size (context->elements, before);
      result = run_once (dump, request, header, bytes);
    }
  if (result >= 0 || (context->table != 0 && result == -NLE_OBJ_NOTFOUND))
    return TRUE; /* a table that was never used is empty */
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "could not list the machine's %s: %s",
               request == RTM_GETLINK    ? "links"
               : request == RTM_GETADDR  ? "addresses"
               : request == RTM_GETROUTE ? "routes"
                                         : "routing rules",
               nl_geterror (result));
  return FALSE;
}

gboolean
t2pn_netlink_dump_links (T2pnNetlinkDump *dump, GArray *links, GError **error)
{
  struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
  DumpContext context = { links, RTM_NEWLINK, (ParseFunc) t2pn_netlink_parse_link };

  return run (dump, RTM_GETLINK, &header, sizeof header, &context, error);
}

gboolean
t2pn_netlink_dump_addresses (T2pnNetlinkDump *dump, GArray *addresses, GError **error)
{
  struct ifaddrmsg header = { .ifa_family = AF_UNSPEC };
  DumpContext context = { addresses, RTM_NEWADDR, (ParseFunc) t2pn_netlink_parse_address };

  return run (dump, RTM_GETADDR, &header, sizeof header, &context, error);
}

gboolean
t2pn_netlink_dump_routes (T2pnNetlinkDump *dump, int family, GArray *routes, GError **error)
{
  struct rtmsg header = { .rtm_family = family };
  DumpContext context = { routes, RTM_NEWROUTE, parse_route };

  return run (dump, RTM_GETROUTE, &header, sizeof header, &context, error);
}

gboolean
t2pn_netlink_dump_table (
    T2pnNetlinkDump *dump, int family, guint32 table, GArray *routes, GError **error)
{
  TableRequest request = {
    .info = { .rtm_family = family },
    .attribute = { .nla_len = sizeof request.attribute + sizeof table, .nla_type = RTA_TABLE },
    .table = table,
  };
  DumpContext context = { routes, RTM_NEWROUTE, parse_route, table };
  int is_strict = 1;

  /* Without it the kernel lists all tables, and we leave out the others. */
  (void) setsockopt (nl_socket_get_fd (dump->socket), SOL_NETLINK, NETLINK_GET_STRICT_CHK,
                     &is_strict, sizeof is_strict);
  return run (dump, RTM_GETROUTE, &request, sizeof request, &context, error);
}

gboolean
t2pn_netlink_dump_rules (T2pnNetlinkDump *dump, int family, GArray *rules, GError **error)
{
  struct rtmsg header = { .rtm_family = family }; /* fib_rule_hdr has the same layout */
  DumpContext context = { rules, RTM_NEWRULE, parse_rule };

  return run (dump, RTM_GETRULE, &header, sizeof header, &context, error);
}
