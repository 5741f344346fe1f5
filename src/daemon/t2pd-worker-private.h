/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-worker.h"

G_BEGIN_DECLS

/* For t2pd-worker-call.c. NULL: there is no worker, or not yet. */
GDBusConnection *t2pd_worker_get_connection (T2pdWorker *self);

G_END_DECLS
