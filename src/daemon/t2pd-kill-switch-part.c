/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-kill-switch-part.h"

#include "t2pd-bring-up-private.h"

/* They are marked whatever keeps them out of the tunnel, unless the kernel refuses that. */
gboolean
t2pd_kill_switch_part_allow (T2pdBringUp *self, GError **error)
{
  return t2pd_kill_switch_allow (self->service->kill_switch, self->ids.mark,
                                 t2pd_bring_up_get_worker_uid (self), error);
}

/* What is captured elsewhere cannot leave by this machine's links. */
static gboolean
check (T2pdBringUp *self, GError **error)
{
  if (t2pd_bring_up_get_netns (self) < 0)
    return t2p_settings_check_kill_switch (self->settings, error);
  g_set_error_literal (error, T2P_ERROR, T2P_ERROR_INVALID_SETTINGS,
                       "kill-switch: guards nothing in a network namespace of the caller's, "
                       "expected off");
  return FALSE;
}

gboolean
t2pd_kill_switch_part_arm (T2pdBringUp *self, gboolean is_always, GError **error)
{
  g_autoptr (T2pnKillSwitchArm) arm = t2pn_kill_switch_arm_new (
      t2pd_tunnel_get_owner (self->tunnel), t2pd_tunnel_get_name (self->tunnel));

  if (!check (self, error) || !t2pd_bring_up_fill_arm (self, arm, error))
    return FALSE;
  arm->is_always = is_always;
  return t2pd_kill_switch_arm (self->service->kill_switch, self->tunnel, g_steal_pointer (&arm),
                               error);
}

/* One that was left armed, or armed by a call, is brought up to date as well. */
gboolean
t2pd_kill_switch_part_run (T2pdBringUp *self, GError **error)
{
  const char *mode = t2p_settings_get_string (self->settings, "kill-switch");
  const T2pnKillSwitchArm *old =
      t2pd_kill_switch_find (self->service->kill_switch, self->tunnel);
  gboolean is_always = g_str_equal (mode, "always") || (old != NULL && old->is_always);

  if (g_str_equal (mode, "off") && old == NULL)
    return TRUE;
  return t2pd_kill_switch_part_arm (self, is_always, error);
}

gboolean
t2pd_kill_switch_part_update (T2pdBringUp *self, GError **error)
{
  const T2pnKillSwitchArm *old =
      t2pd_kill_switch_find (self->service->kill_switch, self->tunnel);

  return old == NULL || t2pd_kill_switch_part_arm (self, old->is_always, error);
}
