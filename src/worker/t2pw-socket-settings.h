/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-socket-policy.h"

G_BEGIN_DECLS

/* What the daemon says of how sockets are made from now on: the a{sv} `sockets` of Start,
 * Probe, Resolve and Uplink. T2P_ERROR_INVALID_SETTINGS; then @policy is as before. */
gboolean
t2pw_socket_settings_take (GVariant *sockets, T2pwSocketPolicy *policy, GError **error);

G_END_DECLS
