/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The memory in which a worker keeps what its virtual addresses stand for: held for the worker
 * that comes when it has died. Never looked into. Errors: G_IO_ERROR. */
gboolean t2pd_name_map_is_wanted (GVariant *start_settings);
int t2pd_name_map_new (GVariant *start_settings, GError **error);

G_END_DECLS
