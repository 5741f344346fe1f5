/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pw-outbound-factory.h"

#include "t2p-error.h"
#include "t2pw-chain-lower.h"
#include "t2pw-direct.h"
#include "t2pw-http.h"
#include "t2pw-reject.h"
#include "t2pw-socks4.h"
#include "t2pw-socks5.h"
#include "t2pw-tcp-lower.h"
#include "t2pw-tls-lower.h"
#include "t2pw-udp-ways.h"
#include "t2pw-unix-lower.h"

#include <netinet/in.h>

#define TCPMUX_PORT 1

/* Connects to the proxy that @endpoint names. */
static T2pwOutbound *
first_lower (const T2pwOutboundContext *context,
             T2pEndpoint *endpoint,
             const T2pIpAddress *addresses,
             guint n_addresses)
{
  const char *path = t2p_endpoint_get_unix_path (endpoint);
  T2pwUpstream *upstream;

  if (path != NULL)
    return t2pw_unix_lower_new (context, path);
  upstream = t2pw_upstream_new (context, endpoint);
  t2pw_upstream_set_addresses (upstream, addresses, n_addresses);
  return t2pw_tcp_lower_new (context, upstream);
}

/* The protocol of one proxy over what connects to it, or over TLS over that. @lower: (transfer
 * full), also on failure */
static T2pwOutbound *
hop_new (const T2pwOutboundContext *context,
         T2pEndpoint *endpoint,
         T2pwOutbound *lower,
         GError **error)
{
  g_autoptr (T2pwOutbound) owned = lower;
  T2pScheme scheme = t2p_endpoint_get_scheme (endpoint);

  if (t2p_scheme_get_traits (scheme)->has_tls)
    owned = t2pw_tls_lower_new (context, endpoint, g_steal_pointer (&owned), error);
  if (owned == NULL)
    return NULL;
  switch (scheme)
    {
    case T2P_SCHEME_SOCKS5:
    case T2P_SCHEME_SOCKS5H:
    case T2P_SCHEME_SOCKS5_TLS:
      return t2pw_socks5_new (context, endpoint, g_steal_pointer (&owned));
    case T2P_SCHEME_SOCKS4:
    case T2P_SCHEME_SOCKS4A:
      return t2pw_socks4_new (context, endpoint, g_steal_pointer (&owned));
    case T2P_SCHEME_HTTP:
    case T2P_SCHEME_HTTPS:
      return t2pw_http_new (context, endpoint, g_steal_pointer (&owned), error);
    case T2P_SCHEME_DIRECT:
    case T2P_SCHEME_REJECT:
      break;
    }
  g_set_error (error, T2P_ERROR, T2P_ERROR_NOT_SUPPORTED,
               "'%s' is no proxy that could be a hop of a chain",
               t2p_scheme_to_string (scheme));
  return NULL;
}

/* Datagrams may travel beside the connection only to a proxy that is reached without another
 * one, by a host, and in the clear. */
static gboolean
may_go_beside (const T2pEndpoint *endpoint)
{
  T2pScheme scheme = t2p_endpoint_get_scheme (endpoint);

  return (scheme == T2P_SCHEME_SOCKS5 || scheme == T2P_SCHEME_SOCKS5H) &&
         t2p_endpoint_get_host (endpoint) != NULL && t2p_endpoint_get_next (endpoint) == NULL;
}

/* Each proxy is reached by the one before. What is above the last one knows how it carries
 * datagrams. */
static T2pwOutbound *
chain_new (const T2pwOutboundContext *context,
           T2pEndpoint *endpoint,
           const T2pIpAddress *addresses,
           guint n_addresses,
           GError **error)
{
  T2pwOutbound *lower = first_lower (context, endpoint, addresses, n_addresses);
  T2pwOutbound *outbound = hop_new (context, endpoint, lower, error);
  gboolean is_beside = may_go_beside (endpoint);

  while (outbound != NULL && t2p_endpoint_get_next (endpoint) != NULL)
    {
      endpoint = t2p_endpoint_get_next (endpoint);
      outbound = hop_new (context, endpoint, t2pw_chain_lower_new (outbound, endpoint), error);
    }
  return outbound != NULL ? t2pw_udp_ways_new (context, endpoint, outbound, is_beside) : NULL;
}

/**
 * t2pw_outbound_new_for_endpoint:
 * @context: outlives the outbound
 * @addresses: (array length=n_addresses): what the (first) host stands for, when that is known
 * already
 *
 * Returns: (transfer full): the kind of outbound that @endpoint names. Errors:
 * T2P_ERROR_NOT_SUPPORTED, and T2P_ERROR_INVALID_SETTINGS for files that are of no use.
 */
