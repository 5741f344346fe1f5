/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-kerberos.h"
#include "t2pw-outbound.h"

G_BEGIN_DECLS

T2pwOutbound *t2pw_negotiate_lower_new (T2pwKerberos *kerberos, T2pwOutbound *lower);

G_END_DECLS
