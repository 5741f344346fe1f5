/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-refusal.h"

/**
 * t2p_refusal_from_socks5_reply:
 * @reply: REP of RFC 1928 section 6, not 0
 *
 * Returns: what the application is told
 */
T2pRefusal
t2p_refusal_from_socks5_reply (guint8 reply)
{
  switch (reply)
    {
    case 0x02: /* connection not allowed by ruleset */
      return T2P_REFUSAL_ADMIN_PROHIBITED;
    case 0x03:
      return T2P_REFUSAL_NET_UNREACHABLE;
    case 0x04:
      return T2P_REFUSAL_HOST_UNREACHABLE;
    case 0x06: /* TTL expired: proxies use it for a time-out */
      return T2P_REFUSAL_SILENCE;
    default: /* 0x05, connection refused, and strangers */
      return T2P_REFUSAL_RESET;
    }
}

/**
 * t2p_refusal_from_http_status:
 * @status: of the answer to CONNECT, not 2xx
 *
 * Returns: what the application is told
 */
T2pRefusal
t2p_refusal_from_http_status (guint status)
{
  switch (status)
    {
    case 401:
    case 403:
    case 407:
      return T2P_REFUSAL_ADMIN_PROHIBITED;
    case 502: /* the proxy could not connect, or not find the name */
    case 503:
    case 504: /* it has waited already: the application need not */
      return T2P_REFUSAL_HOST_UNREACHABLE;
    default:
      return T2P_REFUSAL_RESET;
    }
}
