/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-endpoint.h"
#include "t2pd-files.h"
#include "t2pd-service.h"

G_BEGIN_DECLS

/* TestProxy: a short-lived worker without a tun does a handshake. */

/* Whether @uid may begin another: T2P_ERROR_BUSY. */
gboolean t2pd_proxy_test_check_limit (guint32 uid, GError **error);
/* @files: those that the options name. @may_be_foreign: whether addresses that `advanced`
 * guards may be tried. @timeout_ms: of the whole test. */
void t2pd_proxy_test_async (T2pdService *service,
                            guint32 uid,
                            T2pEndpoint *endpoint,
                            T2pdFiles *files,
                            gboolean may_be_foreign,
                            guint timeout_ms,
                            GAsyncReadyCallback callback,
                            gpointer user_data);
/* (transfer full): the `a{sv}` of the public method. Errors are those of this machine: a proxy
 * that does not answer is a result. */
GVariant *t2pd_proxy_test_finish (GAsyncResult *result, GError **error);

/* Ends all that are under way, with their workers; done when none is left (`g_task_…_boolean`).
 * They answer T2P_ERROR_CANCELLED. */
void t2pd_proxy_test_end_all_async (GAsyncReadyCallback callback, gpointer user_data);

G_END_DECLS
