/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-options.h"

#include <gio/gunixfdlist.h>

G_BEGIN_DECLS

#define T2PD_TYPE_WORKER (t2pd_worker_get_type ())
/* One worker process and the private connection to it. Signals:
 *
 * `exited ()`: the process is gone; nothing can be asked of it any more
 * `upstream-changed (gboolean is_up, int reason, string message)`
 * `active-proxy-changed (string old, string new, string reason)`
 * `owner-wanted (guint64 id, uint protocol, string source, string destination)`: whose flow
 * `loop-seen (string kind, uint protocol, string source, string destination)`
 * `socket-wanted (guint64 id, string path)`: as often as was said
 * t2pd_worker_socket_answered(), and T2P_MAX_SOCKETS_UNDER_WAY times more */
G_DECLARE_FINAL_TYPE (T2pdWorker, t2pd_worker, T2PD, WORKER, GObject)

T2pdWorker *t2pd_worker_new (const T2pdOptions *options, const char *label);
const char *t2pd_worker_get_socket_path (T2pdWorker *self);
/* 0 while there is no process. */
GPid t2pd_worker_get_pid (T2pdWorker *self);
gboolean t2pd_worker_is_ready (T2pdWorker *self);
void t2pd_worker_socket_answered (T2pdWorker *self);

void t2pd_worker_spawn_async (T2pdWorker *self,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data);
gboolean t2pd_worker_spawn_finish (T2pdWorker *self, GAsyncResult *result, GError **error);

void t2pd_worker_call_async (T2pdWorker *self,
                             const char *method,
                             GVariant *parameters,
                             const GVariantType *reply_type,
                             GUnixFDList *fds,
                             guint timeout_ms,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data);
GVariant *t2pd_worker_call_finish (T2pdWorker *self, GAsyncResult *result, GError **error);

void t2pd_worker_stop_async (T2pdWorker *self,
                             guint drain_ms,
                             GAsyncReadyCallback callback,
                             gpointer user_data);
void t2pd_worker_kill (T2pdWorker *self);
void t2pd_worker_stop_finish (T2pdWorker *self, GAsyncResult *result);

G_END_DECLS
