/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-fd-store.h"
#include "t2pd-files.h"
#include "t2pd-worker.h"

G_BEGIN_DECLS

#define T2PD_TYPE_CARRIER (t2pd_carrier_get_type ())
/* Keeps a worker at work on one queue: a crashed one is replaced, after 0.1 s, then twice as
 * long up to 10 s. Signals:
 *
 * `spawned (int pid)`: a process was started, and may be written to the journal
 * `lost ()`: it ended without being told to
 * `unattended ()`: for a second nobody has carried a packet
 * `back ()`: a new one works
 * `upstream-changed`, `active-proxy-changed`: as T2pdWorker */
G_DECLARE_FINAL_TYPE (T2pdCarrier, t2pd_carrier, T2PD, CARRIER, GObject)

/* @store: outlives the carrier; keeps the memory of virtual names under @names_key */
T2pdCarrier *t2pd_carrier_new (const T2pdOptions *options,
                               const char *label,
                               T2pdFdStore *store,
                               const char *names_key);
const char *t2pd_carrier_get_socket_path (T2pdCarrier *self);
/* From the next worker on: see t2pd_worker_sockets_attach(). */
void t2pd_carrier_allow_sockets (T2pdCarrier *self, guint32 uid, const char *const *paths);
/* The worker that can be asked, or NULL. */
T2pdWorker *t2pd_carrier_get_worker (T2pdCarrier *self);
/* The same, whether it can be asked yet or not. */
T2pdWorker *t2pd_carrier_peek_worker (T2pdCarrier *self);
/* What the last worker that was started could not have as asked for. */
const char *const *t2pd_carrier_get_warnings (T2pdCarrier *self);

/* Has a process that can be asked, but carries nothing yet. */
void t2pd_carrier_ensure_async (T2pdCarrier *self,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer user_data);
/* From the next start on workers are told whose the flows are that come by this link; 0: no. */
void t2pd_carrier_answer_owners (T2pdCarrier *self, int ifindex);
/* Has it carry packets. @settings: of the private Start, kept for restarts, as @files
 * (nullable) are; @queue_fd stays the caller's and must live until t2pd_carrier_stop_async()
 * ended. */
void t2pd_carrier_start_async (T2pdCarrier *self,
                               GVariant *settings,
                               int queue_fd,
                               T2pdFiles *files,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data);
/* No replacement any more; done when no process is left. Does nothing when there is none. */
void t2pd_carrier_stop_async (T2pdCarrier *self,
                              guint drain_ms,
                              GAsyncReadyCallback callback,
                              gpointer user_data);
gboolean t2pd_carrier_finish (T2pdCarrier *self, GAsyncResult *result, GError **error);

G_END_DECLS
