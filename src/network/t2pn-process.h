/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* A process told apart from a later one with the same pid. */
typedef struct
{
  pid_t pid;
  guint64 start_time; /* clock ticks since boot: field 22 of /proc/PID/stat */
} T2pnProcess;

/* FALSE when there is no such process. */
gboolean t2pn_process_identify (pid_t pid, T2pnProcess *out_process);
gboolean t2pn_process_is_alive (const T2pnProcess *process);
/* SIGKILL, and waits at most two seconds until it is gone: it holds no state worth a farewell,
 * and its descriptors are what keeps the device. TRUE when it is gone. */
gboolean t2pn_process_end (const T2pnProcess *process);

G_END_DECLS
