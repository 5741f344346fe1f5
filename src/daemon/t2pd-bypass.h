/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-bring-up.h"

G_BEGIN_DECLS

/* Looks again whom our own sockets connect to, for the next route plan. */
void t2pd_bypass_renew (T2pdBringUp *self);
/* How the worker's sockets are made, for the links and routes as they are now: the a{sv}
 * `sockets` of the private interface (floating). */
GVariant *t2pd_bypass_make_sockets (T2pdBringUp *self);

G_END_DECLS
