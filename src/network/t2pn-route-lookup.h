/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

G_BEGIN_DECLS

typedef enum
{
  T2PN_WAY_NONE,        /* there is no route */
  T2PN_WAY_LINK,        /* out of a link */
  T2PN_WAY_UNREACHABLE, /* a route says so */
} T2pnWay;

typedef struct _T2pnRouteLookup T2pnRouteLookup;

/* Asks the kernel which way a socket's packets would go. Synchronous and local. */
T2pnRouteLookup *t2pn_route_lookup_new (GError **error);
void t2pn_route_lookup_free (T2pnRouteLookup *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pnRouteLookup, t2pn_route_lookup_free)

/* For a socket of @uid with @mark that is bound to nothing. @out_ifindex: with T2PN_WAY_LINK */
T2pnWay t2pn_route_lookup_ask (T2pnRouteLookup *self,
                               const T2pIpAddress *destination,
                               guint32 uid,
                               guint32 mark,
                               int *out_ifindex);

G_END_DECLS
