/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-tunnel.h"

G_BEGIN_DECLS

#define T2PD_TYPE_MANAGER (t2pd_manager_get_type ())
/* A set of tunnels, nothing more. Signals `added (T2pdTunnel)` and `removed (T2pdTunnel)`. */
G_DECLARE_FINAL_TYPE (T2pdManager, t2pd_manager, T2PD, MANAGER, GObject)

T2pdManager *t2pd_manager_new (void);
void t2pd_manager_add (T2pdManager *self, T2pdTunnel *tunnel);
/* @tunnel is down, and cannot come up again: nobody would take it down then. */
void t2pd_manager_remove (T2pdManager *self, T2pdTunnel *tunnel);
gboolean t2pd_manager_contains (T2pdManager *self, T2pdTunnel *tunnel);
T2pdTunnel *t2pd_manager_find (T2pdManager *self, guint32 owner, const char *name);
/* Every tunnel, the oldest first. (transfer container) (element-type T2pdTunnel), each with a
 * reference of its own. */
GPtrArray *t2pd_manager_list (T2pdManager *self);
/* The number of a tunnel that is to be made. */
guint64 t2pd_manager_next_id (T2pdManager *self);
/* Numbers up to and including @id were used in this boot. */
void t2pd_manager_skip_ids (T2pdManager *self, guint64 id);

/* Whether @owner may have one more: T2P_ERROR_LIMIT_EXCEEDED. */
gboolean t2pd_manager_check_limits (T2pdManager *self, guint32 owner, GError **error);
/* Whether a tunnel of @owner with @settings can be up beside those that are: @self_tunnel
 * (nullable) does not count. T2P_ERROR_ROUTE_CONFLICT names the first. */
gboolean t2pd_manager_check_conflicts (T2pdManager *self,
                                       guint32 owner,
                                       const T2pSettings *settings,
                                       T2pdTunnel *self_tunnel,
                                       GError **error);
/* The system-wide tunnel with `capture=default` that is up, or NULL. */
T2pdTunnel *t2pd_manager_get_default (T2pdManager *self);

G_END_DECLS
