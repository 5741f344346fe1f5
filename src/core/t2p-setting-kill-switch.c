/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2p-setting-error.h"
#include "t2p-settings.h"

/**
 * t2p_settings_check_kill_switch:
 *
 * Whether what these settings capture can be guarded: it must be told by where it goes and who
 * sends it, with nobody there to look after the rules.
 *
 * Since: 0.1
 */
gboolean
t2p_settings_check_kill_switch (const T2pSettings *settings, GError **error)
{
  if (t2p_settings_get_capture (settings) == T2P_CAPTURE_NONE)
    return t2p_setting_refuse ("kill-switch", error,
                               "guards nothing with capture=none, expected off");
  if (t2p_settings_get_strv (settings, "apps")[0] != NULL ||
      t2p_settings_get_strv (settings, "exclude-apps")[0] != NULL)
    return t2p_setting_refuse (
        "kill-switch", error,
        "cannot follow units that come and go, expected neither apps nor "
        "exclude-apps, or else off");
  return TRUE;
}
