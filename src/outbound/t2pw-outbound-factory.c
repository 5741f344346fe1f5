/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-outbound-factory.h"

#include "t2p-error.h"
#include "t2pw-direct.h"
#include "t2pw-reject.h"
#include "t2pw-socks5.h"
#include "t2pw-tcp-lower.h"

#include <netinet/in.h>

/* Connects to the proxy that @endpoint names. */
static T2pwOutbound *
lower_for (const T2pwOutboundContext *context,
           T2pEndpoint *endpoint,
           const T2pIpAddress *addresses,
           guint n_addresses)
{
  T2pwUpstream *upstream = t2pw_upstream_new (context, endpoint);

  t2pw_upstream_set_addresses (upstream, addresses, n_addresses);
  return t2pw_tcp_lower_new (context, upstream);
}

/**
 * t2pw_outbound_new_for_endpoint:
 * @context: outlives the outbound
 * @addresses: (array length=n_addresses): what the host stands for, when that is known already
 *
 * Returns: (transfer full): the kind of outbound that @endpoint names. Errors:
 * T2P_ERROR_NOT_SUPPORTED.
 */
T2pwOutbound *
t2pw_outbound_new_for_endpoint (const T2pwOutboundContext *context,
                                T2pEndpoint *endpoint,
                                const T2pIpAddress *addresses,
                                guint n_addresses,
                                GError **error)
{
  switch (t2p_endpoint_get_scheme (endpoint))
    {
    case T2P_SCHEME_SOCKS5:
    case T2P_SCHEME_SOCKS5H:
      return t2pw_socks5_new (context, endpoint,
                              lower_for (context, endpoint, addresses, n_addresses));
    case T2P_SCHEME_DIRECT:
      return t2pw_direct_new (context);
    case T2P_SCHEME_REJECT:
      return t2pw_reject_new (context->reactor);
    case T2P_SCHEME_SOCKS4:
    case T2P_SCHEME_SOCKS4A:
    case T2P_SCHEME_HTTP:
    case T2P_SCHEME_HTTPS:
    case T2P_SCHEME_SOCKS5_TLS:
      break;
    }
  g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED,
               "upstreams of scheme '%s' are not carried out yet, expected socks5",
               t2p_scheme_to_string (t2p_endpoint_get_scheme (endpoint)));
  return NULL;
}

/**
 * t2pw_harmless_destination:
 * @out_destination: (out): borrows from @endpoint
 *
 * Where a check or a probe asks to be connected to: the proxy itself, so that nobody else is
 * bothered.
 */
void
t2pw_harmless_destination (T2pEndpoint *endpoint, T2pwDestination *out_destination)
{
  T2pwDestination destination = { .port = t2p_endpoint_get_port (endpoint),
                                  .answer_timeout_ms = T2PW_CHECK_ANSWER_MS };

  if (t2p_endpoint_get_host (endpoint) == NULL)
    destination.address = t2p_ip_address_from_v4 (INADDR_LOOPBACK);
  else if (!t2p_endpoint_get_address (endpoint, &destination.address))
    destination.name = t2p_endpoint_get_host (endpoint);
  *out_destination = destination;
}
