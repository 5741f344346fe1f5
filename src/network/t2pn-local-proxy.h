/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

G_BEGIN_DECLS

/**
 * T2pnLocalProxy:
 * @program: its name, cleaned for people
 * @pid: the first of its processes
 * @pids: of int: all of them
 * @uids: of guint32: as whom its processes act
 * @cgroup: (nullable): that all of its processes are in, below the root of cgroup v2
 * @has_own_users: whether nobody else acts as one of @uids, nor will: accounts that no person
 *   logs in to, and not root's
 * @has_own_cgroup: whether nothing else is in @cgroup
 * @is_elsewhere: it makes its connections in another network namespace
 * @peers: of T2pIpAddress: whom it is connected to beyond this machine
 *
 * The program that listens where an upstream is that is on this machine.
 */
typedef struct
{
  char *program;
  int pid;
  GArray *pids;
  GArray *uids;
  char *cgroup;
  gboolean has_own_users;
  gboolean has_own_cgroup;
  gboolean is_elsewhere;
  GArray *peers;
} T2pnLocalProxy;

/* Who listens at @endpoint, or at the unix socket @path. NULL, without an error, when nobody
 * does that we can see. Synchronous: looks at every process of the machine. (transfer full).
 * G_IO_ERROR. */
T2pnLocalProxy *t2pn_local_proxy_find (const T2pIpEndpoint *endpoint, GError **error);
T2pnLocalProxy *t2pn_local_proxy_find_unix (const char *path, GError **error);
void t2pn_local_proxy_free (T2pnLocalProxy *proxy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pnLocalProxy, t2pn_local_proxy_free)

gboolean t2pn_local_proxy_has_uid (const T2pnLocalProxy *proxy, guint32 uid);

G_END_DECLS
