/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-ip.h"

G_BEGIN_DECLS

/** T2pnBypassPeer: whom the sockets of user @uid reach past the tunnel. */
typedef struct
{
  T2pIpAddress address;
  guint32 uid;
} T2pnBypassPeer;

/**
 * T2pnBypass:
 * @upstreams: of T2pIpAddress: whom our own sockets connect to; where no mark and no link tells
 *   them, that does
 * @uids: of guint32: as whom proxies of this machine run that we use, and nobody else
 * @peers: of T2pnBypassPeer: whom such proxies are connected to that share their user
 *
 * What stays outside so that nothing goes round. Nothing is in it twice.
 */
typedef struct
{
  GArray *upstreams;
  GArray *uids;
  GArray *peers;
} T2pnBypass;

T2pnBypass *t2pn_bypass_new (void);
void t2pn_bypass_free (T2pnBypass *bypass);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pnBypass, t2pn_bypass_free)

void t2pn_bypass_add_upstream (T2pnBypass *bypass, const T2pIpAddress *address);
void t2pn_bypass_add_uid (T2pnBypass *bypass, guint32 uid);
void t2pn_bypass_add_peer (T2pnBypass *bypass, const T2pIpAddress *address, guint32 uid);

G_END_DECLS
