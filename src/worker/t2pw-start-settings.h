/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-data-plane.h"

#include <gio/gunixfdlist.h>

G_BEGIN_DECLS

/* What Start says, as the data plane takes it; @fds (nullable) came with it. Errors:
 * T2P_ERROR_INVALID_SETTINGS, T2P_ERROR_INVALID_ARGUMENT, those of t2pw-file-set.h; never with
 * userinfo. */
T2pwPlaneConfig *
t2pw_start_settings_parse (GVariant *settings, GUnixFDList *fds, GError **error);

G_END_DECLS
