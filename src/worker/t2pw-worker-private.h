/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-bus-worker.h"
#include "t2pw-control.h"
#include "t2pw-data-plane.h"
#include "t2pw-errands.h"
#include "t2pw-socket-broker.h"
#include "t2pw-worker.h"

G_BEGIN_DECLS

/* What the files of the worker share; nothing else includes this. */

typedef struct
{
  const T2pwWorkerOptions *options;
  GMainLoop *loop;
  T2pReactor *reactor;
  T2pBusWorker *skeleton;
  T2pwControl *control;
  T2pwSocketBroker *sockets;
  T2pwErrands *errands;
  T2pwDataPlane *plane; /* NULL until Start */
  gint64 drain_until_us;
  T2pWorkerExit status;
} T2pwWorker;

/* Ends the main loop; what is left is freed behind it. */
void t2pw_worker_exit (T2pwWorker *worker, T2pWorkerExit status);

gboolean t2pw_worker_handle_start_cb (T2pBusWorker *skeleton,
                                      GDBusMethodInvocation *invocation,
                                      GUnixFDList *fd_list,
                                      GVariant *settings,
                                      GVariant *handle,
                                      gpointer data);

G_END_DECLS
