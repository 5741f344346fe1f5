/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-http-offer.h"

G_BEGIN_DECLS

#define T2P_HTTP_SEED_BYTES 32
#define T2P_HTTP_MAX_TOKEN_BYTES (48 * 1024) /* base64 of a ticket; large groups make it so */

/* A Negotiate token in base64 (transfer full), each for one request. */
typedef char *(*T2pHttpMakeToken) (gpointer user_data, GError **error);

/**
 * T2pHttpLogin:
 * @user: borrowed, as is @password
 * @password: (nullable): NULL: an empty one
 * @schemes: bits of #T2pHttpScheme that may be used
 * @make_token: (nullable): without it there is no Negotiate
 * @seed: random; what nonces of ours are made of
 */
typedef struct
{
  const char *user;
  const char *password;
  gsize password_bytes;
  guint schemes;
  T2pHttpMakeToken make_token;
  gpointer token_data;
  guint8 seed[T2P_HTTP_SEED_BYTES];
} T2pHttpLogin;

/* How we log in at one proxy, and what it has taught us about that: shared by all connections
 * to it, so that only the first has to be told. */
typedef struct _T2pHttpAuth T2pHttpAuth;

T2pHttpAuth *t2p_http_auth_new (const T2pHttpLogin *login);
void t2p_http_auth_free (T2pHttpAuth *auth);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (T2pHttpAuth, t2p_http_auth_free)

T2pHttpScheme t2p_http_auth_choose (const T2pHttpAuth *auth, const T2pHttpOffer *offer);
void t2p_http_auth_learn (T2pHttpAuth *auth, T2pHttpScheme scheme, T2pHttpDigest *digest);
T2pHttpScheme t2p_http_auth_get_scheme (const T2pHttpAuth *auth);
T2pHttpDigest *t2p_http_auth_get_digest (const T2pHttpAuth *auth);

char *t2p_http_auth_make_token (T2pHttpAuth *auth, GError **error);
gboolean t2p_http_auth_write_basic (const T2pHttpAuth *auth, T2pWriter *writer);
gboolean t2p_http_auth_write_digest (const T2pHttpAuth *auth,
                                     T2pWriter *writer,
                                     T2pHttpDigest *digest,
                                     const char *method,
                                     const char *uri);

G_END_DECLS
