/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Everything of the library: tunnels to SOCKS and HTTP proxies, asked of the system service. */

#include "t2p-enums.h"
#include "t2p-enum-types.h"
#include "t2p-error.h"
#include "t2p-label.h"
#include "t2p-client.h"
#include "t2p-tunnel.h"
