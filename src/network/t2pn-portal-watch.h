/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/** T2pnConnectivity: NetworkManager's word for what the uplink leads to; its numbers. */
typedef enum
{
  T2PN_CONNECTIVITY_UNKNOWN = 0, /* or there is no NetworkManager */
  T2PN_CONNECTIVITY_NONE = 1,
  T2PN_CONNECTIVITY_PORTAL = 2,
  T2PN_CONNECTIVITY_LIMITED = 3,
  T2PN_CONNECTIVITY_FULL = 4,
} T2pnConnectivity;

/* Tells what NetworkManager says, once it is known and whenever it changes. Never starts it. */
typedef struct _T2pnPortalWatch T2pnPortalWatch;

T2pnPortalWatch *t2pn_portal_watch_new (GDBusConnection *bus,
                                        void (*changed) (T2pnConnectivity connectivity,
                                                         gpointer user_data),
                                        gpointer user_data);
void t2pn_portal_watch_free (T2pnPortalWatch *self);

G_END_DECLS
