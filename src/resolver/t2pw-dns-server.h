/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-dns-stream-server.h"

G_BEGIN_DECLS

/** T2pwDnsServer: a name server and how it has behaved. One that fails rests, twice as long
 * each time: it is asked last meanwhile. */
typedef struct
{
  T2pReactor *reactor;
  T2pwDnsStreamServer *stream;
  guint n_failures; /* since the last answer */
  gint64 heard_us;
  gint64 rests_until_us;
} T2pwDnsServer;

void t2pw_dns_server_init (T2pwDnsServer *server,
                           T2pReactor *reactor,
                           T2pwOutbound *outbound,
                           const T2pIpEndpoint *endpoint);
void t2pw_dns_server_clear (T2pwDnsServer *server);

void t2pw_dns_server_answered (T2pwDnsServer *server);
void t2pw_dns_server_failed (T2pwDnsServer *server);
void t2pw_dns_server_is_silent (T2pwDnsServer *server, gint64 since_us);
gboolean t2pw_dns_server_is_resting (const T2pwDnsServer *server);
void t2pw_dns_server_forgive (T2pwDnsServer *server);

void t2pw_dns_servers_sort (const T2pwDnsServer *servers, guint n, guint8 *out_order);

G_END_DECLS
