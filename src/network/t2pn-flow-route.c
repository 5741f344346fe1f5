/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-flow-route.h"

#include "t2pn-netlink-message.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>

typedef struct
{
  T2pnRouteAnswer answer;
  gboolean is_answered;
} Lookup;

static int
valid_cb (struct nl_msg *message, void *user_data)
{
  Lookup *lookup = user_data;
  T2pnRoute route;

  if (!t2pn_netlink_parse_answer (nlmsg_hdr (message), &route, &lookup->answer.source))
    return NL_OK;
  lookup->answer.type = route.type;
  lookup->answer.table = route.table;
  lookup->answer.ifindex = route.ifindex;
  lookup->is_answered = TRUE;
  return NL_OK;
}

/* "Unreachable" is an answer, too. */
static int
error_cb (struct sockaddr_nl *kernel, struct nlmsgerr *message, void *user_data)
{
  Lookup *lookup = user_data;

  lookup->answer.errsv = -message->error;
  lookup->is_answered = TRUE;
  return NL_STOP;
}

static gboolean
fail (GError **error, const char *text)
{
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "could not ask the kernel for a route: %s",
               text);
  return FALSE;
}

static gboolean
is_verdict (int errsv)
{
  return errsv == 0 || errsv == ENETUNREACH || errsv == EHOSTUNREACH || errsv == EACCES ||
         errsv == EINVAL;
}

static gboolean
ask (struct nl_sock *socket, const T2pnFlow *flow, Lookup *lookup, GError **error)
{
  struct nl_msg *message = t2pn_netlink_build_question (flow);
  int result;

  nl_socket_modify_cb (socket, NL_CB_VALID, NL_CB_CUSTOM, valid_cb, lookup);
  nl_socket_modify_err_cb (socket, NL_CB_CUSTOM, error_cb, lookup);
  nl_socket_disable_auto_ack (socket);
  result = nl_send_auto (socket, message);
  nlmsg_free (message);
  if (result >= 0)
    result = nl_recvmsgs_default (socket);
  if (!lookup->is_answered)
    return fail (error, result < 0 ? nl_geterror (result) : "no answer");
  return is_verdict (lookup->answer.errsv) || fail (error, g_strerror (lookup->answer.errsv));
}

gboolean
t2pn_flow_route_ask (const T2pnFlow *flow, T2pnRouteAnswer *out_answer, GError **error)
{
  struct nl_sock *socket = nl_socket_alloc ();
  Lookup lookup = { 0 };
  gboolean ok = FALSE;
  int result;

  g_assert (socket != NULL); /* lint: out of memory, as GLib would */
  result = nl_connect (socket, NETLINK_ROUTE);
  if (result < 0)
    fail (error, nl_geterror (result));
  else
    ok = ask (socket, flow, &lookup, error);
  nl_socket_free (socket);
  if (ok)
    *out_answer = lookup.answer;
  return ok;
}
