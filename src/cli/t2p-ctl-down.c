/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "t2p-ctl-failure.h"
#include "t2p-ctl-json.h"
#include "t2p-ctl.h"

/* A tunnel that is a profile on disk stays there, inactive; any other is gone. */
static gboolean
take_down (T2pTunnel *tunnel, GError **error)
{
  if (t2p_tunnel_get_persistent (tunnel))
    return t2p_tunnel_deactivate_sync (tunnel, NULL, NULL, error);
  return t2p_tunnel_delete_sync (tunnel, NULL, NULL, error);
}

static gboolean
take_down_name (T2pCtl *ctl, const char *name, GError **error)
{
  g_autoptr (T2pTunnel) tunnel = t2p_client_get_tunnel_sync (ctl->client, name, NULL, error);

  if (tunnel == NULL || !take_down (tunnel, error))
    {
      g_prefix_error (error, _ ("could not take down the tunnel “%s”: "), name);
      return FALSE;
    }
  if (!ctl->is_json)
    g_print (t2p_tunnel_get_persistent (tunnel) ? _ ("Tunnel “%s” is inactive.\n")
                                                : _ ("Tunnel “%s” is gone.\n"),
             name);
  return TRUE;
}

/* Does all it can, tells each failure, and ends as the first of them says. */
static gboolean
run (T2pCtl *ctl, char **arguments, GError **error)
{
  GError *first = NULL;

  if (arguments[0] == NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                   _ ("which tunnel? expected one or more names"));
      return FALSE;
    }
  if (!t2p_ctl_connect (ctl, error))
    return FALSE;
  for (gsize i = 0; arguments[i] != NULL; i++)
    {
      g_autoptr (GError) local_error = NULL;

      if (take_down_name (ctl, arguments[i], &local_error))
        continue;
      if (first == NULL)
        first = g_steal_pointer (&local_error);
      else
        t2p_ctl_print_failure (local_error, ctl->is_json);
    }
  if (first != NULL)
    {
      g_propagate_error (error, first);
      return FALSE;
    }
  if (ctl->is_json)
    t2p_ctl_print_json (g_variant_new_strv ((const char *const *) arguments, -1));
  return TRUE;
}

const T2pCtlVerb t2p_ctl_down_verb = {
  .name = "down",
  .arguments = N_ ("NAME…"),
  .summary = N_ ("Take tunnels down and remove them (profiles on disk stay)"),
  .run = run,
};
