/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The listening sockets of the workers, in the runtime directory: whoever can enter that (root)
 * can speak to a worker, whoever finds one there after a crash can tell it to stop. */

char *t2pd_worker_socket_make_path (const char *runtime_dir, const char *label);
/* A listening socket at @path, where nothing else is left. -1 and a G_IO_ERROR on failure. */
int t2pd_worker_socket_bind (const char *path, GError **error);
/* Tells every worker that still listens in @runtime_dir to stop, and waits until it has gone
 * (two seconds each); removes what is left of its socket. Synchronous: before the main loop.
 * Returns how many there were. */
guint t2pd_worker_socket_stop_left (const char *runtime_dir);

G_END_DECLS
