/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "t2p-ctl-json.h"
#include "t2p-ctl-terminal.h"
#include "t2p-ctl-tunnel.h"
#include "t2p-ctl-units.h"
#include "t2p-ctl.h"

/* What is asked of a tunnel beside its properties. */
typedef struct
{
  GVariant *settings;
  guint64 settings_version;
  GVariant *details;
  GVariant *statistics;
} Answers;

static void
answers_clear (Answers *answers)
{
  g_clear_pointer (&answers->settings, g_variant_unref);
  g_clear_pointer (&answers->details, g_variant_unref);
  g_clear_pointer (&answers->statistics, g_variant_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Answers, answers_clear)

static gboolean
ask (T2pTunnel *tunnel, Answers *answers, GError **error)
{
  answers->settings =
      t2p_tunnel_get_settings_sync (tunnel, NULL, &answers->settings_version, error);
  if (answers->settings == NULL)
    return FALSE;
  answers->details = t2p_tunnel_get_details_sync (tunnel, NULL, error);
  if (answers->details == NULL)
    return FALSE;
  answers->statistics = t2p_tunnel_get_statistics_sync (tunnel, NULL, error);
  return answers->statistics != NULL;
}

static void
print_for_programs (T2pTunnel *tunnel, const Answers *answers)
{
  GVariantDict dict = G_VARIANT_DICT_INIT (NULL);

  t2p_ctl_tunnel_to_dict (tunnel, &dict);
  g_variant_dict_insert_value (&dict, "settings", answers->settings);
  g_variant_dict_insert (&dict, "settings-version", "t", answers->settings_version);
  g_variant_dict_insert_value (&dict, "details", answers->details);
  g_variant_dict_insert_value (&dict, "statistics", answers->statistics);
  t2p_ctl_print_json (g_variant_dict_end (&dict));
}

/* --- for people: a label, a colon, a value; nothing for an empty value */

#define LABEL_COLUMNS 20

static void
print_line (const char *label, const char *value)
{
  const guint columns = t2p_ctl_columns (label);

  if (value == NULL || *value == '\0')
    return;
  g_print ("  %s:%*s %s\n", label,
           columns < LABEL_COLUMNS ? (int) (LABEL_COLUMNS - columns) : 0, "", value);
}

static void
print_heading (const char *text)
{
  g_autofree char *heading = t2p_ctl_colour (T2P_CTL_COLOUR_BOLD, text);

  g_print ("%s\n", heading);
}

/* Strings as they are, lists with commas, all else as GVariant prints it. */
static char *
value_to_text (GVariant *value)
{
  g_autofree char *text = NULL;

  if (g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    return t2p_ctl_printable (g_variant_get_string (value, NULL));
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_STRING_ARRAY))
    {
      g_autofree const char **list = g_variant_get_strv (value, NULL);

      text = g_strjoinv (", ", (char **) list);
    }
  else if (g_variant_is_of_type (value, G_VARIANT_TYPE_BOOLEAN))
    return g_strdup (g_variant_get_boolean (value) ? _ ("yes") : _ ("no"));
  else
    text = g_variant_print (value, FALSE);
  return t2p_ctl_printable (text);
}

static void
print_key (GVariant *dict, const char *key, const char *label)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (dict, key, NULL);
  g_autofree char *text = value != NULL ? value_to_text (value) : NULL;

  print_line (label, text);
}

static void
print_properties (T2pTunnel *tunnel, GVariant *details)
{
  g_autofree char *name = t2p_ctl_printable (t2p_tunnel_get_name (tunnel));
  g_autofree char *state = t2p_ctl_tunnel_describe_state (tunnel);
  g_autofree char *owner = t2p_ctl_user_name (t2p_tunnel_get_owner (tunnel));
  g_autofree char *uptime = t2p_ctl_tunnel_format_uptime (tunnel);
  g_autofree char *rollback = t2p_ctl_tunnel_describe_rollback (tunnel);
  g_autofree char *mtu = g_strdup_printf ("%u", t2p_tunnel_get_mtu (tunnel));
  g_autofree char *interface = t2p_ctl_printable (t2p_tunnel_get_interface (tunnel));

  print_heading (name);
  print_line (_ ("State"), state);
  print_key (details, "message", _ ("Message"));
  print_line (_ ("Up for"), uptime);
  print_line (_ ("Unless confirmed"), rollback);
  print_line (_ ("Owner"), owner);
  print_line (_ ("Interface"), interface);
  print_key (details, "addresses", _ ("Addresses"));
  print_line (_ ("MTU"), mtu);
  print_line (_ ("Capture"), t2p_capture_to_string (t2p_tunnel_get_capture (tunnel)));
  print_line (_ ("Scope"), t2p_scope_to_string (t2p_tunnel_get_scope (tunnel)));
  print_key (details, "dns-mode", _ ("DNS"));
  print_key (details, "udp-mode", _ ("UDP"));
  print_key (details, "ipv6-mode", _ ("IPv6"));
  print_line (_ ("Routes by"), t2p_tunnel_get_network_backend (tunnel));
  print_line (_ ("Resolver by"), t2p_tunnel_get_resolver_backend (tunnel));
}

