/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-ctl-tunnel.h"

#include <glib/gi18n.h>
#include <pwd.h>

#include "t2p-ctl-terminal.h"
#include "t2p-ctl-units.h"

void
t2p_ctl_tunnel_to_dict (T2pTunnel *tunnel, GVariantDict *dict)
{
  const char *state = t2p_tunnel_state_to_string (t2p_tunnel_get_state (tunnel));
  const char *reason = t2p_state_reason_to_string (t2p_tunnel_get_state_reason (tunnel));
  const char *capture = t2p_capture_to_string (t2p_tunnel_get_capture (tunnel));

  g_variant_dict_insert (dict, "name", "s", t2p_tunnel_get_name (tunnel));
  g_variant_dict_insert (dict, "tunnel", "s", t2p_tunnel_get_object_path (tunnel));
  g_variant_dict_insert (dict, "owner", "u", t2p_tunnel_get_owner (tunnel));
  g_variant_dict_insert (dict, "state", "s", state);
  g_variant_dict_insert (dict, "state-reason", "s", reason);
  g_variant_dict_insert (dict, "interface", "s", t2p_tunnel_get_interface (tunnel));
  g_variant_dict_insert (dict, "if-index", "i", t2p_tunnel_get_if_index (tunnel));
  g_variant_dict_insert (dict, "mtu", "u", t2p_tunnel_get_mtu (tunnel));
  g_variant_dict_insert (dict, "capture", "s", capture);
  g_variant_dict_insert (dict, "scope", "s",
                         t2p_scope_to_string (t2p_tunnel_get_scope (tunnel)));
  g_variant_dict_insert (dict, "persistent", "b", t2p_tunnel_get_persistent (tunnel));
  g_variant_dict_insert (dict, "lifetime", "s", t2p_tunnel_get_lifetime (tunnel));
  g_variant_dict_insert (dict, "active-since", "t", t2p_tunnel_get_active_since (tunnel));
  g_variant_dict_insert (dict, "network-backend", "s", t2p_tunnel_get_network_backend (tunnel));
  g_variant_dict_insert (dict, "resolver-backend", "s",
                         t2p_tunnel_get_resolver_backend (tunnel));
  g_variant_dict_insert (dict, "rollback-deadline", "t",
                         t2p_tunnel_get_rollback_deadline (tunnel));
}

GVariant *
t2p_ctl_tunnel_to_variant (T2pTunnel *tunnel)
{
  GVariantDict dict = G_VARIANT_DICT_INIT (NULL);

  t2p_ctl_tunnel_to_dict (tunnel, &dict);
  return g_variant_dict_end (&dict);
}

/* A person who has asked for it knows why. */
static gboolean
is_worth_telling (T2pStateReason reason)
{
  return reason != T2P_STATE_REASON_NONE && reason != T2P_STATE_REASON_USER_REQUESTED;
}

char *
t2p_ctl_tunnel_describe_state (T2pTunnel *tunnel)
{
  const T2pTunnelState state = t2p_tunnel_get_state (tunnel);
  const T2pStateReason reason = t2p_tunnel_get_state_reason (tunnel);
  g_autofree char *label =
      t2p_ctl_colour (t2p_ctl_colour_of_state (state), t2p_tunnel_state_to_label (state));

  if (!is_worth_telling (reason))
    return g_steal_pointer (&label);
  return g_strdup_printf ("%s: %s", label, t2p_state_reason_to_label (reason));
}

char *
t2p_ctl_user_name (guint uid)
{
  const struct passwd *entry = getpwuid (uid);

  return entry != NULL ? t2p_ctl_printable (entry->pw_name) : g_strdup_printf ("%u", uid);
}

char *
t2p_ctl_tunnel_format_uptime (T2pTunnel *tunnel)
{
  const gint64 since_us = (gint64) t2p_tunnel_get_active_since (tunnel);
  const gint64 now_us = g_get_real_time ();

  if (since_us <= 0 || since_us > now_us)
    return g_strdup ("");
  return t2p_ctl_format_age ((guint64) (now_us - since_us));
}

char *
t2p_ctl_tunnel_describe_rollback (T2pTunnel *tunnel)
{
  const gint64 deadline_us = (gint64) t2p_tunnel_get_rollback_deadline (tunnel);
  const gint64 now_us = g_get_real_time ();
  g_autofree char *age = NULL;

  if (deadline_us <= now_us)
    return g_strdup ("");
  age = t2p_ctl_format_age ((guint64) (deadline_us - now_us));
  /* Translators: a duration */
  return g_strdup_printf (_ ("down again in %s"), age);
}
