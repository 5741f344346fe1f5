/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-service.h"

G_BEGIN_DECLS

#define T2PD_TYPE_BUS_MANAGER (t2pd_bus_manager_get_type ())
/* org.tun2proxy.Manager, and an object for each tunnel of the set: translates, decides nothing.
 */
G_DECLARE_FINAL_TYPE (T2pdBusManager, t2pd_bus_manager, T2PD, BUS_MANAGER, GObject)

/* @service must outlive it. Everything is on the bus when this returns; the name is not. */
T2pdBusManager *t2pd_bus_manager_new (T2pdService *service);

G_END_DECLS
