/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-endpoint.h"

#include <openssl/ssl.h>

G_BEGIN_DECLS

/* What all TLS connections to one proxy share: whom we trust, who we are, the last session. */
typedef struct _T2pwTlsContext T2pwTlsContext;

T2pwTlsContext *
t2pw_tls_context_new (const T2pEndpoint *endpoint, GHashTable *files, GError **error);
void t2pw_tls_context_free (T2pwTlsContext *context);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pwTlsContext, t2pw_tls_context_free)

SSL *t2pw_tls_context_connect (T2pwTlsContext *context);
GError *t2pw_tls_context_explain (T2pwTlsContext *context, SSL *ssl);

G_END_DECLS
