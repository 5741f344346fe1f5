/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-bring-up.h"

G_BEGIN_DECLS

/* The part `close-existing` of the capture: ends connections that were open before, of those
 * whom the tunnel captures now. It never fails, since what it cannot do is worth a warning. */
gboolean t2pd_close_existing_run (T2pdBringUp *bring_up, GError **error);

G_END_DECLS
