/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"

#include "t2p-names.h"

static const GDBusErrorEntry entries[] = {
  { T2P_ERROR_FAILED, T2P_ERROR_PREFIX "Failed" },
  { T2P_ERROR_INVALID_ARGUMENT, T2P_ERROR_PREFIX "InvalidArgument" },
  { T2P_ERROR_INVALID_SETTINGS, T2P_ERROR_PREFIX "InvalidSettings" },
  { T2P_ERROR_NOT_FOUND, T2P_ERROR_PREFIX "NotFound" },
  { T2P_ERROR_ALREADY_EXISTS, T2P_ERROR_PREFIX "AlreadyExists" },
  { T2P_ERROR_NOT_AUTHORIZED, T2P_ERROR_PREFIX "NotAuthorized" },
  { T2P_ERROR_AUTHORIZATION_DISMISSED, T2P_ERROR_PREFIX "AuthorizationDismissed" },
  { T2P_ERROR_DEVICE_UNAVAILABLE, T2P_ERROR_PREFIX "DeviceUnavailable" },
  { T2P_ERROR_ROUTE_CONFLICT, T2P_ERROR_PREFIX "RouteConflict" },
  { T2P_ERROR_ADDRESS_CONFLICT, T2P_ERROR_PREFIX "AddressConflict" },
  { T2P_ERROR_ROUTING_LOOP, T2P_ERROR_PREFIX "RoutingLoop" },
  { T2P_ERROR_RESOLVE_FAILED, T2P_ERROR_PREFIX "ResolveFailed" },
  { T2P_ERROR_PROXY_UNREACHABLE, T2P_ERROR_PREFIX "ProxyUnreachable" },
  { T2P_ERROR_PROXY_AUTHENTICATION_FAILED, T2P_ERROR_PREFIX "ProxyAuthenticationFailed" },
  { T2P_ERROR_PROXY_PROTOCOL, T2P_ERROR_PREFIX "ProxyProtocol" },
  { T2P_ERROR_TLS_FAILED, T2P_ERROR_PREFIX "TlsFailed" },
  { T2P_ERROR_DNS_SETUP_FAILED, T2P_ERROR_PREFIX "DnsSetupFailed" },
  { T2P_ERROR_NETWORK_MANAGER_FAILED, T2P_ERROR_PREFIX "NetworkManagerFailed" },
  { T2P_ERROR_INVALID_FD, T2P_ERROR_PREFIX "InvalidFd" },
  { T2P_ERROR_NAMESPACE_NOT_OWNED, T2P_ERROR_PREFIX "NamespaceNotOwned" },
  { T2P_ERROR_LIMIT_EXCEEDED, T2P_ERROR_PREFIX "LimitExceeded" },
  { T2P_ERROR_BUSY, T2P_ERROR_PREFIX "Busy" },
  { T2P_ERROR_TIMED_OUT, T2P_ERROR_PREFIX "TimedOut" },
  { T2P_ERROR_CANCELLED, T2P_ERROR_PREFIX "Cancelled" },
  { T2P_ERROR_NOT_SUPPORTED, T2P_ERROR_PREFIX "NotSupported" },
};
G_STATIC_ASSERT (G_N_ELEMENTS (entries) == T2P_ERROR_NOT_SUPPORTED + 1);

/**
 * t2p_error_quark:
 *
 * The error domain; the first call registers it with GDBus, so that errors cross the bus by
 * name.
 *
 * Since: 0.1
 */
GQuark
t2p_error_quark (void)
{
  static gsize quark;

  g_dbus_error_register_error_domain ("t2p-error-quark", &quark, entries,
                                      G_N_ELEMENTS (entries));
  return (GQuark) quark;
}

/**
 * t2p_error_to_dbus_name:
 * @code: a code of this domain
 *
 * Returns: (transfer none): the D-Bus error name; that of `Failed` for a code we do not have
 *
 * Since: 0.1
 */
const char *
t2p_error_to_dbus_name (T2pError code)
{
  for (gsize i = 0; i < G_N_ELEMENTS (entries); i++)
    if (entries[i].error_code == (int) code)
      return entries[i].dbus_error_name;
  return entries[T2P_ERROR_FAILED].dbus_error_name;
}

/**
 * t2p_error_from_dbus_name:
 * @name: (nullable): a D-Bus error name
 * @out_code: (out): the code
 *
 * Returns: %FALSE for a name that is not ours; then @out_code is left alone
 *
 * Since: 0.1
 */
gboolean
t2p_error_from_dbus_name (const char *name, T2pError *out_code)
{
  for (gsize i = 0; i < G_N_ELEMENTS (entries); i++)
    if (g_strcmp0 (entries[i].dbus_error_name, name) == 0)
      {
        *out_code = (T2pError) entries[i].error_code;
        return TRUE;
      }
  return FALSE;
}
