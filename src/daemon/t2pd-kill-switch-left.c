/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-kill-switch-left.h"

#include "t2pn-nft.h"

#define FILE_NAME "kill-switch.json"

char *
t2pd_kill_switch_file_of_boot (const T2pdOptions *options)
{
  return g_build_filename (options->runtime_dir, FILE_NAME, NULL);
}

char *
t2pd_kill_switch_file_of_next_boot (const T2pdOptions *options)
{
  return g_build_filename (options->state_dir, FILE_NAME, NULL);
}

T2pnKillSwitch *
t2pd_kill_switch_read_left (const T2pdOptions *options, GError **error)
{
  g_autofree char *of_boot = t2pd_kill_switch_file_of_boot (options);
  g_autofree char *of_next_boot = t2pd_kill_switch_file_of_next_boot (options);
  gboolean is_same_boot = g_file_test (of_boot, G_FILE_TEST_EXISTS);

  return t2pn_kill_switch_load (is_same_boot ? of_boot : of_next_boot, error);
}

gboolean
t2pd_kill_switch_load_left (const T2pdOptions *options, GError **error)
{
  g_autoptr (T2pnKillSwitch) left = t2pd_kill_switch_read_left (options, error);
  g_autofree char *script = NULL;

  if (left == NULL)
    return FALSE;
  if (left->arms->len == 0)
    return TRUE;
  script = t2pn_kill_switch_to_script (left);
  return t2pn_nft_run (script, error);
}
