/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-bypass.h"

T2pnBypass *
t2pn_bypass_new (void)
{
  T2pnBypass *bypass = g_new0 (T2pnBypass, 1);

  bypass->upstreams = g_array_new (FALSE, TRUE, sizeof (T2pIpAddress));
  bypass->uids = g_array_new (FALSE, TRUE, sizeof (guint32));
  bypass->peers = g_array_new (FALSE, TRUE, sizeof (T2pnBypassPeer));
  return bypass;
}

void
t2pn_bypass_free (T2pnBypass *bypass)
{
  if (bypass == NULL)
    return;
  g_array_unref (bypass->upstreams);
  g_array_unref (bypass->uids);
  g_array_unref (bypass->peers);
  g_free (bypass);
}

void
t2pn_bypass_add_upstream (T2pnBypass *bypass, const T2pIpAddress *address)
{
  for (guint i = 0; i < bypass->upstreams->len; i++)
    if (t2p_ip_address_equal (&g_array_index (bypass->upstreams, T2pIpAddress, i), address))
      return;
  g_array_append_vals (bypass->upstreams, address, 1);
}

void
t2pn_bypass_add_uid (T2pnBypass *bypass, guint32 uid)
{
  for (guint i = 0; i < bypass->uids->len; i++)
    if (g_array_index (bypass->uids, guint32, i) == uid)
      return;
  g_array_append_val (bypass->uids, uid);
}

void
t2pn_bypass_add_peer (T2pnBypass *bypass, const T2pIpAddress *address, guint32 uid)
{
  T2pnBypassPeer peer = { *address, uid };

  for (guint i = 0; i < bypass->peers->len; i++)
    {
      const T2pnBypassPeer *other = &g_array_index (bypass->peers, T2pnBypassPeer, i);

      if (other->uid == uid && t2p_ip_address_equal (&other->address, address))
        return;
    }
  g_array_append_val (bypass->peers, peer);
}
