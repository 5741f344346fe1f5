/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/** T2pnUdpServer: a port on which a UDP socket of this machine takes datagrams for every
 * address of it, and whose socket that is. */
typedef struct
{
  guint8 family;
  guint16 port;
  guint32 uid;
} T2pnUdpServer;

/* Ports from which sockets that ask, not answer, get theirs. */
typedef struct
{
  guint first, last;
} T2pnPortRange;

/* Those of the calling thread's network namespace, by family and port; synchronous and local.
 * (transfer full) of T2pnUdpServer. G_IO_ERROR. */
GArray *t2pn_udp_servers_list (GError **error);
/* The same, with another range of ports that are no server's. */
GArray *t2pn_udp_servers_list_outside (const T2pnPortRange *ephemeral, GError **error);

/* Looks every other second, and calls @changed when they are others than before. */
typedef struct _T2pnUdpWatch T2pnUdpWatch;

T2pnUdpWatch *t2pn_udp_watch_new (void (*changed) (gpointer user_data), gpointer user_data);
/* @servers: what somebody has seen and acts on. When they are not those of the last look, the
 * next one calls @changed in any case: one that came and went between two looks would stay
 * known. */
void t2pn_udp_watch_note (T2pnUdpWatch *watch, const GArray *servers);
void t2pn_udp_watch_free (T2pnUdpWatch *watch);

G_END_DECLS
