/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-fd-store.h"

G_BEGIN_DECLS

/* The memory in which a worker keeps what its virtual addresses stand for: held for the worker
 * that comes when it has died, and for the service that comes after this one. Never looked
 * into. Errors: G_IO_ERROR. */
gboolean t2pd_name_map_is_wanted (GVariant *start_settings);
/* Under which the memory of a tunnel is kept. (transfer full) */
char *t2pd_name_map_make_key (guint32 owner_uid, const char *tunnel_name);
int t2pd_name_map_obtain (GVariant *start_settings,
                          T2pdFdStore *store,
                          const char *key,
                          GError **error);

G_END_DECLS
