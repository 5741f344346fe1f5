/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-dns-session.h"
#include "t2pw-stack.h"

G_BEGIN_DECLS

/* TCP connections to port 53 that are answered here at once; each costs its buffers. */
#define T2PW_DNS_RELAY_MAX_STREAMS 128

/* Port 53 of any destination in the tunnel, UDP and TCP, is ours. */
typedef struct _T2pwDnsRelay T2pwDnsRelay;

T2pwDnsRelay *t2pw_dns_relay_new (T2pReactor *reactor, T2pwDnsResponder *responder);
void t2pw_dns_relay_free (T2pwDnsRelay *relay);
void t2pw_dns_relay_set_stack (T2pwDnsRelay *relay, T2pwStack *stack);
void t2pw_dns_relay_take_syn (T2pwDnsRelay *relay, T2pwHeldSyn *syn);
/* As of the stack's handler: a super-packet when @datagram_bytes is not 0. */
void t2pw_dns_relay_take_datagrams (T2pwDnsRelay *relay,
                                    const T2pwFlowKey *key,
                                    const guint8 *data,
                                    gsize length,
                                    gsize datagram_bytes);

G_END_DECLS
