/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-route-plan.h"

#include <NetworkManager.h>

G_BEGIN_DECLS

/**
 * T2pnNmProfileConfig: what a profile says beside the route plan.
 * @id: what people see in NetworkManager's lists
 * @uuid: of the profile
 * @has_vnet_header, @is_multi_queue: how the device was made
 * @server: (nullable): the resolver to be used for @domains; NULL: the profile has no DNS
 * @domains: (array zero-terminated=1): routing domains; "." is every name
 * @dns_priority: as t2pn_nm_dns_priority() says
 */
typedef struct
{
  const char *id;
  const char *uuid;
  gboolean has_vnet_header;
  gboolean is_multi_queue;
  const T2pIpAddress *server;
  const char *const *domains;
  int dns_priority;
} T2pnNmProfileConfig;

/**
 * t2pn_nm_profile_check:
 *
 * Pure: whether a profile can say all that @plan says: T2P_ERROR_NOT_SUPPORTED names what it
 * cannot.
 */
gboolean t2pn_nm_profile_check (const T2pnRoutePlan *plan, GError **error);

/**
 * t2pn_nm_profile_new:
 *
 * Pure: @plan as a profile for a device that exists already. It never is the default
 * connection, and never connects by itself. (transfer full). T2P_ERROR_NETWORK_MANAGER_FAILED
 * when libnm finds fault with it.
 */
NMConnection *t2pn_nm_profile_new (const T2pnRoutePlan *plan,
                                   const T2pnNmProfileConfig *config,
                                   GError **error);

/**
 * t2pn_nm_profile_installed:
 *
 * Pure: routes and rules of @plan as the kernel shows them once NetworkManager has installed
 * them: with its number in place of ours. (transfer full)
 */
T2pnRoutePlan *t2pn_nm_profile_installed (const T2pnRoutePlan *plan);

/**
 * t2pn_nm_dns_priority:
 * @mode, @rc_manager: (nullable): of NetworkManager's DnsManager
 *
 * Pure: the priority that gets a profile's servers the names of its routing domains, or 0 when
 * NetworkManager tells no resolver.
 */
int t2pn_nm_dns_priority (const char *mode, const char *rc_manager);

G_END_DECLS
