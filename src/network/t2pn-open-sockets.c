/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-open-sockets.h"

#include "t2p-error.h"
#include "t2p-limits.h"

#include <errno.h>
#include <gio/gio.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <string.h>

#define BIT(state) (1u << (state))
#define CONNECTED                                                                              \
  (BIT (TCP_ESTABLISHED) | BIT (TCP_SYN_SENT) | BIT (TCP_FIN_WAIT1) | BIT (TCP_FIN_WAIT2) |    \
   BIT (TCP_CLOSE_WAIT))
/* Where somebody waits for others: of UDP, a socket that is not connected. */
#define WAITING_TCP BIT (TCP_LISTEN)
#define WAITING_UDP BIT (TCP_CLOSE)
#define N_PORTS 65536

/* Linux 5.7; the headers may be older. */
#define ATTRIBUTE_CGROUP 21

typedef struct
{
  guint8 protocol;
  GArray *sockets;
  guint8 *is_waiting; /* by port */
  int errno_of_last;
} Walk;

static T2pIpAddress
read_address (guint8 family, const __be32 *from)
{
  static const guint8 mapped[12] = { [10] = 0xff, [11] = 0xff };
  guint8 bytes[16];

  memcpy (bytes, from, sizeof bytes);
  if (family == AF_INET6 && memcmp (bytes, mapped, sizeof mapped) == 0)
    return t2p_ip_address_from_bytes (AF_INET, bytes + sizeof mapped);
  return t2p_ip_address_from_bytes (family, bytes);
}

static void
read_attributes (struct nlmsghdr *header, T2pnOpenSocket *entry)
{
  const gsize size = sizeof (struct inet_diag_msg);
  struct nlattr *mark = nlmsg_find_attr (header, size, INET_DIAG_MARK);
  struct nlattr *cgroup = nlmsg_find_attr (header, size, ATTRIBUTE_CGROUP);

  if (mark != NULL && nla_len (mark) >= 4)
    entry->mark = nla_get_u32 (mark);
  if (cgroup != NULL && nla_len (cgroup) >= 8)
    entry->cgroup = nla_get_u64 (cgroup);
}

static int
connected_cb (struct nl_msg *message, void *user_data)
{
  Walk *walk = user_data;
  struct nlmsghdr *header = nlmsg_hdr (message);
  struct inet_diag_msg said;
  T2pnOpenSocket entry;

  if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY || !nlmsg_valid_hdr (header, sizeof said) ||
      walk->sockets->len >= T2P_MAX_ENDED_SOCKETS)
    return NL_OK;
  memcpy (&said, nlmsg_data (header), sizeof said);
  memset (&entry, 0, sizeof entry);
  entry.family = said.idiag_family;
  entry.protocol = walk->protocol;
  entry.id = said.id;
  entry.remote.address = read_address (said.idiag_family, said.id.idiag_dst);
  entry.remote.port = g_ntohs (said.id.idiag_dport);
  entry.uid = said.idiag_uid;
  entry.is_bound = said.id.idiag_if != 0;
  entry.is_inbound = walk->is_waiting[g_ntohs (said.id.idiag_sport)];
  read_attributes (header, &entry);
  g_array_append_val (walk->sockets, entry);
  return NL_OK;
}

static int
waiting_cb (struct nl_msg *message, void *user_data)
{
  Walk *walk = user_data;
  struct nlmsghdr *header = nlmsg_hdr (message);
  struct inet_diag_msg said;

  if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY || !nlmsg_valid_hdr (header, sizeof said))
    return NL_OK;
  memcpy (&said, nlmsg_data (header), sizeof said);
  walk->is_waiting[g_ntohs (said.id.idiag_sport)] = TRUE;
  return NL_OK;
}

static struct nl_sock *
open_socket (GError **error)
{
  struct nl_sock *socket = nl_socket_alloc ();
  int result;

  g_assert (socket != NULL); /* lint: out of memory, as GLib would */
  result = nl_connect (socket, NETLINK_SOCK_DIAG);
  if (result >= 0)
    return socket;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "could not ask for sockets: %s",
               nl_geterror (result));
  nl_socket_free (socket);
  return NULL;
}

