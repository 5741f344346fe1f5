/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-kill-switch.h"
#include "t2pd-uplink.h"

#include "t2pn-portal-watch.h"

G_BEGIN_DECLS

/** T2pdPortalMemory: of one network: whether its portal may be gone to, and was. */
typedef struct
{
  gboolean is_open;
  gboolean is_spent;
} T2pdPortalMemory;

/* Pure: changes @memory by what NetworkManager says and whether the kill switch blocks.
 * @is_too_late: the way was open for as long as it may be. */
void t2pd_portal_judge (T2pdPortalMemory *memory,
                        T2pnConnectivity connectivity,
                        gboolean is_blocking,
                        gboolean is_too_late);

/* Opens the kill switch for a login to the network, and for NetworkManager's question whether
 * one is needed. */
typedef struct _T2pdPortal T2pdPortal;

/* @kill_switch and @uplink must outlive it. */
T2pdPortal *
t2pd_portal_new (GDBusConnection *bus, T2pdKillSwitch *kill_switch, T2pdUplink *uplink);
void t2pd_portal_free (T2pdPortal *self);

G_END_DECLS
