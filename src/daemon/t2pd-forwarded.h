/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-bring-up.h"

G_BEGIN_DECLS

/* The part `forwarded` of the capture: answers of those for whom the machine forwards go where
 * the question came from. Its table goes with the step, by the journal. */
gboolean t2pd_forwarded_run (T2pdBringUp *self, GError **error);

G_END_DECLS
