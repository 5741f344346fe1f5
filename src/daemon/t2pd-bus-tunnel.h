/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-service.h"

G_BEGIN_DECLS

#define T2PD_TYPE_BUS_TUNNEL (t2pd_bus_tunnel_get_type ())
/* org.tun2proxy.Tunnel for one tunnel, on the bus for as long as this lives: translates,
 * decides nothing. */
G_DECLARE_FINAL_TYPE (T2pdBusTunnel, t2pd_bus_tunnel, T2PD, BUS_TUNNEL, GObject)

/* @service must outlive it. */
T2pdBusTunnel *t2pd_bus_tunnel_new (T2pdService *service, T2pdTunnel *tunnel);
/* The option `rollback-timeout`; 0: without. */
gboolean t2pd_bus_tunnel_check_rollback (GVariant *options, GError **error);
guint32 t2pd_bus_tunnel_get_rollback_s (GVariant *options);

G_END_DECLS
