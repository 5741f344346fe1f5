/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-label.h"

#include <glib/gi18n-lib.h>

static const char *const state_labels[] = {
  /* Translators: states of a tunnel */
  [T2P_TUNNEL_STATE_INACTIVE] = N_ ("inactive"),
  [T2P_TUNNEL_STATE_PREPARING] = N_ ("preparing"),
  [T2P_TUNNEL_STATE_CONNECTING] = N_ ("connecting"),
  [T2P_TUNNEL_STATE_CONFIGURING] = N_ ("configuring"),
  [T2P_TUNNEL_STATE_ACTIVE] = N_ ("active"),
  [T2P_TUNNEL_STATE_DEGRADED] = N_ ("degraded"),
  [T2P_TUNNEL_STATE_SUSPENDED] = N_ ("suspended"),
  [T2P_TUNNEL_STATE_DEACTIVATING] = N_ ("deactivating"),
  [T2P_TUNNEL_STATE_FAILED] = N_ ("failed"),
};
G_STATIC_ASSERT (G_N_ELEMENTS (state_labels) == T2P_TUNNEL_STATE_FAILED + 1);

static const char *const reason_labels[] = {
  [T2P_STATE_REASON_NONE] = "",
  /* Translators: why a tunnel is in the state it is in */
  [T2P_STATE_REASON_USER_REQUESTED] = N_ ("requested"),
  [T2P_STATE_REASON_CALLER_VANISHED] = N_ ("the program that asked for it has gone"),
  [T2P_STATE_REASON_PROXY_UNREACHABLE] = N_ ("the proxy does not answer"),
  [T2P_STATE_REASON_PROXY_AUTH] = N_ ("the proxy refused the user name or the password"),
  [T2P_STATE_REASON_PROXY_PROTOCOL] = N_ ("the proxy's answer makes no sense"),
  [T2P_STATE_REASON_RESOLVE_FAILED] = N_ ("the proxy's name could not be resolved"),
  [T2P_STATE_REASON_DEVICE_FAILED] = N_ ("the TUN device could not be created"),
  [T2P_STATE_REASON_ROUTE_CONFLICT] = N_ ("another tunnel has the default route"),
  [T2P_STATE_REASON_LOOP] = N_ ("the proxy would be reached through the tunnel itself"),
  [T2P_STATE_REASON_DNS_FAILED] = N_ ("the resolver could not be set up"),
  [T2P_STATE_REASON_NETWORK_BACKEND_FAILED] = N_ ("addresses or routes could not be set up"),
  [T2P_STATE_REASON_WORKER_CRASHED] = N_ ("its worker has crashed"),
  [T2P_STATE_REASON_SUSPENDED] = N_ ("the machine sleeps"),
  [T2P_STATE_REASON_ROLLBACK] = N_ ("it was not confirmed in time"),
  [T2P_STATE_REASON_LIMIT] = N_ ("a limit was reached"),
  [T2P_STATE_REASON_INTERNAL] = N_ ("internal error"),
};
G_STATIC_ASSERT (G_N_ELEMENTS (reason_labels) == T2P_STATE_REASON_INTERNAL + 1);

/* The library's own domain: the program that uses it need not know about it. */
static const char *
translate (const char *text)
{
  static gsize bound = 0;

  if (g_once_init_enter (&bound))
    {
      bindtextdomain (GETTEXT_PACKAGE, T2P_LOCALE_DIR);
      bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
      g_once_init_leave (&bound, 1);
    }
  return *text != '\0' ? g_dgettext (GETTEXT_PACKAGE, text) : text;
}

/**
 * t2p_tunnel_state_to_label:
 * @state: a state
 *
 * The word that a person should see for @state, so that every program shows the same.
 *
 * Returns: (transfer none): a word in the user's language
 *
 * Since: 0.1
 */
const char *
t2p_tunnel_state_to_label (T2pTunnelState state)
{
  g_return_val_if_fail ((guint) state < G_N_ELEMENTS (state_labels), "");

  return translate (state_labels[state]);
}

/**
 * t2p_state_reason_to_label:
 * @reason: a reason
 *
 * Returns: (transfer none): half a sentence in the user's language; empty for
 *   %T2P_STATE_REASON_NONE
 *
 * Since: 0.1
 */
const char *
t2p_state_reason_to_label (T2pStateReason reason)
{
  g_return_val_if_fail ((guint) reason < G_N_ELEMENTS (reason_labels), "");

  return translate (reason_labels[reason]);
}
