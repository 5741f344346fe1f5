/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-backend.h"
#include "t2pn-tun-device.h"

G_BEGIN_DECLS

/* In the namespace @netns (descriptor, not owned), all of it synchronously. Nothing is written
 * to a journal: everything goes with the device. */
T2pnBackend *t2pn_netns_backend_new (T2pnRoutePlan *plan, int netns);
T2pnTunDevice *t2pn_netns_open_device (int netns, const char *name, GError **error);
/* Only whether links get IPv6: somebody else's routes may be any number, and do not matter. */
T2pnSnapshot *t2pn_netns_take_snapshot (int netns, GError **error);

G_END_DECLS
