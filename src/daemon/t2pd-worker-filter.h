/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* What passes from a worker's connection into the daemon: answers, as many wishes for a socket
 * as may be under way, as many questions for owners a second as there may be new flows, and a
 * few other signals a second, none larger than the limit. Counts the rest. Thread-safe, as
 * GDBus filters run in GDBus's own thread. */
typedef struct _T2pdWorkerFilter T2pdWorkerFilter;

T2pdWorkerFilter *t2pd_worker_filter_new (void);
T2pdWorkerFilter *t2pd_worker_filter_ref (T2pdWorkerFilter *filter);
void t2pd_worker_filter_unref (T2pdWorkerFilter *filter);

/* A GDBusMessageFilterFunction; its data is the filter. */
GDBusMessage *t2pd_worker_filter_cb (GDBusConnection *connection,
                                     GDBusMessage *message,
                                     gboolean is_incoming,
                                     gpointer filter);
/* Another SocketWanted may pass. */
void t2pd_worker_filter_socket_answered (T2pdWorkerFilter *filter);
guint t2pd_worker_filter_get_dropped (T2pdWorkerFilter *filter);

G_END_DECLS
