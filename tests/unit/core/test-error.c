/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-error.h"

#include <string.h>

/* Written out once more: these names are the public interface. */
static const char *const names[] = {
  "Failed",
  "InvalidArgument",
  "InvalidSettings",
  "NotFound",
  "AlreadyExists",
  "NotAuthorized",
  "AuthorizationDismissed",
  "DeviceUnavailable",
  "RouteConflict",
  "AddressConflict",
  "RoutingLoop",
  "ResolveFailed",
  "ProxyUnreachable",
  "ProxyAuthenticationFailed",
  "ProxyProtocol",
  "TlsFailed",
  "DnsSetupFailed",
  "NetworkManagerFailed",
  "InvalidFd",
  "NamespaceNotOwned",
  "LimitExceeded",
  "Busy",
  "TimedOut",
  "Cancelled",
  "NotSupported",
};

static void
test_names (void)
{
  g_assert_cmpuint (G_N_ELEMENTS (names), ==, T2P_ERROR_NOT_SUPPORTED + 1);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *full = g_strconcat ("org.tun2proxy.Error.", names[i], NULL);
      g_autoptr (GError) error = g_error_new_literal (T2P_ERROR, (int) i, "x");
      g_autofree char *on_bus = g_dbus_error_encode_gerror (error);
      T2pError code = T2P_ERROR_FAILED;

      g_assert_cmpstr (on_bus, ==, full);
      g_assert_cmpstr (t2p_error_to_dbus_name ((T2pError) i), ==, full);
      g_assert_true (t2p_error_from_dbus_name (full, &code));
      g_assert_cmpuint (code, ==, i);
    }
}

static void
test_strangers (void)
{
  T2pError code = T2P_ERROR_BUSY;

  g_assert_false (t2p_error_from_dbus_name ("org.freedesktop.DBus.Error.Failed", &code));
  g_assert_false (t2p_error_from_dbus_name ("Busy", &code));
  g_assert_false (t2p_error_from_dbus_name (NULL, &code));
  g_assert_cmpuint (code, ==, T2P_ERROR_BUSY);
}

static void
test_from_bus (void)
{
  g_autoptr (GError) error = NULL;

  t2p_error_quark ();
  error = g_dbus_error_new_for_dbus_error ("org.tun2proxy.Error.RoutingLoop", "y");
  g_assert_error (error, T2P_ERROR, T2P_ERROR_ROUTING_LOOP);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/error/every-code-has-its-public-name", test_names);
  g_test_add_func ("/error/foreign-names-are-refused", test_strangers);
  g_test_add_func ("/error/a-reply-from-the-bus-becomes-a-code", test_from_bus);
  return g_test_run ();
}
