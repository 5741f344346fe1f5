/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Every public name of the service. No other file spells a bus name, an object path, an
 * interface, a polkit action or an error name. */

#define T2P_BUS_NAME "org.tun2proxy.Manager"
#define T2P_MANAGER_INTERFACE "org.tun2proxy.Manager"
#define T2P_TUNNEL_INTERFACE "org.tun2proxy.Tunnel"
#define T2P_WORKER_INTERFACE "org.tun2proxy.Worker"
#define T2P_ROOT_PATH "/org/tun2proxy"
#define T2P_MANAGER_PATH "/org/tun2proxy/Manager"
#define T2P_TUNNEL_PATH_PREFIX "/org/tun2proxy/Tunnel/"
#define T2P_WORKER_PATH "/org/tun2proxy/Worker"
#define T2P_ERROR_PREFIX "org.tun2proxy.Error."

#define T2P_ACTION_CREATE_TUNNEL "org.tun2proxy.create-tunnel"
#define T2P_ACTION_CAPTURE_ROUTES "org.tun2proxy.capture-routes"
#define T2P_ACTION_CAPTURE_DEFAULT "org.tun2proxy.capture-default"
#define T2P_ACTION_ADVANCED "org.tun2proxy.advanced"
#define T2P_ACTION_TEST_PROXY "org.tun2proxy.test-proxy"
#define T2P_ACTION_CONTROL "org.tun2proxy.control"
#define T2P_ACTION_PERSIST "org.tun2proxy.persist"
#define T2P_ACTION_MANAGE_OTHERS "org.tun2proxy.manage-others"
#define T2P_ACTION_KILL_SWITCH "org.tun2proxy.kill-switch"
#define T2P_ACTION_BYPASS "org.tun2proxy.bypass"
#define T2P_ACTION_INSPECT "org.tun2proxy.inspect"

/* Names of programs beside the daemon in the program folder (libexec). */
#define T2P_DAEMON_PROGRAM "tun2proxyd"
#define T2P_WORKER_PROGRAM "tun2proxy-worker"
