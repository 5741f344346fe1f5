/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-relay.h"

G_BEGIN_DECLS

GVariant *t2pw_connection_list_new (T2pwRelay *relay,
                                    const T2pwFlowFilter *filter,
                                    guint64 after_id,
                                    guint max,
                                    gint64 now_us,
                                    guint64 *out_next_id);

G_END_DECLS
