/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ctl.h"

G_BEGIN_DECLS

/* `up --netns`: @place is a path, or a process. The tunnel goes when *@out_guard is closed.
 * @settings, @options: floating. (transfer full) */
T2pTunnel *t2p_ctl_netns_create (T2pCtl *ctl,
                                 const char *place,
                                 const char *name,
                                 GVariant *settings,
                                 GVariant *options,
                                 int *out_guard,
                                 GVariant **out_result,
                                 GError **error);
/* Waits until the user has enough (TRUE), or the tunnel has gone (FALSE with an error); closes
 * @guard. */
gboolean t2p_ctl_netns_hold (int guard, const char *name, GError **error);

G_END_DECLS
