/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

G_BEGIN_DECLS

/**
 * T2pnOwnership:
 * @T2PN_OWNERSHIP_UNKNOWN: no such socket (any more), or the kernel does not tell
 * @T2PN_OWNERSHIP_NOBODY: the source is no address of this machine: forwarded
 * @T2PN_OWNERSHIP_USER: a user's socket
 */
typedef enum
{
  T2PN_OWNERSHIP_UNKNOWN,
  T2PN_OWNERSHIP_NOBODY,
  T2PN_OWNERSHIP_USER,
} T2pnOwnership;

/* Asks the kernel whose sockets are. Every call is synchronous and local. */
typedef struct _T2pnSocketOwner T2pnSocketOwner;

T2pnSocketOwner *t2pn_socket_owner_new (GError **error);
void t2pn_socket_owner_free (T2pnSocketOwner *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pnSocketOwner, t2pn_socket_owner_free)

T2pnOwnership t2pn_socket_owner_find (T2pnSocketOwner *self,
                                      guint8 protocol,
                                      const T2pIpEndpoint *source,
                                      const T2pIpEndpoint *destination,
                                      int ifindex,
                                      guint32 *out_uid);

/* Of the socket that was found last; 0: it belongs to no process. */
guint32 t2pn_socket_owner_get_inode (const T2pnSocketOwner *self);

G_END_DECLS
