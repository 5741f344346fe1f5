/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * What an error says about an upstream. What the proxy says about a destination proves that it
 * is up, and so does silence behind the request: greeting and login have worked, and the
 * destination, be it the harmless one, may be what is silent. No connection or a failed login
 * makes it down. A hang-up could be the destination's fault. What we lack ourselves (ports,
 * descriptors) says nothing. */
#include "config.h"

#include "t2pw-group-private.h"

#include "t2p-error.h"

/**
 * t2pw_state_reason_from_error:
 *
 * Which of the public reasons stands for what went wrong with an upstream.
 */
T2pStateReason
t2pw_state_reason_from_error (const GError *error)
{
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED))
    return T2P_STATE_REASON_PROXY_AUTH;
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL) ||
      g_error_matches (error, T2P_ERROR, T2P_ERROR_TLS_FAILED))
    return T2P_STATE_REASON_PROXY_PROTOCOL;
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_RESOLVE_FAILED))
    return T2P_STATE_REASON_RESOLVE_FAILED;
  return T2P_STATE_REASON_PROXY_UNREACHABLE;
}

/* The upstream cannot be used, whatever the destination. */
static gboolean
is_upstream_fault (const GError *error)
{
  return g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE) ||
         g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_AUTHENTICATION_FAILED) ||
         g_error_matches (error, T2P_ERROR, T2P_ERROR_TLS_FAILED) ||
         g_error_matches (error, T2P_ERROR, T2P_ERROR_RESOLVE_FAILED);
}

T2pwEvidence
t2pw_evidence_of (const GError *error)
{
  if (is_upstream_fault (error))
    return T2PW_EVIDENCE_DOWN;
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_LIMIT_EXCEEDED))
    return T2PW_EVIDENCE_NONE;
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_TIMED_OUT))
    return T2PW_EVIDENCE_GREETED;
  if (g_error_matches (error, T2P_ERROR, T2P_ERROR_PROXY_PROTOCOL))
    return T2PW_EVIDENCE_DOUBTFUL;
  return T2PW_EVIDENCE_UP;
}
