/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "t2pn-loop-method.h"

#include <string.h>

T2pnLoopMethod
t2pn_loop_method_of (const T2pSettings *settings)
{
  static const char *const names[] = {
    [T2PN_LOOP_MARK] = "mark",
    [T2PN_LOOP_BIND_INTERFACE] = "bind-interface",
    [T2PN_LOOP_HOST_ROUTE] = "host-route",
    [T2PN_LOOP_HALF_DEFAULT] = "half-default",
  };
  const char *text = t2p_settings_get_string (settings, "loop-avoidance");

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (strcmp (names[i], text) == 0)
      return (T2pnLoopMethod) i;
  return T2PN_LOOP_MARK;
}

gboolean
t2pn_loop_method_needs_routes (const T2pSettings *settings)
{
  switch (t2pn_loop_method_of (settings))
    {
    case T2PN_LOOP_MARK:
    case T2PN_LOOP_BIND_INTERFACE:
      return FALSE;
    case T2PN_LOOP_HOST_ROUTE:
    case T2PN_LOOP_HALF_DEFAULT:
      return t2p_settings_get_capture (settings) != T2P_CAPTURE_NONE;
    }
  return FALSE;
}
