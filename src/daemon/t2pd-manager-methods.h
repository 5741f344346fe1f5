/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-call.h"

G_BEGIN_DECLS

/* Methods of org.tun2proxy.Manager. A file t2pd-manager-VERB.c defines those of one verb; what
 * they have in common is in t2pd-call.c, and t2pd-bus-manager.c exports them. */
extern const T2pdMethod t2pd_manager_create_tunnel;
extern const T2pdMethod t2pd_manager_create_tunnel_fd;
extern const T2pdMethod t2pd_manager_get_tunnel;
extern const T2pdMethod t2pd_manager_list_tunnels;
extern const T2pdMethod t2pd_manager_set_kill_switch;
extern const T2pdMethod t2pd_manager_test_proxy;
extern const T2pdMethod t2pd_manager_explain;
extern const T2pdMethod t2pd_manager_repair;
extern const T2pdMethod t2pd_manager_bypass_socket;

G_END_DECLS
