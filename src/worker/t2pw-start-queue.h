/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gunixfdlist.h>

G_BEGIN_DECLS

/* The queue that came with Start: the caller's, non-blocking. */
int t2pw_start_queue_take (GUnixFDList *fd_list, gint32 handle, GError **error);

G_END_DECLS
