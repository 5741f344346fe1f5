/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-options.h"

G_BEGIN_DECLS

/* A process of this program that sleeps until the daemon's end of a pipe is closed. It is what
 * undoes rules and resolv.conf after a SIGKILL where no service manager does. */

/* Starts one. Returns the daemon's end of the pipe, -1 on failure: closing it means death,
 * t2pd_guardian_dismiss() a clean end. */
int t2pd_guardian_start (const T2pdOptions *options, GError **error);
void t2pd_guardian_dismiss (int fd);
/* The guardian itself, with the pipe as standard input; returns the exit status. */
int t2pd_guardian_run (const T2pdOptions *options);

/* Undoes what a dead instance left, having stopped its workers. The lock must be held. */
gboolean t2pd_repair (const T2pdOptions *options, GError **error);

G_END_DECLS
