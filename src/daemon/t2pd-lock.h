/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* One instance for each runtime directory: the daemon holds `lock` there for its life, its
 * guardian while it repairs. The kernel lets go of it when the holder dies. */

int t2pd_lock_take (const char *runtime_dir, const char *role, GError **error);

G_END_DECLS
