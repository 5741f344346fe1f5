/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-settings.h"

G_BEGIN_DECLS

/* Whether `loop-avoidance` and `outbound-interface` go together with the other keys. */
gboolean t2p_setting_check_loops (const T2pSettings *settings, GError **error);

G_END_DECLS
