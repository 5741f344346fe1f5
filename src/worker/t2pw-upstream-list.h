/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-group.h"

G_BEGIN_DECLS

/* (transfer floating): aa{sv}, as GetUpstreams documents it */
GVariant *t2pw_upstream_list_new (T2pwOutbound *group);

G_END_DECLS
