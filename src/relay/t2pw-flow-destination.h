/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-outbound.h"
#include "t2pw-virtual-names.h"

G_BEGIN_DECLS

gboolean t2pw_flow_destination_find (T2pwVirtualNames *names,
                                     const T2pIpEndpoint *endpoint,
                                     T2pwDestination *out_destination,
                                     guint32 *out_name_index);

G_END_DECLS
