/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-worker.h"

G_BEGIN_DECLS

/* What a worker tells unasked, cleaned, becomes a signal of @self. */
void t2pd_worker_signals_take (T2pdWorker *self, const char *name, GVariant *parameters);

G_END_DECLS
