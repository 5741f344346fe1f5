/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

#include <linux/inet_diag.h>

G_BEGIN_DECLS

/**
 * T2pnOpenSocket: a connection of this machine, or a datagram socket that is connected
 * @remote: IPv4 in its own form
 * @mark: its firewall mark
 * @cgroup: the kernel's number of the cgroup that it was made in; 0: unknown
 * @is_bound: to a link
 * @is_inbound: somebody listens at its port
 */
typedef struct
{
  guint8 family;
  guint8 protocol;
  struct inet_diag_sockid id;
  T2pIpEndpoint remote;
  guint32 uid;
  guint32 mark;
  guint64 cgroup;
  gboolean is_bound;
  gboolean is_inbound;
} T2pnOpenSocket;

/* At most T2P_MAX_ENDED_SOCKETS. (transfer full). G_IO_ERROR */
GArray *t2pn_open_sockets_list (GError **error);
/* Ends those of @sockets, and returns how many; one that has ended already is no failure.
 * T2P_ERROR_NOT_SUPPORTED when the kernel cannot. */
gboolean t2pn_open_sockets_end (const GArray *sockets, guint *out_n, GError **error);

G_END_DECLS
