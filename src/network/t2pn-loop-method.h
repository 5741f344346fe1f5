/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-settings.h"

G_BEGIN_DECLS

/**
 * T2pnLoopMethod: `loop-avoidance`: by what our own sockets are told from all others
 * @T2PN_LOOP_MARK: their mark
 * @T2PN_LOOP_BIND_INTERFACE: the link that they are bound to
 * @T2PN_LOOP_HOST_ROUTE: whom they connect to
 * @T2PN_LOOP_HALF_DEFAULT: the same, and no table of ours: two halves of everything in main
 */
typedef enum
{
  T2PN_LOOP_MARK,
  T2PN_LOOP_BIND_INTERFACE,
  T2PN_LOOP_HOST_ROUTE,
  T2PN_LOOP_HALF_DEFAULT,
} T2pnLoopMethod;

T2pnLoopMethod t2pn_loop_method_of (const T2pSettings *settings);
/* Whether our own sockets are known by whom they connect to, so that each such address needs a
 * route. */
gboolean t2pn_loop_method_needs_routes (const T2pSettings *settings);

G_END_DECLS
