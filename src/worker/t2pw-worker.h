/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-worker-exit.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * T2pwWorkerOptions:
 * @listen_fd: the inherited socket
 * @peer_uid: who may connect
 * @adopt_timeout_ms: how long to go on without a peer
 * @max_descriptors: how many may be open
 */
typedef struct
{
  int listen_fd;
  uid_t peer_uid;
  guint adopt_timeout_ms;
  guint max_descriptors;
} T2pwWorkerOptions;

T2pWorkerExit t2pw_worker_run (const T2pwWorkerOptions *options);

G_END_DECLS
