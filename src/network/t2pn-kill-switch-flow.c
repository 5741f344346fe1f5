/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the table does with one connection: the same in the same order as the script says it. */
#include "config.h"

#include "t2pn-kill-switch.h"

#include <netinet/in.h>

static gboolean
has_number (const GArray *numbers, guint32 number)
{
  for (guint i = 0; i < numbers->len; i++)
    if (g_array_index (numbers, guint32, i) == number)
      return TRUE;
  return FALSE;
}

static gboolean
covers (const GArray *prefixes, const T2pIpAddress *address)
{
  for (guint i = 0; i < prefixes->len; i++)
    if (t2p_ip_prefix_contains (&g_array_index (prefixes, T2pIpPrefix, i), address))
      return TRUE;
  return FALSE;
}

static gboolean
is_passing (const T2pnKillSwitchArm *arm, const T2pnFlow *flow)
{
  for (guint i = 0; i < arm->passing_peers->len; i++)
    {
      const T2pnBypassPeer *peer = &g_array_index (arm->passing_peers, T2pnBypassPeer, i);

      if (peer->uid == flow->uid && t2p_ip_address_equal (&peer->address, &flow->destination))
        return TRUE;
    }
  return has_number (arm->passing_uids, flow->uid);
}

static gboolean
is_portal_check (const T2pnKillSwitch *self, const T2pnFlow *flow)
{
  if (self->is_portal_open && (flow->port == 53 || (flow->protocol == IPPROTO_TCP &&
                                                    (flow->port == 80 || flow->port == 443))))
    return TRUE;
  for (guint i = 0; i < self->check_hosts->len; i++)
    if (flow->uid == 0 && flow->protocol == IPPROTO_TCP && flow->port == 80 &&
        t2p_ip_address_equal (&g_array_index (self->check_hosts, T2pIpAddress, i),
                              &flow->destination))
      return TRUE;
  return FALSE;
}

static gboolean
is_of_users (const T2pnKillSwitchArm *arm, guint32 uid)
{
  for (guint i = 0; i < arm->users->len; i++)
    {
      const T2pnUidRange *range = &g_array_index (arm->users, T2pnUidRange, i);

      if (uid >= range->first && uid <= range->last)
        return TRUE;
    }
  return arm->users->len == 0;
}

static gboolean
refuses (const T2pnKillSwitchArm *arm, const T2pnFlow *flow)
{
  if (!is_of_users (arm, flow->uid) || covers (arm->excluded, &flow->destination))
    return FALSE;
  if (arm->guards_dns && (flow->port == 53 || flow->port == 853))
    return TRUE;
  if (covers (arm->lan, &flow->destination))
    return FALSE;
  return covers (arm->captured, &flow->destination) ||
         (arm->captures_all && (flow->destination.family == AF_INET || arm->captures_ipv6));
}

const T2pnKillSwitchArm *
t2pn_kill_switch_find_refusal (const T2pnKillSwitch *self, const T2pnFlow *flow)
{
  if ((flow->mark != 0 && has_number (self->marks, flow->mark)) ||
      has_number (self->worker_uids, flow->uid) || is_portal_check (self, flow))
    return NULL;
  for (guint i = 0; i < self->arms->len; i++)
    if (is_passing (self->arms->pdata[i], flow))
      return NULL;
  for (guint i = 0; i < self->arms->len; i++)
    if (refuses (self->arms->pdata[i], flow))
      return self->arms->pdata[i];
  return NULL;
}
