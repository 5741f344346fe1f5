/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-fd-store.h"
#include "t2pd-files.h"

G_BEGIN_DECLS

/* What is to be carried: all that the private Start tells a worker, kept for the next one. */
typedef struct _T2pdWorkerStart T2pdWorkerStart;

/* @settings: of Start; @queue_fd: stays the caller's and must outlive it; @files: (nullable);
 * @store, @names_key: must outlive it, and keep the memory of virtual names */
T2pdWorkerStart *t2pd_worker_start_new (GVariant *settings,
                                        int queue_fd,
                                        T2pdFiles *files,
                                        T2pdFdStore *store,
                                        const char *names_key);
void t2pd_worker_start_free (T2pdWorkerStart *self);
/* The floating arguments of Start, whose descriptors are added to the empty @fds. NULL with
 * @error set. */
GVariant *t2pd_worker_start_make (T2pdWorkerStart *self, GUnixFDList *fds, GError **error);

/* What the worker could not have as asked for, from its @reply; not more than anybody reads,
 * and without control characters. (transfer full) */
char **t2pd_worker_start_read_warnings (GVariant *reply);

G_END_DECLS
