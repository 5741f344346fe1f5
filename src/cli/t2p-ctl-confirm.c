/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "t2p-ctl-json.h"
#include "t2p-ctl-tunnel.h"
#include "t2p-ctl.h"

static gboolean
run (T2pCtl *ctl, char **arguments, GError **error)
{
  g_autoptr (T2pTunnel) tunnel = NULL;

  if (arguments[0] == NULL || arguments[1] != NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                   _ ("which tunnel? expected exactly one name"));
      return FALSE;
    }
  if (!t2p_ctl_connect (ctl, error))
    return FALSE;
  tunnel = t2p_client_get_tunnel_sync (ctl->client, arguments[0], NULL, error);
  if (tunnel == NULL || !t2p_tunnel_confirm_sync (tunnel, NULL, NULL, error))
    {
      g_prefix_error (error, _ ("could not confirm the tunnel “%s”: "), arguments[0]);
      return FALSE;
    }
  if (ctl->is_json)
    t2p_ctl_print_json (t2p_ctl_tunnel_to_variant (tunnel));
  else
    g_print (_ ("Tunnel “%s” stays.\n"), arguments[0]);
  return TRUE;
}

const T2pCtlVerb t2p_ctl_confirm_verb = {
  .name = "confirm",
  .arguments = N_ ("NAME"),
  .summary = N_ ("Keep a tunnel that was brought up with --rollback"),
  .run = run,
};
