/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * t2pn_command_run_async:
 * @argv: (array zero-terminated=1): the program by its absolute path, and its arguments
 * @input: what it reads from its standard input
 *
 * Runs another program with an environment that has nothing of ours but a PATH, in the root
 * folder. One that does not end within @timeout_ms, or is cancelled, is told to end and soon
 * after killed.
 */
void t2pn_command_run_async (const char *const *argv,
                             const char *input,
                             guint timeout_ms,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data);
/* (transfer full): what it wrote to its standard output, at most 64 KiB. Errors:
 * T2P_ERROR_TIMED_OUT, G_IO_ERROR_CANCELLED, else G_IO_ERROR_FAILED with its exit status and
 * the first line that it wrote to standard error. */
char *t2pn_command_run_finish (GAsyncResult *result, GError **error);
/* The same for a process that has nothing else to wait for: repair. */
char *
t2pn_command_run (const char *const *argv, const char *input, guint timeout_ms, GError **error);

G_END_DECLS
