/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-outbound.h"
#include "t2pw-stack.h"

G_BEGIN_DECLS

/* Name servers of applications that are asked at a time, and questions under way to all. */
#define T2PW_DNS_OVER_TCP_MAX_SERVERS 8
#define T2PW_DNS_OVER_TCP_MAX_QUESTIONS 256

/* Questions that applications ask by datagrams, carried over TCP where the proxy takes none. */
typedef struct _T2pwDnsOverTcp T2pwDnsOverTcp;

T2pwDnsOverTcp *t2pw_dns_over_tcp_new (T2pReactor *reactor);
void t2pw_dns_over_tcp_free (T2pwDnsOverTcp *self);
void t2pw_dns_over_tcp_set_stack (T2pwDnsOverTcp *self, T2pwStack *stack);
gboolean t2pw_dns_over_tcp_take (T2pwDnsOverTcp *self,
                                 T2pwOutbound *outbound,
                                 const T2pwFlowKey *key,
                                 const guint8 *data,
                                 gsize length);
void t2pw_dns_over_tcp_flush (T2pwDnsOverTcp *self);

G_END_DECLS
