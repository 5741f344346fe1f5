/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-carrier.h"
#include "t2pd-descriptors.h"
#include "t2pd-service.h"
#include "t2pd-upstreams.h"

#include "t2pn-route-plan.h"

G_BEGIN_DECLS

#define T2PD_TYPE_BRING_UP (t2pd_bring_up_get_type ())
/* What stands behind a tunnel: its device, worker, addresses, routes, rules and DNS, and the
 * table of steps that makes them. Signal `proxy-changed (string old, string new, string
 * reason)`. */
G_DECLARE_FINAL_TYPE (T2pdBringUp, t2pd_bring_up, T2PD, BRING_UP, GObject)

/* Gives @tunnel its activation. */
void t2pd_bring_up_attach (T2pdService *service, T2pdTunnel *tunnel);
T2pdBringUp *t2pd_bring_up_of (T2pdTunnel *tunnel);

/* The caller of this activation may do what `advanced` guards. */
void t2pd_bring_up_set_advanced (T2pdBringUp *self, gboolean is_advanced);
/* Whether this activation ends connections that were open before. */
void t2pd_bring_up_set_closes_existing (T2pdBringUp *self, gboolean closes_existing);
/* What the caller passed with his settings; once, before it is activated. */
void t2pd_bring_up_set_descriptors (T2pdBringUp *self, T2pdDescriptors *descriptors);
/* The namespace that the tunnel is in (a descriptor), or -1: in the service's own. */
int t2pd_bring_up_get_netns (T2pdBringUp *self);
/* The worker that can be asked, or NULL. */
T2pdWorker *t2pd_bring_up_get_worker (T2pdBringUp *self);
/* Why connections stay that were open before, or NULL. */
const char *t2pd_bring_up_get_close_warning (T2pdBringUp *self);
/* What the worker could not have as asked for. */
const char *const *t2pd_bring_up_get_warnings (T2pdBringUp *self);
/* NULL while it has none. */
const T2pnAddressPool *t2pd_bring_up_get_pool (T2pdBringUp *self);
const T2pnRouteIds *t2pd_bring_up_get_ids (T2pdBringUp *self);
/* Whether the proxy carries IPv6, as far as is known. */
/* How the proxy in use was found to carry UDP; "unknown" until then. */
const char *t2pd_bring_up_get_udp (T2pdBringUp *self);
gboolean t2pd_bring_up_has_ipv6 (T2pdBringUp *self);

/* Names of the steps, NULL at the end: for `--pause-at`. */
const char *const *t2pd_bring_up_get_step_names (void);

G_END_DECLS
