/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-data-plane.h"

G_BEGIN_DECLS

/* What Start says, as the data plane takes it. Errors: T2P_ERROR_INVALID_SETTINGS,
 * T2P_ERROR_INVALID_ARGUMENT; never with userinfo. */
T2pwPlaneConfig *t2pw_start_settings_parse (GVariant *settings, GError **error);

G_END_DECLS
