/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-bring-up.h"

G_BEGIN_DECLS

/* A tunnel's own table of nftables, in which parts of its capture have their chains. From the
 * first of them on it is watched: what somebody else removes is put back by
 * t2pd_capture_parts_restore(). */
typedef struct _T2pdTunnelTable T2pdTunnelTable;

/* (transfer full) */
char *t2pd_tunnel_table_make_name (T2pdBringUp *bring_up);
/* Runs @script, which adds the table if need be, once the table is in the journal. */
gboolean t2pd_tunnel_table_load (T2pdBringUp *bring_up, const char *script, GError **error);
/* @self: (nullable): NULL before the first load. The table itself goes with the step, by the
 * journal. */
void t2pd_tunnel_table_free (T2pdTunnelTable *self);

G_END_DECLS
