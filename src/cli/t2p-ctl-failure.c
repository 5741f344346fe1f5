/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-ctl-failure.h"

#include <gio/gio.h>
#include <glib/gi18n.h>

#include "t2p-ctl-json.h"
#include "t2p-ctl-terminal.h"
#include "t2p-error.h"

static const struct
{
  T2pError code;
  T2pCtlExit exit_code;
  const char *remedy; /* NULL: the message says it all */
} answers[] = {
  { T2P_ERROR_FAILED, T2P_CTL_FAILED, N_ ("The service's log may say more.") },
  { T2P_ERROR_INVALID_ARGUMENT, T2P_CTL_USAGE, NULL },
  { T2P_ERROR_INVALID_SETTINGS, T2P_CTL_USAGE,
    N_ ("“tun2proxyctl keys” lists the settings and what they may be.") },
  { T2P_ERROR_NOT_FOUND, T2P_CTL_NOT_FOUND, N_ ("“tun2proxyctl list” shows the tunnels.") },
  { T2P_ERROR_ALREADY_EXISTS, T2P_CTL_CONFLICT,
    N_ ("Give another name with --name, or remove the old one with “tun2proxyctl down”.") },
  { T2P_ERROR_NOT_AUTHORIZED, T2P_CTL_NOT_AUTHORIZED,
    N_ ("Try it as root, or from a session in which polkit can ask for a password.") },
  { T2P_ERROR_AUTHORIZATION_DISMISSED, T2P_CTL_NOT_AUTHORIZED,
    N_ ("Try again and give the password, or do it as root.") },
  { T2P_ERROR_DEVICE_UNAVAILABLE, T2P_CTL_FAILED,
    N_ ("Check that the service is installed completely and that the kernel module tun is "
        "loaded.") },
  { T2P_ERROR_ROUTE_CONFLICT, T2P_CTL_CONFLICT,
    N_ ("Take the other tunnel down first, or capture only your own traffic with "
        "scope=user.") },
  { T2P_ERROR_ADDRESS_CONFLICT, T2P_CTL_CONFLICT,
    N_ ("Leave the key addresses out, and free ones are chosen.") },
  { T2P_ERROR_ROUTING_LOOP, T2P_CTL_FAILED,
    N_ ("Run the proxy as a service or as a user of its own.") },
  { T2P_ERROR_RESOLVE_FAILED, T2P_CTL_PROXY,
    N_ ("Check the proxy's name, or give its address instead.") },
  { T2P_ERROR_PROXY_UNREACHABLE, T2P_CTL_PROXY,
    N_ ("Check that the proxy runs, its address and its port.") },
  { T2P_ERROR_PROXY_AUTHENTICATION_FAILED, T2P_CTL_PROXY,
    N_ ("Check the user name and the password, or type them in with --ask.") },
  { T2P_ERROR_PROXY_PROTOCOL, T2P_CTL_PROXY,
    N_ ("Check that the port belongs to a proxy of this kind.") },
  { T2P_ERROR_TLS_FAILED, T2P_CTL_PROXY, N_ ("Check the proxy's name and its certificate.") },
  { T2P_ERROR_DNS_SETUP_FAILED, T2P_CTL_FAILED,
    N_ ("With dns=off the resolver is left alone.") },
  { T2P_ERROR_NETWORK_MANAGER_FAILED, T2P_CTL_FAILED,
    N_ ("NetworkManager's log may say more.") },
  { T2P_ERROR_INVALID_FD, T2P_CTL_FAILED, NULL },
  { T2P_ERROR_NAMESPACE_NOT_OWNED, T2P_CTL_NOT_AUTHORIZED, NULL },
  { T2P_ERROR_LIMIT_EXCEEDED, T2P_CTL_CONFLICT,
    N_ ("Remove a tunnel that is no longer needed with “tun2proxyctl down”.") },
  { T2P_ERROR_BUSY, T2P_CTL_CONFLICT, N_ ("Try again in a moment.") },
  { T2P_ERROR_TIMED_OUT, T2P_CTL_FAILED, NULL },
  { T2P_ERROR_CANCELLED, T2P_CTL_FAILED, NULL },
  { T2P_ERROR_NOT_SUPPORTED, T2P_CTL_FAILED, NULL },
};
G_STATIC_ASSERT (G_N_ELEMENTS (answers) == T2P_ERROR_NOT_SUPPORTED + 1);

static gboolean
is_about_bus (const GError *error)
{
  return error->domain == G_DBUS_ERROR ||
         g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED) ||
         g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND) ||
         g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED) ||
         g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
}

T2pCtlExit
t2p_ctl_exit_code (const GError *error)
{
  if (error->domain == G_OPTION_ERROR)
    return T2P_CTL_USAGE;
  if (error->domain == T2P_ERROR && (guint) error->code < G_N_ELEMENTS (answers))
    return answers[error->code].exit_code;
  return is_about_bus (error) ? T2P_CTL_NO_SERVICE : T2P_CTL_FAILED;
}

const char *
t2p_ctl_remedy (const GError *error)
{
  if (error->domain == G_OPTION_ERROR)
    return _ ("“tun2proxyctl --help” and “tun2proxyctl VERB --help” show the usage.");
  if (error->domain == T2P_ERROR && (guint) error->code < G_N_ELEMENTS (answers))
    return answers[error->code].remedy != NULL ? _ (answers[error->code].remedy) : NULL;
  if (is_about_bus (error))
    return _ ("Is the service installed and running? “systemctl status tun2proxyd” shows it.");
  return NULL;
}

static void
print_for_programs (const GError *error)
{
  g_autofree char *name = g_dbus_error_encode_gerror (error);
  g_autofree char *json = NULL;
  GVariantDict dict = G_VARIANT_DICT_INIT (NULL);

  g_variant_dict_insert (&dict, "error", "s", name);
  g_variant_dict_insert (&dict, "message", "s", error->message);
  g_variant_dict_insert (&dict, "exit-code", "i", (int) t2p_ctl_exit_code (error));
  json = t2p_ctl_to_json (g_variant_dict_end (&dict), FALSE);
  g_printerr ("%s\n", json);
}

void
t2p_ctl_print_failure (const GError *error, gboolean is_json)
{
  const char *remedy = t2p_ctl_remedy (error);
  g_autofree char *message = t2p_ctl_printable (error->message);

  if (is_json)
    {
      print_for_programs (error);
      return;
    }
  g_printerr ("tun2proxyctl: %s\n", message);
  if (remedy != NULL)
    g_printerr ("%s\n", remedy);
}
