/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * T2pRefusal:
 * @T2P_REFUSAL_RESET: a TCP RST; for UDP the same as @T2P_REFUSAL_PORT_UNREACHABLE
 * @T2P_REFUSAL_NET_UNREACHABLE: ICMP, no route to the network
 * @T2P_REFUSAL_HOST_UNREACHABLE: ICMP, the host does not answer
 * @T2P_REFUSAL_PORT_UNREACHABLE: ICMP, nobody listens
 * @T2P_REFUSAL_ADMIN_PROHIBITED: ICMP, a rule forbids it
 * @T2P_REFUSAL_SILENCE: no answer, the application waits for its own time-out
 *
 * What the application is told when its flow cannot be carried.
 */
typedef enum
{
  T2P_REFUSAL_RESET,
  T2P_REFUSAL_NET_UNREACHABLE,
  T2P_REFUSAL_HOST_UNREACHABLE,
  T2P_REFUSAL_PORT_UNREACHABLE,
  T2P_REFUSAL_ADMIN_PROHIBITED,
  T2P_REFUSAL_SILENCE,
} T2pRefusal;

T2pRefusal t2p_refusal_from_socks5_reply (guint8 reply);
T2pRefusal t2p_refusal_from_http_status (guint status);

G_END_DECLS
