/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

G_BEGIN_DECLS

/* A set of prefixes, answered by longest match in O(address bits). Two neighbours that fill
 * their parent count as the parent: 0/1 + 128/1 covers 0/0. */
typedef struct _T2pCidrSet T2pCidrSet;

T2pCidrSet *t2p_cidr_set_new (void);
void t2p_cidr_set_free (T2pCidrSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pCidrSet, t2p_cidr_set_free)

void t2p_cidr_set_add (T2pCidrSet *set, const T2pIpPrefix *prefix);
gboolean t2p_cidr_set_contains (const T2pCidrSet *set, const T2pIpAddress *address);
/* Whether the whole of @prefix is covered by members, unions included. */
gboolean t2p_cidr_set_covers (const T2pCidrSet *set, const T2pIpPrefix *prefix);
/* Whether any member touches @prefix. */
gboolean t2p_cidr_set_overlaps (const T2pCidrSet *set, const T2pIpPrefix *prefix);
/* Length of the shortest prefix of @family that the union covers; 255 when it has none. */
guint t2p_cidr_set_widest (const T2pCidrSet *set, int family);
/* How much of @family the union covers, in blocks of prefix length @block_length, each that is
 * touched counting in full. */
guint64 t2p_cidr_set_size (const T2pCidrSet *set, int family, guint block_length);

G_END_DECLS
