/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-settings.h"
#include "t2pd-carrier.h"

#include "t2pn-snapshot.h"

G_BEGIN_DECLS

#define T2PD_TYPE_UPSTREAMS (t2pd_upstreams_get_type ())
/* The proxies of one tunnel, the addresses that were found for them, and what a handshake with
 * the first that answered showed. */
G_DECLARE_FINAL_TYPE (T2pdUpstreams, t2pd_upstreams, T2PD, UPSTREAMS, GObject)

/* @files: (nullable): those of the settings */
T2pdUpstreams *
t2pd_upstreams_new (T2pSettings *settings, gboolean may_be_foreign, T2pdFiles *files);

/* Whether a name is among them, so that a worker is needed to look it up. */
gboolean t2pd_upstreams_have_names (T2pdUpstreams *self);

/* Looks up the names; @ask (a{sv}: `mark`, `uplink-dns`) goes with each question. At least one
 * address for one proxy: else T2P_ERROR_RESOLVE_FAILED; only addresses that the owner may not
 * use: T2P_ERROR_NOT_AUTHORIZED. */
void t2pd_upstreams_resolve_async (T2pdUpstreams *self,
                                   T2pdCarrier *carrier,
                                   GVariant *ask,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data);
/* Tries them in their order until one answers; the error is the first one's. */
void t2pd_upstreams_probe_async (T2pdUpstreams *self,
                                 T2pdCarrier *carrier,
                                 GVariant *ask,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);
gboolean t2pd_upstreams_finish (T2pdUpstreams *self, GAsyncResult *result, GError **error);

/* For Start: `as` with userinfo, and `aas` (both floating). */
GVariant *t2pd_upstreams_to_uris (T2pdUpstreams *self);
GVariant *t2pd_upstreams_to_addresses (T2pdUpstreams *self);
/* Tries the one in use of which it is not known yet what it can, or of those in use the first
 * such; ends with an error when there is none. */
void t2pd_upstreams_learn_async (T2pdUpstreams *self,
                                 T2pdCarrier *carrier,
                                 GVariant *ask,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);
gboolean t2pd_upstreams_has_more_to_learn (T2pdUpstreams *self);
/* Which one the worker uses, by the text that it is shown as (t2pd_worker_row_clean_uri()). */
void t2pd_upstreams_set_active (T2pdUpstreams *self, const char *display);
/* It may have become another. */
void t2pd_upstreams_forget_active (T2pdUpstreams *self);
/* How the active one was found to carry UDP; "unknown" before. */
const char *t2pd_upstreams_get_udp (T2pdUpstreams *self);
/* Whether those in use connect to IPv6 addresses, as far as is known. */
gboolean t2pd_upstreams_have_ipv6 (T2pdUpstreams *self);
/* NULL behind the last. */
const T2pEndpoint *t2pd_upstreams_get_endpoint (T2pdUpstreams *self, guint index);
/* Of T2pIpAddress; owned by the upstreams. */
const GArray *t2pd_upstreams_get_addresses (T2pdUpstreams *self, guint index);
/* All of them: of T2pIpAddress. (transfer full) */
GArray *t2pd_upstreams_list_addresses (T2pdUpstreams *self);
/* Whether every address is reached by a default route only. */
gboolean t2pd_upstreams_need_default (T2pdUpstreams *self, const T2pnSnapshot *snapshot);

G_END_DECLS
