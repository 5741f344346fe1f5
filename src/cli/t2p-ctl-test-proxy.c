/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "t2p-ctl-json.h"
#include "t2p-ctl-password.h"
#include "t2p-ctl-terminal.h"
#include "t2p-ctl-units.h"
#include "t2p-ctl.h"

static gint option_timeout = T2P_CTL_NO_NUMBER;

static const GOptionEntry options[] = {
  { "timeout", 't', 0, G_OPTION_ARG_INT, &option_timeout,
    N_ ("Give up after this many seconds (30 at most)"), N_ ("SECONDS") },
  { NULL },
};

static gboolean
get_flag (GVariant *result, const char *key)
{
  gboolean flag = FALSE;

  (void) g_variant_lookup (result, key, "b", &flag);
  return flag;
}

static const char *
get_text (GVariant *result, const char *key)
{
  const char *text = "";

  (void) g_variant_lookup (result, key, "&s", &text);
  return text;
}

static void
print_flag (const char *label, gboolean flag)
{
  g_autofree char *answer = t2p_ctl_colour (flag ? T2P_CTL_COLOUR_GREEN : T2P_CTL_COLOUR_RED,
                                            flag ? _ ("yes") : _ ("no"));

  g_print ("%s: %s\n", label, answer);
}

static void
print_for_people (GVariant *result)
{
  g_autofree char *udp = t2p_ctl_printable (get_text (result, "udp"));
  g_autofree char *auth = t2p_ctl_printable (get_text (result, "auth"));
  g_autofree char *delay = NULL;
  guint64 rtt_us = 0;

  print_flag (_ ("Reachable"), get_flag (result, "reachable"));
  if (!get_flag (result, "reachable"))
    return;
  if (g_variant_lookup (result, "rtt-us", "t", &rtt_us))
    {
      delay = t2p_ctl_format_delay (rtt_us);
      g_print (_ ("Round trip: %s\n"), delay);
    }
  g_print (_ ("Login: %s\n"), auth);
  print_flag (_ ("Connects"), get_flag (result, "connect"));
  print_flag (_ ("Takes names"), get_flag (result, "names"));
  print_flag (_ ("IPv6"), get_flag (result, "ipv6"));
  g_print (_ ("UDP: %s\n"), udp);
}

/* A proxy that does not work ends the program like a tunnel to it would. */
static gboolean
judge (GVariant *result, GError **error)
{
  const char *name = get_text (result, "error");
  T2pError code = T2P_ERROR_PROXY_UNREACHABLE;

  if (*name == '\0' && get_flag (result, "reachable"))
    return TRUE;
  if (*name != '\0')
    {
      g_autofree char *full = g_str_has_prefix (name, "org.")
                                  ? g_strdup (name)
                                  : g_strconcat ("org.tun2proxy.Error.", name, NULL);

      if (!t2p_error_from_dbus_name (full, &code))
        code = T2P_ERROR_FAILED;
    }
  switch ((int) code)
    {
    case T2P_ERROR_PROXY_AUTHENTICATION_FAILED:
      g_set_error (error, T2P_ERROR, (int) code,
                   _ ("the proxy refused the user name or the password"));
      break;
    case T2P_ERROR_TIMED_OUT: /* of the proxy, not of the service */
    case T2P_ERROR_PROXY_UNREACHABLE:
      g_set_error (error, T2P_ERROR, T2P_ERROR_PROXY_UNREACHABLE,
                   _ ("the proxy does not answer"));
      break;
    case T2P_ERROR_RESOLVE_FAILED:
      g_set_error (error, T2P_ERROR, (int) code, _ ("the proxy's name could not be resolved"));
      break;
    case T2P_ERROR_PROXY_PROTOCOL:
      g_set_error (error, T2P_ERROR, (int) code, _ ("the proxy's answer makes no sense"));
      break;
    default:
      g_set_error (error, T2P_ERROR, (int) code, _ ("the proxy does not work: %s"), name);
      break;
    }
  return FALSE;
}

static GVariant *
make_options (GError **error)
{
  g_auto (GVariantDict) dict = G_VARIANT_DICT_INIT (NULL);

  if (!t2p_ctl_take_number ("timeout", option_timeout, &dict, "timeout", error))
    return NULL;
  return g_variant_ref_sink (g_variant_dict_end (&dict));
}

static gboolean
run (T2pCtl *ctl, char **arguments, GError **error)
{
  g_autoptr (GVariant) wanted = NULL;
  g_autoptr (GVariant) result = NULL;
  char *uri = NULL;

  if (arguments[0] == NULL || arguments[1] != NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                   _ ("which proxy? expected exactly one URI"));
      return FALSE;
    }
  wanted = make_options (error);
  if (wanted == NULL)
    return FALSE;
  uri = t2p_ctl_add_credentials (ctl, arguments[0], error);
  if (uri != NULL && t2p_ctl_connect (ctl, error))
    result = t2p_client_test_proxy_sync (ctl->client, uri, wanted, NULL, error);
  t2p_ctl_wipe (uri);
  if (result == NULL)
    return FALSE;
  if (ctl->is_json)
    t2p_ctl_print_json (result);
  else
    print_for_people (result);
  return judge (result, error);
}

const T2pCtlVerb t2p_ctl_test_proxy_verb = {
  .name = "test-proxy",
  .arguments = N_ ("URI"),
  .summary = N_ ("Try a proxy with a real handshake"),
  .options = options,
  .run = run,
};
