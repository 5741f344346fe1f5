/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-enums.h"

G_BEGIN_DECLS

typedef enum
{
  T2P_CTL_COLOUR_NONE,
  T2P_CTL_COLOUR_BOLD,
  T2P_CTL_COLOUR_GREEN,
  T2P_CTL_COLOUR_YELLOW,
  T2P_CTL_COLOUR_RED,
} T2pCtlColour;

/* Only on a terminal, and not when NO_COLOR is set to anything or TERM is `dumb`. */
gboolean t2p_ctl_has_colour (int fd);
/* @text in that colour when standard output has colours, else a copy. (transfer full) */
char *t2p_ctl_colour (T2pCtlColour colour, const char *text);
T2pCtlColour t2p_ctl_colour_of_state (T2pTunnelState state);

/* What came from a proxy, a resolver or another user, made safe for a terminal: control
 * characters and broken UTF-8 become U+FFFD. (transfer full) */
char *t2p_ctl_printable (const char *text);
/* Columns that @text takes on a terminal; escape sequences of t2p_ctl_colour() take none. */
guint t2p_ctl_columns (const char *text);

G_END_DECLS
