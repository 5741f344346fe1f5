/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-nft-monitor.h"

#include "t2pn-nft.h"

#include <glib-unix.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#define FAMILY_INET 1 /* NFPROTO_INET, whose header does not go with the C library's */
#define DELETED_TABLE ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_DELTABLE)

struct _T2pnNftMonitor
{
  char *name;
  struct nl_sock *socket;
  GSource *source;
  gboolean is_removed; /* say the messages that are being read */
  void (*table_removed) (gpointer user_data);
  gpointer user_data;
};

static gboolean
is_about (T2pnNftMonitor *self, struct nlmsghdr *header)
{
  const struct nfgenmsg *said = nlmsg_data (header);
  struct nlattr *name;

  if (header->nlmsg_type != DELETED_TABLE || !nlmsg_valid_hdr (header, sizeof *said) ||
      said->nfgen_family != FAMILY_INET)
    return FALSE;
  name = nlmsg_find_attr (header, sizeof *said, NFTA_TABLE_NAME);
  return name != NULL && nla_strcmp (name, self->name) == 0;
}

static int
message_cb (struct nl_msg *message, void *user_data)
{
  T2pnNftMonitor *self = user_data;

  if (is_about (self, nlmsg_hdr (message)))
    self->is_removed = TRUE;
  return NL_OK;
}

/* More has happened than the socket holds. */
static gboolean
is_missing (T2pnNftMonitor *self)
{
  gboolean is_there;

  return t2pn_nft_has_table (self->name, &is_there, NULL) && !is_there;
}

/* The callback may free the monitor. */
static gboolean
readable_cb (int fd, GIOCondition condition, gpointer user_data)
{
  T2pnNftMonitor *self = user_data;
  int result;

  self->is_removed = FALSE;
  result = nl_recvmsgs_default (self->socket);
  if (self->is_removed || (result == -NLE_NOMEM /* ENOBUFS */ && is_missing (self)))
    self->table_removed (self->user_data);
  return G_SOURCE_CONTINUE;
}

static gboolean
open_socket (T2pnNftMonitor *self, GError **error)
{
  int result;

  self->socket = nl_socket_alloc ();
  g_assert (self->socket != NULL); /* lint: out of memory, as GLib would */
  nl_socket_disable_seq_check (self->socket);
  nl_socket_modify_cb (self->socket, NL_CB_VALID, NL_CB_CUSTOM, message_cb, self);
  result = nl_connect (self->socket, NETLINK_NETFILTER);
  if (result >= 0)
    result = nl_socket_add_membership (self->socket, NFNLGRP_NFTABLES);
  if (result >= 0)
    result = nl_socket_set_nonblocking (self->socket);
  if (result >= 0)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "could not watch nftables: %s",
               nl_geterror (result));
  return FALSE;
}

T2pnNftMonitor *
t2pn_nft_monitor_new (const char *name,
                      void (*table_removed) (gpointer user_data),
                      gpointer user_data,
                      GError **error)
{
  T2pnNftMonitor *self = g_new0 (T2pnNftMonitor, 1);

  self->name = g_strdup (name);
  self->table_removed = table_removed;
  self->user_data = user_data;
  if (!open_socket (self, error))
    {
      t2pn_nft_monitor_free (self);
      return NULL;
    }
  self->source = g_unix_fd_source_new (nl_socket_get_fd (self->socket), G_IO_IN);
  g_source_set_callback (self->source, G_SOURCE_FUNC (readable_cb), self, NULL);
  g_source_attach (self->source, g_main_context_get_thread_default ());
  return self;
}

void
t2pn_nft_monitor_free (T2pnNftMonitor *self)
{
  if (self == NULL)
    return;
  if (self->source != NULL)
    g_source_destroy (self->source);
  g_clear_pointer (&self->source, g_source_unref);
  nl_socket_free (self->socket);
  g_free (self->name);
  g_free (self);
}
