/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "t2p-ctl-json.h"
#include "t2p-ctl-netns.h"
#include "t2p-ctl-password.h"
#include "t2p-ctl-settings.h"
#include "t2p-ctl-terminal.h"
#include "t2p-ctl-tunnel.h"
#include "t2p-ctl.h"

static char *option_name = NULL;
static gboolean option_no_wait = FALSE;
static char *option_netns = NULL;
static gboolean option_close_existing = FALSE;
static gint option_rollback = T2P_CTL_NO_NUMBER;

static const GOptionEntry options[] = {
  { "name", 'n', 0, G_OPTION_ARG_STRING, &option_name,
    N_ ("Name of the tunnel (else its interface, or the proxy's host)"), N_ ("NAME") },
  { "no-wait", 0, 0, G_OPTION_ARG_NONE, &option_no_wait,
    N_ ("Don't wait until the tunnel is active"), NULL },
  { "close-existing", 0, 0, G_OPTION_ARG_NONE, &option_close_existing,
    N_ ("End connections that were open before, so that they are made again inside"), NULL },
  { "netns", 0, 0, G_OPTION_ARG_FILENAME, &option_netns,
    N_ ("Make the tunnel in another network namespace, and keep it until interrupted"),
    N_ ("PATH|PID") },
  { "rollback", 'r', 0, G_OPTION_ARG_INT, &option_rollback,
    N_ ("Take the tunnel down again after this many seconds (5 to 3600) unless it is "
        "confirmed"),
    N_ ("SECONDS") },
  { NULL },
};

/* The options of the command line are about the first proxy only: a password is for nobody
 * else. */
static gboolean
add_credentials (T2pCtl *ctl, T2pCtlSettings *settings, GError **error)
{
  char *uri = g_ptr_array_index (settings->proxies, 0);
  char *complete = t2p_ctl_add_credentials (ctl, uri, error);

  if (complete == NULL)
    return FALSE;
  t2p_ctl_wipe (uri);
  g_ptr_array_index (settings->proxies, 0) = complete;
  return TRUE;
}

static void
print_warnings (GVariant *result)
{
  g_autofree const char **warnings = NULL;

  if (!g_variant_lookup (result, "warnings", "^a&s", &warnings))
    return;
  for (gsize i = 0; warnings[i] != NULL; i++)
    {
      g_autofree char *text = t2p_ctl_printable (warnings[i]);

      g_printerr (_ ("warning: %s\n"), text);
    }
}

static void
print_rollback (T2pTunnel *tunnel)
{
  if (option_rollback == T2P_CTL_NO_NUMBER)
    return;
  g_print (_ ("It is taken down again in %d seconds. If all is well, keep it with\n"
              "  tun2proxyctl confirm %s\n"),
           option_rollback, t2p_tunnel_get_name (tunnel));
}

static void
print_for_people (T2pTunnel *tunnel, GVariant *result)
{
  g_autofree char *interface = NULL;
  g_autofree char *state = t2p_ctl_tunnel_describe_state (tunnel);
  const char *seen = t2p_tunnel_get_interface (tunnel);

  if (*seen == '\0')
    (void) g_variant_lookup (result, "interface", "&s", &seen);
  interface = t2p_ctl_printable (seen);
  /* Translators: name of a tunnel, name of an interface, a state */
  g_print (_ ("Tunnel “%s” on %s is %s.\n"), t2p_tunnel_get_name (tunnel), interface, state);
  if (t2p_tunnel_get_capture (tunnel) == T2P_CAPTURE_NONE)
    g_print (
        _ ("It captures nothing by itself: a program that binds to %s uses it, for example\n"
           "  curl --interface %s https://example.org\n"
           "For all of your traffic give capture=default, for some routes=CIDR,… with "
           "capture=routes.\n"),
        interface, interface);
  if (option_netns != NULL)
    g_print (_ ("It stays until this program is interrupted (Ctrl+C).\n"));
  print_rollback (tunnel);
  print_warnings (result);
}

static void
print_for_programs (T2pTunnel *tunnel, GVariant *result)
{
  GVariantDict dict = G_VARIANT_DICT_INIT (NULL);
  g_autoptr (GVariant) warnings =
      g_variant_lookup_value (result, "warnings", G_VARIANT_TYPE_STRING_ARRAY);

  t2p_ctl_tunnel_to_dict (tunnel, &dict);
  g_variant_dict_insert_value (&dict, "warnings",
                               warnings != NULL ? warnings : g_variant_new_strv (NULL, 0));
  t2p_ctl_print_json (g_variant_dict_end (&dict));
}

static GVariant *
make_options (GError **error)
{
  g_auto (GVariantDict) call = G_VARIANT_DICT_INIT (NULL);

  g_variant_dict_insert (&call, "wait", "b", !option_no_wait);
  if (option_close_existing)
    g_variant_dict_insert (&call, "close-existing", "b", TRUE);
  if (!t2p_ctl_take_number ("rollback", option_rollback, &call, "rollback-timeout", error))
    return NULL;
  return g_variant_ref_sink (g_variant_dict_end (&call));
}

/* @out_guard is left alone without --netns. */
static T2pTunnel *
create (T2pCtl *ctl,
        const char *name,
        GVariant *settings,
        GVariant *call,
        int *out_guard,
        GVariant **out_result,
        GError **error)
{
  if (option_netns != NULL)
    return t2p_ctl_netns_create (ctl, option_netns, name, settings, call, out_guard, out_result,
                                 error);
  return t2p_client_create_tunnel_sync (ctl->client, name, settings, call, NULL, out_result,
                                        error);
}

static gboolean
run (T2pCtl *ctl, char **arguments, GError **error)
{
  g_autoptr (T2pCtlSettings) settings = t2p_ctl_settings_parse (arguments, error);
  g_autoptr (GVariant) call = settings != NULL ? make_options (error) : NULL;
  g_autoptr (T2pTunnel) tunnel = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autofree char *name = NULL;
  int guard = -1;

  if (call == NULL)
    return FALSE;
  name = option_name != NULL ? g_strdup (option_name)
                             : t2p_ctl_settings_default_name (settings, error);
  if (name == NULL || !add_credentials (ctl, settings, error) || !t2p_ctl_connect (ctl, error))
    return FALSE;
  tunnel = create (ctl, name, t2p_ctl_settings_end (settings), call, &guard, &result, error);
  if (tunnel == NULL)
    {
      g_prefix_error (error, _ ("could not bring up the tunnel “%s”: "), name);
      return FALSE;
    }
  if (ctl->is_json)
    print_for_programs (tunnel, result);
  else
    print_for_people (tunnel, result);
  return guard < 0 || t2p_ctl_netns_hold (guard, name, error);
}

const T2pCtlVerb t2p_ctl_up_verb = {
  .name = "up",
  .arguments = N_ ("URI… [KEY=VALUE…]"),
  .summary = N_ ("Create a tunnel to a proxy and bring it up"),
  .options = options,
  .run = run,
};
