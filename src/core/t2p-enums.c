/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-enums.h"

static gboolean
find_nick (const char *const *nicks, gsize n, const char *text, guint *out_index)
{
  for (guint i = 0; i < n; i++)
    if (g_strcmp0 (nicks[i], text) == 0)
      {
        *out_index = i;
        return TRUE;
      }
  return FALSE;
}

/* Each table is indexed by its enum, and as long as it: a new value without a nick does not
 * compile. */
#define DEFINE_NICKS(Type, prefix, nicks, LAST)                                                \
  G_STATIC_ASSERT (G_N_ELEMENTS (nicks) == (LAST) + 1);                                        \
  const char *prefix##_to_string (Type value)                                                  \
  {                                                                                            \
    g_return_val_if_fail ((guint) value < G_N_ELEMENTS (nicks), "unknown");                    \
    return nicks[value];                                                                       \
  }                                                                                            \
  gboolean prefix##_from_string (const char *text, Type *out_value)                            \
  {                                                                                            \
    guint index = 0;                                                                           \
                                                                                               \
    if (!find_nick (nicks, G_N_ELEMENTS (nicks), text, &index))                                \
      return FALSE;                                                                            \
    *out_value = (Type) index;                                                                 \
    return TRUE;                                                                               \
  }

static const char *const state_nicks[] = {
  [T2P_TUNNEL_STATE_INACTIVE] = "inactive",
  [T2P_TUNNEL_STATE_PREPARING] = "preparing",
  [T2P_TUNNEL_STATE_CONNECTING] = "connecting",
  [T2P_TUNNEL_STATE_CONFIGURING] = "configuring",
  [T2P_TUNNEL_STATE_ACTIVE] = "active",
  [T2P_TUNNEL_STATE_DEGRADED] = "degraded",
  [T2P_TUNNEL_STATE_SUSPENDED] = "suspended",
  [T2P_TUNNEL_STATE_DEACTIVATING] = "deactivating",
  [T2P_TUNNEL_STATE_FAILED] = "failed",
};
DEFINE_NICKS (T2pTunnelState, t2p_tunnel_state, state_nicks, T2P_TUNNEL_STATE_FAILED)

static const char *const reason_nicks[] = {
  [T2P_STATE_REASON_NONE] = "none",
  [T2P_STATE_REASON_USER_REQUESTED] = "user-requested",
  [T2P_STATE_REASON_CALLER_VANISHED] = "caller-vanished",
  [T2P_STATE_REASON_PROXY_UNREACHABLE] = "proxy-unreachable",
  [T2P_STATE_REASON_PROXY_AUTH] = "proxy-auth",
  [T2P_STATE_REASON_PROXY_PROTOCOL] = "proxy-protocol",
  [T2P_STATE_REASON_RESOLVE_FAILED] = "resolve-failed",
  [T2P_STATE_REASON_DEVICE_FAILED] = "device-failed",
  [T2P_STATE_REASON_ROUTE_CONFLICT] = "route-conflict",
  [T2P_STATE_REASON_LOOP] = "loop",
  [T2P_STATE_REASON_DNS_FAILED] = "dns-failed",
  [T2P_STATE_REASON_NETWORK_BACKEND_FAILED] = "network-backend-failed",
  [T2P_STATE_REASON_WORKER_CRASHED] = "worker-crashed",
  [T2P_STATE_REASON_SUSPENDED] = "suspended",
  [T2P_STATE_REASON_ROLLBACK] = "rollback",
  [T2P_STATE_REASON_LIMIT] = "limit",
  [T2P_STATE_REASON_INTERNAL] = "internal",
};
DEFINE_NICKS (T2pStateReason, t2p_state_reason, reason_nicks, T2P_STATE_REASON_INTERNAL)

static const char *const capture_nicks[] = {
  [T2P_CAPTURE_NONE] = "none",
  [T2P_CAPTURE_ROUTES] = "routes",
  [T2P_CAPTURE_DEFAULT] = "default",
};
DEFINE_NICKS (T2pCapture, t2p_capture, capture_nicks, T2P_CAPTURE_DEFAULT)

static const char *const scope_nicks[] = {
  [T2P_SCOPE_USER] = "user",
  [T2P_SCOPE_SYSTEM] = "system",
};
DEFINE_NICKS (T2pScope, t2p_scope, scope_nicks, T2P_SCOPE_SYSTEM)

static const char *const dns_nicks[] = {
  [T2P_DNS_MODE_OFF] = "off",
  [T2P_DNS_MODE_VIRTUAL] = "virtual",
  [T2P_DNS_MODE_TCP] = "tcp",
  [T2P_DNS_MODE_UDP] = "udp",
};
DEFINE_NICKS (T2pDnsMode, t2p_dns_mode, dns_nicks, T2P_DNS_MODE_UDP)

static const char *const ipv6_nicks[] = {
  [T2P_IPV6_MODE_AUTO] = "auto",
  [T2P_IPV6_MODE_ON] = "on",
  [T2P_IPV6_MODE_REJECT] = "reject",
  [T2P_IPV6_MODE_LEAVE] = "leave",
};
DEFINE_NICKS (T2pIpv6Mode, t2p_ipv6_mode, ipv6_nicks, T2P_IPV6_MODE_LEAVE)

#define BIT(NAME) (1u << T2P_TUNNEL_STATE_##NAME)
/* What the whole life of a tunnel may break into. */
#define ENDS (BIT (DEACTIVATING) | BIT (FAILED))

static const guint16 followers[] = {
  [T2P_TUNNEL_STATE_INACTIVE] = BIT (PREPARING) | BIT (DEACTIVATING),
  [T2P_TUNNEL_STATE_PREPARING] = BIT (CONNECTING) | ENDS,
  [T2P_TUNNEL_STATE_CONNECTING] = BIT (CONFIGURING) | ENDS,
  [T2P_TUNNEL_STATE_CONFIGURING] = BIT (ACTIVE) | ENDS,
  [T2P_TUNNEL_STATE_ACTIVE] = BIT (DEGRADED) | BIT (SUSPENDED) | ENDS,
  [T2P_TUNNEL_STATE_DEGRADED] = BIT (ACTIVE) | BIT (SUSPENDED) | ENDS,
  [T2P_TUNNEL_STATE_SUSPENDED] = BIT (ACTIVE) | BIT (DEGRADED) | ENDS,
  [T2P_TUNNEL_STATE_DEACTIVATING] = BIT (INACTIVE) | BIT (FAILED),
  [T2P_TUNNEL_STATE_FAILED] = BIT (PREPARING) | BIT (INACTIVE) | BIT (DEACTIVATING),
};
G_STATIC_ASSERT (G_N_ELEMENTS (followers) == T2P_TUNNEL_STATE_FAILED + 1);

/**
 * t2p_tunnel_state_may_follow:
 * @from: the state a tunnel is in
 * @to: the state it would go to
 *
 * Returns: whether the transition is one of the public interface; no state follows itself
 *
 * Since: 0.1
 */
gboolean
t2p_tunnel_state_may_follow (T2pTunnelState from, T2pTunnelState to)
{
  g_return_val_if_fail ((guint) from < G_N_ELEMENTS (followers), FALSE);
  g_return_val_if_fail ((guint) to < G_N_ELEMENTS (followers), FALSE);

  return (followers[from] & (1u << to)) != 0;
}
