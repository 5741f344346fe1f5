/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-dns-answer.h"

G_BEGIN_DECLS

/* What one server is being asked, by whatever way, by the ids of the queries: random ones, and
 * none twice. */
typedef struct _T2pwDnsPending T2pwDnsPending;
/* One question to one server. */
typedef struct _T2pwDnsAsked T2pwDnsAsked;

/**
 * T2pwDnsAskedDone:
 * @message: (nullable): the answer, or %NULL when the server failed
 * @answer: (nullable): @message, decoded
 *
 * The question is gone when this is called.
 */
typedef void (*T2pwDnsAskedDone) (const guint8 *message,
                                  const T2pDnsAnswer *answer,
                                  gpointer user_data);

typedef void (*T2pwDnsAskedFunc) (T2pwDnsAsked *asked, gpointer user_data);

guint16 t2pw_dns_random_id (void);

T2pwDnsPending *t2pw_dns_pending_new (void);
void t2pw_dns_pending_free (T2pwDnsPending *pending);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwDnsPending, t2pw_dns_pending_free)

T2pwDnsAsked *t2pw_dns_pending_add (T2pwDnsPending *pending,
                                    const T2pDnsQuery *query,
                                    T2pwDnsAskedDone done,
                                    gpointer user_data);
gboolean t2pw_dns_pending_take (T2pwDnsPending *pending, const guint8 *message, gsize length);
guint t2pw_dns_pending_mark (T2pwDnsPending *pending);
void t2pw_dns_pending_fail (T2pwDnsPending *pending, guint mark);
guint t2pw_dns_pending_get_n (const T2pwDnsPending *pending);
void
t2pw_dns_pending_foreach (T2pwDnsPending *pending, T2pwDnsAskedFunc func, gpointer user_data);

const guint8 *t2pw_dns_asked_get_message (const T2pwDnsAsked *asked, gsize *out_length);
void t2pw_dns_asked_cancel (T2pwDnsAsked *asked);

G_END_DECLS
