/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "t2p-ctl-json.h"
#include "t2p-ctl-terminal.h"
#include "t2p-ctl.h"
#include "t2p-settings.h"

static const char *
describe_type (const char *type)
{
  if (g_str_equal (type, "b"))
    return _ ("yes|no");
  if (g_str_equal (type, "u"))
    return _ ("NUMBER");
  if (g_str_equal (type, "as"))
    return _ ("VALUE,…");
  return _ ("TEXT");
}

static void
print_key (const T2pSettingKey *key)
{
  const char *values = key->choices != NULL ? key->choices : describe_type (key->type);
  g_autofree char *head = g_strdup_printf ("%s=%s", key->name, values);
  g_autofree char *bold = t2p_ctl_colour (T2P_CTL_COLOUR_BOLD, head);

  if (key->default_text != NULL && *key->default_text != '\0')
    /* Translators: what a setting is unless it is given */
    g_print (_ ("%s  (else %s)\n"), bold, key->default_text);
  else
    g_print ("%s\n", bold);
  g_print ("    %s\n", _ (key->help));
}

static void
print_for_people (void)
{
  for (const T2pSettingKey *key = t2p_setting_keys (); key->name != NULL; key++)
    print_key (key);
}

static GVariant *
to_variant (const T2pSettingKey *key)
{
  GVariantDict dict = G_VARIANT_DICT_INIT (NULL);

  g_variant_dict_insert (&dict, "name", "s", key->name);
  g_variant_dict_insert (&dict, "type", "s", key->type);
  if (key->default_text != NULL)
    g_variant_dict_insert (&dict, "default", "s", key->default_text);
  if (key->choices != NULL)
    {
      g_auto (GStrv) choices = g_strsplit (key->choices, "|", -1);

      g_variant_dict_insert (&dict, "choices", "^as", choices);
    }
  g_variant_dict_insert (&dict, "unprivileged", "b", key->is_unprivileged);
  g_variant_dict_insert (&dict, "help", "s", key->help);
  return g_variant_dict_end (&dict);
}

static void
print_for_programs (void)
{
  GVariantBuilder list;

  g_variant_builder_init (&list, G_VARIANT_TYPE ("aa{sv}"));
  for (const T2pSettingKey *key = t2p_setting_keys (); key->name != NULL; key++)
    g_variant_builder_add_value (&list, to_variant (key));
  t2p_ctl_print_json (g_variant_builder_end (&list));
}

static gboolean
run_keys (T2pCtl *ctl, char **arguments, GError **error)
{
  if (ctl->is_json)
    print_for_programs ();
  else
    print_for_people ();
  return TRUE;
}

const T2pCtlVerb t2p_ctl_keys_verb = {
  .name = "keys",
  .summary = N_ ("List the settings that “up” understands"),
  .run = run_keys,
};

/* --- for shells: words, one on a line */

static void
print_choices (const char *name)
{
  const T2pSettingKey *key = t2p_setting_key_find (name);
  g_auto (GStrv) choices = NULL;

  if (key == NULL || (key->choices == NULL && !g_str_equal (key->type, "b")))
    return;
  choices = g_strsplit (key->choices != NULL ? key->choices : "yes|no", "|", -1);
  for (gsize i = 0; choices[i] != NULL; i++)
    g_print ("%s=%s\n", name, choices[i]);
}

static void
print_keys (void)
{
  for (const T2pSettingKey *key = t2p_setting_keys (); key->name != NULL; key++)
    g_print ("%s=\n", key->name);
}

static void
print_schemes (void)
{
  for (guint i = 0; i < T2P_N_SCHEMES; i++)
    g_print ("%s://\n", t2p_scheme_to_string ((T2pScheme) i));
}

static void
print_verbs (void)
{
  for (gsize i = 0; t2p_ctl_verbs[i] != NULL; i++)
    if (t2p_ctl_verbs[i]->summary != NULL)
      g_print ("%s\n", t2p_ctl_verbs[i]->name);
}

/* Does not start the service: a press of the tab key should not. */
static gboolean
print_tunnels (T2pCtl *ctl, GError **error)
{
  g_autoptr (GPtrArray) tunnels = NULL;

  if (!t2p_ctl_connect (ctl, error))
    return FALSE;
  tunnels = t2p_client_get_tunnels (ctl->client);
  for (guint i = 0; i < tunnels->len; i++)
    g_print ("%s\n", t2p_tunnel_get_name (g_ptr_array_index (tunnels, i)));
  return TRUE;
}

static gboolean
run_complete (T2pCtl *ctl, char **arguments, GError **error)
{
  const char *what = arguments[0] != NULL ? arguments[0] : "verbs";

  if (g_str_equal (what, "tunnels"))
    return print_tunnels (ctl, error);
  if (g_str_equal (what, "keys"))
    print_keys ();
  else if (g_str_equal (what, "verbs"))
    print_verbs ();
  else if (g_str_equal (what, "schemes"))
    print_schemes ();
  else
    print_choices (what);
  return TRUE;
}

const T2pCtlVerb t2p_ctl_complete_verb = {
  .name = "complete",
  .run = run_complete,
};
