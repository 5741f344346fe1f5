/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Theory of operation
 *
 * Not every way to keep our own packets out of the tunnel works with every wish. One that knows
 * them by whom they go to (`host-route`, `half-default`) needs to know that beforehand, and
 * nobody knows whom a direct connection goes to. Routes in main are everybody's and are asked
 * for every packet, so that `half-default` can capture neither for some users nor some
 * networks, nor what main has routes for. */
#include "config.h"

#include "t2p-setting-loops.h"

#include "t2p-setting-error.h"

#include <string.h>

static gboolean
has_direct (const T2pSettings *settings)
{
  guint n_rules = 0;
  const T2pRule *const *rules = t2p_settings_get_rules (settings, &n_rules);

  for (guint i = 0; i < t2p_settings_get_n_proxies (settings); i++)
    if (t2p_endpoint_get_scheme (t2p_settings_get_proxy (settings, i)) == T2P_SCHEME_DIRECT)
      return TRUE;
  for (guint i = 0; i < n_rules; i++)
    if (rules[i]->action == T2P_RULE_DIRECT)
      return TRUE;
  return FALSE;
}

static gboolean
is_set_to (const T2pSettings *settings, const char *key, const char *value)
{
  return strcmp (t2p_settings_get_string (settings, key), value) == 0;
}

/* One socket carries the pings to all destinations, for as long as the tunnel is up. */
static gboolean
check_pings (const T2pSettings *settings, const char *method, GError **error)
{
  return !is_set_to (settings, "icmp", "direct") ||
         t2p_setting_refuse ("loop-avoidance", error,
                             "%s does not go with icmp=direct, expected mark", method);
}

static gboolean
check_destinations (const T2pSettings *settings, const char *method, GError **error)
{
  return !has_direct (settings) ||
         t2p_setting_refuse (
             "loop-avoidance", error,
             "%s has no way for direct connections (proxies or rules), expected "
             "mark or bind-interface",
             method);
}

static gboolean
check_half_default (const T2pSettings *settings, GError **error)
{
  guint n_users = 0;

  t2p_settings_get_users (settings, &n_users);
  if (t2p_settings_get_capture (settings) != T2P_CAPTURE_DEFAULT)
    return t2p_setting_refuse ("loop-avoidance", error,
                               "half-default captures everything, expected capture=default");
  if (t2p_settings_get_scope (settings) != T2P_SCOPE_SYSTEM || n_users > 0)
    return t2p_setting_refuse ("loop-avoidance", error,
                               "half-default captures everybody's traffic, expected "
                               "scope=system and no users");
  if (t2p_settings_get_strv (settings, "apps")[0] != NULL ||
      t2p_settings_get_strv (settings, "exclude-apps")[0] != NULL)
    return t2p_setting_refuse (
        "loop-avoidance", error,
        "half-default captures every program's traffic, expected neither "
        "apps nor exclude-apps");
  if (!is_set_to (settings, "lan", "connected"))
    return t2p_setting_refuse ("loop-avoidance", error,
                               "half-default leaves outside what main has routes for, expected "
                               "lan=connected");
  return TRUE;
}

static gboolean
check_link (const T2pSettings *settings, GError **error)
{
  return strchr (t2p_settings_get_string (settings, "outbound-interface"), '%') == NULL ||
         t2p_setting_refuse ("outbound-interface", error,
                             "has a '%%', expected the name of a link that is there");
}

gboolean
t2p_setting_check_loops (const T2pSettings *settings, GError **error)
{
  const char *method = t2p_settings_get_string (settings, "loop-avoidance");

  if (!check_link (settings, error))
    return FALSE;
  if (strcmp (method, "mark") == 0 || t2p_settings_get_capture (settings) == T2P_CAPTURE_NONE)
    return TRUE;
  if (!check_pings (settings, method, error))
    return FALSE;
  if (strcmp (method, "bind-interface") == 0)
    return TRUE;
  return check_destinations (settings, method, error) &&
         (strcmp (method, "half-default") != 0 || check_half_default (settings, error));
}
