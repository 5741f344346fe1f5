/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The worker's end of the private connection: who may talk to it, one peer at a time. */
typedef struct _T2pwControl T2pwControl;

/* Nobody was connected for the adopt-timeout. */
typedef void (*T2pwControlAbandoned) (gpointer user_data);

T2pwControl *t2pw_control_new (int listen_fd,
                               uid_t peer_uid,
                               guint adopt_timeout_ms,
                               GDBusInterfaceSkeleton *skeleton,
                               T2pwControlAbandoned abandoned,
                               gpointer user_data);
void t2pw_control_free (T2pwControl *control);
void t2pw_control_flush (T2pwControl *control);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwControl, t2pw_control_free)

G_END_DECLS
