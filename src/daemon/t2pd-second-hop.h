/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pd-bring-up.h"

G_BEGIN_DECLS

/* What is known of the upstreams of a tunnel that are programs of this machine. */
typedef struct _T2pdSecondHop T2pdSecondHop;

/* Finds them, and how their own connections can be kept out of the tunnel, before anything is
 * captured. T2P_ERROR_ROUTING_LOOP when they cannot, naming the program. */
gboolean t2pd_second_hop_find (T2pdBringUp *bring_up, GError **error);
void t2pd_second_hop_free (T2pdSecondHop *self);

/* Whether one of them is captured unless it is kept out. */
gboolean t2pd_second_hop_is_captured (const T2pdSecondHop *self);
/* Whether such a one has a socket of user @uid and @inode. */
gboolean t2pd_second_hop_has_socket (const T2pdSecondHop *self, guint32 uid, guint32 inode);

/* Adds what has to stay outside. */
void t2pd_second_hop_add_to (const T2pdSecondHop *self, T2pnBypass *bypass);
/* Units that nftables leaves outside, as `exclude-apps` would: NULL at the end. */
const char *const *t2pd_second_hop_get_units (const T2pdSecondHop *self);

G_END_DECLS
