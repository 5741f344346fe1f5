/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-snapshot.h"

#include "t2p-settings.h"

G_BEGIN_DECLS

/** T2pnBindLink: sockets of ours towards @prefix are bound to the link @name. */
typedef struct
{
  T2pIpPrefix prefix;
  char name[IFNAMSIZ];
} T2pnBindLink;

/**
 * t2pn_bind_links_new:
 * @own_ifindexes: (array length=n_own_ifindexes) (nullable): links of tunnels
 *
 * Pure: to which links our own sockets are bound: to `outbound-interface`, else, with
 * `loop-avoidance=bind-interface`, to those that the routes of main name, at most
 * T2P_MAX_BIND_LINKS, the shortest prefixes first.
 *
 * Returns: (transfer full) (nullable): of T2pnBindLink; %NULL: they are not bound
 */
GArray *t2pn_bind_links_new (const T2pSettings *settings,
                             const T2pnSnapshot *snapshot,
                             const int *own_ifindexes,
                             guint n_own_ifindexes);
/* Whether there is a link such as `outbound-interface` wants: T2P_ERROR_DEVICE_UNAVAILABLE. */
gboolean t2pn_bind_links_check (const T2pSettings *settings,
                                const T2pnSnapshot *snapshot,
                                GError **error);

G_END_DECLS
