/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-name-map.h"

G_BEGIN_DECLS

#define T2PW_VIRTUAL_RESERVED T2P_NAME_MAP_RESERVED
/* No name. */
#define T2PW_VIRTUAL_NONE 0

/* Which name a virtual address stands for, and back: O(1) both ways, bounded. A name is known
 * by its index; its IPv4 and IPv6 addresses are the index added to the pools' first addresses.
 */
typedef struct _T2pwVirtualNames T2pwVirtualNames;

T2pwVirtualNames *t2pw_virtual_names_new (const T2pIpPrefix *pool4, const T2pIpPrefix *pool6);
void t2pw_virtual_names_free (T2pwVirtualNames *names);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwVirtualNames, t2pw_virtual_names_free)

void t2pw_virtual_names_shuffle (T2pwVirtualNames *names);
void t2pw_virtual_names_adopt (T2pwVirtualNames *names, T2pwNameMap *map, gint64 now_us);

guint32 t2pw_virtual_names_assign (T2pwVirtualNames *names, const char *name, gint64 now_us);
gboolean t2pw_virtual_names_covers (const T2pwVirtualNames *names, const T2pIpAddress *address);
guint32 t2pw_virtual_names_find (const T2pwVirtualNames *names, const T2pIpAddress *address);
const char *t2pw_virtual_names_get_name (const T2pwVirtualNames *names, guint32 index);
gboolean t2pw_virtual_names_get_address (const T2pwVirtualNames *names,
                                         guint32 index,
                                         int family,
                                         T2pIpAddress *out_address);
void t2pw_virtual_names_pin (T2pwVirtualNames *names, guint32 index);
void t2pw_virtual_names_unpin (T2pwVirtualNames *names, guint32 index, gint64 now_us);
guint t2pw_virtual_names_get_n_used (const T2pwVirtualNames *names);

G_END_DECLS