T2pwOutbound *
t2pw_outbound_new_for_endpoint (const T2pwOutboundContext *context,
                                T2pEndpoint *endpoint,
                                const T2pIpAddress *addresses,
                                guint n_addresses,
                                GError **error)
{
  if (t2p_endpoint_get_scheme (endpoint) == T2P_SCHEME_DIRECT)
    return t2pw_direct_new (context);
  if (t2p_endpoint_get_scheme (endpoint) == T2P_SCHEME_REJECT)
    return t2pw_reject_new (context->reactor);
  return chain_new (context, endpoint, addresses, n_addresses, error);
}

/**
 * t2pw_find_address:
 *
 * Returns: (nullable): the first of @addresses that a proxy of @scheme can be asked for
 */
const T2pIpAddress *
t2pw_find_address (T2pScheme scheme, const T2pIpAddress *addresses, guint n_addresses)
{
  gboolean says_ipv6 = scheme != T2P_SCHEME_SOCKS4 && scheme != T2P_SCHEME_SOCKS4A;

  for (guint i = 0; i < n_addresses; i++)
    if (says_ipv6 || addresses[i].family == AF_INET)
      return &addresses[i];
  return NULL;
}

static void
use_address (const T2pIpAddress *addresses, guint n_addresses, T2pwDestination *destination)
{
  const T2pIpAddress *address = t2pw_find_address (T2P_SCHEME_SOCKS4, addresses, n_addresses);

  destination->name = NULL;
  destination->address = address != NULL ? *address : t2p_ip_address_from_v4 (INADDR_LOOPBACK);
}

/* What a proxy that speaks SOCKS 4 can be asked for. Whether 4a takes an IPv6 address for a
 * name is up to its resolver; most do, and one that does not says so. */
static void
make_sayable (T2pEndpoint *endpoint,
              const T2pIpAddress *addresses,
              guint n_addresses,
              T2pwDestination *destination)
{
  switch (t2p_endpoint_get_scheme (endpoint))
    {
    case T2P_SCHEME_SOCKS4:
      if (destination->name != NULL || destination->address.family != AF_INET)
        use_address (addresses, n_addresses, destination);
      return;
    case T2P_SCHEME_SOCKS4A:
      if (destination->name == NULL && destination->address.family != AF_INET)
        {
          destination->name = t2p_endpoint_get_host (endpoint);
          destination->address = (T2pIpAddress){ 0 };
        }
      return;
    case T2P_SCHEME_SOCKS5:
    case T2P_SCHEME_SOCKS5H:
    case T2P_SCHEME_SOCKS5_TLS:
    case T2P_SCHEME_HTTP:
    case T2P_SCHEME_HTTPS:
    case T2P_SCHEME_DIRECT:
    case T2P_SCHEME_REJECT:
      return;
    }
}

/* An HTTP proxy says nothing before it is asked: only the answer shows that it lives. Whether
 * it can reach itself from behind a translator of addresses is not sure, its own loopback is:
 * it connects, or refuses, at once. */
static void
make_sure_of_an_answer (const T2pEndpoint *endpoint, T2pwDestination *destination)
{
  const T2pScheme scheme = t2p_endpoint_get_scheme (endpoint);

  if (scheme != T2P_SCHEME_HTTP && scheme != T2P_SCHEME_HTTPS)
    return;
  destination->name = NULL;
  destination->address = t2p_ip_address_from_v4 (INADDR_LOOPBACK);
  destination->answer_timeout_ms = 0;
  destination->must_answer = TRUE;
}

/**
 * t2pw_harmless_destination:
 * @addresses: (array length=n_addresses): what the (first) host stands for, when that is known
 * @out_destination: (out): borrows from @endpoint
 *
 * Where a check or a probe asks to be connected to: the proxy itself, the last one of a chain,
 * so that nobody else is bothered.
 */
void
t2pw_harmless_destination (T2pEndpoint *endpoint,
                           const T2pIpAddress *addresses,
                           guint n_addresses,
                           T2pwDestination *out_destination)
{
  T2pwDestination destination = { .answer_timeout_ms = T2PW_CHECK_ANSWER_MS };

  for (; t2p_endpoint_get_next (endpoint) != NULL; endpoint = t2p_endpoint_get_next (endpoint))
    n_addresses = 0;
  destination.port = t2p_endpoint_get_port (endpoint);
  if (destination.port == 0) /* of a unix socket: nobody listens there */
    destination.port = TCPMUX_PORT;
  if (t2p_endpoint_get_host (endpoint) == NULL)
    destination.address = t2p_ip_address_from_v4 (INADDR_LOOPBACK);
  else if (!t2p_endpoint_get_address (endpoint, &destination.address))
    destination.name = t2p_endpoint_get_host (endpoint);
  make_sayable (endpoint, addresses, n_addresses, &destination);
  make_sure_of_an_answer (endpoint, &destination);
  *out_destination = destination;
}
