/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-dns-pending.h"
#include "t2pw-outbound.h"

G_BEGIN_DECLS

/* A name server that is asked over TCP through the upstream (RFC 7766): one connection for all
 * questions, which are sent behind each other and answered in any order. */
typedef struct _T2pwDnsStreamServer T2pwDnsStreamServer;

T2pwDnsStreamServer *t2pw_dns_stream_server_new (T2pReactor *reactor,
                                                 T2pwOutbound *outbound,
                                                 const T2pIpEndpoint *endpoint);
void t2pw_dns_stream_server_free (T2pwDnsStreamServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwDnsStreamServer, t2pw_dns_stream_server_free)

T2pwDnsAsked *t2pw_dns_stream_server_ask (T2pwDnsStreamServer *server,
                                          const T2pDnsQuery *query,
                                          T2pwDnsAskedDone done,
                                          gpointer user_data);
void t2pw_dns_stream_server_reset (T2pwDnsStreamServer *server);
void t2pw_dns_stream_server_suspect (T2pwDnsStreamServer *server);

G_END_DECLS
