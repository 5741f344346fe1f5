/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-name-record.h"

G_BEGIN_DECLS

/* The map of virtual addresses in memory that the daemon keeps for the next worker: a memfd
 * that can neither grow nor shrink. What lies in it when we come is hostile input. */
typedef struct _T2pwNameMap T2pwNameMap;

T2pwNameMap *
t2pw_name_map_open (int fd, const T2pIpPrefix *pool4, const T2pIpPrefix *pool6, GError **error);
void t2pw_name_map_free (T2pwNameMap *map);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwNameMap, t2pw_name_map_free)

T2pNameRecordState
t2pw_name_map_read (const T2pwNameMap *map, guint32 index, T2pNameRecord *out_record);
void t2pw_name_map_write (T2pwNameMap *map, guint32 index, const T2pNameRecord *record);
void t2pw_name_map_touch (T2pwNameMap *map, guint32 index, const T2pNameRecord *record);

G_END_DECLS
