/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/**
 * t2pd_process_fd_check:
 * @fd: a descriptor of a process, from pidfd_open(2)
 * @caller: whose process it has to be, unless that is root
 * @out_pid: (out)
 * @out_uid: (out): whose it is
 *
 * T2P_ERROR_INVALID_FD for something else, and for a process that has ended or is in another
 * PID namespace; T2P_ERROR_NOT_AUTHORIZED for somebody else's.
 */
gboolean t2pd_process_fd_check (
    int fd, guint32 caller, pid_t *out_pid, guint32 *out_uid, GError **error);

G_END_DECLS
