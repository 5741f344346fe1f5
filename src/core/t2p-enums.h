/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib-object.h>

G_BEGIN_DECLS

/* Enums are lowercase strings on the bus, in JSON and on the command line. For each of them:
 * t2p_X_to_string() (static string), t2p_X_from_string() (FALSE for a stranger). Installed with
 * the client library, which registers them as GEnums. */

/**
 * T2pTunnelState:
 *
 * What may follow what is in t2p_tunnel_state_may_follow().
 *
 * Since: 0.1
 */
typedef enum
{
  T2P_TUNNEL_STATE_INACTIVE,
  T2P_TUNNEL_STATE_PREPARING,
  T2P_TUNNEL_STATE_CONNECTING,
  T2P_TUNNEL_STATE_CONFIGURING,
  T2P_TUNNEL_STATE_ACTIVE,
  T2P_TUNNEL_STATE_DEGRADED,
  T2P_TUNNEL_STATE_SUSPENDED,
  T2P_TUNNEL_STATE_DEACTIVATING,
  T2P_TUNNEL_STATE_FAILED,
} T2pTunnelState;

/**
 * T2pStateReason:
 *
 * Why a tunnel is in the state it is in.
 *
 * Since: 0.1
 */
typedef enum
{
  T2P_STATE_REASON_NONE,
  T2P_STATE_REASON_USER_REQUESTED,
  T2P_STATE_REASON_CALLER_VANISHED,
  T2P_STATE_REASON_PROXY_UNREACHABLE,
  T2P_STATE_REASON_PROXY_AUTH,
  T2P_STATE_REASON_PROXY_PROTOCOL,
  T2P_STATE_REASON_RESOLVE_FAILED,
  T2P_STATE_REASON_DEVICE_FAILED,
  T2P_STATE_REASON_ROUTE_CONFLICT,
  T2P_STATE_REASON_LOOP,
  T2P_STATE_REASON_DNS_FAILED,
  T2P_STATE_REASON_NETWORK_BACKEND_FAILED,
  T2P_STATE_REASON_WORKER_CRASHED,
  T2P_STATE_REASON_SUSPENDED,
  T2P_STATE_REASON_ROLLBACK,
  T2P_STATE_REASON_LIMIT,
  T2P_STATE_REASON_INTERNAL,
} T2pStateReason;

/**
 * T2pCapture:
 *
 * What goes into the tunnel.
 *
 * Since: 0.1
 */
typedef enum
{
  T2P_CAPTURE_NONE,
  T2P_CAPTURE_ROUTES,
  T2P_CAPTURE_DEFAULT,
} T2pCapture;

/**
 * T2pScope:
 *
 * Whose traffic goes into the tunnel.
 *
 * Since: 0.1
 */
typedef enum
{
  T2P_SCOPE_USER,
  T2P_SCOPE_SYSTEM,
} T2pScope;

/**
 * T2pDnsMode:
 *
 * How names are resolved inside the tunnel.
 *
 * Since: 0.1
 */
typedef enum
{
  T2P_DNS_MODE_OFF,
  T2P_DNS_MODE_VIRTUAL,
  T2P_DNS_MODE_TCP,
  T2P_DNS_MODE_UDP,
} T2pDnsMode;

/**
 * T2pIpv6Mode:
 *
 * What happens to IPv6.
 *
 * Since: 0.1
 */
typedef enum
{
  T2P_IPV6_MODE_AUTO,
  T2P_IPV6_MODE_ON,
  T2P_IPV6_MODE_REJECT,
  T2P_IPV6_MODE_LEAVE,
} T2pIpv6Mode;

const char *t2p_tunnel_state_to_string (T2pTunnelState state);
gboolean t2p_tunnel_state_from_string (const char *text, T2pTunnelState *out_state);
/* The transition table of the public interface. */
gboolean t2p_tunnel_state_may_follow (T2pTunnelState from, T2pTunnelState to);
const char *t2p_state_reason_to_string (T2pStateReason reason);
gboolean t2p_state_reason_from_string (const char *text, T2pStateReason *out_reason);
const char *t2p_capture_to_string (T2pCapture capture);
gboolean t2p_capture_from_string (const char *text, T2pCapture *out_capture);
const char *t2p_scope_to_string (T2pScope scope);
gboolean t2p_scope_from_string (const char *text, T2pScope *out_scope);
const char *t2p_dns_mode_to_string (T2pDnsMode mode);
gboolean t2p_dns_mode_from_string (const char *text, T2pDnsMode *out_mode);
const char *t2p_ipv6_mode_to_string (T2pIpv6Mode mode);
gboolean t2p_ipv6_mode_from_string (const char *text, T2pIpv6Mode *out_mode);

G_END_DECLS
