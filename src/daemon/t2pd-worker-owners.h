/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-worker.h"

#include "t2p-settings.h"

G_BEGIN_DECLS

/* Whether a rule depends on the user. */
gboolean t2pd_worker_owners_are_wanted (const T2pSettings *settings);
/* Has @worker be told whose flows are that come by link @ifindex. */
void t2pd_worker_owners_attach (T2pdWorker *worker, int ifindex);

G_END_DECLS