static void
print_proxy (GVariant *proxy, const char *active)
{
  const char *uri = "";
  const char *state = "";
  guint64 rtt_us = 0;
  g_autofree char *delay = NULL;
  g_autofree char *line = NULL;
  g_autofree char *safe = NULL;

  (void) g_variant_lookup (proxy, "uri", "&s", &uri);
  (void) g_variant_lookup (proxy, "state", "&s", &state);
  (void) g_variant_lookup (proxy, "rtt-us", "t", &rtt_us);
  delay = rtt_us > 0 ? t2p_ctl_format_delay (rtt_us) : g_strdup ("");
  line = g_strjoin ("  ", uri, state, delay, NULL);
  safe = t2p_ctl_printable (g_strchomp (line));
  g_print ("  %s %s\n", g_str_equal (uri, active) ? "*" : " ", safe);
}

static void
print_proxies (GVariant *details)
{
  g_autoptr (GVariant) proxies =
      g_variant_lookup_value (details, "proxies", G_VARIANT_TYPE ("aa{sv}"));
  const char *active = "";

  if (proxies == NULL || g_variant_n_children (proxies) == 0)
    return;
  (void) g_variant_lookup (details, "active-proxy", "&s", &active);
  print_heading (_ ("Proxies"));
  for (gsize i = 0; i < g_variant_n_children (proxies); i++)
    {
      g_autoptr (GVariant) proxy = g_variant_get_child_value (proxies, i);

      print_proxy (proxy, active);
    }
}

/* Told with the proxies already. */
static gboolean
is_told (const char *key)
{
  return g_str_equal (key, "proxies") || g_str_equal (key, "proxies-with-credentials");
}

static void
print_settings (GVariant *settings)
{
  GVariantIter iter;
  const char *key = NULL;
  GVariant *value = NULL;
  gboolean has_heading = FALSE;

  g_variant_iter_init (&iter, settings);
  while (g_variant_iter_loop (&iter, "{&sv}", &key, &value))
    {
      g_autofree char *text = value_to_text (value);
      g_autofree char *safe_key = t2p_ctl_printable (key);

      if (is_told (key))
        continue;
      if (!has_heading)
        print_heading (_ ("Settings"));
      has_heading = TRUE;
      g_print ("  %s=%s\n", safe_key, text);
    }
}

/* Only what has been counted: most counters of trouble are zero, and should be. */
static void
print_statistics (GVariant *statistics)
{
  GVariantIter iter;
  const char *key = NULL;
  guint64 value = 0;
  gboolean has_heading = FALSE;

  g_variant_iter_init (&iter, statistics);
  while (g_variant_iter_loop (&iter, "{&st}", &key, &value))
    {
      g_autofree char *label = t2p_ctl_printable (key);
      g_autofree char *text = g_str_has_suffix (key, "-bytes")
                                  ? t2p_ctl_format_bytes (value)
                                  : g_strdup_printf ("%" G_GUINT64_FORMAT, value);

      if (value == 0)
        continue;
      if (!has_heading)
        print_heading (_ ("Statistics"));
      has_heading = TRUE;
      print_line (label, text);
    }
}

static void
print_for_people (T2pTunnel *tunnel, const Answers *answers)
{
  print_properties (tunnel, answers->details);
  print_proxies (answers->details);
  print_settings (answers->settings);
  print_statistics (answers->statistics);
}

static gboolean
run (T2pCtl *ctl, char **arguments, GError **error)
{
  g_autoptr (T2pTunnel) tunnel = NULL;
  g_auto (Answers) answers = { 0 };

  if (arguments[0] == NULL || arguments[1] != NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                   _ ("which tunnel? expected exactly one name"));
      return FALSE;
    }
  if (!t2p_ctl_connect (ctl, error))
    return FALSE;
  tunnel = t2p_client_get_tunnel_sync (ctl->client, arguments[0], NULL, error);
  if (tunnel == NULL || !ask (tunnel, &answers, error))
    {
      g_prefix_error (error, _ ("could not show the tunnel “%s”: "), arguments[0]);
      return FALSE;
    }
  if (ctl->is_json)
    print_for_programs (tunnel, &answers);
  else
    print_for_people (tunnel, &answers);
  return TRUE;
}

const T2pCtlVerb t2p_ctl_show_verb = {
  .name = "show",
  .arguments = N_ ("NAME"),
  .summary = N_ ("Show a tunnel: state, proxies, settings, statistics"),
  .run = run,
};
