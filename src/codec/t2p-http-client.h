/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "t2p-http-auth.h"
#include "t2p-http-body.h"
#include "t2p-http-head.h"
#include "t2p-ip.h"
#include "t2p-refusal.h"

G_BEGIN_DECLS

#define T2P_HTTP_MAX_NAME_BYTES 255
/* The name twice, and the longest of what proves who we are, Negotiate excepted: a Digest with
 * three texts of the proxy's and a name of ours, each of them escaped. */
#define T2P_HTTP_MAX_REQUEST_BYTES (2048 + 2 * (3 * T2P_HTTP_MAX_PARAM_BYTES + 255))
#define T2P_HTTP_MAX_NEGOTIATE_BYTES (T2P_HTTP_MAX_REQUEST_BYTES + T2P_HTTP_MAX_TOKEN_BYTES)

/** T2pHttpFailure: how a handshake ended that did not succeed. */
typedef enum
{
  T2P_HTTP_FAILURE_NONE,
  T2P_HTTP_FAILURE_HEAD,            /* the upstream does not speak HTTP, or badly */
  T2P_HTTP_FAILURE_STATUS,          /* the request was refused */
  T2P_HTTP_FAILURE_NO_LOGIN,        /* it wants to know who we are, and we have no name */
  T2P_HTTP_FAILURE_NO_SCHEME,       /* it wants another way of authentication */
  T2P_HTTP_FAILURE_LOGIN,           /* user name or password refused */
  T2P_HTTP_FAILURE_TOKEN,           /* there is no token for Negotiate */
  T2P_HTTP_FAILURE_NEEDS_RECONNECT, /* go on with t2p_http_client_restart() */
  T2P_HTTP_FAILURE_CLOSED,          /* the upstream closed in the middle */
} T2pHttpFailure;

/**
 * T2pHttpRequest:
 * @name: (nullable): a host name; %NULL: by @address
 * @address: IPv4 or IPv6, when @name is %NULL
 * @port: host order
 * @auth: (nullable): who we are; %NULL: nobody
 */
typedef struct
{
  const char *name;
  T2pIpAddress address;
  guint16 port;
  T2pHttpAuth *auth;
} T2pHttpRequest;

typedef enum
{
  T2P_HTTP_STAGE_HEAD,
  T2P_HTTP_STAGE_BODY,
  T2P_HTTP_STAGE_DONE,
  T2P_HTTP_STAGE_FAILED,
} T2pHttpStage;

/** T2pHttpClient: a value that has to be cleared; all fields are private. */
typedef struct
{
  T2pHttpAuth *auth;
  T2pHttpStage stage;
  T2pHttpFailure failure;
  T2pHttpHead head;
  T2pHttpBody body;
  T2pHttpScheme scheme;  /* of the request that is being answered */
  T2pHttpDigest *digest; /* with it */
  GError *token_error;   /* why there was none to send */
  guint n_requests;
  guint is_unsent : 1;
  guint was_told : 1;  /* @digest was learnt by this client, so it is not too old */
  guint is_reused : 1; /* the connection has carried an answer before */
  char authority[T2P_HTTP_MAX_NAME_BYTES + sizeof ":65535"];
} T2pHttpClient;

gboolean
t2p_http_client_init (T2pHttpClient *client, const T2pHttpRequest *request, GError **error);
void t2p_http_client_clear (T2pHttpClient *client);
gboolean t2p_http_client_has_output (const T2pHttpClient *client);
gboolean t2p_http_client_write (T2pHttpClient *client, T2pWriter *writer);
T2pDecode t2p_http_client_feed (T2pHttpClient *client,
                                const guint8 *bytes,
                                gsize length,
                                gsize *out_used);
T2pDecode t2p_http_client_end (T2pHttpClient *client);
gboolean t2p_http_client_restart (T2pHttpClient *client);
gboolean t2p_http_client_awaits_answer (const T2pHttpClient *client);
T2pHttpFailure t2p_http_client_get_failure (const T2pHttpClient *client);
T2pHttpScheme t2p_http_client_get_scheme (const T2pHttpClient *client);
T2pHttpScheme t2p_http_client_get_wanted (const T2pHttpClient *client);
guint t2p_http_client_get_status (const T2pHttpClient *client);
char *t2p_http_client_describe_status (const T2pHttpClient *client);
T2pRefusal t2p_http_client_get_refusal (const T2pHttpClient *client);
void t2p_http_client_set_error (const T2pHttpClient *client, GError **error);

G_END_DECLS
