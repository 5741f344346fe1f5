/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pd-manager-methods.h"

#include "t2pd-kill-switch-part.h"

static const T2pdCallOption kill_switch_options[] = {
  { "tunnel", "s" },
  { NULL, NULL },
};

static const char *
asked_mode (T2pdCall *call)
{
  const char *mode;

  g_variant_get_child (call->parameters, 0, "&s", &mode);
  return mode;
}

/* NULL when the caller named none. */
static const char *
asked_tunnel (T2pdCall *call)
{
  return t2pd_call_options_get_string (call->call_options, "tunnel", NULL);
}

static gboolean
check_kill_switch (T2pdCall *call, GError **error)
{
  static const char *const modes[] = { "off", "on-failure", "always", NULL };
  const char *mode = asked_mode (call);

  if (!g_strv_contains (modes, mode))
    {
      g_set_error (error, T2P_ERROR, T2P_ERROR_INVALID_ARGUMENT,
                   "mode: '%.32s' seen, 'off', 'on-failure' or 'always' expected", mode);
      return FALSE;
    }
  return asked_tunnel (call) == NULL || t2p_tunnel_name_check (asked_tunnel (call), error);
}

/* The caller's, then root's, as GetTunnel has it. */
static T2pdTunnel *
find_tunnel (T2pdCall *call, const char *name)
{
  T2pdManager *manager = call->service->manager;
  T2pdTunnel *tunnel;

  if (name == NULL)
    return t2pd_manager_get_default (manager);
  tunnel = t2pd_manager_find (manager, call->uid, name);
  return tunnel != NULL ? tunnel : t2pd_manager_find (manager, 0, name);
}

static gboolean
is_up (T2pdTunnel *tunnel)
{
  T2pTunnelState state = t2pd_tunnel_get_state (tunnel);

  return state == T2P_TUNNEL_STATE_ACTIVE || state == T2P_TUNNEL_STATE_DEGRADED;
}

/* One that is not there any more, but left armed. */
static gboolean
switch_left (T2pdCall *call, const char *name, gboolean is_always, GError **error)
{
  T2pdKillSwitch *kill_switch = call->service->kill_switch;

  return t2pd_kill_switch_set_always (kill_switch, call->uid, name, is_always, NULL) ||
         t2pd_kill_switch_set_always (kill_switch, 0, name, is_always, error);
}

static gboolean
switch_on (T2pdCall *call, gboolean is_always, GError **error)
{
  const char *name = asked_tunnel (call);
  T2pdTunnel *tunnel = find_tunnel (call, name);

  if (tunnel != NULL && is_up (tunnel))
    return t2pd_kill_switch_part_arm (t2pd_bring_up_of (tunnel), is_always, error);
  if (name != NULL)
    return switch_left (call, name, is_always, error);
  g_set_error_literal (error, T2P_ERROR, T2P_ERROR_NOT_FOUND,
                       "no tunnel captures everything, expected option 'tunnel' to name one");
  return FALSE;
}

static gboolean
switch_off (T2pdCall *call, GError **error)
{
  T2pdKillSwitch *kill_switch = call->service->kill_switch;
  const char *name = asked_tunnel (call);

  if (name == NULL)
    return t2pd_kill_switch_disarm (kill_switch, 0, NULL, error);
  if (t2pd_kill_switch_set_always (kill_switch, call->uid, name, FALSE, NULL))
    return t2pd_kill_switch_disarm (kill_switch, call->uid, name, error);
  return t2pd_kill_switch_disarm (kill_switch, 0, name, error);
}

static void
act_kill_switch (T2pdCall *call)
{
  const char *mode = asked_mode (call);
  g_autoptr (GError) error = NULL;
  gboolean ok = g_str_equal (mode, "off")
                    ? switch_off (call, &error)
                    : switch_on (call, g_str_equal (mode, "always"), &error);

  if (ok)
    t2pd_call_return (call, NULL);
  else
    t2pd_call_fail (call, error);
}

const T2pdMethod t2pd_manager_set_kill_switch = {
  "SetKillSwitch", kill_switch_options, check_kill_switch, NULL, act_kill_switch,
};
