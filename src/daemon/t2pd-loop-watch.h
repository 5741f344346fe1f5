/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-bring-up.h"

G_BEGIN_DECLS

/* What is done about connections that come into the tunnel although they should not. */
typedef struct _T2pdLoopWatch T2pdLoopWatch;

T2pdLoopWatch *t2pd_loop_watch_new (T2pdBringUp *bring_up);
void t2pd_loop_watch_free (T2pdLoopWatch *self);

/* Hears what @worker sees. */
void t2pd_loop_watch_attach (T2pdBringUp *bring_up, T2pdWorker *worker);
/* Adds whom our own sockets were seen to connect to without a route past the tunnel. */
void t2pd_loop_watch_add_to (const T2pdLoopWatch *self, T2pnBypass *bypass);

G_END_DECLS
