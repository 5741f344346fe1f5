/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

G_BEGIN_DECLS

/* The prefixes of a `cidr-file:`: whether one of them holds an address is a binary search. */
typedef struct _T2pwCidrTable T2pwCidrTable;

/* One prefix or address on a line. Takes from *@entries_left. T2P_ERROR_INVALID_SETTINGS,
 * T2P_ERROR_LIMIT_EXCEEDED: line and reason. */
T2pwCidrTable *t2pw_cidr_table_parse (GBytes *content, guint *entries_left, GError **error);
void t2pw_cidr_table_free (T2pwCidrTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwCidrTable, t2pw_cidr_table_free)

gboolean t2pw_cidr_table_contains (const T2pwCidrTable *table, const T2pIpAddress *address);
/* How many prefixes are left when those inside others are gone. */
guint t2pw_cidr_table_get_size (const T2pwCidrTable *table);

G_END_DECLS
