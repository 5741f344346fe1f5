/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "t2p-ctl-json.h"
#include "t2p-ctl-terminal.h"
#include "t2p-ctl.h"

static const struct
{
  const char *state;
  T2pCtlColour colour;
  const char *words;
} states[] = {
  { "off", T2P_CTL_COLOUR_YELLOW, N_ ("off: nothing is blocked") },
  { "armed", T2P_CTL_COLOUR_GREEN, N_ ("armed: captured traffic leaves by its tunnel only") },
  { "blocking", T2P_CTL_COLOUR_RED,
    N_ ("blocking: a tunnel is down, what it would carry is refused") },
};

static void
print_for_people (const char *state)
{
  for (gsize i = 0; i < G_N_ELEMENTS (states); i++)
    if (g_str_equal (state, states[i].state))
      {
        g_autofree char *words = t2p_ctl_colour (states[i].colour, _ (states[i].words));

        g_print (_ ("Kill switch: %s\n"), words);
        return;
      }
  g_print (_ ("Kill switch: %s\n"), state); /* of a newer service */
}

/* The table is there without the service, which therefore is started to tell. */
static gboolean
show (T2pCtl *ctl, GError **error)
{
  g_autoptr (GPtrArray) tunnels = t2p_client_list_tunnels_sync (ctl->client, NULL, error);
  const char *state;
  GVariantBuilder builder;

  if (tunnels == NULL)
    return FALSE;
  state = t2p_client_get_kill_switch (ctl->client);
  if (!ctl->is_json)
    {
      print_for_people (state);
      return TRUE;
    }
  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", "kill-switch", g_variant_new_string (state));
  t2p_ctl_print_json (g_variant_builder_end (&builder));
  return TRUE;
}

static gboolean
set (T2pCtl *ctl, const char *mode, const char *tunnel, GError **error)
{
  GVariantBuilder options;

  g_variant_builder_init (&options, G_VARIANT_TYPE_VARDICT);
  if (tunnel != NULL)
    g_variant_builder_add (&options, "{sv}", "tunnel", g_variant_new_string (tunnel));
  return t2p_client_set_kill_switch_sync (ctl->client, mode, g_variant_builder_end (&options),
                                          NULL, error);
}

static gboolean
run (T2pCtl *ctl, char **arguments, GError **error)
{
  const char *mode = arguments[0] != NULL ? arguments[0] : "status";
  const char *tunnel = arguments[0] != NULL ? arguments[1] : NULL;

  if (tunnel != NULL && (arguments[2] != NULL || g_str_equal (mode, "status")))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                   _ ("expected off, on-failure or always and at most one tunnel"));
      return FALSE;
    }
  if (!t2p_ctl_connect (ctl, error))
    return FALSE;
  if (g_str_equal (mode, "status"))
    return show (ctl, error);
  if (!set (ctl, mode, tunnel, error))
    {
      g_prefix_error (error, _ ("could not change the kill switch: "));
      return FALSE;
    }
  return show (ctl, error);
}

const T2pCtlVerb t2p_ctl_kill_switch_verb = {
  .name = "kill-switch",
  .arguments = N_ ("[status|off|on-failure|always [NAME]]"),
  .summary = N_ ("Show or change what is blocked while a tunnel is down"),
  .run = run,
};
