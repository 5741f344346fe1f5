/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-upstream.h"

G_BEGIN_DECLS

/**
 * T2pwProbeResult:
 * @is_reachable: a TCP connection came about
 * @rtt_us: of its handshake; 0 when there was none
 * @auth: "none", "password", or "" when that was not learnt
 * @can_connect: the upstream takes CONNECT requests; %FALSE without an @error when it greeted
 *   us and then answered none in time
 * @can_names: with a name as the destination
 * @can_ipv6: with an IPv6 address
 * @refuses_ipv6: it said that it cannot; with neither, nothing is known
 * @udp: T2pwUdpMode as text: "associate", "udp-in-tcp", "none"
 * @error: (nullable): why it cannot be used
 */
typedef struct
{
  gboolean is_reachable;
  gint64 rtt_us;
  const char *auth;
  gboolean can_connect;
  gboolean can_names;
  gboolean can_ipv6;
  gboolean refuses_ipv6;
  const char *udp;
  const GError *error;
} T2pwProbeResult;

typedef struct _T2pwProbe T2pwProbe;

/* The probe is gone when this is called; @result is valid during the call. */
typedef void (*T2pwProbeDone) (const T2pwProbeResult *result, gpointer user_data);

T2pwProbe *t2pw_probe_start (const T2pwOutboundContext *context,
                             T2pEndpoint *endpoint,
                             const T2pIpAddress *addresses,
                             guint n_addresses,
                             T2pwProbeDone done,
                             gpointer user_data,
                             GError **error);
void t2pw_probe_cancel (T2pwProbe *probe);

G_END_DECLS
