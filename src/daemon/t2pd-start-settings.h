/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-upstreams.h"

#include "t2pn-route-plan.h"
#include "t2pn-tun-device.h"

G_BEGIN_DECLS

/* What the worker is told: the public settings that were set, the computed ones in their place.
 * @uplink_dns: "192.0.2.53:53", …; @dns_exclude: names that keep their addresses;
 * @rule_uids: `a{su}`; @sockets: `a{sv}`, see t2pd_bypass_make_sockets(); @is_advanced: direct
 * connections to addresses that `advanced` guards are allowed. Pure; a floating `a{sv}` with
 * credentials: for the private connection only. */
GVariant *t2pd_start_settings_make (const T2pSettings *settings,
                                    T2pdUpstreams *upstreams,
                                    const T2pnTunDevice *device,
                                    const T2pnAddressPool *pool,
                                    guint32 mark,
                                    gboolean is_advanced,
                                    const char *const *uplink_dns,
                                    const char *const *dns_exclude,
                                    GVariant *rule_uids,
                                    GVariant *sockets);

G_END_DECLS
