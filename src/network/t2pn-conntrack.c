/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * The kernel lists what fits a filter (from Linux 5.8; each entry is compared here again), and
 * then deletes one after the other. A tuple is a direction of a connection: ORIG as its first
 * packet was sent, REPLY as answers come. */
#include "config.h"

#include "t2pn-conntrack.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <string.h>

#define DNS_PORT 53
#define MAX_FORGOTTEN 4096 /* a second call gets the others */

/* What of a tuple a filter compares: bits that only the kernel's source names. */
#define FILTER_IP_SOURCE (1u << 0)
#define FILTER_IP_DESTINATION (1u << 1)
#define FILTER_PROTOCOL (1u << 3)
#define FILTER_DESTINATION_PORT (1u << 5)

typedef struct
{
  const T2pIpAddress *address;
  gboolean is_question; /* to it; else whatever it answers */
  GPtrArray *deletions; /* of struct nl_msg */
} Search;

typedef struct
{
  const struct nlattr *source, *destination;
  int protocol;
  guint16 destination_port;
} Tuple;

/* --- what there is */

/* FALSE when it lacks anything. */
static gboolean
read_tuple (struct nlattr *attribute, int family, Tuple *out_tuple)
{
  struct nlattr *parts[CTA_TUPLE_MAX + 1];
  struct nlattr *addresses[CTA_IP_MAX + 1];
  struct nlattr *protocol[CTA_PROTO_MAX + 1];
  gboolean is_v4 = family == AF_INET;

  if (attribute == NULL || nla_parse_nested (parts, CTA_TUPLE_MAX, attribute, NULL) < 0 ||
      parts[CTA_TUPLE_IP] == NULL || parts[CTA_TUPLE_PROTO] == NULL ||
      nla_parse_nested (addresses, CTA_IP_MAX, parts[CTA_TUPLE_IP], NULL) < 0 ||
      nla_parse_nested (protocol, CTA_PROTO_MAX, parts[CTA_TUPLE_PROTO], NULL) < 0 ||
      protocol[CTA_PROTO_NUM] == NULL)
    return FALSE;
  out_tuple->source = addresses[is_v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC];
  out_tuple->destination = addresses[is_v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST];
  out_tuple->protocol = nla_get_u8 (protocol[CTA_PROTO_NUM]);
  out_tuple->destination_port = protocol[CTA_PROTO_DST_PORT] != NULL
                                    ? ntohs (nla_get_u16 (protocol[CTA_PROTO_DST_PORT]))
                                    : 0;
  return out_tuple->source != NULL && out_tuple->destination != NULL;
}

static gboolean
is_address (const struct nlattr *attribute, const T2pIpAddress *address)
{
  int size = (int) t2p_ip_address_bits (address) / 8;

  return nla_len (attribute) == size &&
         memcmp (nla_data (attribute), address->bytes, (gsize) size) == 0;
}

static gboolean
is_sought (const Search *search, struct nlattr **attributes)
{
  int family = search->address->family;
  Tuple original, reply;

  if (!read_tuple (attributes[CTA_TUPLE_ORIG], family, &original) ||
      !read_tuple (attributes[CTA_TUPLE_REPLY], family, &reply) ||
      !is_address (reply.source, search->address))
    return FALSE;
  return !search->is_question ||
         (original.protocol == IPPROTO_UDP && original.destination_port == DNS_PORT &&
          is_address (original.destination, search->address));
}

static struct nl_msg *
make_message (guint16 type, int family, int flags)
{
  struct nfgenmsg header = { .nfgen_family = (guint8) family, .version = NFNETLINK_V0 };
  struct nl_msg *message =
      nlmsg_alloc_simple ((NFNL_SUBSYS_CTNETLINK << 8) | type, NLM_F_REQUEST | flags);

  if (message == NULL || nlmsg_append (message, &header, sizeof header, NLMSG_ALIGNTO) < 0)
    g_error ("out of memory"); /* lint: as every allocation of GLib would */
  return message;
}

/* The zone and the number make sure that it is this one. */
static void
plan_deletion (Search *search, struct nlattr **attributes)
{
  static const int copied[] = { CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID };
  struct nl_msg *message =
      make_message (IPCTNL_MSG_CT_DELETE, search->address->family, NLM_F_ACK);

  for (guint i = 0; i < G_N_ELEMENTS (copied); i++)
    {
      struct nlattr *attribute = attributes[copied[i]];
      int nested = copied[i] == CTA_TUPLE_ORIG ? NLA_F_NESTED : 0;

      if (attribute != NULL)
        nla_put (message, copied[i] | nested, nla_len (attribute), nla_data (attribute));
    }
  g_ptr_array_add (search->deletions, message);
}

