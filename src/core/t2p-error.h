/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define T2P_ERROR (t2p_error_quark ())

/**
 * T2pError:
 *
 * What a user can act on. Each code has the D-Bus name `org.tun2proxy.Error.` plus its nick in
 * CamelCase; C callers match the code, bus callers the name.
 *
 * Since: 0.1
 */
typedef enum
{
  T2P_ERROR_FAILED,
  T2P_ERROR_INVALID_ARGUMENT,
  T2P_ERROR_INVALID_SETTINGS,
  T2P_ERROR_NOT_FOUND,
  T2P_ERROR_ALREADY_EXISTS,
  T2P_ERROR_NOT_AUTHORIZED,
  T2P_ERROR_AUTHORIZATION_DISMISSED,
  T2P_ERROR_DEVICE_UNAVAILABLE,
  T2P_ERROR_ROUTE_CONFLICT,
  T2P_ERROR_ADDRESS_CONFLICT,
  T2P_ERROR_ROUTING_LOOP,
  T2P_ERROR_RESOLVE_FAILED,
  T2P_ERROR_PROXY_UNREACHABLE,
  T2P_ERROR_PROXY_AUTHENTICATION_FAILED,
  T2P_ERROR_PROXY_PROTOCOL,
  T2P_ERROR_TLS_FAILED,
  T2P_ERROR_DNS_SETUP_FAILED,
  T2P_ERROR_NETWORK_MANAGER_FAILED,
  T2P_ERROR_INVALID_FD,
  T2P_ERROR_NAMESPACE_NOT_OWNED,
  T2P_ERROR_LIMIT_EXCEEDED,
  T2P_ERROR_BUSY,
  T2P_ERROR_TIMED_OUT,
  T2P_ERROR_CANCELLED,
  T2P_ERROR_NOT_SUPPORTED,
} T2pError;

GQuark t2p_error_quark (void);

/* "org.tun2proxy.Error.Busy" (static string). */
const char *t2p_error_to_dbus_name (T2pError code);
/* FALSE for a name that is not one of ours; then @out_code is left alone. */
gboolean t2p_error_from_dbus_name (const char *name, T2pError *out_code);

G_END_DECLS
