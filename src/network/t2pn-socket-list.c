/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-socket-list.h"

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <string.h>
#include <sys/un.h>

#define BIT(state) (1u << (state))

typedef struct
{
  GArray *entries;  /* of an inet dump */
  const char *path; /* of a unix dump */
  guint32 inode;
} Dump;

/* --- messages */

static struct nl_sock *
open_socket (GError **error)
{
  struct nl_sock *socket = nl_socket_alloc ();
  int result;

  g_assert (socket != NULL); /* lint: out of memory, as GLib would */
  result = nl_connect (socket, NETLINK_SOCK_DIAG);
  if (result >= 0)
    return socket;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
               "could not open a socket to list sockets: %s", nl_geterror (result));
  nl_socket_free (socket);
  return NULL;
}

static gboolean
run_dump (
    gconstpointer request, gsize size, nl_recvmsg_msg_cb_t take, Dump *dump, GError **error)
{
  struct nl_sock *socket = open_socket (error);
  struct nl_msg *message;
  int result;

  if (socket == NULL)
    return FALSE;
  message = nlmsg_alloc_simple (SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
  if (message == NULL || nlmsg_append (message, (void *) request, size, NLMSG_ALIGNTO) < 0)
    g_error ("out of memory"); /* lint: as every allocation of GLib would */
  nl_socket_modify_cb (socket, NL_CB_VALID, NL_CB_CUSTOM, take, dump);
  result = nl_send_auto (socket, message);
  nlmsg_free (message);
  if (result >= 0)
    result = nl_recvmsgs_default (socket);
  nl_socket_free (socket);
  if (result >= 0)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "could not list sockets: %s",
               nl_geterror (result));
  return FALSE;
}

/* --- TCP and UDP */

/* A socket of IPv6 that speaks IPv4 shows it in disguise. */
static T2pIpEndpoint
read_endpoint (int family, const __be32 *bytes, __be16 port)
{
  static const guint8 mapped[12] = { [10] = 0xff, [11] = 0xff };
  T2pIpEndpoint endpoint;
  guint8 copy[16];

  memcpy (copy, bytes, sizeof copy);
  memset (&endpoint, 0, sizeof endpoint);
  if (family == AF_INET6 && memcmp (copy, mapped, sizeof mapped) == 0)
    endpoint.address = t2p_ip_address_from_bytes (AF_INET, copy + sizeof mapped);
  else
    endpoint.address = t2p_ip_address_from_bytes (family, copy);
  endpoint.port = g_ntohs (port);
  return endpoint;
}

static gboolean
is_v6_only (struct nlmsghdr *header)
{
  struct nlattr *attribute =
      nlmsg_find_attr (header, sizeof (struct inet_diag_msg), INET_DIAG_SKV6ONLY);

  return attribute != NULL && nla_len (attribute) >= 1 && nla_get_u8 (attribute) != 0;
}

static int
take_inet_cb (struct nl_msg *message, void *user_data)
{
  Dump *dump = user_data;
  struct nlmsghdr *header = nlmsg_hdr (message);
  struct inet_diag_msg said;
  T2pnSocketEntry entry;

  if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY || !nlmsg_valid_hdr (header, sizeof said))
    return NL_OK;
  memcpy (&said, nlmsg_data (header), sizeof said);
  memset (&entry, 0, sizeof entry);
  entry.local = read_endpoint (said.idiag_family, said.id.idiag_src, said.id.idiag_sport);
  entry.remote = read_endpoint (said.idiag_family, said.id.idiag_dst, said.id.idiag_dport);
  entry.uid = said.idiag_uid;
  entry.inode = said.idiag_inode;
  entry.is_v6_only = is_v6_only (header);
  g_array_append_val (dump->entries, entry);
  return NL_OK;
}

static GArray *
list (guint8 protocol, guint32 states, GError **error)
{
  g_autoptr (GArray) entries = g_array_new (FALSE, FALSE, sizeof (T2pnSocketEntry));
  Dump dump = { .entries = entries };
  const guint8 families[] = { AF_INET, AF_INET6 };

  for (guint i = 0; i < G_N_ELEMENTS (families); i++)
    {
      struct inet_diag_req_v2 request;

      memset (&request, 0, sizeof request);
      request.sdiag_family = families[i];
      request.sdiag_protocol = protocol;
      request.idiag_states = states;
      if (!run_dump (&request, sizeof request, take_inet_cb, &dump, error))
        return NULL;
    }
  return g_steal_pointer (&entries);
}

GArray *
t2pn_socket_list_listeners (GError **error)
{
  return list (IPPROTO_TCP, BIT (TCP_LISTEN), error);
}

GArray *
t2pn_socket_list_connected (guint8 protocol, GError **error)
{
  return list (protocol, BIT (TCP_ESTABLISHED), error);
}

/* --- unix */

static int
take_unix_cb (struct nl_msg *message, void *user_data)
{
  Dump *dump = user_data;
  struct nlmsghdr *header = nlmsg_hdr (message);
  struct unix_diag_msg said;
  struct nlattr *name;

  if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY || !nlmsg_valid_hdr (header, sizeof said))
    return NL_OK;
  memcpy (&said, nlmsg_data (header), sizeof said);
  name = nlmsg_find_attr (header, sizeof said, UNIX_DIAG_NAME);
  if (name != NULL && (gsize) nla_len (name) >= strlen (dump->path) &&
      memcmp (nla_data (name), dump->path, strlen (dump->path)) == 0 &&
      ((gsize) nla_len (name) == strlen (dump->path) ||
       ((const char *) nla_data (name))[strlen (dump->path)] == '\0'))
    dump->inode = said.udiag_ino;
  return NL_OK;
}

guint32
t2pn_socket_list_find_unix (const char *path, GError **error)
{
  Dump dump = { .path = path };
  struct unix_diag_req request;

  memset (&request, 0, sizeof request);
  request.sdiag_family = AF_UNIX;
  request.udiag_states = BIT (TCP_LISTEN);
  request.udiag_show = UDIAG_SHOW_NAME;
  return run_dump (&request, sizeof request, take_unix_cb, &dump, error) ? dump.inode : 0;
}
