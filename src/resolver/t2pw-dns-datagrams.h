/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-association.h"
#include "t2pw-dns-pending.h"

G_BEGIN_DECLS

/* Name servers that are asked by datagrams through the upstream: one association for all of
 * them. Where datagrams do not come back they are left alone for a while. */
typedef struct _T2pwDnsDatagrams T2pwDnsDatagrams;

T2pwDnsDatagrams *t2pw_dns_datagrams_new (T2pReactor *reactor,
                                          T2pwOutbound *outbound,
                                          const T2pIpEndpoint *servers,
                                          guint n_servers);
void t2pw_dns_datagrams_free (T2pwDnsDatagrams *datagrams);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwDnsDatagrams, t2pw_dns_datagrams_free)

gboolean t2pw_dns_datagrams_work (const T2pwDnsDatagrams *datagrams);
T2pwDnsAsked *t2pw_dns_datagrams_ask (T2pwDnsDatagrams *datagrams,
                                      guint server,
                                      const T2pDnsQuery *query,
                                      T2pwDnsAskedDone done,
                                      gpointer user_data);
void t2pw_dns_datagrams_are_silent (T2pwDnsDatagrams *datagrams, gint64 since_us);
void t2pw_dns_datagrams_reset (T2pwDnsDatagrams *datagrams);

G_END_DECLS
