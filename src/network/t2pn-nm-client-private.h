/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pn-nm-client.h"

#include <NetworkManager.h>

G_BEGIN_DECLS

/* (transfer none); NULL until it has looked, and when that failed. */
NMClient *t2pn_nm_client_peek (T2pnNmClient *self);

G_END_DECLS
