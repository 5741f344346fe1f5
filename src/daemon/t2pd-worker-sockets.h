/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-worker.h"

#include "t2p-settings.h"

G_BEGIN_DECLS

/* The paths of unix sockets among upstreams (transfer full, NULL-terminated). */
char **t2pd_worker_sockets_of_settings (const T2pSettings *settings);
char **t2pd_worker_sockets_of_endpoint (const T2pEndpoint *endpoint);

/* Has @worker be given connections to @paths, made in the name of @uid, and to nothing else. */
void t2pd_worker_sockets_attach (T2pdWorker *worker, guint32 uid, const char *const *paths);

G_END_DECLS
