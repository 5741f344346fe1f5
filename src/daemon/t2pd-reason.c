/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-reason.h"

#include "t2p-error.h"
#include "t2p-names.h"

static T2pStateReason
reason_of_code (T2pError code)
{
  switch (code)
    {
    case T2P_ERROR_PROXY_UNREACHABLE:
    case T2P_ERROR_TIMED_OUT:
      return T2P_STATE_REASON_PROXY_UNREACHABLE;
    case T2P_ERROR_PROXY_AUTHENTICATION_FAILED:
      return T2P_STATE_REASON_PROXY_AUTH;
    case T2P_ERROR_PROXY_PROTOCOL:
    case T2P_ERROR_TLS_FAILED:
      return T2P_STATE_REASON_PROXY_PROTOCOL;
    case T2P_ERROR_RESOLVE_FAILED:
      return T2P_STATE_REASON_RESOLVE_FAILED;
    case T2P_ERROR_DEVICE_UNAVAILABLE:
    case T2P_ERROR_ADDRESS_CONFLICT:
    case T2P_ERROR_ALREADY_EXISTS:
    case T2P_ERROR_INVALID_FD:
    case T2P_ERROR_NAMESPACE_NOT_OWNED:
      return T2P_STATE_REASON_DEVICE_FAILED;
    case T2P_ERROR_ROUTE_CONFLICT:
      return T2P_STATE_REASON_ROUTE_CONFLICT;
    case T2P_ERROR_ROUTING_LOOP:
      return T2P_STATE_REASON_LOOP;
    case T2P_ERROR_DNS_SETUP_FAILED:
      return T2P_STATE_REASON_DNS_FAILED;
    case T2P_ERROR_NETWORK_MANAGER_FAILED:
      return T2P_STATE_REASON_NETWORK_BACKEND_FAILED;
    case T2P_ERROR_LIMIT_EXCEEDED:
      return T2P_STATE_REASON_LIMIT;
    case T2P_ERROR_CANCELLED:
      return T2P_STATE_REASON_USER_REQUESTED;
    case T2P_ERROR_FAILED:
    case T2P_ERROR_INVALID_ARGUMENT:
    case T2P_ERROR_INVALID_SETTINGS:
    case T2P_ERROR_NOT_FOUND:
    case T2P_ERROR_NOT_AUTHORIZED:
    case T2P_ERROR_AUTHORIZATION_DISMISSED:
    case T2P_ERROR_BUSY:
    case T2P_ERROR_NOT_SUPPORTED:
      return T2P_STATE_REASON_INTERNAL;
    }
  return T2P_STATE_REASON_INTERNAL;
}

T2pStateReason
t2pd_reason_from_error (const GError *error)
{
  if (error->domain == T2P_ERROR)
    return reason_of_code ((T2pError) error->code);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return T2P_STATE_REASON_USER_REQUESTED;
  return T2P_STATE_REASON_INTERNAL;
}

GError *
t2pd_error_from_nick (const char *nick, const char *message)
{
  g_autofree char *name = g_strconcat (T2P_ERROR_PREFIX, nick, NULL);
  T2pError code = T2P_ERROR_FAILED;

  t2p_error_from_dbus_name (name, &code);
  return g_error_new_literal (T2P_ERROR, code, message);
}
