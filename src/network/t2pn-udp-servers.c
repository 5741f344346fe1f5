/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * A UDP server that is bound to no address and answers with a plain sendto() looks to routing
 * like a program that asks something. What tells it apart is its port: NETLINK_SOCK_DIAG lists
 * sockets that are neither connected nor bound to an address or a link, and of those, ports
 * outside net.ipv4.ip_local_port_range were chosen by the program, because others know them.
 * Ports within it are given to whoever just asks; a server there (WireGuard's usual one) is not
 * told from him and its answers enter the tunnel, which is the safe side to err on.
 *
 * The price: what such a server asks from its own port (ntpd does, and peer to peer programs)
 * goes past the tunnel like its answers.
 *
 * The kernel tells nobody of new sockets, so that they are looked for every other second. */
#include "config.h"

#include "t2pn-udp-servers.h"

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <string.h>

#define INTERVAL_S 2
#define MAX_SERVERS 4096 /* of which rules are made for fewer */
#define RANGE_FILE "/proc/sys/net/ipv4/ip_local_port_range"
/* The kernel's own, where there is no /proc. */
#define USUAL_FIRST 32768
#define USUAL_LAST 60999

typedef struct
{
  const T2pnPortRange *ephemeral;
  GArray *servers;
} Listing;

static gboolean
is_wildcard (const __be32 address[4])
{
  return (address[0] | address[1] | address[2] | address[3]) == 0;
}

static void
add (Listing *listing, int family, const struct inet_diag_msg *socket)
{
  T2pnUdpServer server = { family, g_ntohs (socket->id.idiag_sport), socket->idiag_uid };

  if (listing->servers->len < MAX_SERVERS)
    g_array_append_val (listing->servers, server);
}

static gboolean
is_server (const Listing *listing, const struct inet_diag_msg *socket)
{
  guint port = g_ntohs (socket->id.idiag_sport);

  return port != 0 && socket->id.idiag_dport == 0 && socket->id.idiag_if == 0 &&
         is_wildcard (socket->id.idiag_src) &&
         (port < listing->ephemeral->first || port > listing->ephemeral->last);
}

static gboolean
is_for_ipv6_only (struct nlmsghdr *header)
{
  const struct nlattr *attribute =
      nlmsg_find_attr (header, sizeof (struct inet_diag_msg), INET_DIAG_SKV6ONLY);

  return attribute != NULL && nla_len (attribute) >= 1 && nla_get_u8 (attribute) != 0;
}

static int
socket_cb (struct nl_msg *message, void *user_data)
{
  Listing *listing = user_data;
  struct nlmsghdr *header = nlmsg_hdr (message);
  struct inet_diag_msg socket;

  if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY || !nlmsg_valid_hdr (header, sizeof socket))
    return NL_OK;
  memcpy (&socket, nlmsg_data (header), sizeof socket);
  if (!is_server (listing, &socket))
    return NL_OK;
  add (listing, socket.idiag_family, &socket);
  if (socket.idiag_family == AF_INET6 && !is_for_ipv6_only (header))
    add (listing, AF_INET, &socket);
  return NL_OK;
}

static int
list_family (struct nl_sock *socket, int family)
{
  struct inet_diag_req_v2 request = {
    .sdiag_family = family,
    .sdiag_protocol = IPPROTO_UDP,
    .idiag_states = 1u << TCP_CLOSE, /* of UDP: not connected */
  };
  int result =
      nl_send_simple (socket, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &request, sizeof request);

  return result < 0 ? result : nl_recvmsgs_default (socket);
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const T2pnUdpServer *one = a;
  const T2pnUdpServer *other = b;

  if (one->family != other->family)
    return one->family < other->family ? -1 : 1;
  if (one->port != other->port)
    return one->port < other->port ? -1 : 1;
  return one->uid < other->uid ? -1 : one->uid > other->uid;
}

