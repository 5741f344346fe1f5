/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "plan-fixture.h"
#include "t2pn-kill-switch.h"

/* Arms of the tunnel "home" of uid 1000, by its settings, on a machine made by hand. */

static inline T2pnRoutePlanInput
make_kill_switch_input (const T2pSettings *settings)
{
  T2pnRoutePlanInput input = {
    .settings = settings,
    .ifindex = 9,
    .ifname = "t2p0",
    .owner_uid = 1000,
    .proxy_has_ipv4 = TRUE,
    .proxy_has_ipv6 = TRUE,
  };

  memset (&input.pool, 0, sizeof input.pool);
  input.pool.pool4 = parse_prefix ("198.18.0.0/18");
  input.pool.pool6 = parse_prefix ("fd00:1::/64");
  t2p_ip_address_parse ("198.18.0.1", &input.pool.address4);
  t2p_ip_address_parse ("fd00:1::1", &input.pool.address6);
  return input;
}

static inline T2pnKillSwitchArm *
add_arm (T2pnKillSwitch *self,
         const char *settings_text,
         gboolean is_root,
         const T2pnSnapshot *snapshot)
{
  g_autoptr (T2pSettings) settings = make_settings (settings_text, is_root);
  T2pnRoutePlanInput input = make_kill_switch_input (settings);
  T2pnKillSwitchArm *arm = t2pn_kill_switch_arm_new (1000, "home");

  t2pn_kill_switch_arm_fill (arm, &input, snapshot);
  g_ptr_array_add (self->arms, arm);
  return arm;
}

static inline T2pnKillSwitch *
make_switch (const char *settings_text, gboolean is_root)
{
  g_autoptr (T2pnSnapshot) snapshot = make_snapshot ();
  T2pnKillSwitch *self = t2pn_kill_switch_new ();

  add_arm (self, settings_text, is_root, snapshot);
  t2pn_kill_switch_add_mark (self, 0x2370);
  return self;
}

static inline void
assert_has (const T2pnKillSwitch *self, const char *line)
{
  g_autofree char *script = t2pn_kill_switch_to_script (self);

  if (strstr (script, line) == NULL)
    g_error ("%s\nlacks: %s", script, line);
}

static inline void
assert_lacks (const T2pnKillSwitch *self, const char *line)
{
  g_autofree char *script = t2pn_kill_switch_to_script (self);

  if (strstr (script, line) != NULL)
    g_error ("%s\nhas: %s", script, line);
}