/* Both families; a kernel without IPv6 says that it knows no such. */
static gboolean
dump (Walk *walk, guint32 states, nl_recvmsg_msg_cb_t take, GError **error)
{
  const guint8 families[] = { AF_INET, AF_INET6 };
  int result = 0;

  for (guint i = 0; i < G_N_ELEMENTS (families); i++)
    {
      struct inet_diag_req_v2 request = {
        .sdiag_family = families[i],
        .sdiag_protocol = walk->protocol,
        .idiag_states = states,
      };
      struct nl_sock *socket = open_socket (error);

      if (socket == NULL)
        return FALSE;
      nl_socket_modify_cb (socket, NL_CB_VALID, NL_CB_CUSTOM, take, walk);
      result =
          nl_send_simple (socket, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &request, sizeof request);
      if (result >= 0)
        result = nl_recvmsgs_default (socket);
      nl_socket_free (socket);
      if (result >= 0 || families[i] == AF_INET6)
        continue;
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "could not list sockets: %s",
                   nl_geterror (result));
      return FALSE;
    }
  return TRUE;
}

GArray *
t2pn_open_sockets_list (GError **error)
{
  g_autoptr (GArray) sockets = g_array_new (FALSE, FALSE, sizeof (T2pnOpenSocket));
  const struct
  {
    guint8 protocol;
    guint32 waiting;
    guint32 connected;
  } kinds[] = {
    { IPPROTO_TCP, WAITING_TCP, CONNECTED },
    { IPPROTO_UDP, WAITING_UDP, BIT (TCP_ESTABLISHED) },
  };

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autofree guint8 *is_waiting = g_new0 (guint8, N_PORTS);
      Walk walk = { kinds[i].protocol, sockets, is_waiting, 0 };

      if (!dump (&walk, kinds[i].waiting, waiting_cb, error) ||
          !dump (&walk, kinds[i].connected, connected_cb, error))
        return NULL;
    }
  return g_steal_pointer (&sockets);
}

/* --- ending */

static int
error_cb (struct sockaddr_nl *sender, struct nlmsgerr *reply, void *user_data)
{
  ((Walk *) user_data)->errno_of_last = -reply->error;
  return NL_STOP;
}

/* 0 or an errno */
static int
end_one (struct nl_sock *netlink, Walk *walk, const T2pnOpenSocket *socket)
{
  struct nl_msg *message = nlmsg_alloc_simple (SOCK_DESTROY, 0);
  struct inet_diag_req_v2 request = {
    .sdiag_family = socket->family,
    .sdiag_protocol = socket->protocol,
    .idiag_states = G_MAXUINT32,
    .id = socket->id,
  };
  int result;

  if (message == NULL || nlmsg_append (message, &request, sizeof request, NLMSG_ALIGNTO) < 0)
    g_error ("out of memory"); /* lint: as every allocation of GLib would */
  walk->errno_of_last = 0;
  result = nl_send_sync (netlink, message);
  if (result >= 0)
    return 0;
  return walk->errno_of_last != 0 ? walk->errno_of_last : EIO;
}

gboolean
t2pn_open_sockets_end (const GArray *sockets, guint *out_n, GError **error)
{
  struct nl_sock *netlink = open_socket (error);
  Walk walk = { 0 };
  guint n = 0;
  int errsv = 0;

  if (netlink == NULL)
    return FALSE;
  nl_socket_modify_err_cb (netlink, NL_CB_CUSTOM, error_cb, &walk);
  for (guint i = 0; i < sockets->len && errsv != EOPNOTSUPP && errsv != EPERM; i++)
    {
      errsv = end_one (netlink, &walk, &g_array_index (sockets, T2pnOpenSocket, i));
      n += errsv == 0;
    }
  nl_socket_free (netlink);
  *out_n = n;
  if (errsv != EOPNOTSUPP && errsv != EPERM)
    return TRUE;
  g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED,
               "the kernel does not end the connections of others: %s", g_strerror (errsv));
  return FALSE;
}
