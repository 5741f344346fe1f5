/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "libtun2proxy.h"

G_BEGIN_DECLS

/* A tunnel's properties: the bus's names in lower case with hyphens, and `tunnel`, its object.
 * (transfer floating) */
GVariant *t2p_ctl_tunnel_to_variant (T2pTunnel *tunnel);
/* The same, to be added to. */
void t2p_ctl_tunnel_to_dict (T2pTunnel *tunnel, GVariantDict *dict);
/* "degraded: the proxy does not answer", in colour where there are colours. (transfer full) */
char *t2p_ctl_tunnel_describe_state (T2pTunnel *tunnel);
/* Name of a user, or the number. (transfer full) */
char *t2p_ctl_user_name (guint uid);
/* How long it has been active, empty when it is not. (transfer full) */
char *t2p_ctl_tunnel_format_uptime (T2pTunnel *tunnel);
/* "down again in 25 s", empty without a rollback timer. (transfer full) */
char *t2p_ctl_tunnel_describe_rollback (T2pTunnel *tunnel);

G_END_DECLS