static int
entry_cb (struct nl_msg *message, void *user_data)
{
  Search *search = user_data;
  struct nlattr *attributes[CTA_MAX + 1];

  if (search->deletions->len < MAX_FORGOTTEN &&
      nlmsg_parse (nlmsg_hdr (message), sizeof (struct nfgenmsg), attributes, CTA_MAX, NULL) >=
          0 &&
      is_sought (search, attributes))
    plan_deletion (search, attributes);
  return NL_OK;
}

/* --- the request */

static void
put_address (struct nl_msg *message, int attribute, const T2pIpAddress *address)
{
  struct nlattr *ip = nla_nest_start (message, CTA_TUPLE_IP | NLA_F_NESTED);

  nla_put (message, attribute, (int) t2p_ip_address_bits (address) / 8, address->bytes);
  nla_nest_end (message, ip);
}

static void
put_filter (struct nl_msg *message, int attribute, guint32 flags)
{
  struct nlattr *filter = nla_nest_start (message, CTA_FILTER | NLA_F_NESTED);

  nla_put_u32 (message, attribute, flags);
  nla_nest_end (message, filter);
}

static void
put_questions (struct nl_msg *message, const T2pIpAddress *server)
{
  struct nlattr *tuple = nla_nest_start (message, CTA_TUPLE_ORIG | NLA_F_NESTED);
  struct nlattr *protocol;

  put_address (message, server->family == AF_INET ? CTA_IP_V4_DST : CTA_IP_V6_DST, server);
  protocol = nla_nest_start (message, CTA_TUPLE_PROTO | NLA_F_NESTED);
  nla_put_u8 (message, CTA_PROTO_NUM, IPPROTO_UDP);
  nla_put_u16 (message, CTA_PROTO_DST_PORT, htons (DNS_PORT));
  nla_nest_end (message, protocol);
  nla_nest_end (message, tuple);
  put_filter (message, CTA_FILTER_ORIG_FLAGS,
              FILTER_IP_DESTINATION | FILTER_PROTOCOL | FILTER_DESTINATION_PORT);
}

static void
put_answers (struct nl_msg *message, const T2pIpAddress *peer)
{
  struct nlattr *tuple = nla_nest_start (message, CTA_TUPLE_REPLY | NLA_F_NESTED);

  put_address (message, peer->family == AF_INET ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, peer);
  nla_nest_end (message, tuple);
  put_filter (message, CTA_FILTER_REPLY_FLAGS, FILTER_IP_SOURCE);
}

static int
list (struct nl_sock *sock, Search *search)
{
  struct nl_msg *message =
      make_message (IPCTNL_MSG_CT_GET, search->address->family, NLM_F_DUMP);
  int result;

  if (search->is_question)
    put_questions (message, search->address);
  else
    put_answers (message, search->address);
  nl_socket_modify_cb (sock, NL_CB_VALID, NL_CB_CUSTOM, entry_cb, search);
  result = nl_send_auto (sock, message);
  nlmsg_free (message);
  return result < 0 ? result : nl_recvmsgs_default (sock);
}

static void
delete_all (struct nl_sock *sock, GPtrArray *deletions)
{
  nl_socket_modify_cb (sock, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
  for (guint i = 0; i < deletions->len; i++)
    nl_send_sync (sock,
                  g_steal_pointer (&deletions->pdata[i])); /* it may have ended by itself */
}

static void
free_message (gpointer message)
{
  if (message != NULL)
    nlmsg_free (message);
}

static gboolean
forget (const T2pIpAddress *address, gboolean is_question, GError **error)
{
  g_autoptr (GPtrArray) deletions = g_ptr_array_new_with_free_func (free_message);
  Search search = { address, is_question, deletions };
  struct nl_sock *sock = nl_socket_alloc ();
  int result = sock == NULL ? -NLE_NOMEM : nl_connect (sock, NETLINK_NETFILTER);

  if (result >= 0)
    result = list (sock, &search);
  if (result >= 0)
    delete_all (sock, deletions);
  nl_socket_free (sock);
  if (result >= 0)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
               "could not look at connections that the kernel keeps track of: %s",
               nl_geterror (result));
  return FALSE;
}

gboolean
t2pn_conntrack_forget_questions (const T2pIpAddress *server, GError **error)
{
  return forget (server, TRUE, error);
}

gboolean
t2pn_conntrack_forget_answered_by (const T2pIpAddress *peer, GError **error)
{
  return forget (peer, FALSE, error);
}
