/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-settings.h"
#include "t2pn-snapshot.h"

G_BEGIN_DECLS

/**
 * T2pnAddressPool:
 * @pool4: what virtual IPv4 addresses are taken from: a /18 of 198.18.0.0/15, or `dns-pool4`
 * @pool6: the same for IPv6: a ULA /64, or `dns-pool6`
 * @address4: the tunnel's own address (the pool's .1)
 * @responder4: the tunnel's second address (.2), where the DNS responder answers; not
 * configured on the link, but inside its prefix, so that packets to it come out of the tun
 * @link_length4: prefix length of @address4: /30
 *
 * The first /30 (and /126) of a pool belongs to the link: a virtual address is never taken from
 * it. Without virtual DNS nothing but the link's prefixes is routed.
 */
typedef struct
{
  T2pIpPrefix pool4, pool6;
  T2pIpAddress address4, address6;
  T2pIpAddress responder4, responder6;
  guint8 link_length4, link_length6;
  gboolean is_explicit4, is_explicit6; /* the address comes from `addresses` */
} T2pnAddressPool;

/**
 * t2pn_address_pool_choose:
 * @settings: `addresses`, `dns-pool4` and `dns-pool6` are kept to when they are set
 * @taken: (nullable): of T2pIpPrefix: pools of the other tunnels, up or not
 * @seed: what the ULA is derived from (machine id and tunnel name): the same seed gives the
 * same prefix as long as it is free
 *
 * Pure. Takes the first pools that nothing in @snapshot overlaps: no address, no route of any
 * table but the default ones. Errors: T2P_ERROR_ADDRESS_CONFLICT, naming what overlaps.
 */
gboolean t2pn_address_pool_choose (const T2pSettings *settings,
                                   const T2pnSnapshot *snapshot,
                                   const GArray *taken,
                                   const char *seed,
                                   T2pnAddressPool *out_pool,
                                   GError **error);

G_END_DECLS
