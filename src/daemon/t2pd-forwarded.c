/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-forwarded.h"

#include "t2p-log.h"
#include "t2pd-bring-up-private.h"
#include "t2pd-tunnel-table.h"
#include "t2pn-forward-answers.h"

static gboolean
load (T2pdBringUp *self, GError **error)
{
  g_autofree char *table = t2pd_tunnel_table_make_name (self);
  g_autofree char *script = t2pn_forward_answers_to_script (
      table, t2pn_tun_device_get_name (self->device), self->ids.mark);

  return t2pd_tunnel_table_load (self, script, error);
}

/* A kernel without nftables forwards into the tunnel all the same. */
gboolean
t2pd_forwarded_run (T2pdBringUp *self, GError **error)
{
  g_autoptr (GError) failure = NULL;

  if (!t2p_settings_get_bool (self->settings, "forwarded") ||
      t2p_settings_get_capture (self->settings) == T2P_CAPTURE_NONE)
    return TRUE;
  if (!load (self, &failure))
    t2p_log_warning (t2pd_tunnel_get_name (self->tunnel), failure,
                     "what is behind this machine cannot answer calls from outside, ignoring");
  return TRUE;
}
