/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-kill-switch.h"

T2pnKillSwitchArm *
t2pn_kill_switch_arm_new (guint32 owner_uid, const char *name)
{
  T2pnKillSwitchArm *arm = g_new0 (T2pnKillSwitchArm, 1);

  arm->owner_uid = owner_uid;
  arm->name = g_strdup (name);
  arm->users = g_array_new (FALSE, FALSE, sizeof (T2pnUidRange));
  arm->captured = g_array_new (FALSE, TRUE, sizeof (T2pIpPrefix));
  arm->excluded = g_array_new (FALSE, TRUE, sizeof (T2pIpPrefix));
  arm->lan = g_array_new (FALSE, TRUE, sizeof (T2pIpPrefix));
  arm->passing_uids = g_array_new (FALSE, FALSE, sizeof (guint32));
  arm->passing_peers = g_array_new (FALSE, TRUE, sizeof (T2pnBypassPeer));
  arm->own = g_array_new (FALSE, TRUE, sizeof (T2pIpPrefix));
  return arm;
}

void
t2pn_kill_switch_arm_free (T2pnKillSwitchArm *arm)
{
  if (arm == NULL)
    return;
  g_free (arm->name);
  g_array_unref (arm->users);
  g_array_unref (arm->captured);
  g_array_unref (arm->excluded);
  g_array_unref (arm->lan);
  g_array_unref (arm->passing_uids);
  g_array_unref (arm->passing_peers);
  g_array_unref (arm->own);
  g_free (arm);
}

/* --- what a tunnel captures */

static void
append_setting (GArray *prefixes, const T2pSettings *settings, const char *key)
{
  guint n;
  const T2pIpPrefix *values = t2p_settings_get_prefixes (settings, key, &n);

  g_array_append_vals (prefixes, values, n);
}

static void
append_host (GArray *prefixes, const T2pIpAddress *address)
{
  T2pIpPrefix prefix;

  if (address->family == 0)
    return;
  prefix = t2p_ip_prefix_of (address, (guint8) t2p_ip_address_bits (address));
  g_array_append_val (prefixes, prefix);
}

static void
fill_users (T2pnKillSwitchArm *arm, const T2pnRoutePlanInput *input)
{
  T2pnUidRange owner = { input->owner_uid, input->owner_uid };

  g_array_set_size (arm->users, 0);
  if (t2p_settings_get_scope (input->settings) == T2P_SCOPE_USER)
    g_array_append_val (arm->users, owner);
  else
    g_array_append_vals (arm->users, input->users, input->n_users);
}

static void
fill_captured (T2pnKillSwitchArm *arm, const T2pnRoutePlanInput *input)
{
  g_array_set_size (arm->captured, 0);
  g_array_set_size (arm->excluded, 0);
  g_array_set_size (arm->own, 0);
  append_host (arm->own, &input->pool.address4);
  append_host (arm->own, &input->pool.address6);
  append_setting (arm->excluded, input->settings, "exclude-routes");
  if (arm->captures_all)
    return;
  append_setting (arm->captured, input->settings, "routes");
  if (t2p_settings_get_dns (input->settings) != T2P_DNS_MODE_VIRTUAL)
    return;
  g_array_append_val (arm->captured, input->pool.pool4);
  g_array_append_val (arm->captured, input->pool.pool6);
}

static void
fill_passing (T2pnKillSwitchArm *arm, const T2pnBypass *bypass)
{
  g_array_set_size (arm->passing_uids, 0);
  g_array_set_size (arm->passing_peers, 0);
  if (bypass == NULL)
    return;
  g_array_append_vals (arm->passing_uids, bypass->uids->data, bypass->uids->len);
  g_array_append_vals (arm->passing_peers, bypass->peers->data, bypass->peers->len);
}

void
t2pn_kill_switch_arm_fill (T2pnKillSwitchArm *arm,
                           const T2pnRoutePlanInput *input,
                           const T2pnSnapshot *snapshot)
{
  const T2pSettings *settings = input->settings;

  g_strlcpy (arm->ifname, input->ifname, sizeof arm->ifname);
  arm->captures_all = t2p_settings_get_capture (settings) == T2P_CAPTURE_DEFAULT;
  arm->captures_ipv6 = t2p_settings_get_ipv6 (settings) != T2P_IPV6_MODE_LEAVE;
  arm->guards_dns = arm->captures_all && t2p_settings_get_dns (settings) != T2P_DNS_MODE_OFF;
  arm->is_forwarded = t2p_settings_get_bool (settings, "forwarded");
  fill_users (arm, input);
  fill_captured (arm, input);
  fill_passing (arm, input->bypass);
  g_array_set_size (arm->lan, 0);
  if (arm->captures_all)
    {
      g_autoptr (GArray) lan =
          t2pn_kill_switch_list_lan (t2p_settings_get_string (settings, "lan"), snapshot,
                                     input->own_ifindexes, input->n_own_ifindexes);

      g_array_append_vals (arm->lan, lan->data, lan->len);
    }
}