static void
sort_without_twins (GArray *servers)
{
  g_array_sort (servers, compare);
  for (guint i = servers->len; i > 1; i--)
    if (compare (&g_array_index (servers, T2pnUdpServer, i - 1),
                 &g_array_index (servers, T2pnUdpServer, i - 2)) == 0)
      g_array_remove_index (servers, i - 1);
}

static int
list_both (struct nl_sock *socket)
{
  int result = nl_connect (socket, NETLINK_SOCK_DIAG);

  if (result >= 0)
    result = list_family (socket, AF_INET);
  /* A kernel without IPv6 says that it knows no such family. */
  if (result >= 0)
    (void) list_family (socket, AF_INET6);
  return result;
}

GArray *
t2pn_udp_servers_list_outside (const T2pnPortRange *ephemeral, GError **error)
{
  g_autoptr (GArray) servers = g_array_new (FALSE, TRUE, sizeof (T2pnUdpServer));
  Listing listing = { ephemeral, servers };
  struct nl_sock *socket = nl_socket_alloc ();
  int result;

  g_assert (socket != NULL); /* lint: out of memory, as GLib would */
  nl_socket_modify_cb (socket, NL_CB_VALID, NL_CB_CUSTOM, socket_cb, &listing);
  result = list_both (socket);
  nl_socket_free (socket);
  if (result < 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                   "could not list the machine's UDP sockets: %s", nl_geterror (result));
      return NULL;
    }
  sort_without_twins (servers);
  return g_steal_pointer (&servers);
}

GArray *
t2pn_udp_servers_list (GError **error)
{
  T2pnPortRange range = { USUAL_FIRST, USUAL_LAST };
  g_autofree char *text = NULL;

  if (g_file_get_contents (RANGE_FILE, &text, NULL, NULL))
    (void) sscanf (text, "%u %u", &range.first, &range.last);
  return t2pn_udp_servers_list_outside (&range, error);
}

/* --- later */

struct _T2pnUdpWatch
{
  GSource *timer;
  GArray *servers;   /* of the last look; NULL: it failed */
  gboolean is_stale; /* somebody has seen others since */
  void (*changed) (gpointer user_data);
  gpointer user_data;
};

static gboolean
are_same (const GArray *a, const GArray *b)
{
  if (a == NULL || b == NULL || a->len != b->len)
    return a == b;
  for (guint i = 0; i < a->len; i++)
    if (compare (&g_array_index (a, T2pnUdpServer, i), &g_array_index (b, T2pnUdpServer, i)) !=
        0)
      return FALSE;
  return TRUE;
}

static gboolean
look_cb (gpointer user_data)
{
  T2pnUdpWatch *watch = user_data;
  g_autoptr (GArray) before = watch->servers;

  gboolean was_stale = watch->is_stale;

  watch->servers = t2pn_udp_servers_list (NULL);
  watch->is_stale = FALSE;
  if (was_stale || !are_same (before, watch->servers))
    watch->changed (watch->user_data);
  return G_SOURCE_CONTINUE;
}

void
t2pn_udp_watch_note (T2pnUdpWatch *watch, const GArray *servers)
{
  if (!are_same (watch->servers, servers))
    watch->is_stale = TRUE;
}

T2pnUdpWatch *
t2pn_udp_watch_new (void (*changed) (gpointer user_data), gpointer user_data)
{
  T2pnUdpWatch *watch = g_new0 (T2pnUdpWatch, 1);

  watch->changed = changed;
  watch->user_data = user_data;
  watch->servers = t2pn_udp_servers_list (NULL);
  watch->timer = g_timeout_source_new_seconds (INTERVAL_S);
  g_source_set_callback (watch->timer, look_cb, watch, NULL);
  g_source_attach (watch->timer, g_main_context_get_thread_default ());
  return watch;
}

void
t2pn_udp_watch_free (T2pnUdpWatch *watch)
{
  if (watch == NULL)
    return;
  g_source_destroy (watch->timer);
  g_source_unref (watch->timer);
  g_clear_pointer (&watch->servers, g_array_unref);
  g_free (watch);
}
