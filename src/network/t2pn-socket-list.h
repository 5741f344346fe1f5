/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

G_BEGIN_DECLS

/** T2pnSocketEntry: a socket of this network namespace. */
typedef struct
{
  T2pIpEndpoint local;
  T2pIpEndpoint remote; /* of a listener: unspecified */
  guint32 uid;
  guint32 inode; /* 0: it belongs to no process any more */
  gboolean is_v6_only;
} T2pnSocketEntry;

/* What the kernel knows (NETLINK_SOCK_DIAG), asked synchronously: of T2pnSocketEntry, IPv4 in
 * its own form. (transfer full). G_IO_ERROR. */
GArray *t2pn_socket_list_listeners (GError **error);
/* Connections, and datagram sockets that are connected, @protocol being IPPROTO_TCP or
 * IPPROTO_UDP. */
GArray *t2pn_socket_list_connected (guint8 protocol, GError **error);

/* The inode of the unix socket that listens at @path; 0: none does. */
guint32 t2pn_socket_list_find_unix (const char *path, GError **error);

G_END_DECLS
