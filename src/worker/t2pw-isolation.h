/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The stages by which a worker gives up what it does not need, in this order, in main() and
 * before the first thread: some of it binds the calling thread only. */

gboolean t2pw_isolation_close_descriptors (int keep_fd, GError **error);
gboolean t2pw_isolation_set_limits (guint *out_max_descriptors, GError **error);
gboolean t2pw_isolation_change_identity (const char *user, GError **error);
gboolean t2pw_isolation_forbid_privilege (GError **error);

guint t2pw_isolation_count_threads (void);

G_END_DECLS
