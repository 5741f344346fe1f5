/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-http-challenge.h"

G_BEGIN_DECLS

/* What a proxy wants to be answered with (RFC 7616): reference counted, shared by the
 * connections that use its nonce. The count of uses is a part of it. */
typedef struct _T2pHttpDigest T2pHttpDigest;

#define T2P_HTTP_MAX_CNONCE_BYTES 64

/* NULL: of no kind that we can answer. */
T2pHttpDigest *t2p_http_digest_new (const T2pHttpChallenge *challenge);
T2pHttpDigest *t2p_http_digest_ref (T2pHttpDigest *digest);
void t2p_http_digest_unref (T2pHttpDigest *digest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pHttpDigest, t2p_http_digest_unref)

/* The more, the better. */
guint t2p_http_digest_get_strength (const T2pHttpDigest *digest);
/* The nonce that was answered is too old; nothing is wrong with the password. */
gboolean t2p_http_digest_is_stale (const T2pHttpDigest *digest);
const char *t2p_http_digest_get_realm (const T2pHttpDigest *digest);
void t2p_http_digest_set_cnonce (T2pHttpDigest *digest, const char *cnonce);

gboolean t2p_http_digest_write (T2pHttpDigest *digest,
                                T2pWriter *writer,
                                const char *user,
                                const char *password,
                                gsize password_bytes,
                                const char *method,
                                const char *uri);

G_END_DECLS
