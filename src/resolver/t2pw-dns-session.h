/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2pw-dns-responder.h"

G_BEGIN_DECLS

/* DNS over one TCP connection (RFC 7766): queries behind each other, each with its length, are
 * answered in the order in which the answers are there. */
typedef struct _T2pwDnsSession T2pwDnsSession;

/* There is more to send. */
typedef void (*T2pwDnsSessionOutput) (gpointer user_data);

T2pwDnsSession *t2pw_dns_session_new (T2pwDnsResponder *responder,
                                      T2pwDnsSessionOutput output,
                                      gpointer user_data);
void t2pw_dns_session_free (T2pwDnsSession *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwDnsSession, t2pw_dns_session_free)

gboolean t2pw_dns_session_wants_input (const T2pwDnsSession *session);
T2pDecode t2pw_dns_session_feed (T2pwDnsSession *session,
                                 const guint8 *bytes,
                                 gsize length,
                                 gsize *out_used);
gsize t2pw_dns_session_peek (const T2pwDnsSession *session, const guint8 **out_bytes);
void t2pw_dns_session_sent (T2pwDnsSession *session, gsize length);
gboolean t2pw_dns_session_is_idle (const T2pwDnsSession *session);

G_END_DECLS
